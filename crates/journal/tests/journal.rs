//! The journal as its callers see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt;

use eclusa_fault::Code;
use eclusa_journal::{FIRST_PREVIOUS, OpenMode, SqliteJournal, entry_hash};
use eclusa_model::{PersonName, StackName, TenantName};
use eclusa_ports::{JournalStore, Proof, RequestKind};
use eclusa_runbook::{Entry, Event, Outcome};
use proptest::prelude::*;
use support::*;

#[test]
fn what_was_appended_is_read_back_by_a_later_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    let written = fill(&writable(&path), "r-1", 5);
    let journal = writable(&path);
    assert_eq!(journal.read(&run("r-1")).unwrap(), written);
    assert_eq!(written[0].previous, FIRST_PREVIOUS);
    assert_eq!(written[4].previous, written[3].hash);
    assert_eq!(
        written[1].hash,
        entry_hash(
            "r-1",
            2,
            "2026-11-21T15:21:43.020000000Z",
            &written[0].hash,
            &serde_json::to_string(&written[1].event).unwrap()
        )
    );
    assert_eq!(journal.verify().unwrap(), 5);
    assert_eq!(journal.read(&run("r-2")).unwrap_err().code, Code::RunUnknown);
}

#[test]
fn what_follows_a_known_event_is_read_and_checked_against_it() {
    let directory = tempfile::tempdir().unwrap();
    let journal = writable(&path_in(directory.path()));
    let written = fill(&journal, "r-1", 5);
    assert_eq!(journal.read_after(&run("r-1"), &written[1]).unwrap(), written[2..]);
    assert_eq!(journal.read_after(&run("r-1"), &written[4]).unwrap(), []);
    // One that is of another history is not gone on from.
    let foreign = Entry { hash: FIRST_PREVIOUS.to_owned(), ..written[1].clone() };
    assert_eq!(journal.read_after(&run("r-1"), &foreign).unwrap_err().code, Code::JournalDamaged);
    let foreign = Entry { hash: FIRST_PREVIOUS.to_owned(), ..written[4].clone() };
    assert_eq!(journal.read_after(&run("r-1"), &foreign).unwrap_err().code, Code::JournalDamaged);
    let later = Entry { sequence: 9, ..written[4].clone() };
    assert_eq!(journal.read_after(&run("r-1"), &later).unwrap_err().code, Code::JournalDamaged);
    assert_eq!(journal.read_after(&run("r-2"), &written[1]).unwrap_err().code, Code::RunUnknown);
}

#[test]
fn only_the_next_number_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let journal = writable(&path_in(directory.path()));
    fill(&journal, "r-1", 2);
    for wrong in [0, 1, 2, 4, u64::MAX] {
        let fault = journal.append(&run("r-1"), &stack(), wrong, at(0), &noted("x")).unwrap_err();
        assert_eq!(fault.code, Code::RunState, "{wrong} was taken");
    }
    assert_eq!(
        journal.append(&run("r-2"), &stack(), 2, at(0), &noted("x")).unwrap_err().code,
        Code::RunState
    );
    let other = StackName::new("other").unwrap();
    assert_eq!(journal.append(&run("r-1"), &other, 3, at(0), &noted("x")).unwrap_err().code, Code::RunState);
    assert_eq!(journal.read(&run("r-1")).unwrap().len(), 2);
    assert_eq!(journal.runs(None, 10).unwrap().len(), 1);
    journal.append(&run("r-1"), &stack(), 3, at(30), &noted("x")).unwrap();
}

