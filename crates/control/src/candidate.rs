//! The release that was asked for, as far as it can be known without changing anything.

use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_config::ReleaseKind;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{AppKind, CandidateObservation, Release, ReleaseSource};
use eclusa_ports::{CommandSpec, NoOutput};

use crate::Assembly;

/// Looks a release up.
///
/// # Errors
/// `ReleaseUnknown` when there is none of that name, with where others are found.
pub(crate) async fn look_up(
    assembly: &Assembly,
    name: &str,
    running: Option<&Release>,
) -> Result<CandidateObservation> {
    if name.is_empty() || name.starts_with('-') || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(unknown(assembly, name, "that is no name of a release"));
    }
    match assembly.stack.release.source {
        ReleaseKind::Git => git(assembly, name, running).await,
        ReleaseKind::Image => image(assembly, name),
        ReleaseKind::Directory => directory(assembly, name),
        ReleaseKind::Bench => crate::bench_release::look_up(assembly, name).await,
    }
}

pub(crate) fn unknown(assembly: &Assembly, release: &str, problem: &str) -> Fault {
    let stack = &assembly.stack;
    let repository = stack.resolve(&stack.release.repository).display().to_string();
    let place = match stack.release.source {
        ReleaseKind::Git => format!("See which there are: git -C {repository} tag --list"),
        ReleaseKind::Image => "See which there are: docker image ls".to_owned(),
        ReleaseKind::Bench => {
            let apps = stack.bench().bench;
            format!("See which there are: git -C {apps}/apps/APP ls-remote --tags upstream")
        }
        ReleaseKind::Directory => format!("See which there are: ls {}", releases(assembly).display()),
    };
    Fault::new(Code::ReleaseUnknown).with("release", release).with("problem", problem).with("where", place)
}

fn releases(assembly: &Assembly) -> PathBuf {
    let table = assembly.stack.process.as_ref();
    table.map_or_else(|| PathBuf::from("releases"), |table| assembly.stack.resolve(&table.releases))
}

/// Runs git in the repository. Names come after `--end-of-options`, so that none is an option.
async fn run_git(assembly: &Assembly, arguments: &[&str]) -> Result<(i32, String)> {
    let repository = assembly.stack.resolve(&assembly.stack.release.repository);
    let mut argv = vec!["git".to_owned(), "-C".to_owned(), repository.display().to_string()];
    argv.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let result = assembly.ports.host.run(CommandSpec::new(argv, Duration::from_secs(60)), &NoOutput).await?;
    Ok((result.code, result.stdout))
}

async fn commit_of(assembly: &Assembly, name: &str) -> Result<Option<String>> {
    let reference = format!("{name}^{{commit}}");
    let (code, out) =
        run_git(assembly, &["rev-parse", "--verify", "--quiet", "--end-of-options", &reference]).await?;
    Ok((code == 0).then(|| out.trim().to_owned()).filter(|commit| !commit.is_empty()))
}

async fn git(assembly: &Assembly, name: &str, running: Option<&Release>) -> Result<CandidateObservation> {
    let (code, _) = run_git(assembly, &["rev-parse", "--git-dir"]).await?;
    if code != 0 {
        let repository = assembly.stack.resolve(&assembly.stack.release.repository);
        return Err(unknown(assembly, name, &format!("{} is no git repository", repository.display())));
    }
    let commit = commit_of(assembly, name)
        .await?
        .ok_or_else(|| unknown(assembly, name, "git knows no such tag, branch or commit"))?;
    let migrations = match assembly.stack.app {
        AppKind::Django => {
            let (_, tree) = run_git(assembly, &["ls-tree", "-r", "--name-only", &commit]).await?;
            Some(eclusa_apps::migrations_in(tree.lines()))
        }
        AppKind::Frappe | AppKind::Generic => None,
    };
    let before = match running.map(|release| &release.source) {
        Some(ReleaseSource::Git { commit }) => Some(commit.clone()),
        _ => None,
    };
    let dependencies_change = match before {
        Some(before) => dependencies_change(assembly, &before, &commit).await?,
        // What runs was not built from a known commit, so nothing can be said about its dependencies.
        None => true,
    };
    Ok(CandidateObservation {
        release: Release {
            name: name.to_owned(),
            source: ReleaseSource::Git { commit },
            images: Default::default(),
        },
        migrations,
        dependencies_change,
        image_present: false,
    })
}

/// Whether a file that names third-party code differs between two commits. Where git no longer knows one of them,
/// it is taken to.
async fn dependencies_change(assembly: &Assembly, before: &str, after: &str) -> Result<bool> {
    let patterns = &assembly.stack.release.dependency_files;
    let specifications: Vec<String> = patterns.iter().map(|pattern| format!(":(glob)**/{pattern}")).collect();
    let mut arguments = vec!["diff", "--name-only", before, after, "--"];
    arguments.extend(specifications.iter().map(String::as_str));
    let (code, out) = run_git(assembly, &arguments).await?;
    Ok(code != 0 || !out.trim().is_empty())
}

fn image(assembly: &Assembly, name: &str) -> Result<CandidateObservation> {
    let variable = assembly.stack.release.variable.clone().unwrap_or_default();
    Ok(CandidateObservation {
        release: Release {
            name: name.to_owned(),
            source: ReleaseSource::Image { variable },
            images: Default::default(),
        },
        // What an image holds is known only when it is here; until then the data is treated as changing.
        migrations: None,
        dependencies_change: true,
        image_present: false,
    })
}

fn directory(assembly: &Assembly, name: &str) -> Result<CandidateObservation> {
    let single = Path::new(name).components().count() == 1 && name != "." && name != "..";
    let path = releases(assembly).join(name);
    if !single || !path.is_dir() {
        return Err(unknown(assembly, name, &format!("{} is not there", path.display())));
    }
    Ok(CandidateObservation {
        release: Release {
            name: name.to_owned(),
            source: ReleaseSource::Directory { path: path.display().to_string() },
            images: Default::default(),
        },
        migrations: None,
        dependencies_change: false,
        image_present: true,
    })
}
