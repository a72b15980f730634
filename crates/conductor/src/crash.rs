//! Instants at which a test kills the runner. Compiled in only with the feature `crash-points`; otherwise nothing of
//! it is in the program.

/// Which side of an append.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The event is not durable yet.
    Before,
    /// The event is durable, and nothing else has happened.
    After,
}

/// Kills this process with SIGKILL when `ECLUSA_CRASH_AT` names this instant: `before:7` or `after:7`.
#[cfg(feature = "crash-points")]
pub(crate) fn point(moment: Moment, sequence: u64) {
    let Ok(wanted) = std::env::var("ECLUSA_CRASH_AT") else { return };
    let word = if moment == Moment::Before { "before" } else { "after" };
    if wanted == format!("{word}:{sequence}") {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing: this build has no crash points.
#[cfg(not(feature = "crash-points"))]
pub(crate) fn point(_moment: Moment, _sequence: u64) {}