#[test]
fn runs_are_listed_newest_first_and_by_stack() {
    let directory = tempfile::tempdir().unwrap();
    let journal = writable(&path_in(directory.path()));
    let other = StackName::new("other").unwrap();
    // Times whose shortest texts would not sort as times do.
    journal.append(&run("r-a"), &stack(), 1, at(0), &started()).unwrap();
    journal.append(&run("r-b"), &other, 1, at(500), &noted("x")).unwrap();
    journal.append(&run("r-c"), &stack(), 1, at(250), &started()).unwrap();
    journal.append(&run("r-a"), &stack(), 2, at(900), &Event::Ended { outcome: Outcome::Done }).unwrap();
    let names = |found: Vec<eclusa_ports::RunSummary>| {
        found.iter().map(|summary| summary.run.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(journal.runs(None, 10).unwrap()), ["r-b", "r-c", "r-a"]);
    assert_eq!(names(journal.runs(Some(&stack()), 10).unwrap()), ["r-c", "r-a"]);
    assert_eq!(names(journal.runs(None, 1).unwrap()), ["r-b"]);
    let oldest = journal.runs(Some(&stack()), 10).unwrap().pop().unwrap();
    assert_eq!((oldest.began, oldest.newest, oldest.events), (at(0), at(900), 2));
}

#[test]
fn requests_wait_until_they_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    let journal = writable(&path_in(directory.path()));
    let by = PersonName::new("ana").unwrap();
    let answer = RequestKind::Answer { go: true, by: by.clone(), reason: "looks well".to_owned() };
    let abort = RequestKind::Abort { by, reason: "no".to_owned() };
    assert_eq!(journal.request(&run("r-1"), at(0), &abort).unwrap_err().code, Code::RunUnknown);
    fill(&journal, "r-1", 1);
    fill(&journal, "r-2", 1);
    journal.request(&run("r-1"), at(1), &answer).unwrap();
    journal.request(&run("r-1"), at(2), &abort).unwrap();
    journal.request(&run("r-2"), at(3), &abort).unwrap();
    let found = journal.requests(&run("r-1")).unwrap();
    assert_eq!(
        found.iter().map(|one| (&one.kind, one.at)).collect::<Vec<_>>(),
        [(&answer, at(1)), (&abort, at(2))]
    );
    journal.taken(found[0].number).unwrap();
    journal.taken(found[0].number).unwrap();
    assert_eq!(
        journal.requests(&run("r-1")).unwrap().iter().map(|one| &one.kind).collect::<Vec<_>>(),
        [&abort]
    );
    assert_eq!(journal.requests(&run("r-2")).unwrap().len(), 1);
    assert!(journal.taken(99).is_err());
}

#[test]
fn the_newest_proof_counts() {
    let directory = tempfile::tempdir().unwrap();
    let journal = writable(&path_in(directory.path()));
    let alpha = TenantName::new("alpha").unwrap();
    let proof = |point: &str, when: i64| Proof {
        tenant: alpha.clone(),
        point: point.to_owned(),
        at: at(when),
        milliseconds: 1200,
        rows: 42,
    };
    assert_eq!(journal.newest_proof(&stack(), &alpha).unwrap(), None);
    journal.record_proof(&stack(), &proof("p-2", 250)).unwrap();
    journal.record_proof(&stack(), &proof("p-2", 250)).unwrap();
    journal.record_proof(&stack(), &proof("p-1", 0)).unwrap();
    assert_eq!(journal.newest_proof(&stack(), &alpha).unwrap(), Some(proof("p-2", 250)));
    assert_eq!(journal.newest_proof(&StackName::new("other").unwrap(), &alpha).unwrap(), None);
    assert_eq!(journal.verify().unwrap(), 0);
}

#[test]
fn durations_are_medians_of_undisturbed_steps() {
    let directory = tempfile::tempdir().unwrap();
    let journal = writable(&path_in(directory.path()));
    for (name, took) in [("r-1", 100), ("r-2", 900), ("r-3", 200)] {
        journal.append(&run(name), &stack(), 1, at(0), &started()).unwrap();
        journal.append(&run(name), &stack(), 2, at(10), &intended("migrate.alpha")).unwrap();
        journal.append(&run(name), &stack(), 3, at(10), &intended("broken")).unwrap();
        journal.append(&run(name), &stack(), 4, at(10 + took), &performed("migrate.alpha", "")).unwrap();
        // Nobody worked between a crash and the resumption: no duration of this step.
        let resumed = Event::Resumed { generation: 2, by: PersonName::new("ana").unwrap() };
        journal.append(&run(name), &stack(), 5, at(5000), &resumed).unwrap();
        journal.append(&run(name), &stack(), 6, at(6000), &performed("broken", "")).unwrap();
    }
    let found = journal.step_durations(&stack(), 10).unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["migrate.alpha"]);
    assert_eq!(found["migrate.alpha"].len(), 3);
    assert_eq!(journal.durations(&stack()).unwrap()["migrate.alpha"], 200);
    assert_eq!(journal.step_durations(&stack(), 1).unwrap()["migrate.alpha"], [200]);
    assert!(journal.durations(&StackName::new("other").unwrap()).unwrap().is_empty());
}

