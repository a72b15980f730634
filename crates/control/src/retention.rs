//! What of a stack's restore points would go, and why the others stay.

use std::collections::{BTreeMap, BTreeSet};

use eclusa_config::Keep;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_planner::{Candidate, Needed, Why, retain};
use eclusa_ports::PointManifest;
use eclusa_runbook::{Action, Intent, Run};
use jiff::tz::TimeZone;

use crate::points::{self, TenantPoints};
use crate::{Assembly, history};

/// A point, and why it stays; without a reason it goes.
pub struct Decided {
    /// The point.
    pub point: PointManifest,
    /// Why it stays.
    pub why: BTreeSet<Why>,
}

/// What was decided about a tenant's points.
pub struct TenantDecided {
    /// The tenant.
    pub tenant: TenantName,
    /// Its points, newest first.
    pub points: Vec<Decided>,
    /// Points that are there and cannot be read. As long as there are any, none of the tenant goes.
    pub unreadable: Vec<String>,
}

impl TenantDecided {
    /// The points that go.
    #[must_use]
    pub fn going(&self) -> Vec<PointId> {
        if !self.unreadable.is_empty() {
            return Vec::new();
        }
        self.points
            .iter()
            .filter(|decided| decided.why.is_empty())
            .filter_map(|decided| decided.point.id.clone())
            .collect()
    }
}

/// Decides about the points of some tenants, or of all.
///
/// # Errors
/// `NothingToDo` when the configuration has no rules, and as [`points::list`].
pub async fn decide(assembly: &Assembly, tenants: &[TenantName]) -> Result<Vec<TenantDecided>> {
    let stack = &assembly.stack;
    if stack.keep.is_none() && stack.tenants.values().all(|tenant| tenant.keep.is_none()) {
        return Err(Fault::new(Code::NothingToDo)
            .with("what", format!("every restore point of {} is kept", assembly.name))
            .hint(Message::new("hint-keep").with("stack", &assembly.name)));
    }
    let rules = |tenant: &TenantName| stack.tenants.get(tenant).and_then(|table| table.keep).or(stack.keep);
    decide_by(assembly, &Elsewhere::of(assembly)?, points::list(assembly, tenants).await?, rules)
}

/// Decides about the copies at a mirror.
///
/// # Errors
/// `NothingToDo` when the mirror has no rules, and as [`points::list_at`].
pub async fn decide_at(
    assembly: &Assembly,
    tenants: &[TenantName],
    mirror: &str,
) -> Result<Vec<TenantDecided>> {
    let known = assembly.stack.mirrors.iter().find(|known| known.name == mirror);
    let known = known.ok_or_else(|| Fault::new(Code::MirrorUnknown).with("mirror", mirror))?;
    let keep = known.keep.ok_or_else(|| {
        Fault::new(Code::NothingToDo)
            .with("what", format!("every restore point at {mirror} is kept"))
            .hint(Message::new("hint-keep-at"))
    })?;
    let all = points::list_at(assembly, tenants, mirror).await?;
    decide_by(assembly, &Elsewhere::of(assembly)?, all, |_| Some(keep))
}

/// Which of the vault's points a mirror with these rules is given. One that would go there at once is not copied there.
///
/// # Errors
/// As [`points::list`].
pub(crate) async fn wanted_at(
    assembly: &Assembly,
    elsewhere: &Elsewhere,
    tenant: &TenantName,
    keep: Keep,
) -> Result<Vec<PointId>> {
    let points = points::list(assembly, std::slice::from_ref(tenant)).await?;
    let decided = decide_by(assembly, elsewhere, points, |_| Some(keep))?;
    let stays = decided.into_iter().flat_map(|tenant| tenant.points).filter(|point| !point.why.is_empty());
    Ok(stays.filter_map(|decided| decided.point.id).collect())
}

/// Who else needs restore points: a rollback, and runs that have not ended.
pub(crate) struct Elsewhere {
    rollback: BTreeMap<TenantName, String>,
    running: BTreeMap<PointId, String>,
}

impl Elsewhere {
    /// As the journal says.
    ///
    /// # Errors
    /// `JournalDamaged`.
    pub(crate) fn of(assembly: &Assembly) -> Result<Self> {
        let previous = history::of(assembly)?.previous;
        let rollback = previous.map(|previous| previous.points).unwrap_or_default();
        Ok(Self { rollback, running: in_use(assembly)? })
    }
}

fn decide_by(
    assembly: &Assembly,
    elsewhere: &Elsewhere,
    all: Vec<TenantPoints>,
    rules: impl Fn(&TenantName) -> Option<Keep>,
) -> Result<Vec<TenantDecided>> {
    let now = assembly.ports.clock.now();
    let zone = TimeZone::system();
    let mut decided = Vec::new();
    for TenantPoints { tenant, points, unreadable, proof, holds, .. } in all {
        let needed = Needed {
            proved: proof.and_then(|proof| PointId::new(proof.point).ok()),
            rollback: elsewhere.rollback.get(&tenant).and_then(|id| PointId::new(id.as_str()).ok()),
            held: holds.into_iter().map(|(point, hold)| (point, hold.reason)).collect(),
            runs: elsewhere.running.clone(),
        };
        let candidate = |point: PointManifest| {
            let id = point.id.clone()?;
            Some((Candidate { id, taken_at: point.taken_at, kind: point.kind }, point))
        };
        let (candidates, points): (Vec<_>, Vec<_>) = points.into_iter().filter_map(candidate).unzip();
        let reasons = match &rules(&tenant) {
            Some(keep) => retain(&candidates, keep, &needed, now, &zone),
            None => vec![BTreeSet::from([Why::NoRule]); candidates.len()],
        };
        let points = points.into_iter().zip(reasons).map(|(point, why)| Decided { point, why }).collect();
        decided.push(TenantDecided { tenant, points, unreadable });
    }
    Ok(decided)
}

/// What throwing away means as an intent: in the vault, or at a mirror.
#[must_use]
pub fn intent(decided: &[TenantDecided], at: Option<&str>) -> Intent {
    let going = |tenant: &TenantDecided| (tenant.tenant.clone(), tenant.going());
    let points: BTreeMap<TenantName, Vec<PointId>> =
        decided.iter().map(going).filter(|(_, points)| !points.is_empty()).collect();
    Intent::Prune { points, at: at.map(str::to_owned) }
}

/// The points of runs that have not ended: those that they took, and the one that is being restored.
fn in_use(assembly: &Assembly) -> Result<BTreeMap<PointId, String>> {
    let Some(run) = history::unfinished(assembly.journal.as_ref(), &assembly.name)? else {
        return Ok(BTreeMap::new());
    };
    let mut used: Vec<String> = taken(&run);
    if let Intent::Restore { point, .. } | Intent::Clone { point, .. } = &run.plan.intent {
        used.push(point.clone());
    }
    Ok(used.into_iter().filter_map(|id| PointId::new(id).ok()).map(|id| (id, run.id.to_string())).collect())
}

fn taken(run: &Run) -> Vec<String> {
    let steps = run.plan.steps.iter().filter(|step| matches!(step.action, Action::Perform(_)));
    steps
        .flat_map(|step| [run.outputs.get(&step.name), run.undo_outputs.get(&step.name)])
        .flatten()
        .filter_map(|outputs| outputs.get("point").cloned())
        .collect()
}
