//! A bench on the host whose processes supervisor runs.
//!
//! A release is a bench beside the one that runs, in `BENCH/.eclusa/releases/NAME`: its apps at the commits of the
//! release, its virtual environment, its assets. It is made while the one before serves. To switch is to move
//! directories: what was there goes to the directory of its own release, whole, and is moved back on the way back.
//!
//! | what is moved | why |
//! |---|---|
//! | `apps` | the code, with whatever an operator changed in it |
//! | `env` | the virtual environment, whose requirements belong to that code |
//! | `sites/assets` | what pages name; built from that code |
//! | `sites/apps.txt` | which apps there are |
//!
//! The sites themselves stay where they are. Programs hold absolute paths (a virtual environment's scripts name its
//! Python), so that what is moved is told its new place.

mod control;
mod edge;
mod logs;
mod operations;
mod relocate;
mod runtime;
mod stack;
mod stage;
mod swap;

pub use runtime::SupervisorRuntime;
pub use stack::{BenchNginx, BenchProgram, BenchStack};
