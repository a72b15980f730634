//! Moments between restore points: base backups of a whole server, and the write-ahead log that leads on from one.
//!
//! PostgreSQL's log is that of all its databases and says which blocks were changed, so it cannot be replayed on a copy of
//! one of them. It is replayed on a copy of the server: a base backup is unpacked into a directory of its own, a server
//! that can be reached by a socket in there alone recovers it up to the moment, and the tenant's database is dumped from
//! that. Swaps and renames are in the log as everything else is, so nothing begins anew behind one.
//!
//! Everything is done by the server's own programs where the server runs, as the user to whom the directory of the base
//! backups belongs ([`program`]). What a base backup is and how it is taken stands in [`base`], the recovery in
//! [`recovery`].

mod base;
mod program;
mod recovery;

pub(super) use self::base::{facts, take};
pub(super) use self::recovery::{Wanted, clear, restore};

use eclusa_fault::{Code, Fault};

use super::session::{Access, Failure};

/// Where base backups and the archived log of a server lie, as its service sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasePlace {
    /// The directory of the base backups.
    pub base: String,
    /// The directory into which `archive_command` copies.
    pub wal: String,
    /// How many base backups are kept; none: all.
    pub keep: Option<usize>,
}

/// What a failure of a base backup means. Words of programs that are no client's are no words of the connection.
pub(super) fn base_fault(access: &Access, place: &BasePlace, failure: Failure) -> Fault {
    let fault = access.fault(Code::BaseFailed, failure);
    fault.with("service", &access.service).with("base", &place.base)
}
