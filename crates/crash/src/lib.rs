//! L0: instants at which a test kills this process, and parts that a test leaves out of it.
//!
//! Without the feature `crash-points`, which no release has, every function here is empty. With it:
//!
//! | variable | meaning |
//! |---|---|
//! | `ECLUSA_CRASH_AT=NAME#N` | the process ends itself with SIGKILL when it passes the point for the N-th time (`NAME` alone: the first) |
//! | `ECLUSA_CRASH_TRACE=FILE` | every point that is passed is appended to the file, a line each: `NAME#N` |
//! | `ECLUSA_MUTANT=PART,…` | these parts are left out |
//!
//! A point is named for the place in the program, such as `vault.pack.written`. Those of the journal have the number of
//! the entry in place of a count: `before#7` is passed when the seventh entry is about to be written, `after#7`
//! when it is durable.

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

/// A place at which a test may kill the process.
#[inline]
pub fn point(name: &'static str) {
    #[cfg(feature = "crash-points")]
    points::pass(name, None);
    #[cfg(not(feature = "crash-points"))]
    let _ = name;
}

/// The same, for an entry of a run's journal.
#[inline]
pub fn entry(side: Side, sequence: u64) {
    #[cfg(feature = "crash-points")]
    points::pass(if side == Side::Before { "before" } else { "after" }, Some(sequence));
    #[cfg(not(feature = "crash-points"))]
    let _ = (side, sequence);
}

/// Whether a test wants this part left out, to see that another test notices. Always false in a release.
#[inline]
#[must_use]
pub fn left_out(part: &'static str) -> bool {
    #[cfg(feature = "crash-points")]
    {
        points::is_mutant(part)
    }
    #[cfg(not(feature = "crash-points"))]
    {
        let _ = part;
        false
    }
}
