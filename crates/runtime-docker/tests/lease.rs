//! The lease on a real engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use eclusa_fault::Code;
use eclusa_model::RunId;
use eclusa_ports::{Lease, LeaseHolder};
use eclusa_runtime_docker::{DockerLease, Engine};
use support::TestProject;

fn this_process(run: &str) -> LeaseHolder {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    LeaseHolder {
        run: RunId::new(run).unwrap(),
        machine: "here".into(),
        boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().into(),
        pid: std::process::id(),
        started: stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap(),
    }
}

#[tokio::test]
async fn only_one_run_has_the_lease() {
    let project = TestProject::new("lease");
    let lease = DockerLease::new(Engine::new(project.host.clone()), &project.name, "here");
    assert_eq!(lease.look().await.unwrap(), None);
    let holder = this_process("r-1");
    assert_eq!(lease.take(&holder).await.unwrap(), 1);
    let seen = lease.look().await.unwrap().unwrap();
    assert_eq!((seen.run.as_str(), seen.alive, seen.generation), ("r-1", Some(true), 1));
    assert!(seen.holder.contains("here"), "{}", seen.holder);

    let refused = lease.take(&this_process("r-2")).await.unwrap_err();
    assert_eq!((refused.code, refused.args["run"].as_str()), (Code::LeaseHeld, "r-1"));
    assert_eq!(lease.take(&holder).await.unwrap(), 2, "the same run takes it again");

    // A runner that is dead, of the same run: taken over. Of another run: not.
    let mut dead = holder.clone();
    dead.started += 1;
    lease.release(&holder.run).await.unwrap();
    lease.take(&dead).await.unwrap();
    assert_eq!(lease.look().await.unwrap().unwrap().alive, Some(false));
    assert_eq!(lease.take(&this_process("r-2")).await.unwrap_err().code, Code::LeaseHeld);
    assert_eq!(lease.take(&holder).await.unwrap(), 2);
    // A second live runner of the same run is refused.
    assert_eq!(lease.take(&dead).await.unwrap_err().code, Code::LeaseHeld);

    let elsewhere = DockerLease::new(Engine::new(project.host.clone()), &project.name, "there");
    assert_eq!(elsewhere.look().await.unwrap().unwrap().alive, None);

    lease.release(&RunId::new("r-2").unwrap()).await.unwrap();
    assert!(lease.look().await.unwrap().is_some(), "another run cannot give it up");
    lease.release(&holder.run).await.unwrap();
    lease.release(&holder.run).await.unwrap();
    assert_eq!(lease.look().await.unwrap(), None);
    assert_eq!(lease.take(&this_process("r-2")).await.unwrap(), 1);
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_gets_it() {
    let project = TestProject::new("race");
    let engine = Engine::new(project.host.clone());
    let asked = (0..8).map(|number| {
        let lease = DockerLease::new(engine.clone(), &project.name, "here");
        async move { lease.take(&this_process(&format!("r-{number}"))).await }
    });
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    assert!(
        answers.iter().flat_map(|answer| answer.as_ref().err()).all(|fault| fault.code == Code::LeaseHeld),
        "{answers:?}"
    );
}
