//! L0: instants at which a test kills this process, and parts that a test leaves out of it.
//!
//! Without the feature `crash-points`, which no release has, every function here is empty. With it:
//!
//! | variable | meaning |
//! |---|---|
//! | `ECLUSA_CRASH_AT=POINT#N` | the process ends itself with SIGKILL when it passes the point for the N-th time (`POINT` alone: the first); `*#N`: when it passes its N-th point of all |
//! | `ECLUSA_CRASH_AT=@FILE` | … when it passes the first of the points that stand in the file, a line each: `POINT#N` |
//! | `ECLUSA_CRASH_AT=after:7` | … when the seventh entry of the run's journal is durable; `before:7`: when it is about to be written |
//! | `ECLUSA_CRASH_TRACE=FILE` | every point that is passed is appended to the file, a line each: `POINT#N` |
//! | `ECLUSA_MUTANT=PART,…` | these parts are left out |
//! | `ECLUSA_CLOCK_STEP=SECONDS@FILE` | as soon as the file is there, the clock of this process goes so many seconds ahead, or behind (`-7200@…`) |
//!
//! A point is named by the step that is under way and the place in the program: `secure.point.alpha/vault.file.renamed`.
//! The step of an undo has the word `undo` before it. Appending to the journal passes `STEP/before.KIND` and
//! `STEP/after.KIND`, such as `migrate.alpha/before.performed`. Names stay the same when a run is resumed, which
//! numbers of journal entries do not. They are exact while one step at a time is under way.

#[cfg(feature = "crash-points")]
mod points;

/// Which side of an append to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The entry is not durable yet.
    Before,
    /// The entry is durable, and nothing else has happened.
    After,
}

/// An entry that is appended to the journal, as points are named by it.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    /// The kind of its event, such as `performed`.
    pub kind: &'static str,
    /// Its number in the run.
    pub sequence: u64,
    /// The step that it is about; none: the one that is under way.
    pub step: Option<&'a str>,
    /// Whether it is about the step's undo.
    pub undo: bool,
}

/// A place at which a test may kill the process.
#[inline]
pub fn point(name: &'static str) {
    #[cfg(feature = "crash-points")]
    points::pass(name);
    #[cfg(not(feature = "crash-points"))]
    let _ = name;
}

/// The same, around an append to a run's journal.
#[inline]
pub fn entry(side: Side, passing: Passing<'_>) {
    #[cfg(feature = "crash-points")]
    points::pass_entry(side, passing);
    #[cfg(not(feature = "crash-points"))]
    let _ = (side, passing);
}

/// Whether a test wants this part left out, to see that another test notices. Always false in a release.
#[inline]
#[must_use]
pub fn left_out(part: &str) -> bool {
    #[cfg(feature = "crash-points")]
    {
        points::is_left_out(part)
    }
    #[cfg(not(feature = "crash-points"))]
    {
        let _ = part;
        false
    }
}

/// By how many seconds a test has stepped the clock. Always none in a release.
#[inline]
#[must_use]
pub fn clock_step() -> i64 {
    #[cfg(feature = "crash-points")]
    {
        points::clock_step()
    }
    #[cfg(not(feature = "crash-points"))]
    {
        0
    }
}
