//! Crashes on Docker: the runner of one release of the boutique, which a check makes go back, is killed at points before
//! and after journal entries and inside effects, on the way forward and on the way back, taken up each time, and the
//! books are compared to the row at the end.
//!
//! A seeded sample of the points (`ECLUSA_SEED`); with `ECLUSA_LONG` all of them, in as many releases as that takes;
//! with `ECLUSA_ONLY=FILE` those that stand in a file, a line each, as a run before has printed them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod boutique_stack;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use boutique_stack::{Boutique, get};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;

/// How many points one release is killed at, when not all are wanted.
const SAMPLE: usize = 10;
/// A run is killed so often at most.
const KILLS: usize = 60;
/// How many releases are tried that do not come past a point, because they took another way before it.
const TRIES: u8 = 6;
/// At how many points a release is killed at last. Whoever dies within a migration goes back when it is taken up, so a
/// release that is killed at many points passes few of those that come after it.
const FEW: usize = 5;
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
    let mut points = Points::of(points);
    if let Some(path) = std::env::var_os("ECLUSA_ONLY") {
        let only = std::fs::read_to_string(path).unwrap();
        points.wanted.retain(|point, _| only.lines().any(|line| line == point));
    } else if std::env::var_os("ECLUSA_LONG").is_none() {
        points.sample(SAMPLE, &mut random);
    }
    while !points.wanted.is_empty() {
        let kills = kill_again_and_again(&shop, &trace, &mut points, &mut random);
        assert_eq!(State::of(&shop), before, "killed at {kills:#?}");
        assert_eq!(get(shop.port, "/api/v1/auth/csrf/").status, 200);
        shop.must(0, &["status"]);
        assert!(shop.must(0, &["history", "--verify"]).contains("whole"));
        println!("{} kills in one release; {} points wanted", kills.len(), points.wanted.len());
    }
    for point in &points.reached {
        println!("point: boutique: {point}");
    }
    for point in &points.never {
        println!("never reached: boutique: {point}");
    }
    println!("killed at {} points, {} were never reached", points.reached.len(), points.never.len());
    assert!(points.never.len() * 5 <= points.reached.len(), "{:?}", points.never);
}

/// The instants at which the runner is killed.
struct Points {
    /// Those that are still to come, and how many releases did not come past them.
    wanted: BTreeMap<String, u8>,
    reached: BTreeSet<String>,
    never: BTreeSet<String>,
}

impl Points {
    fn of(points: Vec<String>) -> Self {
        let wanted = points.into_iter().map(|point| (point, 0)).collect();
        Self { wanted, reached: BTreeSet::new(), never: BTreeSet::new() }
    }

    /// Leaves only some of them wanted, by chance.
    fn sample(&mut self, most: usize, random: &mut StdRng) {
        let chosen = self.choose(most, random);
        self.wanted.retain(|point, _| chosen.contains(point));
    }

    fn choose(&self, most: usize, random: &mut StdRng) -> BTreeSet<String> {
        self.wanted.keys().cloned().choose_multiple(random, most).into_iter().collect()
    }

    fn reach(&mut self, point: &str) {
        if self.wanted.remove(point).is_some() {
            self.reached.insert(point.to_owned());
        }
    }

    /// After a release: those of its points that it did not come past.
    fn miss(&mut self, chosen: &BTreeSet<String>) {
        for point in chosen {
            let Some(tries) = self.wanted.get_mut(point) else { continue };
            *tries += 1;
            if *tries >= TRIES {
                self.wanted.remove(point);
                self.never.insert(point.clone());
            }
        }
    }
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

/// One release, killed at each of some points that it passes, and resumed to its end; gives where it died.
fn kill_again_and_again(
    shop: &Boutique,
    trace: &std::path::Path,
    points: &mut Points,
    random: &mut StdRng,
) -> Vec<String> {
    let most = if points.wanted.len() > KILLS { KILLS } else { FEW };
    let chosen = points.choose(most, random);
    let file = trace.with_extension("points");
    let at = format!("@{}", file.display());
    let mut died: Vec<String> = Vec::new();
    let mut run: Option<String> = None;
    loop {
        let ahead: Vec<&String> = chosen.iter().filter(|point| points.wanted.contains_key(*point)).collect();
        std::fs::write(&file, ahead.iter().map(|point| format!("{point}\n")).collect::<String>()).unwrap();
        let _ = std::fs::remove_file(trace);
        let killed = match &run {
            None => {
                let (begun, killed) = begin(shop, &at, trace);
                run = Some(begun);
                killed
            }
            // One that died after its run's last word has nothing to be taken up.
            Some(run) if has_ended(shop, run) => false,
            Some(run) => resume(shop, run, &at, trace),
        };
        if !killed {
            break;
        }
        let last = passed(trace).pop().unwrap_or_default();
        points.reach(&last);
        died.push(last);
        if died.len() == 1 {
            let text = shop.must(1, &["status"]);
            assert!(text.contains("nobody owns it") && text.contains("eclusa resume"), "{text}");
            // Another release is refused while this one has not ended.
            assert!(shop.must(1, &["release", "v5", "--yes"]).contains("E0405"));
        }
    }
    points.miss(&chosen);
    died
}

/// Begins a release whose runner is to die; gives its id and whether it died.
fn begin(shop: &Boutique, at: &str, trace: &std::path::Path) -> (String, bool) {
    let output = shop
        .command(&["release", "v2", "--yes", "--detach"])
        .env("ECLUSA_CRASH_AT", at)
        .env("ECLUSA_CRASH_TRACE", trace)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let begun = wait_for_the_runner(shop);
    let ended = has_ended(shop, &begun);
    (begun, !ended)
}

fn has_ended(shop: &Boutique, run: &str) -> bool {
    shop.must(0, &["history", run, "--json"]).contains("\"ended\"")
}

/// Takes a run up with a runner that is to die; gives whether it died. One that does not must end the run.
fn resume(shop: &Boutique, run: &str, at: &str, trace: &std::path::Path) -> bool {
    let said = trace.with_extension("said");
    let mut child = shop
        .command(&["own-run", run, "--resume", "tester"])
        .env("ECLUSA_CRASH_AT", at)
        .env("ECLUSA_CRASH_TRACE", trace)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            if status.signal() != Some(9) {
                let said = std::fs::read_to_string(&said).unwrap();
                assert_eq!(status.code(), Some(3), "{run} does not go back to its end: {said}");
                return false;
            }
            return true;
        }
        assert!(began.elapsed() < HANGS_AFTER, "{run} hangs");
        std::thread::sleep(Duration::from_millis(20));
    }
}
