//! Where copies of restore points are, and which of them are too old.

use eclusa_config::model::Stack;
use eclusa_fault::Message;
use eclusa_model::TenantName;
use eclusa_ports::MirrorCopies;
use eclusa_runbook::{Intent, MirrorWay};
use eclusa_vault::Mirror;
use jiff::Timestamp;
use serde::Serialize;

use crate::Assembly;
use crate::status::{Severity, Trouble};

/// A tenant's copies at one place, at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct MirrorSafety {
    /// The place.
    pub mirror: String,
    /// When everything was last copied there and read back.
    pub copied_at: Option<Timestamp>,
    /// When everything there was last read.
    pub read_at: Option<Timestamp>,
    /// How many restore points are there.
    pub points: usize,
    /// Whether the copy is older than the configuration allows, or there is none.
    pub stale: bool,
}

/// The mirrors of a stack.
pub(crate) fn of(stack: &Stack) -> Vec<Mirror> {
    let of = |mirror: &eclusa_config::model::Mirror| Mirror {
        name: mirror.name.clone(),
        directory: mirror.directory.clone(),
        same_file_system: mirror.same_file_system,
    };
    stack.mirrors.iter().map(of).collect()
}

/// What copying to some mirrors, or to all, means as an intent; empty tenants mean all.
#[must_use]
pub fn intent(assembly: &Assembly, to: &[String], tenants: &[TenantName], way: MirrorWay) -> Intent {
    let all = || assembly.stack.mirrors.iter().map(|mirror| mirror.name.clone()).collect();
    let mirrors = if to.is_empty() { all() } else { to.to_vec() };
    Intent::Mirror { mirrors, tenants: tenants.to_vec(), way }
}

/// How safe the copies of a tenant are.
pub(crate) fn safety(stack: &Stack, copies: Vec<MirrorCopies>, now: Timestamp) -> Vec<MirrorSafety> {
    let of = |copies: MirrorCopies| {
        let limit = stack.mirrors.iter().find(|mirror| mirror.name == copies.mirror)?.stale_after;
        let fresh = copies.at.is_some_and(|at| now.duration_since(at).unsigned_abs() <= limit.as_duration());
        Some(MirrorSafety {
            mirror: copies.mirror,
            copied_at: copies.at,
            read_at: copies.read_at,
            points: copies.points.len(),
            stale: !fresh,
        })
    };
    copies.into_iter().filter_map(of).collect()
}

/// What is wrong with the copies of a tenant.
pub(crate) fn troubles(tenant: &TenantName, mirrors: &[MirrorSafety]) -> Vec<Trouble> {
    let of = |mirror: &MirrorSafety| {
        let (id, at) = match mirror.copied_at {
            None => ("trouble-mirror-never", String::new()),
            Some(at) => ("trouble-mirror-stale", at.strftime("%Y-%m-%d %H:%M UTC").to_string()),
        };
        let about = |id| Message::new(id).with("tenant", tenant).with("mirror", &mirror.mirror);
        Trouble {
            severity: Severity::Problem,
            text: about(id).with("at", at),
            repair: Some(about("repair-mirror")),
        }
    };
    mirrors.iter().filter(|mirror| mirror.stale).map(of).collect()
}
