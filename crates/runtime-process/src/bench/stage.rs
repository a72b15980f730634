//! The bench of a release, made beside the one that runs: a copy of it, the apps at the commits of the release,
//! requirements installed and assets built there. Nothing that serves is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{AppVersion, Release, ReleaseSource};
use eclusa_ports::{CommandResult, OutputSink};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::relocate;
use super::stack::BenchStack;
use super::swap::Swap;
use crate::exec::{self, Prepared};
use crate::release::{digest, file_fault};
use crate::state::write_durably;

/// The file that says that a bench is whole.
const COMPLETE: &str = "complete.json";

/// What must be there for bench to take a directory for one.
const DIRECTORIES: [&str; 5] = ["apps", "sites/assets", "config/pids", "logs", "archived"];

/// What is known of a bench that was made.
#[derive(Debug, Serialize, Deserialize)]
struct Complete {
    format: u32,
    /// The digest of what went into it.
    id: String,
}

/// Makes benches of releases.
pub(crate) struct Stage<'a> {
    pub stack: &'a BenchStack,
    /// What commands get.
    pub environment: BTreeMap<String, String>,
    /// How long one command may take.
    pub within: Duration,
}

/// The apps of a release, by name.
///
/// # Errors
/// `ReleaseUnknown` for a release that is none of a bench.
pub(crate) fn apps_of(release: &Release) -> Result<&BTreeMap<String, AppVersion>> {
    match &release.source {
        ReleaseSource::Bench { apps } => Ok(apps),
        _ => Err(Fault::new(Code::ReleaseUnknown)
            .with("release", &release.name)
            .with("problem", "it is no release of a bench")
            .with("where", "A release of a bench is a git ref of its apps.")),
    }
}

/// A short text that tells releases of one name apart: a branch moves.
///
/// # Errors
/// `Internal`.
pub(crate) fn short_id(release: &Release) -> Result<String> {
    let text = serde_json::to_vec(&release.source)
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    Ok(hex::encode(Sha256::digest(&text)).chars().take(8).collect())
}

