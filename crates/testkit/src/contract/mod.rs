//! What every implementation of a port must do, the fake and the real one alike.

mod database;
mod files;
mod journal;
mod lease;
mod vault;

pub use database::database;
pub use files::{Directory, files};
pub use journal::journal;
pub use lease::lease;
pub use vault::vault;
