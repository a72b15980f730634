//! What goes wrong, and what must come of it: a file for each fault, in it a test for each runbook that it applies to.
//! `cargo run -p xtask -- matrix` makes the table of `docs/reliability.md` out of them (its convention is told in
//! `crates/xtask/src/matrix.rs`), `bin/test --matrix` runs them and prints it with the results.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod support;

mod check_contradicts;
mod clock_stepped;
mod command_hangs;
mod database_locked;
mod disk_full_data;
mod disk_full_journal;
mod disk_full_scratch;
mod disk_full_vault;
mod edge_killed;
mod environment_bare;
mod files_odd;
mod hook_kills_runner;
mod hook_leaves_daemon;
mod inodes_used_up_vault;
mod journal_deleted;
mod journal_flipped;
mod journal_truncated;
mod lease_dead;
mod lease_elsewhere;
mod lease_living;
mod migration_fails;
mod mirror_cut;
mod mirror_full;
mod mirror_gone;
mod mirror_killed;
mod mirror_read_only;
mod mirror_refused;
mod output_odd;
mod plan_edited;
mod plan_stale;
mod point_damaged;
mod read_only_data;
mod read_only_state;
mod read_only_vault;
mod secret_missing;
mod service_dies_later;
mod service_exits;
mod service_killed;
mod service_never_healthy;
mod signal_follower;
mod signal_runner;
mod supervisor_killed;
mod tenant_vanished;
mod two_at_once;
mod vault_key;
mod webhook_fails;
