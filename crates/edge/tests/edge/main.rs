//! The edge through its doors: real sockets, real processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod control;
mod durability;
mod gate;
mod passing;
mod support;
mod upgrades;
