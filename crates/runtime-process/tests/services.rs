//! Services as real processes: start, stop, switch, health, crashes, the edge, logs and numbers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bench;

use bench::{Bench, context, get, lives, name, service, switch, until, web};
use eclusa_fault::Code;
use eclusa_model::{Health, ServiceRole, ServiceState};
use eclusa_ports::{Runtime, Took};
use eclusa_runbook::RuntimeOperation;
use jiff::Timestamp;
use secrecy::SecretString;

#[tokio::test]
async fn a_switch_brings_the_release_and_a_second_one_changes_nothing() {
    let mut front = web();
    front.environment.insert("GREETING".to_owned(), SecretString::from("hello {release}"));
    let bench = Bench::new(vec![front, service("worker", ServiceRole::Worker, &["sleep"])], false);
    let both = ["worker", "web"];
    let operation = switch(bench.release("v1"), &both, true);
    assert_eq!(bench.runtime.took_effect(&operation, &context()).await.unwrap(), Took::No);
    bench.switch("v1", &both, true).await.unwrap();
    assert_eq!(bench.runtime.took_effect(&operation, &context()).await.unwrap(), Took::Yes);
    let address = bench.runtime.public_address().await.unwrap();
    assert_eq!(bench.runtime.side_door().await.unwrap(), address);
    assert_eq!(get(&address).await.unwrap(), "v1 hello v1");

    let first = bench.instance("web").await.unwrap();
    bench.switch("v1", &both, true).await.unwrap();
    assert_eq!(bench.instance("web").await.unwrap(), first, "it was restarted for nothing");

    bench.switch("v2", &both, true).await.unwrap();
    assert!(!lives(first));
    assert_eq!(get(&address).await.unwrap(), "v2 hello v2");
    // Another process sees the same.
    let seen = bench.another().observe().await.unwrap();
    assert_eq!(seen.release.unwrap().name, "v2");
    let web = seen.services.iter().find(|service| service.name == name("web")).unwrap();
    assert_eq!((web.state, web.health), (ServiceState::Running, Health::Healthy));
    assert_eq!(web.release.as_deref(), Some("v2"));
    assert!(web.image_id.as_ref().unwrap().starts_with("sha256:"));

    let stop = RuntimeOperation::Stop { services: vec![name("web")], drain: 5 };
    bench.apply(&stop).await.unwrap();
    bench.apply(&stop).await.unwrap();
    assert_eq!(bench.runtime.took_effect(&stop, &context()).await.unwrap(), Took::Yes);
    assert!(get(&address).await.is_none());
    bench.apply(&RuntimeOperation::Start { services: vec![name("web")], healthy_within: 20 }).await.unwrap();
    assert_eq!(get(&address).await.unwrap(), "v2 hello v2");
}

#[tokio::test]
async fn a_switch_without_start_leaves_nothing_running() {
    let bench = Bench::new(vec![web()], false);
    bench.switch("v1", &["web"], true).await.unwrap();
    let first = bench.instance("web").await.unwrap();
    bench.switch("v2", &["web"], false).await.unwrap();
    assert!(!lives(first));
    let seen = bench.runtime.observe().await.unwrap();
    assert_eq!(seen.release.unwrap().name, "v2");
    assert_eq!(seen.services[0].state, ServiceState::Absent);
}

#[tokio::test]
async fn a_release_that_is_not_there_or_leads_elsewhere_is_refused() {
    let bench = Bench::new(vec![web()], false);
    bench.switch("v1", &["web"], true).await.unwrap();
    let first = bench.instance("web").await;
    std::os::unix::fs::symlink("/etc", bench.path("releases/away")).unwrap();
    for (bad, code) in
        [("v9", Code::ReleaseUnknown), ("../v1", Code::ReleaseUnknown), ("away", Code::PathEscapes)]
    {
        let fault = bench.switch(bad, &["web"], true).await.unwrap_err();
        assert_eq!(fault.code, code, "{bad}: {fault}");
        let fault =
            bench.apply(&RuntimeOperation::Prepare { release: bench.release(bad) }).await.unwrap_err();
        assert_eq!(fault.code, code, "{bad}: {fault}");
    }
    assert_eq!(bench.instance("web").await, first);
}

