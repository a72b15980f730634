//! Commands under a release: placeholders, time limits, marks, streams.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bench;

use std::collections::BTreeMap;
use std::time::Duration;

use bench::{Bench, lives, name, service, until};
use eclusa_fault::Code;
use eclusa_model::ServiceRole;
use eclusa_ports::{ExecSpec, NoOutput, OutputLines, Runtime};
use eclusa_runbook::{Outputs, Place};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn bench() -> Bench {
    let mut worker = service("worker", ServiceRole::Worker, &["sleep"]);
    worker.environment.insert("OF_SERVICE".to_owned(), SecretString::from("from the service"));
    Bench::new(vec![worker], false)
}

fn sh(bench: &Bench, script: &str) -> ExecSpec {
    ExecSpec {
        place: Place::Candidate { service: name("worker"), release: bench.release("v2") },
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        environment: BTreeMap::new(),
        directory: None,
        stdin: None,
        timeout: Duration::from_secs(20),
        mark: None,
        images: Outputs::new(),
    }
}

fn place(bench: &Bench) -> Place {
    Place::Candidate { service: name("worker"), release: bench.release("v2") }
}

#[tokio::test]
async fn a_candidate_runs_under_its_own_release_with_the_environment_of_the_service() {
    let bench = bench();
    let mut spec =
        sh(&bench, "pwd; cat \"$1/VERSION\"; echo; echo \"$2 $OF_SERVICE $MORE\"; cat; echo bad >&2; exit 7");
    spec.argv.extend(["x", "{release_directory}", "{release}; rm -rf /"].map(str::to_owned));
    spec.environment.insert("MORE".to_owned(), SecretString::from("and more"));
    spec.stdin = Some(b"given\n".to_vec());
    let output = OutputLines::default();
    let result = bench.runtime.exec(spec, &output).await.unwrap();
    assert_eq!(result.code, 7);
    let lines: Vec<&str> = result.stdout.lines().collect();
    assert_eq!(
        std::fs::canonicalize(lines[0]).unwrap(),
        std::fs::canonicalize(bench.directory.path()).unwrap()
    );
    assert_eq!(lines[1..], ["v2", "v2; rm -rf / from the service and more", "given"]);
    assert!(output.lines().contains(&"bad".to_owned()));
    assert_eq!(result.tail.len(), 5);
}

#[tokio::test]
async fn the_service_place_needs_a_pinned_release() {
    let bench = bench();
    let spec = || ExecSpec {
        place: Place::Service { service: name("worker") },
        argv: vec!["/bin/echo".to_owned(), "{release}".to_owned()],
        ..sh(&bench, "")
    };
    assert_eq!(bench.runtime.exec(spec(), &NoOutput).await.unwrap_err().code, Code::ReleaseUnknown);
    bench.switch("v1", &["worker"], false).await.unwrap();
    assert_eq!(bench.runtime.exec(spec(), &NoOutput).await.unwrap().stdout, "v1\n");
}

#[tokio::test]
async fn a_command_past_its_time_is_ended_with_all_that_it_started() {
    let bench = bench();
    let mut spec = sh(&bench, "setsid sleep 300 & echo $!; sleep 300");
    spec.timeout = Duration::from_secs(1);
    spec.mark = Some("run1/slow".to_owned());
    let output = OutputLines::default();
    let fault = bench.runtime.exec(spec, &output).await.unwrap_err();
    assert_eq!(fault.code, Code::CommandTimeout);
    let grandchild: u32 = output.lines()[0].parse().unwrap();
    assert!(!lives(grandchild), "what left the group lives on");
    assert!(!bench.runtime.exec_running(&place(&bench), "run1/slow").await.unwrap());
    let missing = ExecSpec { argv: vec!["/nowhere".to_owned()], ..sh(&bench, "") };
    assert_eq!(bench.runtime.exec(missing, &NoOutput).await.unwrap_err().code, Code::CommandMissing);
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_any_more_is_ended() {
    let bench = bench();
    let mut spec = sh(&bench, "sleep 300");
    spec.mark = Some("run1/dropped".to_owned());
    let gone = tokio::time::timeout(Duration::from_millis(300), bench.runtime.exec(spec, &NoOutput)).await;
    assert!(gone.is_err());
    until("it is ended", async || !bench.runtime.exec_running(&place(&bench), "run1/dropped").await.unwrap())
        .await;
}

#[tokio::test]
async fn a_command_that_outlived_its_starter_is_found_by_its_mark_and_ended() {
    let bench = bench();
    // Its starter is gone, as after a SIGKILL: a shell that starts it in the background and ends.
    let started = std::process::Command::new("/bin/sh")
        .args(["-c", "setsid sleep 300 > /dev/null 2>&1 & echo $!"])
        .env("ECLUSA_MARK", "run1/orphan")
        .output()
        .unwrap();
    let pid: u32 = String::from_utf8(started.stdout).unwrap().trim().parse().unwrap();
    let running = async |mark: &str| bench.runtime.exec_running(&place(&bench), mark).await.unwrap();
    until("it is found", async || running("run1/orphan").await).await;
    assert!(!running("run1/orpha").await);
    bench.runtime.exec_end(&place(&bench), "run1/orphan").await.unwrap();
    assert!(!lives(pid));
    assert!(!running("run1/orphan").await);
    bench.runtime.exec_end(&place(&bench), "run1/orphan").await.unwrap();
}

#[tokio::test]
async fn a_stream_goes_in_and_out_and_says_how_it_ended() {
    let bench = bench();
    let mut stream = bench.runtime.exec_stream(sh(&bench, "cat; echo trouble >&2; exit 3")).await.unwrap();
    let sent: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
    let copy = sent.clone();
    let mut stdin = stream.stdin;
    tokio::spawn(async move {
        stdin.write_all(&copy).await.unwrap();
        stdin.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    stream.stdout.read_to_end(&mut received).await.unwrap();
    assert!(received == sent);
    let result = stream.ended.await.unwrap().unwrap();
    assert_eq!((result.code, result.tail), (3, vec!["trouble".to_owned()]));
}