impl Stage<'_> {
    /// The digest of a release: its apps, and of those without git the files.
    ///
    /// # Errors
    /// `FileAccess`.
    pub async fn id(&self, release: &Release) -> Result<String> {
        let mut hash = Sha256::new();
        for (app, version) in apps_of(release)? {
            let said = match version {
                AppVersion::Files { path } => digest(PathBuf::from(path)).await?,
                version => version.commit().unwrap_or("kept").to_owned(),
            };
            hash.update(format!("{app} {said}\n"));
        }
        Ok(format!("sha256:{}", hex::encode(hash.finalize())))
    }

    /// Makes the bench of a release, unless it is there and whole. Gives its digest.
    ///
    /// # Errors
    /// `CommandFailed` with the command and its last lines, `FileAccess`. The bench that runs was not touched.
    pub async fn make(&self, release: &Release, output: &dyn OutputSink) -> Result<String> {
        let (stage, id) = (directory_of(self.stack, release)?, self.id(release).await?);
        self.owned()?;
        // What an earlier try that was killed left running would go on writing into what is made now.
        exec::end(&mark(&stage)).await?;
        if complete(&stage).is_some_and(|found| found == id) && Swap::is_whole(&stage) {
            output.line(eclusa_ports::OutputStream::Out, &format!("{} is there already", stage.display()));
            return Ok(id);
        }
        self.remove(&stage).await?;
        self.copy(&stage, output).await?;
        for (app, version) in apps_of(release)? {
            self.app(&stage, app, version, output).await?;
        }
        self.list_apps(&stage, apps_of(release)?)?;
        for argv in self.stack.requirements.iter().chain(&self.stack.build) {
            output.line(eclusa_ports::OutputStream::Out, &argv.join(" "));
            self.must(argv.clone(), &stage, &stage, output).await?;
        }
        if !Swap::is_whole(&stage) {
            return Err(Fault::new(Code::ReleaseUnknown)
                .with("release", &release.name)
                .with("problem", format!("after its commands {} lacks a part of a bench", stage.display()))
                .with("where", "Look at supervisor.requirements and supervisor.build in eclusa.toml."));
        }
        let text = serde_json::to_vec(&Complete { format: 1, id: id.clone() })
            .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
        let path = stage.join(COMPLETE);
        write_durably(&path, &text, 0o644).map_err(|error| file_fault(&path, "written").because(error))?;
        Ok(id)
    }

    /// Lets the bench of a release go that does not run.
    ///
    /// # Errors
    /// `FileAccess`.
    pub async fn remove(&self, stage: &Path) -> Result<()> {
        if std::fs::symlink_metadata(stage).is_err() {
            return Ok(());
        }
        let path = stage.to_owned();
        tokio::task::spawn_blocking(move || {
            // First what says that it is whole.
            let _ = std::fs::remove_file(path.join(COMPLETE));
            std::fs::remove_dir_all(&path).map_err(|error| file_fault(&path, "removed").because(error))
        })
        .await
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?
    }

    /// A bench that another user owns would get files that its processes may not read.
    fn owned(&self) -> Result<()> {
        use std::os::unix::fs::MetadataExt;
        let bench = &self.stack.bench;
        let found = std::fs::metadata(bench.join("apps"))
            .map_err(|error| file_fault(bench, "read").because(error))?;
        let own = rustix::process::geteuid().as_raw();
        if found.uid() == own {
            return Ok(());
        }
        Err(file_fault(&bench.join("apps"), "used: it belongs to another user")
            .because(format!("it belongs to user {}, and Eclusa runs as user {own}", found.uid()))
            .state(Message::verbatim("Nothing was changed."))
            .hint(Message::verbatim("Run Eclusa as the user who owns the bench.")))
    }

    async fn copy(&self, stage: &Path, output: &dyn OutputSink) -> Result<()> {
        let bench = &self.stack.bench;
        for directory in DIRECTORIES {
            let path = stage.join(directory);
            std::fs::create_dir_all(&path).map_err(|error| file_fault(&path, "created").because(error))?;
        }
        for (from, into) in
            [("env", ""), ("sites/assets", "sites"), ("sites/common_site_config.json", "sites")]
        {
            let source = bench.join(from);
            if std::fs::symlink_metadata(&source).is_err() {
                continue;
            }
            let into = stage.join(into);
            self.copy_into(&source, &into, stage, output).await?;
        }
        relocate::tell(stage, bench, stage)
    }

    async fn copy_into(
        &self,
        source: &Path,
        into: &Path,
        stage: &Path,
        output: &dyn OutputSink,
    ) -> Result<()> {
        let argv =
            ["cp", "-a", "--reflink=auto", "--", &text(source)?, &text(into)?].map(String::from).to_vec();
        self.must(argv, Path::new("/"), stage, output).await.map(drop)
    }

    async fn app(
        &self,
        stage: &Path,
        app: &str,
        version: &AppVersion,
        output: &dyn OutputSink,
    ) -> Result<()> {
        let (here, there) = (self.stack.bench.join("apps").join(app), stage.join("apps").join(app));
        let apps = stage.join("apps");
        if let AppVersion::Files { path } = version {
            return self.copy_into(Path::new(path), &there, stage, output).await;
        }
        let known = here.is_dir();
        if known {
            // With what git does not know: installed packages of Node, and what an operator changed.
            self.copy_into(&here, &apps, stage, output).await?;
        }
        let AppVersion::Git { commit, reference, remote } = version else { return Ok(()) };
        if !known {
            let argv = ["git", "clone", "--quiet", "--no-checkout", "--", remote, &text(&there)?];
            self.must(argv.map(String::from).to_vec(), &apps, stage, output).await?;
        }
        let git = |words: &[&str]| -> Vec<String> {
            ["git"].iter().chain(words).map(|word| (*word).to_owned()).collect()
        };
        let has = git(&["cat-file", "-e", &format!("{commit}^{{commit}}")]);
        if self.run(has, &there, stage, &eclusa_ports::NoOutput).await?.code != 0 {
            let remote = if known { remote.as_str() } else { "origin" };
            self.must(git(&["fetch", "--quiet", "--", remote, reference]), &there, stage, output).await?;
        }
        self.must(git(&["checkout", "--quiet", "--detach", commit]), &there, stage, output).await?;
        output.line(
            eclusa_ports::OutputStream::Out,
            &format!("{app} is at {reference} ({})", commit.get(..12).unwrap_or(commit)),
        );
        Ok(())
    }

    /// The list of apps: as it was, and what is new at its end.
    fn list_apps(&self, stage: &Path, apps: &BTreeMap<String, AppVersion>) -> Result<()> {
        let from = self.stack.bench.join("sites/apps.txt");
        let before =
            std::fs::read_to_string(&from).map_err(|error| file_fault(&from, "read").because(error))?;
        let mut listed: Vec<&str> = before.split_whitespace().collect();
        let known: BTreeSet<&str> = listed.iter().copied().collect();
        listed.extend(apps.keys().map(String::as_str).filter(|app| !known.contains(app)));
        let path = stage.join("sites/apps.txt");
        std::fs::write(&path, listed.join("\n") + "\n")
            .map_err(|error| file_fault(&path, "written").because(error))
    }

    async fn run(
        &self,
        argv: Vec<String>,
        directory: &Path,
        stage: &Path,
        output: &dyn OutputSink,
    ) -> Result<CommandResult> {
        let prepared = Prepared {
            argv,
            environment: self.environment.clone(),
            directory: directory.to_owned(),
            stdin: None,
            timeout: self.within,
            mark: Some(mark(stage)),
        };
        exec::run(prepared, output).await
    }

    async fn must(
        &self,
        argv: Vec<String>,
        directory: &Path,
        stage: &Path,
        output: &dyn OutputSink,
    ) -> Result<CommandResult> {
        let shown = argv.join(" ");
        let result = self.run(argv, directory, stage, output).await?;
        if result.code == 0 {
            return Ok(result);
        }
        let mut fault = Fault::new(Code::CommandFailed)
            .with("command", shown)
            .with("status", format!("code {}", result.code));
        let from = result.tail.len().saturating_sub(12);
        fault.causes.extend(result.tail.iter().skip(from).cloned());
        Err(fault.state(Message::verbatim(format!(
            "The bench in {} was not touched.",
            self.stack.bench.display()
        ))))
    }
}

/// The directory of a release that does not run.
///
/// # Errors
/// `ReleaseUnknown`.
pub(crate) fn directory_of(stack: &BenchStack, release: &Release) -> Result<PathBuf> {
    let path = stack.stage(&release.name)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!("-{}", short_id(release)?));
    Ok(path.with_file_name(name))
}

fn mark(stage: &Path) -> String {
    format!("stage {}", stage.display())
}

fn complete(stage: &Path) -> Option<String> {
    let bytes = std::fs::read(stage.join(COMPLETE)).ok()?;
    serde_json::from_slice::<Complete>(&bytes).ok().filter(|found| found.format == 1).map(|found| found.id)
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| file_fault(path, "used: its name is no text"))
}
