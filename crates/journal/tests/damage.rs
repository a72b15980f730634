//! A damaged file is noticed or harmless; it never panics and is never replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::Path;

use eclusa_fault::{Code, Fault};
use eclusa_journal::{OpenMode, SqliteJournal};
use eclusa_model::{PersonName, TenantName};
use eclusa_ports::{JournalStore, Proof, Request, RequestKind, RunSummary};
use eclusa_runbook::Entry;
use support::*;

#[derive(Debug, PartialEq)]
struct Content {
    runs: Vec<RunSummary>,
    entries: Vec<Vec<Entry>>,
    requests: Vec<Request>,
    proof: Option<Proof>,
}

fn tenant() -> TenantName {
    TenantName::new("alpha").unwrap()
}

fn content(path: &Path, mode: OpenMode) -> Result<Content, Fault> {
    let journal = SqliteJournal::open(path, mode)?;
    let found = Content {
        runs: journal.runs(None, 100)?,
        entries: vec![journal.read(&run("r-1"))?, journal.read(&run("r-2"))?],
        requests: journal.requests(&run("r-2"))?,
        proof: journal.newest_proof(&stack(), &tenant())?,
    };
    journal.verify()?;
    Ok(found)
}

fn whole(path: &Path) -> Content {
    let journal = writable(path);
    fill(&journal, "r-1", 60);
    fill(&journal, "r-2", 30);
    for reason in ["first", "second"] {
        let kind = RequestKind::Abort { by: PersonName::new("ana").unwrap(), reason: reason.to_owned() };
        journal.request(&run("r-2"), at(1), &kind).unwrap();
    }
    journal.taken(1).unwrap();
    let proof = Proof { tenant: tenant(), point: "p-1".to_owned(), at: at(3), milliseconds: 7, rows: 9 };
    journal.record_proof(&stack(), &proof).unwrap();
    drop(journal);
    content(path, OpenMode::ReadOnly).unwrap()
}

#[test]
fn a_flipped_byte_is_noticed_or_harmless() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    let expected = whole(&path);
    let bytes = std::fs::read(&path).unwrap();
    let (mut noticed, mut harmless) = (0, 0);
    for (number, offset) in (0..bytes.len()).step_by(97).enumerate() {
        for (pattern, mode) in [(0x01_u8, OpenMode::ReadOnly), (0xff, OpenMode::ReadWrite)] {
            let copy = directory.path().join(format!("copy-{number}-{pattern}.sqlite"));
            let mut damaged = bytes.clone();
            damaged[offset] ^= pattern;
            std::fs::write(&copy, &damaged).unwrap();
            match content(&copy, mode) {
                Ok(found) => {
                    assert_eq!(found, expected, "byte {offset} flipped by {pattern:#x} changed what is read");
                    harmless += 1;
                }
                Err(fault) => {
                    let known = [Code::JournalDamaged, Code::JournalTooNew, Code::RunUnknown];
                    assert!(known.contains(&fault.code), "byte {offset} flipped by {pattern:#x}: {fault}");
                    noticed += 1;
                }
            }
            for extra in ["sqlite", "sqlite-wal", "sqlite-shm", "reserve"] {
                drop(std::fs::remove_file(copy.with_extension(extra)));
            }
        }
    }
    // Most of the file is content; were nothing noticed, the test would test nothing.
    assert!(noticed > harmless, "{noticed} noticed, {harmless} harmless");
}

#[test]
fn every_byte_of_an_entry_is_guarded() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    whole(&path);
    let bytes = std::fs::read(&path).unwrap();
    let needle = b"\"step.20\"";
    let offset = bytes.windows(needle.len()).position(|window| window == needle).unwrap() + 2;
    let mut damaged = bytes;
    damaged[offset] ^= 0x01;
    std::fs::write(&path, &damaged).unwrap();
    let fault = SqliteJournal::open(&path, OpenMode::ReadOnly).unwrap().read(&run("r-1")).unwrap_err();
    assert_eq!(fault.code, Code::JournalDamaged);
    assert!(fault.args["problem"].starts_with("run r-1, entry 20:"), "{fault}");
}

#[test]
fn a_damaged_log_loses_at_most_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    let journal = writable(&path);
    let written = fill(&journal, "r-1", 25);
    let (main, log) =
        (std::fs::read(&path).unwrap(), std::fs::read(path.with_extension("sqlite-wal")).unwrap());
    drop(journal);
    assert!(log.len() > 25 * 4096, "the log holds nothing");
    let mut shorter = 0;
    for (number, offset) in (0..log.len()).step_by(997).enumerate() {
        let copy = directory.path().join(format!("copy-{number}.sqlite"));
        let mut damaged = log.clone();
        damaged[offset] ^= 0x10;
        std::fs::write(&copy, &main).unwrap();
        std::fs::write(copy.with_extension("sqlite-wal"), &damaged).unwrap();
        let journal = writable(&copy);
        journal.verify().unwrap();
        match journal.read(&run("r-1")) {
            Ok(found) => {
                assert_eq!(found, written[..found.len()], "byte {offset}");
                shorter += usize::from(found.len() < written.len());
            }
            Err(fault) => assert_eq!(fault.code, Code::RunUnknown, "byte {offset}: {fault}"),
        }
    }
    assert!(shorter > 10, "the log was not read");
}

