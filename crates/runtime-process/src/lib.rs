//! L3: services supervised as processes of their own, known by PID and start time.
//!
//! Every service has a supervisor: a detached process of the same binary (`supervise`), which owns the service's
//! output, writes it to a log with the time of each line, starts the service again when it dies, and outlives
//! the run that started it. What lives where, all under the stack's own directories:
//!
//! | file | written by | holds |
//! |---|---|---|
//! | the state file | the runtime, durably | the pinned release, whether the edge is installed, what should run |
//! | `run/SERVICE.json` beside it | that service's supervisor | PID and start time of supervisor and service, restarts |
//! | `run/SERVICE.lock` beside it | that service's supervisor | nothing; it is locked while the supervisor lives |
//! | `LOGS/SERVICE.log` and `.1` | that service's supervisor | the output, a time before each line |
//!
//! No service outlives its supervisor: the kernel kills it (`PR_SET_PDEATHSIG`) when the supervisor is killed.
//! What a service itself had started is found by a mark in its environment and ended before the service is
//! started or stopped the next time.

mod address;
mod bench;
mod edge;
mod exec;
mod lease;
mod log;
mod marks;
mod operations;
mod process;
mod release;
mod runtime;
mod services;
mod stack;
mod state;
mod supervisor;

pub use bench::{BenchNginx, BenchProgram, BenchStack, SupervisorRuntime};
pub use lease::FileLease;
pub use process::ProcessIdentity;
pub use runtime::ProcessRuntime;
pub use stack::{EDGE_SERVICE, ProcessEdge, ProcessService, ProcessStack};
pub use supervisor::supervise;
