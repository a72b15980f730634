//! What goes wrong, and what must come of it: a file for each fault, in it a test for each runbook that it applies to.
//! `cargo run -p xtask -- matrix` makes the table of `docs/reliability.md` out of them (its convention is told in
//! `crates/xtask/src/matrix.rs`), `bin/test --matrix` runs them and prints it with the results.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod plan_edited;
