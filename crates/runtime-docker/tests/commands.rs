//! Commands inside services and candidates, and streams, on a real engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use eclusa_fault::Code;
use eclusa_ports::{NoOutput, OutputLines, Runtime};
use eclusa_runbook::{Outputs, Place, RuntimeOperation};
use eclusa_runtime_docker::{ComposeRuntime, DockerDoors, Engine};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use support::{TestProject, command, context, inside, run, service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A sleeper whose child cleared its environment: both must be gone after the deadline.
const FAMILY: &str = "import os, signal, subprocess, sys, time\n\
    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
    subprocess.Popen(['env', '-i', '/bin/sleep', '98765'])\n\
    print('up', flush=True)\n\
    time.sleep(98765)\n";

fn sleepers(project: &TestProject) -> String {
    run(&["docker", "top", &format!("{}-worker-1", project.name)], project.directory.path())
}

#[tokio::test]
async fn a_command_runs_inside_a_service() {
    let project = TestProject::new("exec");
    let runtime = project.runtime();
    project.release_to(&runtime, "v1").await.unwrap();

    let lines = OutputLines::default();
    let mut spec = command(
        inside("worker"),
        &[
            "python",
            "-c",
            "import os,sys; print(os.environ['TOKEN']); print(sys.stdin.read()); print('bad', file=sys.stderr); print(os.getcwd()); sys.exit(4)",
        ],
    );
    spec.environment.insert("TOKEN".into(), SecretString::from("a b$c"));
    spec.stdin = Some(b"from outside".to_vec());
    spec.directory = Some("/tmp".into());
    let result = runtime.exec(spec, &lines).await.unwrap();
    assert_eq!(result.code, 4);
    assert_eq!(result.stdout, "a b$c\nfrom outside\n/tmp\n");
    assert!(lines.lines().contains(&"bad".to_owned()));
    assert!(result.tail.contains(&"bad".to_owned()));

    let missing = runtime.exec(command(inside("worker"), &["no-such-program"]), &NoOutput).await.unwrap_err();
    assert_eq!((missing.code, missing.args["program"].as_str()), (Code::CommandMissing, "no-such-program"));
    let nowhere = runtime.exec(command(inside("nobody"), &["true"]), &NoOutput).await.unwrap_err();
    assert_eq!((nowhere.code, nowhere.args["known"].as_str()), (Code::ServiceMissing, "web, worker"));

    // Past its limit it is ended where it runs, with its children.
    let mut spec = command(inside("worker"), &["python", "-c", FAMILY]);
    spec.timeout = Duration::from_secs(2);
    let begun = Instant::now();
    let late = runtime.exec(spec, &NoOutput).await.unwrap_err();
    assert_eq!(late.code, Code::CommandTimeout);
    assert_eq!(late.causes, ["up"]);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(!sleepers(&project).contains("98765"), "{}", sleepers(&project));

    // After a crash it is found again by its mark, and ended.
    let mut spec = command(inside("worker"), &["python", "-c", FAMILY]);
    spec.mark = Some("r-1/migrate".into());
    let other = project.runtime();
    let client = tokio::spawn(async move { other.exec(spec, &NoOutput).await });
    let place = inside("worker");
    let since = Instant::now();
    while !runtime.exec_running(&place, "r-1/migrate").await.unwrap() {
        assert!(since.elapsed() < Duration::from_secs(20), "it never started");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    assert!(runtime.exec_running(&place, "r-1/migrate").await.unwrap(), "its client is gone, it is not");
    assert!(!runtime.exec_running(&place, "r-1/other").await.unwrap());
    runtime.exec_end(&place, "r-1/migrate").await.unwrap();
    assert!(!runtime.exec_running(&place, "r-1/migrate").await.unwrap());
    runtime.exec_end(&place, "r-1/migrate").await.unwrap();
}

/// An engine elsewhere: its processes cannot be seen in this host's `/proc`.
async fn engine_behind_tcp() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut to = tokio::net::UnixStream::connect("/var/run/docker.sock").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
    format!("tcp://{address}")
}

#[tokio::test]
async fn a_command_is_ended_also_where_its_processes_cannot_be_seen() {
    let project = TestProject::new("remote");
    project.release_to(&project.runtime(), "v1").await.unwrap();
    let engine = Engine::at(project.host.clone(), engine_behind_tcp().await);
    let runtime =
        ComposeRuntime::new(project.stack(), DockerDoors::with_engine(project.host.clone(), engine));
    let mut spec = command(
        inside("worker"),
        &[
            "python",
            "-c",
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(98765)",
        ],
    );
    spec.timeout = Duration::from_secs(2);
    spec.mark = Some("r-1/[.*]".into());
    assert_eq!(runtime.exec(spec, &NoOutput).await.unwrap_err().code, Code::CommandTimeout);
    assert!(!sleepers(&project).contains("98765"), "{}", sleepers(&project));

    let mut spec = command(inside("worker"), &["sleep", "98765"]);
    spec.mark = Some("r-1/[.*]".into());
    let stream = runtime.exec_stream(spec).await.unwrap();
    let since = Instant::now();
    while !runtime.exec_running(&inside("worker"), "r-1/[.*]").await.unwrap() {
        assert!(since.elapsed() < Duration::from_secs(20), "it never started");
    }
    assert!(!runtime.exec_running(&inside("worker"), "r-1/.*").await.unwrap(), "a mark is no pattern");
    runtime.exec_end(&inside("worker"), "r-1/[.*]").await.unwrap();
    assert_eq!(stream.ended.await.unwrap().unwrap().code, 143);
}

#[tokio::test]
async fn a_candidate_runs_under_its_own_release() {
    let project = TestProject::new("candidate");
    let runtime = project.runtime();
    project.release_to(&runtime, "v1").await.unwrap();
    let release = project.release("v2");
    let prepare = RuntimeOperation::Prepare { release: release.clone() };
    let images = runtime.apply(&prepare, &context(Outputs::new()), &NoOutput).await.unwrap();
    let place = Place::Candidate { service: service("web"), release };

    // The image's entrypoint is /bin/false: it is not run. WORD is a variable that the Compose file interpolates too.
    let script = "import os; print(open('VERSION').read(), os.environ['WORD'], os.environ['FROM_ENV_FILE'], repr(os.environ['SECRET']))";
    let mut spec = command(place.clone(), &["python", "-c", script]);
    spec.environment.insert("SECRET".into(), SecretString::from("hunter3 \"$WORD\"\n'x'"));
    spec.images = images.clone();
    let result = runtime.exec(spec, &NoOutput).await.unwrap();
    assert_eq!(result.code, 0, "{:?}", result.tail);
    assert_eq!(result.stdout, "v2 hunter2$x yes 'hunter3 \"$WORD\"\\n\\'x\\''\n");
    assert!(
        project.host.seen.lock().unwrap().iter().flatten().all(|word| !word.contains("hunter")),
        "a secret in an argument"
    );
    assert_eq!(project.answer(&runtime.public_address().await.unwrap()), "v1", "what runs was not touched");

    let mut spec = command(place.clone(), &["sh", "-c", "cat; exit 5"]);
    spec.images = images.clone();
    spec.stdin = Some(b"piped".to_vec());
    let result = runtime.exec(spec, &NoOutput).await.unwrap();
    assert_eq!((result.code, result.stdout.trim_end()), (5, "piped"));

    let mut spec = command(place.clone(), &["no-such-program"]);
    spec.images = images.clone();
    assert_eq!(runtime.exec(spec, &NoOutput).await.unwrap_err().code, Code::CommandMissing);

    let mut spec = command(place.clone(), &["sleep", "98765"]);
    spec.images = images;
    spec.timeout = Duration::from_secs(3);
    spec.mark = Some("r-1/tests".into());
    let late = runtime.exec(spec, &NoOutput).await.unwrap_err();
    assert_eq!(late.code, Code::CommandTimeout);
    assert!(!runtime.exec_running(&place, "r-1/tests").await.unwrap());
    let left = run(
        &[
            "docker",
            "ps",
            "-aq",
            "--filter",
            &format!("label=com.docker.compose.project={}", project.name),
            "--filter",
            "label=com.docker.compose.oneoff=True",
        ],
        project.directory.path(),
    );
    assert_eq!(left, "");
    let files = std::fs::read_dir(project.directory.path().join("state")).unwrap();
    assert!(files.flatten().all(|file| !file.file_name().to_string_lossy().starts_with("candidate")));
}

const MEGABYTE: usize = 1024 * 1024;
const MEGABYTES: usize = 64;

/// A megabyte that differs from its neighbours.
fn block(number: usize) -> Vec<u8> {
    let mut state = number as u64 + 1;
    (0..MEGABYTE)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        })
        .collect()
}

