//! L3: the rules of the audit: what is wrong with a deployment, read from its files and from values that were observed.
//! It runs nothing and opens nothing but what it is given: files come through a [`Tree`], what runs as [`Live`].

pub mod baseline;
pub mod compose;
pub mod context;
pub mod discovery;
pub mod dockerfile;
pub mod environment;
pub mod finding;
pub mod fixing;
pub mod folder;
pub mod library;
pub mod live;
pub mod nginx;
pub mod output;
pub mod report;
pub mod roles;
pub mod rules;
pub mod secrets;
pub mod shell;
mod started;
pub mod supervisor;
pub mod suppression;
pub mod yaml;

pub use baseline::Baseline;
pub use context::Request;
pub use finding::{Finding, Severity};
pub use folder::Folder;
pub use library::{Library, MemoryTree, Tree};
pub use live::Live;
pub use report::{Report, audit};
