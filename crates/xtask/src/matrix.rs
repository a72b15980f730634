//! The matrix of faults: what is tested, in which runbook, and what must come of it, read from the tests themselves.
//!
//! A fault is a file, `crates/eclusa/tests/faults/<fault>.rs` (the shop as processes) or
//! `crates/eclusa/tests/boutique_faults/<fault>.rs` (the boutique on Docker). It opens with `//! Fault:` and the words
//! that the matrix prints. A cell is a function of that file, not indented, that is a `#[test]` or `pub`: its name is a
//! runbook of [`RUNBOOKS`], or one followed by `_` and what is special (`release_before_anything`), and the first
//! paragraph of its documentation says what must come of it. Helpers stand in folders below.

mod cells;
mod page;
mod results;

pub use cells::{Cell, cells};
pub use page::{PAGE, check, write};
pub use results::{Counts, print};

/// The runbooks and other commands that a cell may be of, as a function's name begins and as the matrix prints them,
/// in its order.
pub const RUNBOOKS: &[(&str, &str)] = &[
    ("release", "release"),
    ("release_code_only", "release, code only"),
    ("rollback", "rollback"),
    ("backup", "backup"),
    ("restore", "restore"),
    ("mirror", "mirror"),
    ("resume", "resume"),
    ("abort", "abort"),
    ("attach", "attach"),
    ("plan", "plan"),
    ("status", "status"),
    ("doctor", "doctor"),
    ("history", "history"),
    ("edge", "edge"),
];

/// Where cells are, the test binary they belong to, and what they run on.
pub const STACKS: &[Stack] = &[
    Stack { folder: "crates/eclusa/tests/faults", binary: "eclusa::faults", name: "embedded" },
    Stack {
        folder: "crates/eclusa/tests/boutique_faults",
        binary: "eclusa::boutique_faults",
        name: "Docker",
    },
];

/// What cells run on.
#[derive(Debug, PartialEq, Eq)]
pub struct Stack {
    /// The folder of their files.
    pub folder: &'static str,
    /// The test binary, as nextest names it.
    pub binary: &'static str,
    /// What the matrix prints.
    pub name: &'static str,
}
