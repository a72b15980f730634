//! What is moved when a bench gets another release, so that a crash at any moment is finished or taken back: before
//! anything is moved it is written down which release goes and which comes. Where each part is then tells how far it
//! came, since a part of the release that comes lies in its own directory until it has arrived.

use std::path::{Path, PathBuf};

use eclusa_fault::{Code, Fault, Result};
use serde::{Deserialize, Serialize};

use super::relocate;
use crate::release::file_fault;
use crate::state::write_durably;

/// What belongs to a release, relative to its bench.
pub(crate) const PARTS: [&str; 4] = ["apps", "env", "sites/assets", "sites/apps.txt"];

/// The format of the file.
const FORMAT: u32 = 1;

/// A move that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moving {
    format: u32,
    /// The directory of the release that goes.
    pub out: PathBuf,
    /// The directory of the release that comes.
    pub into: PathBuf,
}

/// Moves releases in and out of a bench.
#[derive(Debug, Clone)]
pub(crate) struct Swap {
    pub bench: PathBuf,
    /// Where a move that began is written down.
    pub record: PathBuf,
}

impl Swap {
    /// The move that a crash interrupted.
    ///
    /// # Errors
    /// `StateDirectory` when the record cannot be read.
    pub fn moving(&self) -> Result<Option<Moving>> {
        let broken = |cause: String| {
            Fault::new(Code::StateDirectory).with("path", self.record.display()).because(cause)
        };
        let bytes = match std::fs::read(&self.record) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(broken(error.to_string())),
        };
        let moving: Moving = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        if moving.format == FORMAT {
            Ok(Some(moving))
        } else {
            Err(broken(format!("format {}, and {FORMAT} is known", moving.format)))
        }
    }

    /// Brings the release of directory `into` to the bench, and what is there to directory `out`.
    ///
    /// # Errors
    /// `FileAccess`, `ReleaseUnknown` when the release is not whole.
    pub fn bring(&self, into: &Path, out: &Path) -> Result<()> {
        if let Some(begun) = self.moving()? {
            if begun.into != into && begun.out != into {
                // A third release: first the bench is again what it was.
                self.carry_on(&begun.out, &begun.into)?;
                self.ended()?;
                return self.bring(into, out);
            }
            let other = if begun.into == into { begun.out } else { begun.into };
            return self.carry_on(into, &other);
        }
        self.whole(into)?;
        let moving = Moving { format: FORMAT, out: out.to_owned(), into: into.to_owned() };
        let text = serde_json::to_vec_pretty(&moving)
            .map_err(|error| file_fault(&self.record, "written").because(error))?;
        write_durably(&self.record, &text, 0o600)
            .map_err(|error| file_fault(&self.record, "written").because(error))?;
        eclusa_crash::point("bench.moving");
        self.carry_on(into, out)
    }

    /// Whether every part of a release is in its directory.
    pub fn is_whole(directory: &Path) -> bool {
        PARTS.iter().all(|part| std::fs::symlink_metadata(directory.join(part)).is_ok())
    }

    fn whole(&self, directory: &Path) -> Result<()> {
        let missing = PARTS.iter().find(|part| std::fs::symlink_metadata(directory.join(part)).is_err());
        let Some(part) = missing else { return Ok(()) };
        Err(Fault::new(Code::ReleaseUnknown)
            .with("release", directory.file_name().unwrap_or_default().to_string_lossy())
            .with("problem", format!("{} is not there", directory.join(part).display()))
            .with("where", format!("The bench in {} was not touched.", self.bench.display())))
    }

    fn carry_on(&self, into: &Path, out: &Path) -> Result<()> {
        for part in PARTS {
            let (comes, here, goes) = (into.join(part), self.bench.join(part), out.join(part));
            let there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
            if !there(&comes) {
                continue;
            }
            if there(&here) {
                rename(&here, &goes)?;
                eclusa_crash::point("bench.part.out");
            }
            rename(&comes, &here)?;
            eclusa_crash::point("bench.part.in");
        }
        // What went is told where it is too: a candidate is asked there, as the one before is after a way back.
        relocate::tell(&self.bench, into, &self.bench)?;
        relocate::tell(out, &self.bench, out)?;
        eclusa_crash::point("bench.told");
        Ok(())
    }

    /// Notes that the move has ended: the bench has its release, and that is written down elsewhere.
    ///
    /// # Errors
    /// `FileAccess`.
    pub fn ended(&self) -> Result<()> {
        match std::fs::remove_file(&self.record) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(file_fault(&self.record, "removed").because(error))
            }
            _ => eclusa_durable::synchronise_directory(eclusa_durable::parent_of(&self.record))
                .map_err(|error| file_fault(&self.record, "removed").because(error)),
        }
    }
}

