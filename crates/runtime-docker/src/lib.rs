//! L3: Docker Compose stacks: observe, switch, exec, logs, stats; and the lease that lives on the engine.
//!
//! Two doors lead to Docker. The `docker compose` command, run through [`eclusa_ports::Host`], resolves and applies
//! the user's files, so that the merged model is Compose's own; the Engine API answers what is there, runs commands
//! inside services and carries streams. Nothing here edits a file of the user: what Eclusa changes stands in one
//! generated override beside the Compose file ([`overlay`]).

mod candidate;
mod compose;
mod doors;
mod edge;
mod engine;
mod exec;
mod images;
pub mod inspect;
mod lease;
mod observe;
mod operate;
pub mod overlay;
mod places;
mod prepare;
mod processes;
mod readings;
mod runtime;
pub mod shown;
mod stack;
mod stream;
mod trial;
mod wait;

pub use doors::DockerDoors;
pub use engine::Engine;
pub use lease::DockerLease;
pub use observe::unpinned_services;
pub use runtime::ComposeRuntime;
pub use stack::{ComposeStack, EdgeSettings, StackSource};

/// The service that the generated override adds when the edge stands in front of the stack.
pub const EDGE_SERVICE: &str = "eclusa-edge";

/// The label that says which release a container was pinned to.
pub const RELEASE_LABEL: &str = "eclusa.release";

/// The label that says for which stack a container was pinned.
pub const STACK_LABEL: &str = "eclusa.stack";

/// The label and, in upper case as [`MARK_VARIABLE`], the environment variable by which a command is found again.
pub const MARK_LABEL: &str = "eclusa.mark";

/// The environment variable by which a command inside a service is found again after a crash.
pub const MARK_VARIABLE: &str = "ECLUSA_MARK";
