//! Which of a tenant's copies are there, and what that means for a swap.
//!
//! | live | new | old | it means |
//! |---|---|---|---|
//! | yes | no | no | nothing was restored |
//! | yes | yes | no | restored beside |
//! | no | yes | yes | between the two renames of a swap, in either direction |
//! | yes | no | yes | swapped in |
//!
//! The renames: in: live to old, new to live; back: live to new, old to live.

use eclusa_ports::SwapState;

/// Which copies are there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) live: bool,
    pub(crate) new: bool,
    pub(crate) old: bool,
}

/// A rename that a swap is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rename {
    LiveToOld,
    LiveToNew,
    NewToLive,
    OldToLive,
}

impl Standing {
    pub(crate) fn state(self) -> SwapState {
        match (self.live, self.new, self.old) {
            (_, false, false) => SwapState::Nothing,
            (_, true, false) => SwapState::Beside,
            (true, false, true) => SwapState::SwappedIn,
            (false, _, true) | (true, true, true) => SwapState::Halfway,
        }
    }

    /// What is left to do until the copy is live, or why that cannot be.
    pub(crate) fn way_in(self) -> Result<&'static [Rename], String> {
        match (self.live, self.new, self.old) {
            (true, false, true) => Ok(&[]),
            (true, true, false) => Ok(&[Rename::LiveToOld, Rename::NewToLive]),
            (false, true, true) => Ok(&[Rename::NewToLive]),
            _ => Err(self.strange("swapped in")),
        }
    }

    /// What is left to do until the old one is live, or why that cannot be.
    pub(crate) fn way_back(self) -> Result<&'static [Rename], String> {
        match (self.live, self.new, self.old) {
            // Never swapped in, or already back.
            (true, _, false) => Ok(&[]),
            (true, false, true) => Ok(&[Rename::LiveToNew, Rename::OldToLive]),
            (false, _, true) => Ok(&[Rename::OldToLive]),
            _ => Err(self.strange("swapped back")),
        }
    }

    fn strange(self, what: &str) -> String {
        let word = |there| if there { "there" } else { "missing" };
        format!(
            "nothing can be {what}: the live database is {}, the restored one {}, the kept one {}",
            word(self.live),
            word(self.new),
            word(self.old)
        )
    }
}