/// Moves a part, and makes sure that it stays moved after a loss of power.
fn rename(from: &Path, to: &Path) -> Result<()> {
    let failed = |error| {
        Fault::new(Code::FileAccess).with("path", from.display()).with("operation", "moved").because(error)
    };
    let (from_parent, to_parent) = (eclusa_durable::parent_of(from), eclusa_durable::parent_of(to));
    eclusa_durable::make_directory(to_parent, 0o755).map_err(failed)?;
    std::fs::rename(from, to).map_err(failed)?;
    eclusa_durable::synchronise_directory(to_parent).map_err(failed)?;
    eclusa_durable::synchronise_directory(from_parent).map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn fill(directory: &Path, word: &str) {
        for part in PARTS {
            let path = directory.join(part);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if part.ends_with(".txt") {
                std::fs::write(path, word).unwrap();
            } else {
                std::fs::create_dir_all(&path).unwrap();
                std::fs::write(path.join("word"), word).unwrap();
            }
        }
    }

    fn words(directory: &Path) -> Vec<String> {
        PARTS
            .iter()
            .map(|part| {
                let path = directory.join(part);
                let path = if part.ends_with(".txt") { path } else { path.join("word") };
                std::fs::read_to_string(path).unwrap_or_else(|_| "-".to_owned())
            })
            .collect()
    }

    struct Benches {
        _root: tempfile::TempDir,
        swap: Swap,
        old: PathBuf,
        new: PathBuf,
    }

    fn benches() -> Benches {
        let root = tempfile::tempdir().unwrap();
        let bench = root.path().join("bench");
        let releases = bench.join(".eclusa/releases");
        let (old, new) = (releases.join("old"), releases.join("new"));
        fill(&bench, "old");
        fill(&new, "new");
        let swap = Swap { bench, record: root.path().join("moving.json") };
        Benches { _root: root, swap, old, new }
    }

    #[test]
    fn a_release_is_brought_in_and_taken_back_whole() {
        let b = benches();
        b.swap.bring(&b.new, &b.old).unwrap();
        b.swap.ended().unwrap();
        assert_eq!((words(&b.swap.bench), words(&b.old)), (vec!["new".into(); 4], vec!["old".to_owned(); 4]));
        b.swap.bring(&b.old, &b.new).unwrap();
        b.swap.ended().unwrap();
        assert_eq!((words(&b.swap.bench), words(&b.new)), (vec!["old".into(); 4], vec!["new".to_owned(); 4]));
    }

    #[test]
    fn from_each_place_where_a_move_can_stop_both_ways_lead_to_a_whole_release() {
        // A move of four parts has two renames each: after any number of them it may stop.
        for stopped in 0..=2 * PARTS.len() {
            for forward in [true, false] {
                let b = benches();
                let moving = Moving { format: FORMAT, out: b.old.clone(), into: b.new.clone() };
                std::fs::write(&b.swap.record, serde_json::to_vec(&moving).unwrap()).unwrap();
                let mut renames = PARTS.iter().flat_map(|part| {
                    [(b.swap.bench.join(part), b.old.join(part)), (b.new.join(part), b.swap.bench.join(part))]
                });
                for (from, to) in renames.by_ref().take(stopped) {
                    rename(&from, &to).unwrap();
                }
                let (into, out, here, there) =
                    if forward { (&b.new, &b.old, "new", "old") } else { (&b.old, &b.new, "old", "new") };
                b.swap.bring(into, out).unwrap();
                assert_eq!(words(&b.swap.bench), vec![here.to_owned(); 4], "{stopped} {forward}");
                assert_eq!(words(out), vec![there.to_owned(); 4], "{stopped} {forward}");
            }
        }
    }

    #[test]
    fn a_release_that_is_not_whole_moves_nothing() {
        let b = benches();
        std::fs::remove_dir_all(b.new.join("env")).unwrap();
        let fault = b.swap.bring(&b.new, &b.old).unwrap_err();
        assert_eq!(fault.code, Code::ReleaseUnknown);
        assert_eq!(words(&b.swap.bench), vec!["old".to_owned(); 4]);
        assert_eq!(b.swap.moving().unwrap(), None);
    }
}