#[tokio::test]
async fn streams_carry_much_both_ways() {
    let project = TestProject::new("stream");
    let runtime = project.runtime();
    project.release_to(&runtime, "v1").await.unwrap();

    // Everything that goes in comes out, and the end of the input is seen while output still flows.
    let stream = runtime
        .exec_stream(command(inside("worker"), &["sh", "-c", "echo note >&2; cat; printf end; exit 3"]))
        .await
        .unwrap();
    let (mut stdin, mut stdout) = (stream.stdin, stream.stdout);
    let write = async move {
        let mut hash = Sha256::new();
        for number in 0..MEGABYTES {
            let block = block(number);
            hash.update(&block);
            stdin.write_all(&block).await.unwrap();
        }
        stdin.shutdown().await.unwrap();
        hash.update(b"end");
        hash.finalize()
    };
    let read = async move {
        let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 65536]);
        loop {
            let read = stdout.read(&mut buffer).await.unwrap();
            if read == 0 {
                break (hash.finalize(), bytes);
            }
            hash.update(&buffer[..read]);
            bytes += read;
        }
    };
    let (written, (read, bytes)) = tokio::join!(write, read);
    assert_eq!(bytes, MEGABYTES * MEGABYTE + 3);
    assert_eq!(written, read);
    let result = stream.ended.await.unwrap().unwrap();
    assert_eq!((result.code, result.tail), (3, vec!["note".to_owned()]));

    // Dropping the input ends it too.
    let stream = runtime.exec_stream(command(inside("worker"), &["wc", "-c"])).await.unwrap();
    let (mut stdin, mut stdout) = (stream.stdin, stream.stdout);
    stdin.write_all(&vec![0; 5 * MEGABYTE]).await.unwrap();
    drop(stdin);
    let mut text = String::new();
    stdout.read_to_string(&mut text).await.unwrap();
    assert_eq!(text.trim(), (5 * MEGABYTE).to_string());
    assert_eq!(stream.ended.await.unwrap().unwrap().code, 0);

    // A reader that stops reading holds the command back and may go; the command does not stay.
    let stream = runtime.exec_stream(command(inside("worker"), &["sh", "-c", "yes 98765"])).await.unwrap();
    let mut stdout = stream.stdout;
    stdout.read_exact(&mut [0; 6]).await.unwrap();
    drop(stdout);
    assert_eq!(stream.ended.await.unwrap().unwrap_err().code, Code::CommandFailed);
    let mut spec = command(inside("worker"), &["sleep", "98765"]);
    spec.timeout = Duration::from_secs(1);
    let stream = runtime.exec_stream(spec).await.unwrap();
    assert_eq!(stream.ended.await.unwrap().unwrap_err().code, Code::CommandTimeout);
    assert!(!sleepers(&project).contains("98765"), "{}", sleepers(&project));
}
