//! The instants as a test build has them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

struct Settings {
    at: Option<(String, u64)>,
    trace: Option<File>,
    mutants: Vec<String>,
}

fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let at = text("ECLUSA_CRASH_AT").map(|wanted| match wanted.rsplit_once(['#', ':']) {
            Some((name, count)) if count.parse::<u64>().is_ok() => {
                (name.to_owned(), count.parse().unwrap_or(1))
            }
            _ => (wanted, 1),
        });
        let trace = text("ECLUSA_CRASH_TRACE")
            .and_then(|path| File::options().create(true).append(true).open(path).ok());
        let mutants = text("ECLUSA_MUTANT")
            .map(|parts| parts.split(',').map(|part| part.trim().to_owned()).collect())
            .unwrap_or_default();
        Settings { at, trace, mutants }
    })
}

/// Passes a point: counts it, notes it, and dies there when that is wanted.
pub(crate) fn pass(name: &'static str, number: Option<u64>) {
    static PASSED: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());
    let settings = settings();
    if settings.at.is_none() && settings.trace.is_none() {
        return;
    }
    let count = number.unwrap_or_else(|| {
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        let count = passed.entry(name).or_default();
        *count += 1;
        *count
    });
    if let Some(mut trace) = settings.trace.as_ref() {
        let _ = trace.write_all(format!("{name}#{count}\n").as_bytes());
    }
    if settings.at.as_ref().is_some_and(|(wanted, at)| wanted == name && *at == count) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

pub(crate) fn is_mutant(part: &str) -> bool {
    settings().mutants.iter().any(|mutant| mutant == part)
}