#[tokio::test]
async fn a_release_that_changed_since_it_was_prepared_is_refused() {
    let bench = Bench::new(vec![web()], false);
    bench.switch("v1", &["web"], true).await.unwrap();
    let outputs = bench.apply(&RuntimeOperation::Prepare { release: bench.release("v2") }).await.unwrap();
    assert_eq!(outputs["reference.web"], "v2");
    std::fs::write(bench.path("releases/v2/VERSION"), "tampered").unwrap();
    let mut context = context();
    context.images = outputs;
    let to_v2 = switch(bench.release("v2"), &["web"], true);
    let fault = bench.runtime.apply(&to_v2, &context, &eclusa_ports::NoOutput).await.unwrap_err();
    assert_eq!(fault.code, Code::ReleaseUnknown);
    assert_eq!(bench.runtime.observe().await.unwrap().release.unwrap().name, "v1");
    // What was prepared of v2 says nothing about v1: the way back is free.
    let back = switch(bench.release("v1"), &["web"], true);
    bench.runtime.apply(&back, &context, &eclusa_ports::NoOutput).await.unwrap();
}

#[tokio::test]
async fn a_service_that_ends_at_once_is_told_with_its_last_lines() {
    let bench = Bench::new(vec![service("web", ServiceRole::Web, &["ends", "3"])], false);
    let began = std::time::Instant::now();
    let fault = bench.switch("v1", &["web"], true).await.unwrap_err();
    assert_eq!(fault.code, Code::ServiceUnhealthy);
    assert!(fault.args["found"].contains("exit status: 3"), "{fault}");
    assert!(fault.causes.iter().any(|line| line == "ERROR: the settings are wrong"), "{fault}");
    assert!(began.elapsed().as_secs() < 15, "it was waited for to the end");
    assert_eq!(bench.runtime.observe().await.unwrap().services[0].state, ServiceState::Restarting);
}

#[tokio::test]
async fn a_service_that_answers_wrongly_or_whose_program_is_missing_is_unhealthy() {
    let mut sick = web();
    sick.command[1] = "sick".to_owned();
    let bench = Bench::new(vec![sick], false);
    let services = vec![name("web")];
    let operation =
        RuntimeOperation::Switch { to: bench.release("v1"), services, start: true, healthy_within: 1 };
    let fault = bench.apply(&operation).await.unwrap_err();
    assert_eq!(fault.code, Code::ServiceUnhealthy);
    assert!(fault.args["found"].contains("500"), "{fault}");
    assert_eq!(bench.runtime.took_effect(&operation, &context()).await.unwrap(), Took::No);
    assert_eq!(bench.runtime.observe().await.unwrap().services[0].health, Health::Unhealthy);

    let mut missing = service("web", ServiceRole::Web, &[]);
    missing.command = vec!["/nowhere/program".to_owned()];
    let bench = Bench::new(vec![missing], false);
    let fault = bench.switch("v1", &["web"], true).await.unwrap_err();
    assert!(fault.causes.iter().any(|line| line.contains("/nowhere/program cannot be started")), "{fault}");
}

#[tokio::test]
async fn a_port_that_a_stranger_has_is_not_taken_for_the_service() {
    let front = web();
    let _stranger = std::net::TcpListener::bind(("127.0.0.1", front.public_port.unwrap())).unwrap();
    let bench = Bench::new(vec![front], false);
    let fault = bench.switch("v1", &["web"], true).await.unwrap_err();
    assert_eq!(fault.code, Code::PortTaken);
}

#[tokio::test]
async fn a_service_that_dies_is_started_again_and_one_whose_supervisor_dies_goes_with_it() {
    let bench = Bench::new(vec![web()], false);
    bench.switch("v1", &["web"], true).await.unwrap();
    let first = bench.instance("web").await.unwrap();
    kill(first);
    until("another process serves", async || {
        bench.instance("web").await.is_some_and(|now| now != first && lives(now))
    })
    .await;
    assert_eq!(bench.runtime.observe().await.unwrap().services[0].restarts, 1);

    let second = bench.instance("web").await.unwrap();
    kill(parent_of(second));
    until("the service goes with its supervisor", async || !lives(second)).await;
    // For a moment, the supervisor may still be there as a process that nobody has waited for.
    until("both are known to be gone", async || {
        bench.runtime.observe().await.unwrap().services[0].state == ServiceState::Exited
    })
    .await;
    // Starting mends it.
    bench.apply(&RuntimeOperation::Start { services: vec![name("web")], healthy_within: 20 }).await.unwrap();
    assert_eq!(get(&bench.runtime.public_address().await.unwrap()).await.unwrap(), "v1");
}

