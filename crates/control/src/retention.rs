//! What of a stack's restore points would go, and why the others stay.

use std::collections::{BTreeMap, BTreeSet};

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
    let now = assembly.ports.clock.now();
    let zone = TimeZone::system();
    let history = history::of(assembly)?;
    let rollback = history.previous.map(|previous| previous.points).unwrap_or_default();
    let running = in_use(assembly)?;
    let mut decided = Vec::new();
    for TenantPoints { tenant, points, unreadable, proof, holds, .. } in
        points::list(assembly, tenants).await?
    {
        let needed = Needed {
            proved: proof.and_then(|proof| PointId::new(proof.point).ok()),
            rollback: rollback.get(&tenant).and_then(|id| PointId::new(id.as_str()).ok()),
            held: holds.into_iter().map(|(point, hold)| (point, hold.reason)).collect(),
            runs: running.clone(),
        };
        let candidate = |point: PointManifest| {
            let id = point.id.clone()?;
            Some((Candidate { id, taken_at: point.taken_at, kind: point.kind }, point))
        };
        let (candidates, points): (Vec<_>, Vec<_>) = points.into_iter().filter_map(candidate).unzip();
        let rules = stack.tenants.get(&tenant).and_then(|table| table.keep).or(stack.keep);
        let reasons = match &rules {
            Some(keep) => retain(&candidates, keep, &needed, now, &zone),
            None => vec![BTreeSet::from([Why::NoRule]); candidates.len()],
        };
        let points = points.into_iter().zip(reasons).map(|(point, why)| Decided { point, why }).collect();
        decided.push(TenantDecided { tenant, points, unreadable });
    }
    Ok(decided)
}

/// What throwing away means as an intent.
#[must_use]
pub fn intent(decided: &[TenantDecided]) -> Intent {
    let going = |tenant: &TenantDecided| (tenant.tenant.clone(), tenant.going());
    let points: BTreeMap<TenantName, Vec<PointId>> =
        decided.iter().map(going).filter(|(_, points)| !points.is_empty()).collect();
    Intent::Prune { points }
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
