//! The lease as a file: taken once, again by the same run, never from a live holder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use eclusa_fault::Code;
use eclusa_model::RunId;
use eclusa_ports::Lease;
use eclusa_runtime_process::{FileLease, ProcessIdentity};

fn run(text: &str) -> RunId {
    RunId::new(text).unwrap()
}

#[tokio::test]
async fn a_lease_is_taken_once_and_given_up_by_its_run_only() {
    let directory = tempfile::tempdir().unwrap();
    let lease = FileLease::new(directory.path().join("lease.json"));
    assert!(lease.look().await.unwrap().is_none());
    let mine = FileLease::this_process(run("one")).unwrap();
    assert_eq!(lease.take(&mine).await.unwrap(), 1);
    assert_eq!(lease.take(&mine).await.unwrap(), 2);
    let seen = lease.look().await.unwrap().unwrap();
    assert_eq!((seen.run, seen.alive, seen.generation), (run("one"), Some(true), 2));

    let fault = lease.take(&FileLease::this_process(run("two")).unwrap()).await.unwrap_err();
    assert_eq!(fault.code, Code::LeaseHeld);
    assert_eq!(fault.args["run"], "one");
    lease.release(&run("two")).await.unwrap();
    assert!(lease.look().await.unwrap().is_some());
    lease.release(&run("one")).await.unwrap();
    lease.release(&run("one")).await.unwrap();
    assert!(lease.look().await.unwrap().is_none());
    assert_eq!(lease.take(&FileLease::this_process(run("two")).unwrap()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_dead_holder_of_the_same_run_is_followed_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let lease = FileLease::new(directory.path().join("lease.json"));
    let mut runner = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let identity = ProcessIdentity::of(runner.id()).unwrap();
    let mut theirs = FileLease::this_process(run("one")).unwrap();
    (theirs.pid, theirs.started) = (identity.pid, identity.started);
    assert_eq!(lease.take(&theirs).await.unwrap(), 1);
    let mine = FileLease::this_process(run("one")).unwrap();
    assert_eq!(lease.take(&mine).await.unwrap_err().code, Code::LeaseHeld);
    runner.kill().unwrap();
    runner.wait().unwrap();
    assert_eq!(lease.look().await.unwrap().unwrap().alive, Some(false));
    // A dead holder's lease is not another run's: what it did is not finished.
    assert_eq!(
        lease.take(&FileLease::this_process(run("two")).unwrap()).await.unwrap_err().code,
        Code::LeaseHeld
    );
    assert_eq!(lease.take(&mine).await.unwrap(), 2);

    // From another machine nothing can be known.
    lease.release(&run("one")).await.unwrap();
    let mut far = mine.clone();
    far.machine = "another-machine".to_owned();
    lease.take(&far).await.unwrap();
    assert_eq!(lease.look().await.unwrap().unwrap().alive, None);
    assert_eq!(lease.take(&mine).await.unwrap_err().code, Code::LeaseHeld);
}

#[tokio::test]
async fn of_many_who_want_it_at_once_one_gets_it() {
    let directory = tempfile::tempdir().unwrap();
    let lease = FileLease::new(directory.path().join("lease.json"));
    let tries: Vec<_> = (0..16)
        .map(|number| {
            let lease = lease.clone();
            let holder = FileLease::this_process(run(&format!("run{number}"))).unwrap();
            tokio::spawn(async move { lease.take(&holder).await })
        })
        .collect();
    let mut got = 0;
    for one in tries {
        match one.await.unwrap() {
            Ok(generation) => {
                assert_eq!(generation, 1);
                got += 1;
            }
            Err(fault) => assert_eq!(fault.code, Code::LeaseHeld),
        }
    }
    assert_eq!(got, 1);
}

#[tokio::test]
async fn a_lease_that_cannot_be_understood_is_not_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lease.json");
    let lease = FileLease::new(path.clone());
    std::fs::write(&path, "not a lease").unwrap();
    let fault = lease.take(&FileLease::this_process(run("one")).unwrap()).await.unwrap_err();
    assert_eq!(fault.code, Code::FileAccess);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a lease");
}
