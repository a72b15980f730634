//! The instants as a test build has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::{Passing, Side};

struct Settings {
    at: Option<At>,
    trace: Option<File>,
    left_out: Vec<String>,
    step: Option<(i64, PathBuf)>,
}

/// Where the process is to die.
enum At {
    /// At the N-th passing of a point.
    Point(String, u64),
    /// At the N-th point of all.
    Any(u64),
    /// At the first of these.
    OneOf(BTreeSet<String>),
    /// Before or after the entry of this number.
    Entry(Side, u64),
}

impl At {
    fn read(text: &str) -> Self {
        let number = |text: &str| text.parse::<u64>().ok();
        if let Some(sequence) = text.strip_prefix("before:").and_then(number) {
            return Self::Entry(Side::Before, sequence);
        }
        if let Some(sequence) = text.strip_prefix("after:").and_then(number) {
            return Self::Entry(Side::After, sequence);
        }
        if let Some(path) = text.strip_prefix('@') {
            let lines = std::fs::read_to_string(path).unwrap_or_default();
            return Self::OneOf(lines.lines().map(str::to_owned).collect());
        }
        match text.rsplit_once('#') {
            Some(("*", count)) => Self::Any(number(count).unwrap_or(1)),
            Some((name, count)) => Self::Point(name.to_owned(), number(count).unwrap_or(1)),
            None => Self::Point(text.to_owned(), 1),
        }
    }
}

fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let trace = text("ECLUSA_CRASH_TRACE")
            .and_then(|path| File::options().create(true).append(true).open(path).ok());
        let left_out = text("ECLUSA_MUTANT")
            .map(|parts| parts.split(',').map(|part| part.trim().to_owned()).collect())
            .unwrap_or_default();
        let step = text("ECLUSA_CLOCK_STEP").and_then(|wanted| {
            let (seconds, file) = wanted.split_once('@')?;
            Some((seconds.parse().ok()?, PathBuf::from(file)))
        });
        Settings { at: text("ECLUSA_CRASH_AT").map(|text| At::read(&text)), trace, left_out, step }
    })
}

/// What was passed so far.
struct Passed {
    /// The step that is under way.
    step: String,
    counts: BTreeMap<String, u64>,
    all: u64,
}

static PASSED: Mutex<Passed> = Mutex::new(Passed { step: String::new(), counts: BTreeMap::new(), all: 0 });

fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

fn is_idle(settings: &Settings) -> bool {
    settings.at.is_none() && settings.trace.is_none()
}

/// Passes a point: counts it, notes it, and dies there when that is wanted.
pub(crate) fn pass(place: &str) {
    let settings = settings();
    if is_idle(settings) {
        return;
    }
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    let name = format!("{}/{place}", passed.step);
    count(settings, &mut passed, name);
}

fn count(settings: &Settings, passed: &mut Passed, name: String) {
    passed.all += 1;
    let all = passed.all;
    let count = {
        let count = passed.counts.entry(name.clone()).or_default();
        *count += 1;
        *count
    };
    let passing = format!("{name}#{count}");
    if let Some(mut trace) = settings.trace.as_ref() {
        let _ = trace.write_all(format!("{passing}\n").as_bytes());
    }
    match &settings.at {
        Some(At::Point(wanted, at)) if *wanted == name && *at == count => die(),
        Some(At::Any(at)) if *at == all => die(),
        Some(At::OneOf(points)) if points.contains(&passing) => die(),
        _ => {}
    }
}

pub(crate) fn pass_entry(side: Side, passing: Passing<'_>) {
    let settings = settings();
    if is_idle(settings) {
        return;
    }
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(step) = passing.step {
        passed.step = if passing.undo { format!("undo {step}") } else { step.to_owned() };
    }
    let word = if side == Side::Before { "before" } else { "after" };
    let name = format!("{}/{word}.{}", passed.step, passing.kind);
    count(settings, &mut passed, name);
    if let Some(At::Entry(at, sequence)) = &settings.at
        && (*at, *sequence) == (side, passing.sequence)
    {
        die();
    }
}

pub(crate) fn is_left_out(part: &str) -> bool {
    settings().left_out.iter().any(|left_out| left_out == part)
}

pub(crate) fn clock_step() -> i64 {
    settings().step.as_ref().filter(|(_, file)| file.exists()).map_or(0, |(seconds, _)| *seconds)
}
