//! A runner killed with SIGKILL at every event of its journal, on the way forward and on the way back, then
//! `eclusa resume`. A model says what must have come of it: the run ends as it must, every tenant's data is that of
//! one release to the row, what serves is that release, nothing is left behind.
//!
//! Killed *after* an event, nothing of what follows it has happened. Killed *before* one, what it reports has happened
//! and is written nowhere: that is a case of its own only where something was done, since intending and judging change
//! nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::VecDeque;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::run::{event_step, kind};
use common::sound::{Wanted, unsound};
use common::{Ran, Run, Setting, Shop, TENANTS, processes};
use eclusa_shop::{Census, Defect};
use serde_json::Value;

/// How many stacks are worked on side by side.
const LANES: usize = 4;

/// A watch that v3 fails once its pool is worn out, and that asks nobody.
const STRICT_WATCH: &str = r#"for = "4s"
warm_up = "0s"
interval = "1s"
synthetic_per_second = 40.0
minimum_samples = 5
error_rate = 0.3
slowdown = 50.0
latency = "5s"
after_open = "restore""#;

/// A release that is to be killed at each of its events.
struct Sweep {
    setting: Setting,
    /// The release that is begun; the one before it runs.
    to: &'static str,
    from: &'static str,
    /// The first event at which it is killed, given those of an undisturbed run.
    first: fn(&[Value]) -> usize,
}

/// A moment: `after:7`.
#[derive(Debug, Clone)]
struct Moment {
    side: &'static str,
    sequence: usize,
    /// What the event was in the undisturbed run.
    was: String,
}

/// One stack, with a copy of everything as it was before the release.
struct Lane {
    shop: Shop,
    copy: tempfile::TempDir,
    before: Vec<Census>,
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success(), "{} to {}", from.display(), to.display());
}

impl Lane {
    fn new(sweep: &Sweep) -> Self {
        let shop = Shop::open(&sweep.setting);
        if sweep.from == "v2" {
            shop.run(&["release", "v2", "--yes"]).must(0);
        }
        shop.run(&["stop", "--yes"]).must(0);
        let holder = tempfile::Builder::new().prefix("ecl-copy").tempdir().unwrap();
        for part in ["data", "state"] {
            copy(&shop.directory.join(part), &holder.path().join(part));
        }
        let before = shop.censuses();
        let mut lane = Self { shop, copy: holder, before };
        lane.reset();
        lane
    }

    /// Everything as it was before the release, and running.
    fn reset(&mut self) {
        self.shop.kill_everything();
        for part in ["data", "state"] {
            std::fs::remove_dir_all(self.shop.directory.join(part)).unwrap();
            copy(&self.copy.path().join(part), &self.shop.directory.join(part));
        }
        self.shop.run(&["start", "--yes"]).must(0);
    }

    /// Begins the release with a runner that is killed at a moment.
    fn begin(&self, sweep: &Sweep, moment: Option<&str>) -> Run {
        let mut command = self.shop.command(&["release", sweep.to, "--yes", "--detach"]);
        if let Some(moment) = moment {
            command.env("ECLUSA_CRASH_AT", moment);
        }
        let ran = Ran::of(&mut command).must(0);
        let run = Run { id: ran.out.lines().last().unwrap().trim().to_owned() };
        run.wait_for_runner(&self.shop, None);
        run
    }

    /// Resumes; where asked for, with a runner that is killed too, a few events on, and then once more.
    fn resume(&self, run: &Run, again: Option<usize>) -> Ran {
        if let Some(sequence) = again {
            let before = run.runner(&self.shop);
            let mut command = self.shop.command(&["resume", &run.id, "--detach"]);
            Ran::of(command.env("ECLUSA_CRASH_AT", format!("after:{sequence}"))).must(0);
            run.wait_for_runner(&self.shop, before.as_deref());
            if run.outcome(&self.shop).is_some() {
                return self.shop.run(&["attach", &run.id]);
            }
        }
        self.answering(run, || self.shop.run(&["resume", &run.id]))
    }

    /// Answers go to whatever is asked meanwhile: on a busy machine a watch of one second has too few samples to say
    /// more than hold, and how a watch judges is no part of this test.
    fn answering(&self, run: &Run, work: impl FnOnce() -> Ran) -> Ran {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_secs(1));
                    self.shop.run(&[
                        "answer",
                        &run.id,
                        "go",
                        "--reason",
                        "too few samples on a busy machine",
                    ]);
                }
            });
            let ran = work();
            over.store(true, Ordering::Relaxed);
            ran
        })
    }
}

/// What must come of a run that was killed when its journal had these events.
fn expected(events: &[Value], sweep: &Sweep) -> &'static str {
    let back = events.iter().any(|event| kind(event) == "turned-back");
    let migrating = TENANTS.iter().any(|tenant| {
        let step = format!("migrate.{tenant}");
        let last = events.iter().rfind(|event| event_step(event) == step);
        last.is_some_and(|event| kind(event) == "intended")
    });
    // Half a migration is not repeated; v3 fails its watch in any case.
    if back || migrating || sweep.to == "v3" { "went-back" } else { "done" }
}

/// Compares what is there with what must be; gives what differs.
fn compare(lane: &Lane, sweep: &Sweep, run: &Run, must: &str, after: &[Census]) -> Vec<String> {
    let shop = &lane.shop;
    let mut wrong = Vec::new();
    let outcome = run.outcome(shop).unwrap_or_else(|| "no end".to_owned());
    if outcome != must {
        wrong.push(format!("the run is {outcome}, not {must}"));
    }
    let (release, data) = if must == "done" { (sweep.to, after) } else { (sweep.from, &lane.before[..]) };
    wrong.extend(unsound(shop, &Wanted { release, data, migrated: must == "done", kept: false }));
    wrong
}