#[test]
fn what_is_no_journal_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let good = path_in(directory.path());
    whole(&good);
    let bytes = std::fs::read(&good).unwrap();
    let half = bytes.len() / 2 / 4096 * 4096;
    let other = directory.path().join("other.sqlite");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE mine (a)").unwrap();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("one byte", vec![0]),
        ("a short beginning", bytes[..300].to_vec()),
        ("the first page only", bytes[..4096].to_vec()),
        ("half, at a page's end", bytes[..half].to_vec()),
        ("half a page", bytes[..half + 1000].to_vec()),
        ("all but one byte", bytes[..bytes.len() - 1].to_vec()),
        ("zeros", vec![0; 8192]),
        ("text", b"not a database ".repeat(1000)),
        ("noise", (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("someone else's SQLite file", std::fs::read(&other).unwrap()),
    ];
    for (name, content_bytes) in cases {
        let path = directory.path().join("case.sqlite");
        for mode in [OpenMode::ReadOnly, OpenMode::ReadWrite] {
            std::fs::write(&path, &content_bytes).unwrap();
            let fault = content(&path, mode).expect_err(name);
            assert_eq!(fault.code, Code::JournalDamaged, "{name}: {fault}");
            assert!(std::fs::read(&path).unwrap() == content_bytes, "{name}: the file was changed");
        }
    }
}

#[test]
fn a_missing_file_whose_log_is_there_is_no_new_journal() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    std::fs::write(directory.path().join("journal.sqlite-wal"), b"what was not yet moved").unwrap();
    for mode in [OpenMode::ReadOnly, OpenMode::ReadWrite] {
        assert_eq!(SqliteJournal::open(&path, mode).unwrap_err().code, Code::JournalDamaged);
    }
    assert!(!path.exists());
}

/// Changes rows behind the triggers' back, as someone with an editor would.
fn tamper(path: &Path, statements: &str) {
    let sqlite = rusqlite::Connection::open(path).unwrap();
    let triggers: Vec<(String, String)> = sqlite
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for (name, _) in &triggers {
        sqlite.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    sqlite.execute_batch(statements).unwrap();
    for (_, sql) in &triggers {
        sqlite.execute_batch(sql).unwrap();
    }
}

#[test]
fn rows_changed_removed_or_added_are_noticed_by_name() {
    let cases = [
        (
            "UPDATE entries SET event = '{\"event\":\"ended\",\"outcome\":\"done\"}' WHERE run = 'r-1' AND sequence = 7",
            "run r-1, entry 7",
        ),
        (
            "UPDATE entries SET at = '2020-01-01T00:00:00Z' WHERE run = 'r-1' AND sequence = 7",
            "run r-1, entry 7",
        ),
        ("DELETE FROM entries WHERE run = 'r-1' AND sequence = 7", "run r-1, entry 7"),
        ("DELETE FROM entries WHERE run = 'r-1' AND sequence = 60", "run r-1, entry 60"),
        ("DELETE FROM entries WHERE run = 'r-1'", "run r-1, entry 1"),
        ("UPDATE runs SET stack = 'other' WHERE run = 'r-1'", "run r-1"),
        ("UPDATE requests SET request = '{}' WHERE number = 2", "request 2"),
        ("UPDATE proofs SET point = 'p-2'", "proof of alpha"),
        ("UPDATE takings SET digest = ''", "request 1"),
        ("PRAGMA foreign_keys = OFF; DELETE FROM runs WHERE run = 'r-1'", "belong to no run"),
        ("DROP TABLE takings; CREATE TABLE takings (number INTEGER)", "tables or triggers"),
    ];
    for (statement, place) in cases {
        let directory = tempfile::tempdir().unwrap();
        let path = path_in(directory.path());
        whole(&path);
        if statement.starts_with("DROP TABLE") {
            rusqlite::Connection::open(&path).unwrap().execute_batch(statement).unwrap();
        } else {
            tamper(&path, statement);
        }
        let fault = SqliteJournal::open(&path, OpenMode::ReadOnly)
            .and_then(|journal| journal.verify())
            .expect_err(statement);
        assert_eq!(fault.code, Code::JournalDamaged, "{statement}");
        assert!(fault.args["problem"].contains(place), "{statement}: {fault}");
    }
}
