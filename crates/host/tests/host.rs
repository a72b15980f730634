//! The local host, through its port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use eclusa_fault::Code;
use eclusa_host::LocalHost;
use eclusa_ports::{CommandSpec, Host, NoOutput, OutputLines};

fn shell(script: &str, seconds: u64) -> CommandSpec {
    CommandSpec::new(["sh", "-c", script], Duration::from_secs(seconds))
}

/// Whether a process runs; one that waits to be reaped does not.
fn runs(id: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", id.trim()))
        .is_ok_and(|text| !text.rsplit(')').next().unwrap().trim().starts_with('Z'))
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn both_outputs_reach_the_sink_and_the_tail_but_only_one_is_standard_output() {
    let sink = OutputLines::default();
    let result = LocalHost
        .run(shell(r"printf '\033[1mbold\033[0m\r50 %%\rlast'; printf 'err\n' >&2; exit 3", 10), &sink);
    let result = result.await.unwrap();
    assert_eq!(result.code, 3);
    let mut lines = sink.lines();
    lines.sort();
    assert_eq!(lines, ["50 %", "bold", "err", "last"]);
    assert_eq!(result.tail.len(), 4);
    assert!(result.stdout.ends_with("\r50 %\rlast"));
    assert!(!result.truncated);
}

#[tokio::test]
async fn a_signal_is_told_as_a_shell_tells_it() {
    let result = LocalHost.run(shell("kill -9 $$", 10), &NoOutput).await.unwrap();
    assert_eq!(result.code, 137);
}

#[tokio::test]
async fn standard_input_and_secrets_reach_the_command_and_no_argument_list() {
    let mut spec =
        shell(r#"cat; printf %s "$WORD" | sha256sum | cut -c1-8; tr '\0' ' ' < /proc/$$/cmdline"#, 10);
    spec.environment.insert("WORD".into(), String::from("hunter2").into());
    spec.stdin = Some(b"from outside\n".to_vec());
    let result = LocalHost.run(spec, &NoOutput).await.unwrap();
    let lines: Vec<_> = result.stdout.lines().collect();
    assert_eq!(lines[..2], ["from outside", "f52fbd32"]);
    assert!(!result.stdout.contains("hunter2"));
}

#[tokio::test]
async fn input_that_is_not_read_is_no_error() {
    let mut spec = shell("exit 0", 10);
    spec.stdin = Some(vec![b'x'; 1 << 20]);
    assert_eq!(LocalHost.run(spec, &NoOutput).await.unwrap().code, 0);
}

#[tokio::test]
async fn much_output_is_cut_and_said_to_be() {
    let result = LocalHost.run(shell("head -c 6000000 /dev/zero | tr '\\0' x", 30), &NoOutput).await.unwrap();
    assert!(result.truncated);
    assert_eq!(result.stdout.len(), 4 * 1024 * 1024);
    assert!(result.tail.iter().all(|line| line.len() <= 8192));
}

#[tokio::test]
async fn a_command_past_its_limit_ends_with_its_children() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("child");
    let script = format!("sleep 300 & echo $! > {}; echo started; wait", file.display());
    let start = Instant::now();
    let fault = LocalHost.run(shell(&script, 1), &NoOutput).await.unwrap_err();
    assert_eq!(fault.code, Code::CommandTimeout);
    assert_eq!(fault.causes, ["started"]);
    assert!(start.elapsed() < Duration::from_secs(5), "SIGTERM was enough: {:?}", start.elapsed());
    let child = std::fs::read_to_string(&file).unwrap();
    until("the child ends", || !runs(&child)).await;
}

#[tokio::test]
async fn a_command_that_ignores_sigterm_is_killed() {
    let start = Instant::now();
    let fault =
        LocalHost.run(shell("trap '' TERM; while :; do sleep 0.1; done", 1), &NoOutput).await.unwrap_err();
    assert_eq!(fault.code, Code::CommandTimeout);
    assert!(start.elapsed() >= Duration::from_secs(6) && start.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_daemon_that_keeps_the_pipes_does_not_hold_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("daemon");
    let script = format!("setsid sleep 300 & echo $! > {}; echo ready", file.display());
    let start = Instant::now();
    let result = LocalHost.run(shell(&script, 60), &NoOutput).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!((result.code, result.stdout.as_str()), (0, "ready\n"));
    let daemon = std::fs::read_to_string(&file).unwrap();
    assert!(runs(&daemon), "what a command leaves running on purpose goes on");
    std::process::Command::new("kill").arg(daemon.trim()).status().unwrap();
}

#[tokio::test]
async fn dropping_the_run_kills_the_whole_group() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("child");
    let script = format!("sleep 300 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display());
    {
        let run = LocalHost.run(shell(&script, 60), &NoOutput);
        tokio::select! {
            _ = run => panic!("it ended by itself"),
            () = until("it starts", || file.exists()) => {}
        }
    }
    let child = std::fs::read_to_string(&file).unwrap();
    until("the child is killed", || !runs(&child)).await;
}

#[tokio::test]
async fn what_cannot_be_started_is_named() {
    let fault = LocalHost
        .run(CommandSpec::new(["no-such-program"], Duration::from_secs(1)), &NoOutput)
        .await
        .unwrap_err();
    assert_eq!((fault.code, fault.args["program"].as_str()), (Code::CommandMissing, "no-such-program"));
    let mut spec = shell("exit 0", 1);
    spec.directory = Some("/no/such/directory".into());
    let fault = LocalHost.run(spec, &NoOutput).await.unwrap_err();
    assert!(fault.causes[0].contains("/no/such/directory"));
}

#[tokio::test]
async fn a_file_is_replaced_as_a_whole_with_its_mode() {
    let directory = tempfile::tempdir().unwrap();
    let (file, link) = (directory.path().join("env"), directory.path().join("link"));
    std::fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let before = std::fs::metadata(&file).unwrap().ino();
    LocalHost.write_durably(&link, b"new", 0o600).await.unwrap();
    let after = std::fs::metadata(&file).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"new");
    assert_eq!(after.permissions().mode() & 0o777, 0o600);
    assert_ne!(after.ino(), before, "written beside and renamed");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file is left");
    let fault = LocalHost.write_durably(&directory.path().join("no/such"), b"x", 0o600).await.unwrap_err();
    assert_eq!(fault.code, Code::FileAccess);
}

#[tokio::test]
async fn files_are_read_up_to_a_limit_and_removed_at_most_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "12345").unwrap();
    assert_eq!(LocalHost.read(&file, 5).await.unwrap(), b"12345");
    assert_eq!(LocalHost.read(&file, 4).await.unwrap_err().code, Code::FileAccess);
    assert_eq!(LocalHost.read(directory.path(), 4).await.unwrap_err().code, Code::FileAccess);
    LocalHost.remove(&file).await.unwrap();
    LocalHost.remove(&file).await.unwrap();
    assert!(!file.exists());
    assert!(LocalHost.remove(directory.path()).await.is_err());
}

#[tokio::test]
async fn a_path_that_is_not_there_yet_is_on_the_disk_of_its_parent() {
    let directory = tempfile::tempdir().unwrap();
    let room = LocalHost.disk(&directory.path().join("not/yet/there")).await.unwrap();
    let parent = LocalHost.disk(directory.path()).await.unwrap();
    assert_eq!(room.total_bytes, parent.total_bytes);
    assert!(room.total_bytes > 0 && room.free_bytes <= room.total_bytes);
    assert!(LocalHost.disk(Path::new("relative/file")).await.is_ok());
}
