//! What went wrong, as a value: a numbered code, its arguments, the state things are in now and what to
//! type next. The texts live in the message catalogue (`locales/`), one file per area and language.

mod code;
mod fault;
mod message;

pub use code::Code;
pub use fault::Fault;
pub use message::{Language, Message, harmless};

/// The result of everything that can fail in a way a user is told about.
pub type Result<T> = std::result::Result<T, Fault>;
