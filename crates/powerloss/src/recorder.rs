//! Recording what a process does: it runs as a child of the test, on a filesystem that this process serves. (In one
//! process the two could wait for each other: a mapped file that is not in memory yet is read while the kernel holds
//! what the server would need to take memory.)

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::image::Image;
use crate::mount::Mounted;
use crate::operation::Recording;

const ROOT_VARIABLE: &str = "ECLUSA_POWERLOSS_ROOT";
const WORK_VARIABLE: &str = "ECLUSA_POWERLOSS_WORK";
const MUTANT_VARIABLE: &str = "ECLUSA_MUTANT";

/// A process under test, seen from inside.
#[derive(Debug)]
pub struct Stage {
    /// Where the filesystem is mounted.
    pub root: PathBuf,
    /// What this process is to do.
    pub work: String,
    said: std::fs::File,
}

impl Stage {
    /// The stage, when this process is one under test; none in the test itself.
    ///
    /// # Errors
    /// When the filesystem is not there.
    pub fn here() -> io::Result<Option<Self>> {
        let (Some(root), Ok(work)) = (std::env::var_os(ROOT_VARIABLE), std::env::var(WORK_VARIABLE)) else {
            return Ok(None);
        };
        let root = PathBuf::from(root);
        let said = OpenOptions::new().write(true).open(root.join(crate::filesystem::SAID))?;
        Ok(Some(Self { root, work, said }))
    }

    /// Says how far it is. What was said before the power was lost is known to the test, as it would be to whoever
    /// had been told.
    ///
    /// # Errors
    /// When the filesystem is gone.
    pub fn say(&self, text: &str) -> io::Result<()> {
        (&self.said).write_all(text.as_bytes())
    }
}

/// What is to be recorded.
#[derive(Debug, Clone)]
pub struct Scene<'a> {
    /// The test that does it when it finds itself on a stage: the path by which the test binary knows it.
    pub test: &'a str,
    /// What it is to do.
    pub work: &'a str,
    /// What is on the disk before.
    pub before: Image,
    /// The bytes of room on the disk.
    pub room: u64,
    /// The part of the program that is left out.
    pub mutant: Option<&'a str>,
}

impl Scene<'_> {
    /// Runs it to its end.
    ///
    /// # Errors
    /// When nothing can be mounted, or the process does not end well; its output is in the error.
    pub fn record(self) -> io::Result<Recording> {
        let directory = tempfile::Builder::new().prefix("powerloss-").tempdir()?;
        let mounted = Mounted::at(directory.path(), self.before.tree.clone(), self.room).map_err(|error| {
            io::Error::other(format!(
                "no filesystem can be mounted ({error}): this test needs /dev/fuse, and either to run as root or \
                 fusermount3 (Debian: apt-get install fuse3)"
            ))
        })?;
        let played = self.play(directory.path());
        let recording = mounted.end()?;
        played.map(|()| recording)
    }

    fn play(&self, root: &Path) -> io::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--exact", self.test, "--nocapture", "--test-threads=1"]);
        command.env(ROOT_VARIABLE, root).env(WORK_VARIABLE, self.work).env_remove(MUTANT_VARIABLE);
        if let Some(mutant) = self.mutant {
            command.env(MUTANT_VARIABLE, mutant);
        }
        let output = command.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // That the name of the test was the right one shows in that it ran.
        if output.status.success() && text(&output.stdout).contains("1 passed") {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "the process under test did not end well ({}), at {:?}:\n{}{}",
            output.status,
            self.work,
            text(&output.stdout),
            text(&output.stderr)
        )))
    }
}
