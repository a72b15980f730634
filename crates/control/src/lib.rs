//! L4: the use cases. Each module is one thing that an operator wants; `assembly` puts the ports together for a
//! stack, and nothing here prints.

pub mod adopt;
pub mod apps;
pub mod asides;
pub mod assembly;
pub mod auditing;
pub mod backup_files;
pub mod bases;
pub mod bench_release;
pub mod bundle;
mod candidate;
pub mod clock;
pub mod customizations;
pub mod drill;
mod edge_port;
pub mod erasure;
pub mod execute;
pub mod headway;
pub mod history;
pub mod keys;
pub mod maintenance;
pub mod mirrors;
pub mod moments;
mod notices;
mod observe;
pub mod persons;
pub mod planning;
pub mod point_difference;
pub mod points;
pub mod redaction;
pub mod rehearsal;
pub mod reporting;
pub mod requests;
pub mod retention;
pub mod running;
mod runtimes;
pub mod saved_plan;
pub mod schedule;
mod secrets;
mod sites;
pub mod statements;
pub mod status;
mod supervised;
pub mod tenant_log;
pub mod tenants;
pub mod workspace;

pub use assembly::Assembly;
pub use clock::SystemClock;
pub use redaction::Redaction;
pub use workspace::Workspace;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