#[test]
fn reading_makes_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none").join("journal.sqlite");
    let journal = SqliteJournal::open(&missing, OpenMode::ReadOnly).unwrap();
    assert!(journal.runs(None, 10).unwrap().is_empty());
    assert_eq!(journal.read(&run("r-1")).unwrap_err().code, Code::RunUnknown);
    assert_eq!(journal.verify().unwrap(), 0);
    assert!(!missing.parent().unwrap().exists());

    // A name that needs escaping in SQLite's URIs.
    let path = directory.path().join("a journal?immutable=0#%é.sqlite");
    let written = fill(&writable(&path), "r-1", 3);
    std::fs::remove_file(path.with_extension("reserve")).unwrap();
    let list = || std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(list(), 1);
    let journal = SqliteJournal::open(&path, OpenMode::ReadOnly).unwrap();
    assert_eq!(journal.read(&run("r-1")).unwrap(), written);
    assert_eq!(journal.verify().unwrap(), 3);
    assert_eq!(list(), 1);
    let fault = journal.append(&run("r-1"), &stack(), 4, at(0), &noted("x")).unwrap_err();
    assert_eq!(fault.code, Code::JournalUnwritable);

    // The same reader sees what a writer that came later has appended, before it is in the main file.
    let writer = writable(&path);
    let fourth = writer.append(&run("r-1"), &stack(), 4, at(40), &noted("x")).unwrap();
    assert_eq!(journal.read(&run("r-1")).unwrap().last(), Some(&fourth));
    drop(writer);
    assert_eq!(journal.read(&run("r-1")).unwrap().last(), Some(&fourth));
}

#[test]
fn the_files_are_the_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state").join("journal.sqlite");
    let journal = writable(&path);
    fill(&journal, "r-1", 1);
    let mut seen = 0;
    for file in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
        seen += 1;
    }
    assert_eq!(seen, 4, "the journal, its log, the log's index and the reserve");
    assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    drop(journal);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    writable(&path);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_is_written_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    let written = fill(&writable(&path), "r-1", 3);
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    for statement in [
        "UPDATE entries SET event = '{}' WHERE sequence = 2",
        "DELETE FROM entries WHERE sequence = 3",
        "DELETE FROM runs",
        "UPDATE runs SET stack = 'other'",
        "UPDATE runs SET events = 1",
        "DELETE FROM requests WHERE 1",
    ] {
        let result = sqlite.execute(statement, []);
        // A statement without rows to touch cannot fail; the others must.
        assert!(
            result.is_err() || result == Ok(0) && statement.contains("requests"),
            "{statement} was allowed"
        );
    }
    drop(sqlite);
    assert_eq!(writable(&path).read(&run("r-1")).unwrap(), written);
}

#[test]
fn a_newer_format_is_refused_and_not_called_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = path_in(directory.path());
    let journal = writable(&path);
    let Event::Started { plan, by, .. } = started() else { panic!("not a beginning") };
    let newer = Event::Started { format: 2, version: "9.1.0".to_owned(), plan, by, reason: None };
    journal.append(&run("r-9"), &stack(), 1, at(0), &newer).unwrap();
    fill(&journal, "r-1", 2);
    let fault = journal.read(&run("r-9")).unwrap_err();
    assert_eq!((fault.code, fault.args["version"].as_str()), (Code::RunTooNew, "9.1.0"));
    assert_eq!(journal.verify().unwrap(), 3);
    drop(journal);
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    sqlite.execute_batch("PRAGMA user_version = 7").unwrap();
    drop(sqlite);
    for mode in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
        assert_eq!(SqliteJournal::open(&path, mode).unwrap_err().code, Code::JournalTooNew);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_texts_and_any_interleaving_of_runs_chain(
        texts in proptest::collection::vec((0..3_usize, any::<String>(), 0..1_000_000_000_i64), 1..12)
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = path_in(directory.path());
        let journal = writable(&path);
        let mut written = [Vec::new(), Vec::new(), Vec::new()];
        for (which, text, when) in &texts {
            let sequence = written[*which].len() as u64 + 1;
            let entry = journal
                .append(&run(&format!("r-{which}")), &stack(), sequence, at(*when), &noted(text))
                .unwrap();
            written[*which].push(entry);
        }
        drop(journal);
        let journal = SqliteJournal::open(&path, OpenMode::ReadOnly).unwrap();
        prop_assert_eq!(journal.verify().unwrap(), texts.len() as u64);
        for (which, expected) in written.iter().enumerate().filter(|(_, expected)| !expected.is_empty()) {
            prop_assert_eq!(&journal.read(&run(&format!("r-{which}"))).unwrap(), expected);
        }
    }
}
