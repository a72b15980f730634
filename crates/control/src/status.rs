//! What runs, which release, health, last backup, last drill, disk; and what is wrong with any of it.

use std::collections::BTreeMap;

use eclusa_config::Stack;
use eclusa_config::model::Period;
use eclusa_fault::{Fault, Message, Result};
use eclusa_model::{Health, Observation, RunId, RuntimeKind, ServiceState, StepName, TenantName};
use eclusa_ports::{JournalStore, PointManifest};
use eclusa_runbook::{Headway, PointKind, Run};
use jiff::Timestamp;
use serde::Serialize;

use crate::mirrors::MirrorSafety;
use crate::observe::observe;
use crate::{Assembly, headway, history, mirrors, running};

/// A tenant's safety at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct TenantSafety {
    /// The tenant.
    pub tenant: TenantName,
    /// The newest restore point.
    pub newest_point: Option<String>,
    /// When it was taken.
    pub taken_at: Option<Timestamp>,
    /// Since when the log of the database's server has every moment, as far as the newest point and the server know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moments_since: Option<Timestamp>,
    /// When a point was last restored and proved.
    pub proved_at: Option<Timestamp>,
    /// How long that took, in milliseconds.
    pub restore_milliseconds: Option<u64>,
    /// Its copies elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<MirrorSafety>,
    /// Why the points cannot be listed.
    pub trouble: Option<String>,
}

/// A run that has not ended.
#[derive(Debug, Clone, Serialize)]
pub struct OpenRun {
    /// Its id.
    pub run: RunId,
    /// What it is for.
    pub intent: String,
    /// Whether a living process owns it.
    pub owned: bool,
    /// The step whose question waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asking: Option<StepName>,
    /// How far the steps have come that read many bytes and are under way.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headway: BTreeMap<StepName, Headway>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// Wrong.
    Problem,
}

/// Something that is wrong, and what to type.
#[derive(Debug, Clone, Serialize)]
pub struct Trouble {
    /// How bad.
    pub severity: Severity,
    /// What.
    pub text: Message,
    /// What to type next.
    pub repair: Option<Message>,
}

/// A stack at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The format of this value as JSON.
    pub format: u32,
    /// The stack as it is.
    pub observation: Observation,
    /// Each tenant's safety.
    pub safety: Vec<TenantSafety>,
    /// A run that has not ended.
    pub open_run: Option<OpenRun>,
    /// What is wrong.
    pub troubles: Vec<Trouble>,
}

/// Looks at everything that `status` shows.
///
/// # Errors
/// When the stack cannot be looked at at all.
pub async fn of(assembly: &Assembly) -> Result<Status> {
    let observation = observe(assembly, None).await?;
    let mut safety = Vec::new();
    let bases = crate::bases::looked(assembly).await;
    for found in &observation.tenants {
        let mut safe = safety_of(assembly, &found.tenant.name, found.keeps_log).await;
        safe.moments_since = safe.moments_since.or_else(|| bases.moments_since(&found.tenant));
        safety.push(safe);
    }
    let open_run = match history::unfinished(assembly.journal.as_ref(), &assembly.name)? {
        Some(run) => Some(OpenRun {
            owned: running::owner_lives(assembly, &run.id).await,
            intent: run.plan.intent.word().to_owned(),
            headway: headway(assembly, &run),
            asking: eclusa_conductor::asking(&run),
            run: run.id,
        }),
        None => None,
    };
    let mut status = Status { format: 1, observation, safety, open_run, troubles: Vec::new() };
    status.troubles = troubles(assembly, &status);
    for service in assembly.ports.runtime.strays().await? {
        let text = Message::new("trouble-stray").with("service", service);
        status.troubles.push(trouble(Severity::Problem, text, Some(Message::new("repair-stray"))));
    }
    let now = assembly.ports.clock.now();
    status.troubles.extend(crate::schedule::troubles(assembly, &status.safety, bases.newest(), now)?);
    status.troubles.extend(crate::keys::troubles(assembly).await);
    status.troubles.extend(crate::erasure::troubles(assembly));
    status.troubles.extend(crate::asides::troubles(assembly).await);
    status.troubles.extend(bases.troubles());
    status.troubles.extend(crate::auditing::of_stack(&assembly.stack).await);
    Ok(status)
}

fn headway(assembly: &Assembly, run: &Run) -> BTreeMap<StepName, Headway> {
    let outputs = assembly.ports.outputs.join(run.id.as_str());
    let now = assembly.ports.clock.now();
    let of = |step: &StepName| Some((step.clone(), headway::of(&outputs, step, now)?));
    headway::under_way(run).into_iter().filter_map(of).collect()
}

