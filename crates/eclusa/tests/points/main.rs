//! A runner that is killed with SIGKILL at thousands of instants: before and after every entry of its journal, between
//! every intent and its effect, and inside every effect; taken up again with `resume` or `abort`, killed once more on
//! its way, and judged against a model (`verdict.rs`) after each death and at the end of each run.
//!
//! A run is killed again and again, some points further on each time, so that thousands of instants cost tens of
//! runs. `ECLUSA_SEED` chooses other places for the same number of kills, `ECLUSA_POINTS` how many are wanted of
//! each scenario (more than there are: again, elsewhere). What once failed is in `failed.txt` and is done again each
//! time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod chain;
mod coverage;
mod lane;
mod scenario;
mod verdict;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use chain::{Finish, interrupt, random_of, repeat};
use coverage::Coverage;
use lane::Lane;
use scenario::{Scenario, named};

/// How many stacks are worked on side by side.
const LANES: usize = 3;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Whether points are looked for that another scenario has too.
fn everything() -> bool {
    number("ECLUSA_POINTS").is_some() || std::env::var_os("ECLUSA_LONG").is_some()
}

/// The points that an undisturbed run of a scenario passes.
fn points(lane: &mut Lane, scenario: &'static Scenario) -> Vec<String> {
    lane.prepare(scenario);
    let before = verdict::Before::of(lane);
    let run = lane.begin(scenario, None, "");
    let points = lane.passed().into_iter().filter(|point| !point.starts_with('/')).collect();
    let wrong = verdict::judge(lane, scenario, &run, &before, false);
    assert_eq!(lane.outcome(&run).as_deref(), Some(scenario.end), "{}", scenario.name);
    assert_eq!(wrong, Vec::<String>::new(), "{}, undisturbed", scenario.name);
    points
}

