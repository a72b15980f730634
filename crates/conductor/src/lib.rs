//! L3: the journal loop: perform, judge, undo, ask, resume. It chooses nothing: `Run::next` says what may happen,
//! the ports do it, and the journal knows of each intent before and of each outcome after.

mod conduct;
mod context;
mod effects;
mod gates;
mod inbox;
mod notices;
mod recorder;
mod recover;

pub use conduct::{Conductor, Ending};
pub use context::Ports;
pub use effects::discard_proof;
pub use inbox::{asking, may_answer};
pub use recorder::Watcher;