/// The newest point of what the tenant had: what was taken from files elsewhere is no backup of it.
pub(crate) async fn newest(assembly: &Assembly, tenant: &TenantName) -> Result<Option<PointManifest>> {
    let vault = &assembly.ports.vault;
    match vault.newest(tenant).await? {
        Some(point) if point.kind == PointKind::Imported => {
            Ok(vault.list(tenant).await?.0.into_iter().find(|point| point.kind != PointKind::Imported))
        }
        newest => Ok(newest),
    }
}

async fn safety_of(assembly: &Assembly, tenant: &TenantName, keeps_log: bool) -> TenantSafety {
    let mut found = TenantSafety {
        tenant: tenant.clone(),
        newest_point: None,
        taken_at: None,
        moments_since: None,
        proved_at: None,
        restore_milliseconds: None,
        mirrors: Vec::new(),
        trouble: None,
    };
    match newest(assembly, tenant).await {
        Ok(newest) => {
            found.newest_point =
                newest.as_ref().and_then(|newest| newest.id.as_ref()).map(ToString::to_string);
            let knows_log = newest.as_ref().is_some_and(|newest| newest.log.is_some());
            found.taken_at = newest.map(|newest| newest.taken_at);
            if knows_log && keeps_log {
                found.moments_since = found.taken_at;
            }
        }
        Err(fault) => found.trouble = Some(assembly.ports.secrets.redact(&fault.to_string())),
    }
    match assembly.ports.vault.copies(tenant).await {
        Ok(copies) => {
            found.mirrors = mirrors::safety(assembly, copies, assembly.ports.clock.now());
        }
        Err(fault) => found.trouble = Some(assembly.ports.secrets.redact(&fault.to_string())),
    }
    if let Ok(Some(proof)) = assembly.journal.newest_proof(&assembly.name, tenant) {
        found.proved_at = Some(proof.at);
        found.restore_milliseconds = Some(proof.milliseconds);
    }
    found
}

pub(crate) fn trouble(severity: Severity, text: Message, repair: Option<Message>) -> Trouble {
    Trouble { severity, text, repair }
}

fn troubles(assembly: &Assembly, status: &Status) -> Vec<Trouble> {
    let mut found = Vec::new();
    let observation = &status.observation;
    service_troubles(observation, &assembly.stack, status.open_run.as_ref(), &mut found);
    for (site, problem) in &observation.unusable_sites {
        let text = Message::new("trouble-site").with("site", site).with("problem", problem);
        found.push(trouble(Severity::Problem, text, Some(Message::new("repair-site"))));
    }
    if let Some(run) = status.open_run.as_ref().filter(|run| run.owned)
        && let Some(step) = &run.asking
    {
        let text = Message::new("trouble-run-asks").with("run", &run.run).with("step", step);
        found.push(trouble(
            Severity::Problem,
            text,
            Some(Message::new("repair-answer").with("run", &run.run)),
        ));
    }
    if let Some(run) = &status.open_run
        && !run.owned
    {
        let text = Message::new("trouble-run-unowned").with("run", &run.run).with("intent", &run.intent);
        found.push(trouble(
            Severity::Problem,
            text,
            Some(Message::new("repair-resume").with("run", &run.run)),
        ));
    }
    gate_troubles(status, &mut found);
    found.extend(crate::maintenance::troubles(assembly, status));
    for disk in &observation.disks {
        let percent = disk.free_bytes.saturating_mul(100).checked_div(disk.total_bytes).unwrap_or(0);
        if percent < u64::from(assembly.stack.preflight.disk_free_percent) {
            let text = Message::new("trouble-disk")
                .with("purpose", &disk.purpose)
                .with("path", &disk.path)
                .with("percent", percent);
            found.push(trouble(Severity::Problem, text, None));
        }
    }
    for tenant in &observation.tenants {
        if let Some(problem) = &tenant.trouble {
            let text =
                Message::new("trouble-database").with("tenant", &tenant.tenant.name).with("problem", problem);
            found.push(trouble(Severity::Problem, text, None));
        }
    }
    for safety in &status.safety {
        let tenant = &safety.tenant;
        found.extend(mirrors::troubles(tenant, &safety.mirrors));
        if let Some(problem) = &safety.trouble {
            let text = Message::new("trouble-vault").with("tenant", tenant).with("problem", problem);
            found.push(trouble(Severity::Problem, text, None));
        } else if safety.taken_at.is_none() {
            let text = Message::new("trouble-no-point").with("tenant", tenant);
            found.push(trouble(
                Severity::Problem,
                text,
                Some(Message::new("repair-backup").with("tenant", tenant)),
            ));
        } else if let Some(at) = too_old(assembly, safety.taken_at, assembly.stack.vault.stale_after) {
            let text = Message::new("trouble-point-stale").with("tenant", tenant).with("at", at);
            let repair = Message::new("repair-backup").with("tenant", tenant);
            found.push(trouble(Severity::Problem, text, Some(repair)));
        } else if let Some(at) = too_old(assembly, safety.proved_at, assembly.stack.vault.proof_stale_after) {
            let text = Message::new("trouble-proof-stale").with("tenant", tenant).with("at", at);
            let repair = Message::new("repair-drill").with("tenant", tenant);
            found.push(trouble(Severity::Problem, text, Some(repair)));
        } else if safety.proved_at.is_none() {
            let text = Message::new("trouble-never-proved").with("tenant", tenant);
            found.push(trouble(
                Severity::Notice,
                text,
                Some(Message::new("repair-prove").with("tenant", tenant)),
            ));
        }
    }
    found
}

