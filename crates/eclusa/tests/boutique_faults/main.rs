//! The fault matrix on Compose: what the world does to a boutique, and what must come of it in each runbook. A fault a
//! file, a function in it for each runbook that the fault bites. They walk over two stacks side by side, which each
//! must leave as it was; those that end the engine itself come on a third, alone. `ECLUSA_CELLS=fault/runbook,…` chooses cells; `ECLUSA_SHOW=1` shows what the commands say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bench.rs"]
mod bench;
#[path = "../boutique_stack/mod.rs"]
mod boutique_stack;
#[path = "support/engine.rs"]
mod engine;
#[path = "support/proxy.rs"]
mod proxy;

mod build_fails;
mod connections_used_up;
mod database_hangs;
mod database_killed;
mod database_locked;
mod database_refuses;
mod database_rights_missing;
mod database_slow;
mod disk_full_data;
mod edge_killed;
mod engine_restarted;
mod env_file_gone;
mod image_exits;
mod lease_name_taken;
mod migration_hangs;
mod network_cut;
mod network_disconnected;
mod network_reset;
mod network_slow;
mod override_deleted;
mod override_edited;
mod plan_stale;
mod port_taken;
mod service_dies_later;
mod service_killed;
mod service_never_healthy;
mod signals;
mod wrong_password;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use bench::{Bench, Picture};

/// A fault in a runbook.
type Cell = (&'static str, &'static str, fn(&Bench));

/// Cells in the order in which they are walked.
macro_rules! cells {
    ($($fault:ident: $($runbook:ident),+;)*) => {
        &[$($((stringify!($fault), stringify!($runbook), $fault::$runbook),)+)*]
    };
}

/// About as long as the others.
const ONE_HALF: &[Cell] = cells! {
    database_refuses: backup, release;
    database_hangs: backup, status;
    database_slow: backup;
    database_killed: backup, release, restore;
    database_locked: release;
    network_reset: release;
    wrong_password: backup, release;
    migration_hangs: release;
    build_fails: release;
    image_exits: release;
    service_dies_later: release;
    service_killed: release;
    env_file_gone: backup, status;
    override_edited: status;
    signals: backup;
    database_rights_missing: restore;
    connections_used_up: backup, release;
    lease_name_taken: backup, release;
};

const OTHER_HALF: &[Cell] = cells! {
    plan_stale: release;
    override_deleted: status, release;
    network_disconnected: backup, release, release_while_watching;
    network_cut: release;
    network_slow: release;
    service_never_healthy: release;
    edge_killed: release;
    port_taken: edge_install, edge_start;
    disk_full_data: release, restore;
};

/// No other stack may run meanwhile.
const OF_THE_ENGINE: &[Cell] = cells! {
    engine_restarted: backup, release;
};

#[test]
fn the_boutique_stands_one_half_of_the_faults() {
    walk("one", ONE_HALF);
}

#[test]
fn the_boutique_stands_the_other_half_of_the_faults() {
    walk("other", OTHER_HALF);
}

#[test]
fn the_boutique_stands_the_faults_of_the_engine() {
    walk("engine", OF_THE_ENGINE);
}

/// How often a cell may be tried.
const TRIES: usize = 2;

fn walk(name: &str, cells: &[Cell]) {
    let chosen = std::env::var("ECLUSA_CELLS").ok();
    let wanted = |cell: &&Cell| {
        let name = format!("{}/{}", cell.0, cell.1);
        chosen.as_ref().is_none_or(|chosen| chosen.split(',').any(|one| one == name || one == cell.0))
    };
    let mut stacks = 0;
    let mut lay = || {
        stacks += 1;
        let stack = Bench::lay(&format!("faults{name}{stacks}"));
        let before = stack.picture();
        (stack, before)
    };
    let mut standing: Option<(Bench, Picture)> = None;
    let mut failed = Vec::new();
    for cell in cells.iter().filter(wanted) {
        // A busy machine may be too slow for a limit once; the other cells need not be walked again for that.
        let passed = (1..=TRIES).any(|attempt| {
            let (stack, before) = standing.take().unwrap_or_else(&mut lay);
            let (passed, left) = stands(cell, attempt, stack, before);
            standing = left;
            passed
        });
        if !passed {
            failed.push(format!("{}/{}", cell.0, cell.1));
        }
    }
    assert!(failed.is_empty(), "these cells failed, see above: {}", failed.join(","));
}

/// Tries a cell, and says what came of it. Gives the stack for the next one; what was broken tells nothing about the next
/// fault, so that one gets a stack of its own.
fn stands(cell: &Cell, attempt: usize, stack: Bench, before: Picture) -> (bool, Option<(Bench, Picture)>) {
    let (fault, runbook, act) = cell;
    let began = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| act(&stack)));
    stack.mend();
    let after = stack.is_as_it_was(&before);
    let passed = outcome.is_ok() && after.is_ok();
    let word = if passed { "ok" } else { "FAILED" };
    println!("cell: {fault} {runbook} {word} ({:.1} s, try {attempt})", began.elapsed().as_secs_f64());
    match after {
        Ok(()) => (passed, Some((stack, before))),
        Err(difference) => {
            println!("after {fault} {runbook}, {difference}");
            (passed, None)
        }
    }
}
