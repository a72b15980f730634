//! Crashes on Docker: the runner of one release of the boutique, which a check makes go back, is killed at points before
//! and after journal entries and inside effects, on the way forward and on the way back, taken up each time, and the
//! books are compared to the row at the end.
//!
//! A seeded sample of the points (`ECLUSA_SEED`); with `ECLUSA_LONG` all of them, in as many releases as that takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod boutique_stack;
#[path = "points/coverage.rs"]
#[allow(dead_code)]
mod coverage;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use boutique_stack::{Boutique, get};
use coverage::Coverage;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// How many points one release is killed at, when not all are wanted.
const SAMPLE: usize = 10;
/// A run is killed so often at most.
const KILLS: usize = 24;
/// A runner that lives for longer hangs.
const HANGS_AFTER: Duration = Duration::from_secs(300);

#[test]
fn a_killed_release_of_the_boutique_is_resumed_to_a_safe_end() {
    let shop = Boutique::lay("crash");
    shop.must(0, &["edge", "install", "--yes"]);
    shop.must(0, &["backup", "--prove"]);
    let line =
        "tests = { command = [\"pytest\", \"-q\", \"--create-db\"], database_variable = \"POSTGRES_DB\" }\n";
    shop.configure(line, "");
    shop.configure("[[stacks.boutique.checks]]\nname = \"login\"", "[[stacks.boutique.checks]]\nname = \"never\"\ncommand = [\"false\"]\n\n[[stacks.boutique.checks]]\nname = \"login\"");
    let before = State::of(&shop);
    let trace = shop.directory.with_file_name("trace");

    // Undisturbed, to know the points.
    let output = shop
        .command(&["release", "v2", "--yes", "--detach"])
        .env("ECLUSA_CRASH_TRACE", &trace)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    wait_for_the_runner(&shop);
    assert_eq!(State::of(&shop), before, "undisturbed");
    let points: Vec<String> = passed(&trace).into_iter().filter(|point| !is_one_more_line(point)).collect();
    println!("{} points", points.len());

    let seed = std::env::var("ECLUSA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut random = StdRng::seed_from_u64(seed);
    let mut coverage = Coverage::of(points);
    if std::env::var_os("ECLUSA_LONG").is_none() {
        coverage.sample(SAMPLE, &mut random);
    }
    while coverage.wanted() > 0 {
        let kills = kill_again_and_again(&shop, &trace, &mut coverage, &mut random);
        assert_eq!(State::of(&shop), before, "killed at {kills:#?}");
        assert_eq!(get(shop.port, "/api/v1/auth/csrf/").status, 200);
        shop.must(0, &["status"]);
        assert!(shop.must(0, &["history", "--verify"]).contains("whole"));
        assert!(!kills.is_empty(), "no point was reached: {:?}", coverage.unreached());
        println!("{} kills in one release; {} points wanted", kills.len(), coverage.wanted());
    }
    for point in coverage.list() {
        println!("point: boutique: {point}");
    }
    assert!(coverage.unreached().len() * 5 <= coverage.distinct(), "{:?}", coverage.unreached());
}

/// What must be the same before and after.
#[derive(Debug, PartialEq, Eq)]
struct State {
    books: String,
    databases: String,
    version: String,
    containers: Vec<String>,
    lease: String,
}

impl State {
    fn of(shop: &Boutique) -> Self {
        let said = |words: &[&str]| {
            let output = Command::new("docker").args(words).output().unwrap();
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        let project = format!("label=com.docker.compose.project={}", shop.project);
        let names = said(&["ps", "-a", "--filter", &project, "--format", "{{.Names}} {{.State}}"]);
        let mut containers: Vec<String> = names.lines().map(str::to_owned).collect();
        containers.sort();
        let lease = format!("name=eclusa-lease-{}", shop.project);
        Self {
            books: shop.books(),
            databases: shop.databases(),
            version: shop.version(),
            containers,
            lease: said(&["ps", "-a", "--filter", &lease, "--format", "{{.Names}}"]),
        }
    }
}

/// Each line that a command prints is a point; that of a build is no other instant than the one before it.
fn is_one_more_line(point: &str) -> bool {
    point
        .split_once("command.line#")
        .and_then(|(_, number)| number.parse::<u32>().ok())
        .is_some_and(|number| number > 3)
}

fn passed(trace: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(trace).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('/')).map(str::to_owned).collect()
}

fn wait_for_the_runner(shop: &Boutique) -> String {
    let run = shop.newest_run();
    let path = shop.state().join("runs").join(&run).join("runner");
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < HANGS_AFTER, "the runner of {run} hangs");
        if let Ok(text) = std::fs::read_to_string(&path)
            && let Some(pid) = text.split_whitespace().next()
            && !std::path::Path::new(&format!("/proc/{pid}")).exists()
        {
            return run;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One release, killed at every point that lies ahead, and resumed to its end; gives where it died.
fn kill_again_and_again(
    shop: &Boutique,
    trace: &std::path::Path,
    coverage: &mut Coverage,
    random: &mut StdRng,
) -> Vec<String> {
    let mut died: Vec<String> = Vec::new();
    let mut run: Option<String> = None;
    let mut target = coverage.take(None, random);
    while let Some((index, at)) = target.take() {
        let _ = std::fs::remove_file(trace);
        let killed = match &run {
            None => {
                let output = shop
                    .command(&["release", "v2", "--yes", "--detach"])
                    .env("ECLUSA_CRASH_AT", &at)
                    .env("ECLUSA_CRASH_TRACE", trace)
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                let begun = wait_for_the_runner(shop);
                let events = shop.must(0, &["history", &begun, "--json"]);
                run = Some(begun);
                !events.contains("\"ended\"")
            }
            Some(run) => {
                let mut child = shop
                    .command(&["own-run", run, "--resume", "tester"])
                    .env("ECLUSA_CRASH_AT", &at)
                    .env("ECLUSA_CRASH_TRACE", trace)
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                let began = Instant::now();
                loop {
                    if let Some(status) = child.try_wait().unwrap() {
                        break status.signal() == Some(9);
                    }
                    assert!(began.elapsed() < HANGS_AFTER, "{run} hangs on its way to {at}");
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        };
        let last = passed(trace).pop().unwrap_or_default();
        let position = if killed { coverage.reached(&last) } else { None };
        coverage.give_back(index);
        if !killed {
            break;
        }
        died.push(last);
        if died.len() == 1 {
            let text = shop.must(1, &["status"]);
            assert!(text.contains("nobody owns it") && text.contains("eclusa resume"), "{text}");
            // Another release is refused while this one has not ended.
            assert!(shop.must(1, &["release", "v5", "--yes"]).contains("E0405"));
        }
        if died.len() >= KILLS {
            break;
        }
        target = coverage.take(position.or(Some(index)), random);
    }
    let run = run.unwrap();
    if !shop.must(0, &["history", &run, "--json"]).contains("\"ended\"") {
        let text = shop.must(3, &["resume"]);
        assert!(text.contains("WENT BACK") || text.contains("NO-GO"), "{text}");
    }
    died
}