/// The time of something that is older than it may be.
fn too_old(assembly: &Assembly, at: Option<Timestamp>, limit: Option<Period>) -> Option<String> {
    let (at, limit) = (at?, limit?);
    let age = assembly.ports.clock.now().duration_since(at).unsigned_abs();
    (age > limit.as_duration()).then(|| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn service_troubles(
    observation: &Observation,
    stack: &Stack,
    open_run: Option<&OpenRun>,
    found: &mut Vec<Trouble>,
) {
    let never_released = observation.runtime == RuntimeKind::Process && observation.release.is_none();
    let repair = if never_released { "repair-first-release" } else { "repair-start" };
    for service in observation.services.iter().filter(|service| !stack.runs_once(&service.name)) {
        let state = match (service.state, service.health) {
            (ServiceState::Running, Health::None | Health::Healthy) => continue,
            (ServiceState::Running, Health::Starting) => "still starting",
            (ServiceState::Running, Health::Unhealthy) => "unhealthy",
            (ServiceState::Restarting, _) => "restarting over and over",
            (ServiceState::Exited, _) => "not running",
            (ServiceState::Absent, _) => "absent",
        };
        // A run stops services and starts them again; whoever starts one meanwhile is in its way.
        if let (Some(run), ServiceState::Exited | ServiceState::Absent) = (open_run, service.state) {
            let text = Message::new("trouble-service-of-run")
                .with("service", &service.name)
                .with("state", state)
                .with("run", &run.run);
            let repair = Message::new(if run.owned { "repair-attach" } else { "repair-resume" });
            let repair = repair.with("run", &run.run);
            found.push(trouble(Severity::Notice, text, Some(repair)));
            continue;
        }
        let text = Message::new("trouble-service").with("service", &service.name).with("state", state);
        found.push(trouble(Severity::Problem, text, Some(Message::new(repair))));
    }
    let pinned = observation.release.as_ref().map(|release| &release.images);
    let bare: Vec<&str> = observation
        .services
        .iter()
        .filter(|service| {
            let pin = pinned.and_then(|images| images.get(&service.name));
            let other_image =
                pin.is_some_and(|pin| service.image_id.as_ref().is_some_and(|id| *id != pin.id));
            service.state == ServiceState::Running
                && pin.is_some()
                && (service.release.is_none() || other_image)
                && observation.services.iter().any(|other| other.release.is_some())
        })
        .map(|service| service.name.as_str())
        .collect();
    if !bare.is_empty() {
        let text = Message::new("trouble-without-override").with("services", bare.join(", "));
        found.push(trouble(Severity::Problem, text, Some(Message::new("repair-start"))));
    }
}

fn gate_troubles(status: &Status, found: &mut Vec<Trouble>) {
    let Some(edge) = &status.observation.edge else { return };
    if !edge.answers {
        found.push(trouble(
            Severity::Problem,
            Message::new("trouble-edge"),
            Some(Message::new("repair-start")),
        ));
    }
    for (tenant, gate) in edge.gates.iter().filter(|(_, gate)| gate.as_str() != "open") {
        let owner = edge.closed_by.get(tenant).map_or("nobody", String::as_str);
        if status.observation.maintenance.contains_key(tenant) {
            continue;
        }
        let owned = status.open_run.as_ref().is_some_and(|run| run.run.as_str() == owner);
        if !owned {
            let text = Message::new("trouble-gate-unowned")
                .with("tenant", tenant)
                .with("gate", gate)
                .with("run", owner);
            found.push(trouble(Severity::Problem, text, Some(Message::new("repair-gate"))));
        }
    }
}

/// Whether a fault means that the stack itself could not be looked at.
#[must_use]
pub fn is_unreachable(fault: &Fault) -> bool {
    use eclusa_fault::Code::{ComposeInvalid, ComposeMissing, DockerDenied, DockerUnreachable};
    matches!(fault.code, ComposeInvalid | ComposeMissing | DockerDenied | DockerUnreachable)
}