#[tokio::test]
async fn a_recycled_pid_is_neither_taken_for_the_service_nor_signalled() {
    let bench = Bench::new(vec![web()], false);
    bench.switch("v1", &["web"], true).await.unwrap();
    bench.apply(&RuntimeOperation::Stop { services: vec![name("web")], drain: 5 }).await.unwrap();
    // A stranger now has the PIDs that the status names.
    let mut stranger = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let path = bench.path("state/run/web.json");
    let mut status: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let started = status["supervisor"]["started"].as_u64().unwrap();
    for field in ["supervisor", "child"] {
        status[field] = serde_json::json!({ "pid": stranger.id(), "started": started });
    }
    std::fs::write(&path, status.to_string()).unwrap();
    assert_eq!(bench.runtime.observe().await.unwrap().services[0].state, ServiceState::Exited);
    bench.apply(&RuntimeOperation::Stop { services: vec![name("web")], drain: 1 }).await.unwrap();
    bench.switch("v1", &["web"], true).await.unwrap();
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was signalled");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_supervisor_whose_status_is_lost_is_found_and_a_status_of_another_boot_means_nothing() {
    let bench = Bench::new(vec![web()], false);
    bench.switch("v1", &["web"], true).await.unwrap();
    let first = bench.instance("web").await.unwrap();
    let path = bench.path("state/run/web.json");
    let status = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    bench.switch("v1", &["web"], true).await.unwrap();
    assert!(!lives(first));

    let second = bench.instance("web").await.unwrap();
    let now = std::fs::read_to_string(&path).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(status.contains(boot.trim()));
    std::fs::write(&path, now.replace(boot.trim(), "another-boot")).unwrap();
    assert_eq!(bench.runtime.observe().await.unwrap().services[0].state, ServiceState::Exited);
    bench.switch("v1", &["web"], true).await.unwrap();
    assert!(!lives(second));
}

#[tokio::test]
async fn what_does_not_hear_the_end_is_killed_with_all_that_it_started() {
    let script = "trap '' TERM; (trap '' TERM; exec sleep 300) & echo started; while :; do sleep 1; done";
    let mut deaf = service("worker", ServiceRole::Worker, &[]);
    deaf.command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    let bench = Bench::new(vec![deaf], false);
    bench.switch("v1", &["worker"], true).await.unwrap();
    let shell = bench.instance("worker").await.unwrap();
    let mut grandchild = 0;
    until("the grandchild runs", async || {
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        grandchild = children.split_whitespace().next().map_or(0, |pid| pid.parse().unwrap());
        grandchild != 0
    })
    .await;
    let began = std::time::Instant::now();
    bench.apply(&RuntimeOperation::Stop { services: vec![name("worker")], drain: 1 }).await.unwrap();
    assert!(began.elapsed().as_millis() >= 1000, "it was not given its time");
    assert!(!lives(shell) && !lives(grandchild));
}

