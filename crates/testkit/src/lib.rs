//! Fakes behind the ports, which share one world in memory, and the contract suites that the real ones pass too.
//!
//! A world can be told to fail or to crash at any operation (`Script`), it lets clients write while their gate is open,
//! and it writes down what must never happen (`World::violations`). Only tests use this crate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod clock;
pub mod contract;
mod database;
mod dumped;
mod edge;
pub mod elsewhere;
mod files;
mod host;
mod http;
mod journal;
mod lease;
mod people;
mod port;
mod runtime;
mod scenario;
mod script;
mod vault;
mod world;

pub use clock::FixedClock;
pub use database::FakeDatabase;
pub use dumped::Dumped;
pub use edge::FakeEdge;
pub use files::FakeFiles;
pub use host::FakeHost;
pub use http::FakeHttp;
pub use journal::{MemoryJournal, Side};
pub use lease::FakeLease;
pub use people::{FakeNotifier, FakeObserver, FakeSecrets};
pub use port::free_port;
pub use runtime::FakeRuntime;
pub use scenario::{Scenario, app};
pub use script::{Script, Trouble};
pub use vault::FakeVault;
pub use world::{Data, State, World, media, tenant};
