//! The writer killed by `strace` on entering every one of its system calls, one after the other: while the journal is
//! made, while it is opened, in each append, in a checkpoint, and while it is closed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use eclusa_fault::Code;
use eclusa_ports::{JournalStore, Proof, RequestKind};
use support::*;

/// What the writer does with files. Those that only look at one come too: whether it is killed before or after them is
/// the same, but which they are is SQLite's affair.
const CALLS: &str = "openat,pwrite64,pread64,fdatasync,fsync,ftruncate,fallocate,unlink,rename,fcntl,close,mmap,fstat,newfstatat,lseek,mkdir,chmod,fchmod,write";

/// Appends, asks, takes and proves as a runner does, and says after each what was acknowledged.
#[test]
#[ignore = "run as a child process by the other test"]
fn child_that_does_everything() {
    let Ok(path) = std::env::var("JOURNAL_TEST_PATH") else { return };
    let say = |what: String| {
        // One call, so that it is said whole or not at all.
        std::io::stdout().write_all(format!("acknowledged {what}\n").as_bytes()).unwrap();
        std::io::stdout().flush().unwrap();
    };
    println!();
    for round in 0..2 {
        let journal = writable(Path::new(&path));
        let begun = journal.read(&run("r-1")).map_or(0, |entries| entries.len() as u64);
        for sequence in begun + 1..=begun + 6 {
            let event = if sequence == 1 { started() } else { performed("a.b", &"x".repeat(3000)) };
            journal.append(&run("r-1"), &stack(), sequence, at(sequence as i64), &event).unwrap();
            say(format!("entry {sequence}"));
        }
        let kind = RequestKind::Note {
            by: eclusa_model::PersonName::new("ana").unwrap(),
            kind: "note".to_owned(),
            text: "x".to_owned(),
        };
        journal.request(&run("r-1"), at(0), &kind).unwrap();
        let asked = journal.requests(&run("r-1")).unwrap();
        say(format!("request {round}"));
        journal.taken(asked.last().unwrap().number).unwrap();
        say(format!("taking {round}"));
        let tenant = eclusa_model::TenantName::new("alpha").unwrap();
        let proof = Proof { tenant, point: format!("p{round}"), at: at(round), milliseconds: 1, rows: 1 };
        journal.record_proof(&stack(), &proof).unwrap();
        say(format!("proof {round}"));
    }
}

struct Killed {
    acknowledged: Vec<String>,
    ended: bool,
}

/// Runs the writer; kills it on entering a call for the N-th time, where one is given. The log of its calls is beside
/// the journal.
fn kill_at(path: &Path, at: Option<&(String, usize)>) -> Killed {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", &format!("trace={CALLS}"), "-o"]).arg(log_of(path));
    if let Some((call, number)) = at {
        command.args(["-e", &format!("inject={call}:signal=SIGKILL:when={number}")]);
    }
    let output = command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_does_everything", "--ignored", "--nocapture", "--test-threads=1"])
        .env("JOURNAL_TEST_PATH", path)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("strace is not installed (apt-get install strace)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let acknowledged = text
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n')?.strip_prefix("acknowledged ").map(str::to_owned))
        .collect();
    Killed { acknowledged, ended: output.status.success() }
}

fn log_of(path: &Path) -> std::path::PathBuf {
    path.with_extension("strace")
}

/// The calls of the thread that writes, each with the how-manieth of its name it is: strace counts by thread and name.
fn calls(path: &Path) -> Vec<(String, usize)> {
    let log = std::fs::read_to_string(log_of(path)).unwrap();
    let lines: Vec<(&str, &str)> = log
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .filter_map(|(thread, call)| Some((thread, call.trim_start().split_once('(')?.0)))
        .collect();
    let mut of_thread: BTreeMap<&str, usize> = BTreeMap::new();
    for (thread, _) in &lines {
        *of_thread.entry(thread).or_default() += 1;
    }
    let (writer, _) = of_thread.into_iter().max_by_key(|(_, count)| *count).unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let own = lines.iter().filter(|(thread, _)| *thread == writer);
    own.map(|(_, call)| {
        let count = counts.entry(call).or_default();
        *count += 1;
        ((*call).to_owned(), *count)
    })
    .collect()
}

/// What is there must be all that was acknowledged, and at most one thing more.
fn judge(path: &Path, killed: &Killed, call: &(String, usize)) {
    let place = format!("killed at {} {}", call.0, call.1);
    let count = |what: &str| killed.acknowledged.iter().filter(|line| line.starts_with(what)).count();
    let journal = writable(path);
    let entries = match journal.read(&run("r-1")) {
        Ok(entries) => entries,
        Err(fault) if fault.code == Code::RunUnknown => Vec::new(),
        Err(fault) => panic!("{place}: {fault}"),
    };
    let (least, found) = (count("entry"), entries.len());
    assert!(found == least || found == least + 1, "{place}: {least} acknowledged, {found} there");
    journal.verify().unwrap_or_else(|fault| panic!("{place}: {fault}"));
    let open = if found == 0 { 0 } else { journal.requests(&run("r-1")).unwrap().len() };
    let (asked, taken) = (count("request"), count("taking"));
    assert!(
        open + taken <= asked + 1 && open + taken + 1 >= asked,
        "{place}: {asked} asked, {taken} taken, {open} open"
    );
    assert!(open + 1 >= asked - taken, "{place}: a request is gone");
    let tenant = eclusa_model::TenantName::new("alpha").unwrap();
    let proof = journal.newest_proof(&stack(), &tenant).unwrap();
    let proved = count("proof");
    assert!(proof.is_some() || proved == 0, "{place}: a proof is gone");
    // The next writer goes on.
    let next = if found == 0 { started() } else { noted("next") };
    journal
        .append(&run("r-1"), &stack(), found as u64 + 1, at(9), &next)
        .unwrap_or_else(|fault| panic!("{place}: {fault}"));
}

#[test]
fn killed_at_its_system_calls() {
    let all = {
        let directory = tempfile::tempdir().unwrap();
        let path = path_in(directory.path());
        let whole = kill_at(&path, None);
        assert!(whole.ended, "it does not run to its end under strace: {:?}", whole.acknowledged);
        calls(&path)
    };
    let all = &all;
    let mut reached = 0;
    let workers = 3;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mut reached = 0;
                    for at in all.iter().skip(worker).step_by(workers) {
                        let directory = tempfile::tempdir().unwrap();
                        let path = path_in(directory.path());
                        let killed = kill_at(&path, Some(at));
                        if killed.ended {
                            continue;
                        }
                        reached += 1;
                        judge(&path, &killed, at);
                    }
                    reached
                })
            })
            .collect();
        for thread in threads {
            reached += thread.join().unwrap();
        }
    });
    println!("killed at {reached} of {} system calls", all.len());
    assert_eq!(reached, all.len(), "some calls were not reached");
}