#[tokio::test]
async fn the_edge_takes_the_public_port_and_gives_it_back() {
    let bench = Bench::new(vec![web()], true);
    bench.switch("v1", &["web"], true).await.unwrap();
    let public = bench.runtime.public_address().await.unwrap();
    let operation = RuntimeOperation::EdgeInstall;
    assert_eq!(bench.runtime.took_effect(&operation, &context()).await.unwrap(), Took::No);
    let outputs = bench.apply(&operation).await.unwrap();
    assert!(outputs["gap-milliseconds"].parse::<u64>().unwrap() > 0);
    assert_eq!(bench.runtime.took_effect(&operation, &context()).await.unwrap(), Took::Yes);
    assert_eq!(bench.runtime.public_address().await.unwrap(), public);
    assert_eq!(get(&public).await.unwrap(), "edge");
    let side_door = bench.runtime.side_door().await.unwrap();
    assert_ne!(side_door, public);
    assert_eq!(get(&side_door).await.unwrap(), "v1");
    let seen = bench.runtime.observe().await.unwrap();
    let roles: Vec<_> = seen.services.iter().map(|service| (service.name.as_str(), service.role)).collect();
    assert_eq!(roles, [("edge", ServiceRole::Edge), ("web", ServiceRole::Web)]);
    assert_eq!(seen.services[0].health, Health::Healthy);

    let edge = bench.instance("edge").await.unwrap();
    assert_eq!(bench.apply(&operation).await.unwrap()["gap-milliseconds"], "0");
    // A release behind the edge does not touch it.
    bench.switch("v2", &["web"], true).await.unwrap();
    assert_eq!(bench.instance("edge").await.unwrap(), edge);
    assert_eq!(get(&side_door).await.unwrap(), "v2");

    bench.apply(&RuntimeOperation::EdgeRemove).await.unwrap();
    assert_eq!(
        bench.runtime.took_effect(&RuntimeOperation::EdgeRemove, &context()).await.unwrap(),
        Took::Yes
    );
    assert!(!lives(edge));
    assert_eq!(get(&public).await.unwrap(), "v2");
    assert_eq!(bench.runtime.side_door().await.unwrap(), public);
}

#[tokio::test]
async fn an_edge_that_was_half_installed_is_finished() {
    let bench = Bench::new(vec![web()], true);
    bench.switch("v1", &["web"], true).await.unwrap();
    // As a crash leaves it after the intent was written and the frontend was stopped.
    let path = bench.path("state/stack.json");
    let mut state: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state["edge_installed"] = true.into();
    std::fs::write(&path, state.to_string()).unwrap();
    kill(parent_of(bench.instance("web").await.unwrap()));
    let runtime = bench.another();
    assert_eq!(runtime.took_effect(&RuntimeOperation::EdgeInstall, &context()).await.unwrap(), Took::No);
    runtime.apply(&RuntimeOperation::EdgeInstall, &context(), &eclusa_ports::NoOutput).await.unwrap();
    assert_eq!(get(&runtime.public_address().await.unwrap()).await.unwrap(), "edge");
    assert_eq!(get(&runtime.side_door().await.unwrap()).await.unwrap(), "v1");
}

#[tokio::test]
async fn logs_have_times_and_numbers_are_measured() {
    let bench = Bench::new(
        vec![
            service("busy", ServiceRole::Worker, &["busy"]),
            service("idle", ServiceRole::Worker, &["sleep"]),
        ],
        false,
    );
    let before = Timestamp::now();
    bench.switch("v1", &["busy", "idle"], true).await.unwrap();
    until("the line is in the log", async || {
        let lines = bench.runtime.logs(&[name("busy"), name("idle")], before, 100).await.unwrap();
        lines.len() == 1
            && lines[0].text == "asleep"
            && lines[0].service == name("idle")
            && lines[0].at >= before
    })
    .await;
    assert_eq!(bench.runtime.logs(&[name("idle")], Timestamp::now(), 100).await.unwrap(), []);
    assert_eq!(bench.runtime.logs(&[name("none")], before, 1).await.unwrap_err().code, Code::ServiceMissing);
    let stats = bench.runtime.stats(&[name("busy"), name("idle")]).await.unwrap();
    assert_eq!(stats.len(), 2);
    assert!(stats[0].cpu > 0.15, "{stats:?}");
    assert!(stats[1].cpu < 0.05, "{stats:?}");
    assert!(stats.iter().all(|stats| stats.memory_bytes > 100_000), "{stats:?}");
}

#[tokio::test]
async fn a_state_file_that_cannot_be_understood_is_named() {
    let bench = Bench::new(vec![web()], false);
    bench.switch("v1", &["web"], true).await.unwrap();
    let path = bench.path("state/stack.json");
    let good = std::fs::read(&path).unwrap();
    for bad in ["{", "{\"format\": 99, \"pinned\": null, \"edge_installed\": false, \"wanted\": []}"] {
        std::fs::write(&path, bad).unwrap();
        assert_eq!(bench.runtime.observe().await.unwrap_err().code, Code::StateDirectory);
    }
    std::fs::write(&path, good).unwrap();
}

fn parent_of(pid: u32) -> u32 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    text.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn kill(pid: u32) {
    let status = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}
