//! L1: eclusa.toml and env files, read with spans so that a mistake is shown where it stands.

mod check;
mod configuration;
mod environment;
mod frappe;
pub mod model;
mod nearest;
mod reading;
mod secrets;
mod source;
mod stack;

pub use configuration::Configuration;
pub use environment::{EnvironmentFile, EnvironmentFiles, ProcessEnvironment, Variable};
pub use frappe::{Site, SiteServer, UnknownServer};
pub use model::*;
pub use secrets::Secrets;
pub use source::without_secrets;

/// The grammar of `${…}`, for whoever looks at it without filling it in.
pub mod variables {
    pub use crate::environment::{closing, name_length};
}