/// Reaches the points of a scenario; gives which, and what went wrong.
fn sweep(
    scenario: &'static Scenario,
    left_out: &str,
    only: &[&str],
    (most, enough, seed): (usize, usize, u64),
) -> (Coverage, Vec<String>) {
    let began = Instant::now();
    let mut first = Lane::new(scenario.ground);
    let mut points = points(&mut first, scenario);
    if let Some(step) = scenario.differs_from.filter(|_| !everything()) {
        let first = points.iter().position(|point| point.starts_with(step));
        points.drain(..first.unwrap_or_else(|| panic!("{}: no point of {step}", scenario.name)));
    }
    points.retain(|point| only.is_empty() || only.iter().any(|part| point.contains(part)));
    let mut coverage = Coverage::of(points);
    let all = coverage.wanted();
    coverage.sample(most, &mut random_of(seed, u64::MAX));
    println!("{}: {all} points, laid in {:.1} s", scenario.name, began.elapsed().as_secs_f64());
    let coverage = Mutex::new(coverage);
    let first = Mutex::new(Some(first));
    let chains = AtomicU64::new(0);
    let failures: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let taken = first.lock().unwrap_or_else(PoisonError::into_inner).take();
                let mut lane = taken.unwrap_or_else(|| Lane::new(scenario.ground));
                loop {
                    let wanted = coverage.lock().unwrap_or_else(PoisonError::into_inner).wanted();
                    let failed = failures.lock().unwrap_or_else(PoisonError::into_inner).len();
                    if wanted == 0 || failed >= enough {
                        return;
                    }
                    if coverage.lock().unwrap_or_else(PoisonError::into_inner).is_in_other_hands() {
                        std::thread::sleep(std::time::Duration::from_millis(100));
                        continue;
                    }
                    let number = chains.fetch_add(1, Ordering::Relaxed);
                    let began = Instant::now();
                    let mut random = random_of(seed, number);
                    let (story, wrong) = interrupt(&mut lane, scenario, &coverage, left_out, &mut random);
                    println!(
                        "{} {number}: {} kills in {:.1} s, {wanted} points wanted",
                        scenario.name,
                        story.died.len(),
                        began.elapsed().as_secs_f64()
                    );
                    if !wrong.is_empty() {
                        let text = format!(
                            "{}\n  died at {}\n  {}",
                            story.line(),
                            story.died.join(" ; "),
                            wrong.join("\n  ")
                        );
                        println!("WRONG {text}");
                        failures.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                    }
                }
            });
        }
    });
    let coverage = coverage.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "{}: {} points reached in {} runs and {:.0} s",
        scenario.name,
        coverage.distinct(),
        chains.into_inner(),
        began.elapsed().as_secs_f64()
    );
    (coverage, failures.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn killed_everywhere(name: &str) {
    let wanted = number("ECLUSA_POINTS").map(|wanted| usize::try_from(wanted).unwrap());
    let mut seed = number("ECLUSA_SEED").unwrap_or(1);
    let mut reached = 0;
    loop {
        let most = wanted.map_or(usize::MAX, |wanted| wanted - reached);
        let (coverage, failures) = sweep(named(name), "", &[], (most, usize::MAX, seed));
        for point in coverage.list() {
            println!("point: {name}: {point}");
        }
        assert!(failures.is_empty(), "{} runs, seed {seed}:\n{}", failures.len(), failures.join("\n"));
        let unreached = coverage.unreached();
        // Some points come only in one order of two threads.
        assert!(unreached.len() * 20 <= coverage.distinct(), "never reached: {unreached:#?}");
        reached += coverage.distinct();
        seed += 1;
        if wanted.is_none_or(|wanted| reached >= wanted) {
            return;
        }
    }
}

#[test]
fn release() {
    killed_everywhere("release");
}

#[test]
fn release_that_goes_back() {
    killed_everywhere("release-back");
}

#[test]
fn release_that_salvages() {
    killed_everywhere("release-salvage");
}

#[test]
fn release_of_code_alone() {
    killed_everywhere("release-code");
}

#[test]
fn rollback_of_code_alone() {
    killed_everywhere("rollback-code");
}

#[test]
fn rollback() {
    killed_everywhere("rollback");
}

#[test]
fn backup() {
    killed_everywhere("backup");
}

#[test]
fn restore() {
    killed_everywhere("restore");
}

/// What a restore of files alone does that no other restore does.
#[test]
fn restore_of_files_alone() {
    let only = ["beside.alpha/", "prove.alpha/", "change.swap.alpha/"];
    let (coverage, failures) = sweep(named("restore-files"), "", &only, (40, usize::MAX, 1));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(coverage.distinct() >= 20, "{} points", coverage.distinct());
}

#[test]
fn everything_killed_at_once() {
    let mut lane = Lane::new(scenario::Ground::Checked);
    for at in [
        "preflight.image/after.intended",
        "close.gate.alpha/edge.closed",
        "secure.point.beta/vault.file.renamed#2",
        "change.stop/service.signalled",
        "change.pin/switch.pinned",
        "migrate.alpha/command.line#9",
        "migrate.start/service.spawned",
        "open.gate.beta/edge.opening",
    ] {
        let wrong = chain::lose_power(&mut lane, named("release"), at);
        assert!(wrong.is_empty(), "{at}:\n{}", wrong.join("\n"));
    }
}

/// How many times a runner is killed at a system call of the journal's writer.
const KILLS_AT_CALLS: u64 = 60;

#[test]
fn at_system_calls_on_the_journal() {
    let wanted = number("ECLUSA_POINTS").unwrap_or(KILLS_AT_CALLS);
    let seed = number("ECLUSA_SEED").unwrap_or(1);
    let (kills, chains) = (AtomicU64::new(0), AtomicU64::new(0));
    let points: Mutex<std::collections::BTreeSet<String>> = Mutex::default();
    let failures: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let mut lane = Lane::new(scenario::Ground::Checked);
                while kills.load(Ordering::Relaxed) < wanted {
                    let number = chains.fetch_add(1, Ordering::Relaxed);
                    let scenario = named(["backup", "release", "restore"][(number % 3) as usize]);
                    let mut random = random_of(seed, number);
                    let (story, wrong) = chain::interrupt_at_calls(&mut lane, scenario, 12, &mut random);
                    kills.fetch_add(story.died.len() as u64, Ordering::Relaxed);
                    let line = story.line();
                    points.lock().unwrap().extend(story.died);
                    if !wrong.is_empty() {
                        failures.lock().unwrap().push(format!("{line}\n  {}", wrong.join("\n  ")));
                    }
                }
            });
        }
    });
    let points = points.into_inner().unwrap();
    for point in &points {
        println!("point: journal: {point}");
    }
    println!("journal: {} kills at {} points", kills.into_inner(), points.len());
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A build from which a part was taken must be caught.
fn must_be_caught(name: &str, left_out: &str, only: &[&str]) {
    let (_, failures) = sweep(named(name), left_out, only, (40, 1, 1));
    assert!(!failures.is_empty(), "nothing noticed that {left_out} was left out");
    println!("caught: {left_out}: {}", failures[0]);
}

#[test]
fn without_the_undo_of_a_migration() {
    must_be_caught("release-back", "undo.restore", &["undo migrate."]);
}

#[test]
fn without_the_undo_of_a_gate() {
    must_be_caught("release-back", "undo.gate", &["undo close.gate"]);
}

#[test]
fn without_a_probe() {
    must_be_caught("release", "probe", &["change.stop/", "migrate.start/"]);
}

#[test]
fn without_going_back_from_what_must_not_be_repeated() {
    must_be_caught("release", "go-back", &["hook"]);
}

/// What once failed, done again exactly.
#[test]
fn what_once_failed() {
    let kept = include_str!("failed.txt");
    let mut lanes: Vec<Lane> = Vec::new();
    for line in kept.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let mut parts = line.split(" | ");
        let scenario = named(parts.next().unwrap());
        let told: Vec<String> = parts.next().unwrap().split(" ; ").map(str::to_owned).collect();
        let finish = if parts.next() == Some("abort") { Finish::Abort } else { Finish::Resume };
        if !lanes.iter().any(|lane| lane.ground == scenario.ground) {
            lanes.push(Lane::new(scenario.ground));
        }
        let lane = lanes.iter_mut().find(|lane| lane.ground == scenario.ground).unwrap();
        let wrong = repeat(lane, scenario, &told, finish);
        assert!(wrong.is_empty(), "{line}:\n{}", wrong.join("\n"));
    }
}
