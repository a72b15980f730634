//! What every journal must do.

use eclusa_fault::Code;
use eclusa_model::{PersonName, RunId, StackName, TenantName};
use eclusa_ports::{JournalStore, Proof, RequestKind};
use eclusa_runbook::Event;
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second).unwrap()
}

fn noted(text: &str) -> Event {
    Event::Noted { by: PersonName::new("ana").unwrap(), kind: "note".to_owned(), text: text.to_owned() }
}

/// Appends, numbers, chains, lists, requests, proofs. The journal is empty at first.
pub fn journal(journal: &dyn JournalStore) {
    let (stack, other) = (StackName::new("shop").unwrap(), StackName::new("other").unwrap());
    let (one, two) = (RunId::new("r-1").unwrap(), RunId::new("r-2").unwrap());
    assert_eq!(journal.read(&one).unwrap_err().code, Code::RunUnknown);
    assert_eq!(journal.verify().unwrap(), 0);
    let first = journal.append(&one, &stack, 1, at(1), &noted("a")).unwrap();
    let second = journal.append(&one, &stack, 2, at(2), &noted("ünï\u{1F512}")).unwrap();
    journal.append(&two, &other, 1, at(3), &noted("c")).unwrap();
    assert_eq!(first.previous, "0".repeat(64));
    assert_eq!((second.previous.as_str(), second.sequence), (first.hash.as_str(), 2));
    assert_eq!(journal.read(&one).unwrap(), [first, second]);
    for wrong in [1, 2, 4] {
        assert_eq!(
            journal.append(&one, &stack, wrong, at(4), &noted("d")).unwrap_err().code,
            Code::RunState,
            "{wrong}"
        );
    }
    assert_eq!(journal.read(&one).unwrap().len(), 2, "what was refused is not there");
    assert_eq!(journal.verify().unwrap(), 3);

    let names = |runs: Vec<eclusa_ports::RunSummary>| {
        runs.into_iter().map(|run| run.run.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(journal.runs(None, 10).unwrap()), ["r-2", "r-1"], "newest first");
    assert_eq!(names(journal.runs(None, 1).unwrap()), ["r-2"]);
    let own = journal.runs(Some(&stack), 10).unwrap();
    assert_eq!((own[0].events, own[0].began, own[0].newest), (2, at(1), at(2)));
    assert_eq!(names(own), ["r-1"]);

    let kind = RequestKind::Abort { by: PersonName::new("ana").unwrap(), reason: "tea".to_owned() };
    let answer = RequestKind::Answer { go: true, by: PersonName::new("ana").unwrap(), reason: String::new() };
    assert_eq!(
        journal.request(&RunId::new("r-3").unwrap(), at(5), &kind).unwrap_err().code,
        Code::RunUnknown
    );
    journal.request(&one, at(5), &kind).unwrap();
    journal.request(&one, at(6), &answer).unwrap();
    let waiting = journal.requests(&one).unwrap();
    assert_eq!(waiting.iter().map(|one| &one.kind).collect::<Vec<_>>(), [&kind, &answer]);
    assert!(journal.requests(&two).unwrap().is_empty());
    journal.taken(waiting[0].number).unwrap();
    journal.taken(waiting[0].number).unwrap();
    assert_eq!(journal.requests(&one).unwrap().len(), 1);

    let tenant = TenantName::new("alpha").unwrap();
    assert_eq!(journal.newest_proof(&stack, &tenant).unwrap(), None);
    let proof = |second: i64| Proof {
        tenant: tenant.clone(),
        point: format!("p{second}"),
        at: at(second),
        milliseconds: 7,
        rows: 3,
    };
    journal.record_proof(&stack, &proof(8)).unwrap();
    journal.record_proof(&stack, &proof(7)).unwrap();
    assert_eq!(journal.newest_proof(&stack, &tenant).unwrap(), Some(proof(8)));
    assert_eq!(journal.newest_proof(&other, &tenant).unwrap(), None);
    assert!(journal.durations(&stack).unwrap().is_empty());
}
