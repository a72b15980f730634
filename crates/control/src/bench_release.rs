//! The release of a bench that was asked for: at which commit each app would be. Only asks; what is fetched is fetched
//! into the release's own bench.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_config::AppSource;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{AppVersion, CandidateObservation, Release, ReleaseSource};
use eclusa_ports::{CommandSpec, NoOutput};

use crate::Assembly;
use crate::candidate::unknown;

/// How long a repository may take to say which refs it has.
const ASKED_WITHIN: Duration = Duration::from_secs(60);

/// What bench calls the repository an app comes from, then what git does.
const REMOTES: [&str; 2] = ["upstream", "origin"];

/// Looks a release of a bench up.
///
/// # Errors
/// `ReleaseUnknown` when no app has it, or one that the configuration names does not.
pub(crate) async fn look_up(assembly: &Assembly, name: &str) -> Result<CandidateObservation> {
    let bench = PathBuf::from(assembly.stack.bench().bench);
    let mut names: BTreeSet<String> = directories(&bench.join("apps"))?;
    names.extend(assembly.stack.release.apps.keys().cloned());
    let mut apps = BTreeMap::new();
    let mut any = false;
    for app in names {
        let source = assembly.stack.release.apps.get(&app);
        let version = version(assembly, &bench.join("apps").join(&app), source, name).await?;
        any |= !matches!(version, AppVersion::Kept { .. });
        apps.insert(app, version);
    }
    if !any {
        let apps: Vec<&str> = apps.keys().map(String::as_str).collect();
        let problem = format!("none of the apps {} has such a tag, branch or commit", apps.join(", "));
        return Err(unknown(assembly, name, &problem));
    }
    Ok(CandidateObservation {
        release: Release {
            name: name.to_owned(),
            source: ReleaseSource::Bench { apps },
            images: BTreeMap::new(),
        },
        migrations: None,
        dependencies_change: true,
        image_present: false,
    })
}

fn directories(path: &Path) -> Result<BTreeSet<String>> {
    let fault = |error: std::io::Error| {
        Fault::new(Code::FileAccess).with("path", path.display()).with("operation", "read").because(error)
    };
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(path).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        if entry.path().is_dir() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

async fn version(
    assembly: &Assembly,
    app: &Path,
    source: Option<&AppSource>,
    release: &str,
) -> Result<AppVersion> {
    let filled = |text: &str| text.replace("{release}", release);
    if let Some(directory) = source.and_then(|source| source.directory.as_ref()) {
        let path = assembly.stack.resolve(Path::new(&filled(&directory.to_string_lossy())));
        if path.is_dir() {
            return Ok(AppVersion::Files { path: path.display().to_string() });
        }
        return Err(unknown(assembly, release, &format!("{} is not there", path.display())));
    }
    let asked = source.and_then(|source| source.reference.as_deref()).map(filled);
    let must = asked.is_some() || source.is_some_and(|source| source.url.is_some());
    let reference = asked.unwrap_or_else(|| release.to_owned());
    let there = app.join(".git").exists();
    if !there && let Some(url) = source.and_then(|source| source.url.as_deref()) {
        let found = listed(assembly, Path::new("/"), url, &reference).await?;
        return found
            .map(|commit| AppVersion::Git { commit, reference, remote: url.to_owned() })
            .ok_or_else(|| unknown(assembly, release, &format!("{url} has no such tag or branch")));
    }
    if there && let Some((remote, commit)) = found(assembly, app, &reference).await? {
        return Ok(AppVersion::Git { commit, reference, remote });
    }
    if must {
        let name = app.file_name().unwrap_or_default().to_string_lossy();
        let problem = format!("app {name} has no tag, branch or commit {reference}");
        return Err(unknown(assembly, release, &problem));
    }
    let head = if there { parsed(assembly, app, "HEAD").await? } else { None };
    Ok(AppVersion::Kept { commit: head })
}

/// The remote and the commit of a ref: what the repository says counts, since a tag that is here may be an old one.
async fn found(assembly: &Assembly, app: &Path, reference: &str) -> Result<Option<(String, String)>> {
    let (code, out) = git(assembly, app, &["remote"]).await?;
    let remotes: Vec<&str> = out.lines().map(str::trim).filter(|_| code == 0).collect();
    let remote = REMOTES.into_iter().find(|name| remotes.contains(name)).or(remotes.first().copied());
    if let Some(remote) = remote
        && let Some(commit) = listed(assembly, app, remote, reference).await?
    {
        return Ok(Some((remote.to_owned(), commit)));
    }
    let local = parsed(assembly, app, reference).await?;
    Ok(local.map(|commit| (remote.unwrap_or("origin").to_owned(), commit)))
}

async fn parsed(assembly: &Assembly, app: &Path, reference: &str) -> Result<Option<String>> {
    let reference = format!("{reference}^{{commit}}");
    let words = ["rev-parse", "--verify", "--quiet", "--end-of-options", &reference];
    let (code, out) = git(assembly, app, &words).await?;
    Ok(Some(out.trim().to_owned()).filter(|commit| code == 0 && !commit.is_empty()))
}

/// The commit of a tag or a branch in a repository; of a tag with a note of its own, the commit that it names.
async fn listed(
    assembly: &Assembly,
    directory: &Path,
    remote: &str,
    reference: &str,
) -> Result<Option<String>> {
    let (tag, branch) = (format!("refs/tags/{reference}"), format!("refs/heads/{reference}"));
    let peeled = format!("{tag}^{{}}");
    let (code, out) = git(assembly, directory, &["ls-remote", "--", remote, &tag, &peeled, &branch]).await?;
    if code != 0 {
        let problem = format!("{remote} of {} cannot be asked: {}", directory.display(), last(&out));
        return Err(unknown(assembly, reference, &problem));
    }
    let commit = |name: &str| {
        out.lines().find_map(|line| {
            let (commit, found) = line.split_once('\t')?;
            (found.trim() == name).then(|| commit.trim().to_owned())
        })
    };
    Ok(commit(&peeled).or_else(|| commit(&tag)).or_else(|| commit(&branch)))
}

fn last(text: &str) -> &str {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing")
}

/// Runs git and gives its code and what it printed; on failure, also what it complained about.
async fn git(assembly: &Assembly, directory: &Path, words: &[&str]) -> Result<(i32, String)> {
    let mut argv = vec!["git".to_owned(), "-C".to_owned(), directory.display().to_string()];
    argv.extend(words.iter().map(|word| (*word).to_owned()));
    let result = assembly.ports.host.run(CommandSpec::new(argv, ASKED_WITHIN), &NoOutput).await?;
    let said = if result.code == 0 { result.stdout } else { result.tail.join("\n") };
    Ok((result.code, said))
}