/// The moments of a sweep, from the events of an undisturbed run.
fn moments(events: &[Value], first: usize) -> Vec<Moment> {
    let mut all = Vec::new();
    for (index, event) in events.iter().enumerate().skip(first - 1) {
        let was = format!("{} {}", kind(event), event_step(event));
        // The first event is written by the command itself, before there is a runner.
        let sequence = index + 1;
        if sequence < 2 {
            continue;
        }
        if matches!(kind(event), "performed" | "failed" | "undone" | "turned-back" | "ended") {
            all.push(Moment { side: "before", sequence, was: was.clone() });
        }
        if sequence < events.len() {
            all.push(Moment { side: "after", sequence, was });
        }
    }
    all
}

fn sweep(sweep: &Sweep) {
    let began = Instant::now();
    let mut first = Lane::new(sweep);
    let run = first.begin(sweep, None);
    let events = run.events(&first.shop);
    let end = if sweep.to == "v3" { "went-back" } else { "done" };
    assert_eq!(run.outcome(&first.shop).as_deref(), Some(end), "undisturbed: {events:#?}");
    let after: Vec<Census> = first.shop.censuses();
    assert_eq!(compare(&first, sweep, &run, end, &after), Vec::<String>::new(), "undisturbed");
    first.reset();

    let all = moments(&events, (sweep.first)(&events));
    let count = all.len();
    println!("{} events, {count} moments; laid in {:?}", events.len(), began.elapsed());
    let queue = Mutex::new(VecDeque::from(all));
    let failures: Mutex<Vec<String>> = Mutex::default();
    let first = Mutex::new(Some(first));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let taken = first.lock().unwrap().take();
                let mut lane = taken.unwrap_or_else(|| Lane::new(sweep));
                loop {
                    let Some(moment) = queue.lock().unwrap().pop_front() else { return };
                    let wrong = one(&mut lane, sweep, &moment, &after);
                    if !wrong.is_empty() {
                        let text = format!(
                            "killed {}:{} ({}):\n  {}",
                            moment.side,
                            moment.sequence,
                            moment.was,
                            wrong.join("\n  ")
                        );
                        println!("{text}");
                        failures.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    println!("{count} moments in {:?}", began.elapsed());
    assert!(failures.is_empty(), "{} of {count} moments:\n{}", failures.len(), failures.join("\n"));
}

fn one(lane: &mut Lane, sweep: &Sweep, moment: &Moment, after: &[Census]) -> Vec<String> {
    let run = lane.begin(sweep, Some(&format!("{}:{}", moment.side, moment.sequence)));
    let events = run.events(&lane.shop);
    let mut wrong = Vec::new();
    if events.len() != moment.sequence - usize::from(moment.side == "before") {
        wrong.push(format!("it was not killed there: it has {} events", events.len()));
    }
    let must = expected(&events, sweep);
    // Every fifth time the one who resumes is killed as well.
    let again = moment.sequence.is_multiple_of(5).then_some(events.len() + 4);
    let resumed = lane.resume(&run, again);
    let code = if must == "done" { 0 } else { 3 };
    // A run that was killed before it changed anything and then goes back was refused; v3's never is.
    if resumed.code != code {
        wrong.push(format!("resume ended with {}: {}{}", resumed.code, resumed.out, resumed.err));
    }
    // With a second kill the state between is not looked at, and half a migration may have come about in it.
    let must = if again.is_some() { expected(&run.events(&lane.shop), sweep) } else { must };
    wrong.extend(compare(lane, sweep, &run, must, after));
    if must == "done" || !wrong.is_empty() {
        lane.reset();
    }
    wrong
}

#[test]
fn killed_at_every_event_of_a_release() {
    sweep(&Sweep { setting: Setting::default(), to: "v2", from: "v1", first: |_| 2 });
}

#[test]
fn killed_at_every_event_of_the_way_back() {
    let defect = Defect { error_share: 0.9, slow_milliseconds: 5, after_requests: 30 };
    let setting = Setting { watch: STRICT_WATCH, defect: Some(defect), ..Setting::default() };
    let first = |events: &[Value]| events.iter().position(|event| kind(event) == "turned-back").unwrap() + 1;
    sweep(&Sweep { setting, to: "v3", from: "v1", first });
}

#[test]
fn after_a_loss_of_power_the_run_is_taken_up_all_the_same() {
    let sweep = Sweep { setting: Setting::default(), to: "v2", from: "v1", first: |_| 2 };
    let mut lane = Lane::new(&sweep);
    let undisturbed = lane.begin(&sweep, None);
    let events = undisturbed.events(&lane.shop);
    let after = lane.shop.censuses();
    for step in [
        "preflight.image",
        "close.gate.alpha",
        "change.stop",
        "migrate.alpha",
        "migrate.start",
        "open.gate.beta",
    ] {
        lane.reset();
        let sequence = events.iter().position(|event| event_step(event) == step).unwrap() + 1;
        let run = lane.begin(&sweep, Some(&format!("after:{sequence}")));
        lane.shop.kill_everything();
        assert_eq!(processes::of(&lane.shop.directory), []);
        let events = run.events(&lane.shop);
        let resumed = lane.shop.run(&["resume", &run.id]);
        let must = if resumed.code == 0 { "done" } else { "went-back" };
        let wrong = compare(&lane, &sweep, &run, must, &after);
        assert!(
            wrong.is_empty(),
            "killed with everything in {step}, at {} events: {wrong:#?}\n{}{}",
            events.len(),
            resumed.out,
            resumed.err
        );
    }
}
