//! Which restore points a release is tried on, and what rehearsals tell of a release.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{Release, RunId, TenantName};
use eclusa_runbook::{Intent, Run};
use jiff::{SignedDuration, Timestamp};

use crate::{Assembly, drill, history};

/// What a rehearsal found of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Whose copy.
    pub tenant: TenantName,
    /// Whether the release came through on it.
    pub good: bool,
    /// How long its migration took, in milliseconds.
    pub migrated: Option<u64>,
    /// Whether the release that ran works on the migrated data; none: not tried.
    pub way_back: Option<bool>,
    /// Bytes of its restore point: a release needs as much again while it restores beside.
    pub bytes: Option<u64>,
}

/// A rehearsal that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// Its run.
    pub run: RunId,
    /// When it ended.
    pub at: Timestamp,
    /// What was tried.
    pub release: Release,
    /// The images that it prepared, by service.
    pub images: BTreeMap<String, String>,
    /// What it found.
    pub tried: Vec<Tried>,
}

/// A rehearsal on the newest backup of each tenant.
///
/// # Errors
/// As [`drill::choose`]; `NothingToDo` when a tenant has no backup that could be read.
pub async fn intent(assembly: &Assembly, to: String, tenants: &[TenantName]) -> Result<Intent> {
    let chosen = drill::choose(assembly, tenants, None, None).await?;
    let unreadable = chosen.unreadable.iter().map(|(tenant, _)| tenant);
    // A release that was tried on some of them was not tried.
    if let Some(tenant) = chosen.without.iter().chain(unreadable).next() {
        let what = format!("there is no restore point of {tenant} that the release could be tried on");
        let hint = Message::new("hint-backup-first").with("tenant", tenant);
        return Err(Fault::new(Code::NothingToDo).with("what", what).hint(hint));
    }
    Ok(Intent::Rehearse { to, points: chosen.points })
}

/// What a run found, if it is a rehearsal that has ended.
#[must_use]
pub fn of(run: &Run) -> Option<Rehearsal> {
    let Intent::Rehearse { points, .. } = &run.plan.intent else { return None };
    let at = run.ended_at?;
    let step = |name: String| run.plan.steps.iter().map(|step| &step.name).find(|step| step.as_str() == name);
    let tried = |tenant: &TenantName| {
        let timing = step(format!("validate.migrate.{tenant}")).and_then(|step| run.timings.get(step));
        let migrated = timing.and_then(|timing| Some(timing.ended?.duration_since(timing.began?)));
        let output = |word: &str, name: &str| {
            let step = step(format!("validate.{word}.{tenant}"))?;
            run.output(step, name).map(str::to_owned)
        };
        Tried {
            tenant: tenant.clone(),
            good: history::is_accepted(run) && !run.tenants_back.contains_key(tenant),
            migrated: migrated.and_then(|taken| u64::try_from(taken.as_millis()).ok()),
            way_back: output("back", "works").map(|works| works == "yes"),
            bytes: output("proof", "bytes").and_then(|bytes| bytes.parse().ok()),
        }
    };
    let outputs = step("preflight.image".to_owned()).and_then(|step| run.outputs.get(step));
    let images = outputs
        .into_iter()
        .flatten()
        .filter_map(|(name, id)| name.strip_prefix("image.").map(|service| (service.to_owned(), id.clone())));
    Some(Rehearsal {
        run: run.id.clone(),
        at,
        release: run.plan.to.clone()?,
        images: images.collect(),
        tried: points.keys().map(tried).collect(),
    })
}

/// The rehearsals of a release among runs, in the order of these.
pub(crate) fn of_release(runs: &[Run], release: &Release) -> Vec<Rehearsal> {
    let same = |other: &Release| other.name == release.name && other.source == release.source;
    runs.iter().filter_map(of).filter(|found| same(&found.release)).collect()
}

/// What the newest run found, where it was for this intent and has ended.
///
/// # Errors
/// `JournalDamaged`.
pub fn newest(assembly: &Assembly, intent: &Intent) -> Result<Option<Rehearsal>> {
    let runs = history::runs(assembly.journal.as_ref(), Some(&assembly.name), 1)?;
    Ok(runs.first().filter(|run| run.plan.intent == *intent).and_then(of))
}

/// How long the release will migrate each tenant, in milliseconds, by the name of the step: as long as the newest of these
/// rehearsals did.
pub(crate) fn durations(found: &[Rehearsal]) -> BTreeMap<String, u64> {
    let tried = found.iter().rev().flat_map(|rehearsal| &rehearsal.tried).filter(|tried| tried.good);
    tried.filter_map(|tried| Some((format!("migrate.{}", tried.tenant), tried.migrated?))).collect()
}

/// Demands that every tenant's newest rehearsal of a release was good and lately, all with the same images; gives these.
///
/// # Errors
/// `NotRehearsed`.
pub(crate) fn demand<'a>(
    assembly: &Assembly,
    release: &Release,
    found: &[Rehearsal],
    tenants: impl Iterator<Item = &'a TenantName>,
) -> Result<BTreeMap<String, String>> {
    let refused = |problem: String| {
        Fault::new(Code::NotRehearsed).with("release", &release.name).with("problem", problem)
    };
    let seconds = i64::try_from(assembly.stack.release.rehearsed_within.as_seconds()).unwrap_or(i64::MAX);
    let within = SignedDuration::from_secs(seconds);
    let now = assembly.ports.clock.now();
    let mut images: Option<&BTreeMap<String, String>> = None;
    for tenant in tenants {
        let of_tenant = |rehearsal: &&Rehearsal| rehearsal.tried.iter().any(|tried| tried.tenant == *tenant);
        let Some(newest) = found.iter().find(of_tenant) else {
            return Err(refused(format!("it was never rehearsed on {tenant}")));
        };
        if newest.tried.iter().any(|tried| tried.tenant == *tenant && !tried.good) {
            let problem = format!("the rehearsal on {tenant} did not come through (run {})", newest.run);
            return Err(refused(problem));
        }
        if now.duration_since(newest.at) > within {
            return Err(refused(format!("it was last rehearsed on {tenant} at {}", newest.at)));
        }
        if images.is_some_and(|images| *images != newest.images) {
            return Err(refused(
                "it was rehearsed with other images on some tenants than on others".to_owned(),
            ));
        }
        images = Some(&newest.images);
    }
    images.cloned().ok_or_else(|| refused("there is no tenant".to_owned()))
}
