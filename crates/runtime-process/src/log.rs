//! Logs of services: one line each, a time in front of it. Two files at most, so that a chatty service cannot fill
//! the disk.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use eclusa_model::ServiceName;
use eclusa_ports::LogLine;
use jiff::Timestamp;

/// A log of this many bytes is put aside as `.1`, in place of the one before.
const LARGEST_LOG: u64 = 16 * 1024 * 1024;

/// Writes a service's log.
pub struct LogWriter {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl LogWriter {
    /// Opens it at its end.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        // What services say is for this user only, until someone decides otherwise.
        let file = File::options().append(true).create(true).mode(0o600).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, bytes })
    }

    /// Adds a line with the time of now. Output that cannot be written is lost: a service is not stopped because a
    /// disk is full.
    pub fn line(&mut self, text: &str) {
        if self.bytes >= LARGEST_LOG {
            let _ = std::fs::rename(&self.path, set_aside(&self.path));
            if let Ok(next) = Self::open(&self.path) {
                *self = next;
            }
        }
        let line = format!("{:.6} {text}\n", Timestamp::now());
        if self.file.write_all(line.as_bytes()).is_ok() {
            self.bytes += line.len() as u64;
        }
    }
}

fn set_aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// The newest `most` lines of a log that were written at `since` or later, oldest first. No log is no lines.
pub fn read_log(
    path: &Path,
    service: &ServiceName,
    since: Timestamp,
    most: usize,
) -> std::io::Result<Vec<LogLine>> {
    let mut kept = VecDeque::new();
    for part in [set_aside(path), path.to_owned()] {
        let file = match File::open(&part) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in BufReader::new(file).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            // A half line is what a crash in the middle of writing leaves.
            let Some((time, text)) = line.split_once(' ') else { continue };
            let Ok(at) = time.parse::<Timestamp>() else { continue };
            if at < since {
                continue;
            }
            if kept.len() >= most {
                kept.pop_front();
            }
            if most > 0 {
                kept.push_back(LogLine { at, service: service.clone(), text: text.to_owned() });
            }
        }
    }
    Ok(kept.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn lines_come_back_with_their_times_and_the_newest_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.log");
        let service = ServiceName::new("web").unwrap();
        let mut writer = LogWriter::open(&path).unwrap();
        writer.line("one");
        std::thread::sleep(std::time::Duration::from_millis(2));
        let middle = Timestamp::now();
        std::thread::sleep(std::time::Duration::from_millis(2));
        writer.line("two words");
        writer.line("");
        let texts = |since, most| -> Vec<String> {
            read_log(&path, &service, since, most).unwrap().into_iter().map(|line| line.text).collect()
        };
        assert_eq!(texts(Timestamp::UNIX_EPOCH, 10), ["one", "two words", ""]);
        assert_eq!(texts(middle, 10), ["two words", ""]);
        assert_eq!(texts(Timestamp::UNIX_EPOCH, 1), [""]);
        assert_eq!(read_log(&directory.path().join("none"), &service, middle, 5).unwrap(), []);
    }

    #[test]
    fn a_full_log_is_set_aside_and_still_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("web.log");
        let service = ServiceName::new("web").unwrap();
        let mut writer = LogWriter::open(&path).unwrap();
        writer.line("before");
        writer.bytes = LARGEST_LOG;
        writer.line("after");
        assert!(set_aside(&path).exists());
        let lines = read_log(&path, &service, Timestamp::UNIX_EPOCH, 10).unwrap();
        assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["before", "after"]);
    }
}
