//! The vault through its door: real repositories in temporary directories.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ahead;
mod crash;
mod damage;
mod elsewhere;
mod failures;
mod fixture;
mod forget;
mod keys;
mod measured;
mod memory;
mod mirror;
mod restic;
mod round_trip;
mod stack_key;
