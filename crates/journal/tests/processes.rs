//! Several processes, killed processes, full disks. Children are this same test program, told by variables of the
//! environment what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use eclusa_fault::Code;
use eclusa_journal::{OpenMode, SqliteJournal};
use eclusa_ports::JournalStore;
use support::*;

/// Begins a child that appends to a run and prints the number of each event after it was acknowledged.
fn writer(path: &Path, name: &str, events: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_appends", "--ignored", "--nocapture", "--test-threads=1"])
        .env("JOURNAL_TEST_PATH", path)
        .env("JOURNAL_TEST_RUN", name)
        .env("JOURNAL_TEST_EVENTS", events.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn acknowledged(output: &str) -> u64 {
    // A line that was cut off by the kill is no acknowledgement that was read.
    output
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n')?.strip_prefix("acknowledged ")?.parse().ok())
        .max()
        .unwrap_or(0)
}

#[test]
#[ignore = "run as a child process by the other tests"]
fn child_that_appends() {
    let Ok(path) = std::env::var("JOURNAL_TEST_PATH") else { return };
    let name = std::env::var("JOURNAL_TEST_RUN").unwrap();
    let most: u64 = std::env::var("JOURNAL_TEST_EVENTS").unwrap().parse().unwrap();
    let journal = writable(Path::new(&path));
    let begun = match journal.read(&run(&name)) {
        Ok(entries) => entries.len() as u64,
        Err(fault) if fault.code == Code::RunUnknown => 0,
        Err(fault) => panic!("{fault}"),
    };
    println!();
    for sequence in begun + 1..=begun + most {
        let event = if sequence == 1 { started() } else { noted(&"x".repeat(300)) };
        journal.append(&run(&name), &stack(), sequence, at(sequence as i64), &event).unwrap();
        println!("acknowledged {sequence}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn two_processes_append_while_a_third_reads() {
    const EVENTS: u64 = 150;
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    let mut children = [writer(&path, "r-a", EVENTS), writer(&path, "r-b", EVENTS)];
    let reader = SqliteJournal::open(&path, OpenMode::ReadOnly).unwrap();
    let (mut reads, mut seen) = (0_u64, 0_u64);
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        let total: u64 = reader
            .runs(None, 10)
            .unwrap()
            .iter()
            .map(|summary| {
                let length = reader.read(&summary.run).unwrap().len() as u64;
                assert!(length >= summary.events, "a later read has fewer events");
                length
            })
            .sum();
        assert!(total >= seen, "events went away: {seen}, then {total}");
        reads += u64::from(total > 0 && total < 2 * EVENTS);
        seen = total;
    }
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    assert!(reads > 0, "never read while they wrote");
    assert_eq!(reader.verify().unwrap(), 2 * EVENTS);
    assert_eq!(writable(&path).verify().unwrap(), 2 * EVENTS);
}

#[test]
fn two_processes_cannot_both_write_the_next_event_of_a_run() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    fill(&writable(&path), "r-1", 1);
    let winners: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let journal = writable(&path);
                    (2..=60)
                        .filter(|sequence| {
                            match journal.append(&run("r-1"), &stack(), *sequence, at(0), &noted("x")) {
                                Ok(_) => true,
                                Err(fault) => {
                                    assert_eq!(fault.code, Code::RunState, "{fault}");
                                    false
                                }
                            }
                        })
                        .collect::<Vec<u64>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut sorted = winners;
    sorted.sort_unstable();
    let length = sorted.len() as u64;
    assert_eq!(sorted, (2..2 + length).collect::<Vec<_>>(), "a number was written twice or left out");
    assert_eq!(writable(&path).read(&run("r-1")).unwrap().len() as u64, length + 1);
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    let mut total = 0;
    for round in 0..12_u64 {
        let mut child = writer(&path, "r-1", 1_000_000);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut read = String::new();
        // Killed after a number of acknowledgements that differs, at whatever point it then is.
        while acknowledged(&read) < total + 1 + round * 7 {
            assert!(output.read_line(&mut read).unwrap() > 0, "the writer ended by itself");
        }
        std::thread::sleep(Duration::from_micros(round * 137));
        child.kill().unwrap();
        child.wait().unwrap();
        output.read_to_string(&mut read).unwrap();
        let journal = if round % 2 == 0 {
            SqliteJournal::open(&path, OpenMode::ReadOnly).unwrap()
        } else {
            writable(&path)
        };
        let kept = journal.read(&run("r-1")).unwrap().len() as u64;
        let promised = acknowledged(&read);
        assert!(kept >= promised, "{promised} were acknowledged, {kept} are there");
        assert!(kept <= promised + 1, "{kept} are there, {promised} were acknowledged");
        assert_eq!(journal.verify().unwrap(), kept);
        total = kept;
    }
}

/// A file system of its own in memory, so that it can be filled.
struct SmallDisk(PathBuf, #[allow(dead_code, reason = "kept until the disk is unmounted")] tempfile::TempDir);

impl SmallDisk {
    fn new(megabytes: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let point = directory.path().join("disk");
        std::fs::create_dir(&point).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m,mode=0700"), "eclusa-test"])
            .arg(&point)
            .output()
            .expect("the program `mount` is needed for this test");
        assert!(
            mounted.status.success(),
            "this test fills a small tmpfs and needs the right to mount one (run it as root): {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Self(point, directory)
    }

    /// Writes until there is no room left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [1 << 16, 4096, 1] {
            let block = vec![0x5a; size];
            while file.write_all(&block).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).output());
    }
}

#[test]
fn a_failure_can_still_be_written_when_the_disk_is_full() {
    let disk = SmallDisk::new(16);
    let path = disk.0.join("journal.sqlite");
    let reserve = disk.0.join("journal.reserve");
    let journal = writable(&path);
    fill(&journal, "r-1", 3);
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 1 << 20);
    let ballast = disk.fill();

    // The disk is full: the reserve is used, and everything that follows is written as well.
    let mut sequence = 3;
    while reserve.exists() {
        sequence += 1;
        journal.append(&run("r-1"), &stack(), sequence, at(0), &noted(&"x".repeat(8000))).unwrap();
        assert!(sequence < 5000, "the reserve was never needed");
    }
    for _ in 0..20 {
        sequence += 1;
        journal.append(&run("r-1"), &stack(), sequence, at(0), &noted(&"x".repeat(2000))).unwrap();
    }
    // Once that too is used up, it says so, and what was acknowledged stays.
    let fault = loop {
        match journal.append(&run("r-1"), &stack(), sequence + 1, at(0), &noted(&"x".repeat(8000))) {
            Ok(_) => sequence += 1,
            Err(fault) => break fault,
        }
        assert!(sequence < 5000, "the disk was never full");
    };
    assert_eq!(fault.code, Code::JournalUnwritable, "{fault}");
    assert_eq!(journal.verify().unwrap(), sequence);

    // With room again, it goes on, and the reserve comes back.
    std::fs::remove_file(ballast).unwrap();
    journal.append(&run("r-1"), &stack(), sequence + 1, at(0), &noted("there is room")).unwrap();
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 1 << 20);
    drop(journal);
    assert_eq!(writable(&path).verify().unwrap(), sequence + 1);
}

#[test]
fn a_full_disk_gives_no_half_journal() {
    let disk = SmallDisk::new(1);
    let ballast = disk.fill();
    let path = disk.0.join("journal.sqlite");
    let fault = SqliteJournal::open(&path, OpenMode::ReadWrite).unwrap_err();
    assert_eq!(fault.code, Code::JournalUnwritable, "{fault}");
    assert!(!path.exists());
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(writable(&path).verify().unwrap(), 0);
}
