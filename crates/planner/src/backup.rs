//! The plan of a backup: a restore point of each tenant, taken while it is served.

use eclusa_config::{BackupTable, DiskTurn};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{Tenant, TenantName};
use eclusa_runbook::{DiskPriority, Effect, Intent, Load, Phase, Plan, PointKind, Scope, VaultOperation};

use crate::PlanInput;
use crate::draft::{Draft, Frame, NewStep};

/// The tenants that are meant: those named, or all.
pub(crate) fn chosen(input: &PlanInput<'_>, names: &[TenantName]) -> Result<Vec<Tenant>> {
    let all: Vec<Tenant> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    if names.is_empty() {
        return Ok(all);
    }
    names.iter().map(|name| one(&all, name)).collect()
}

pub(crate) fn one(all: &[Tenant], name: &TenantName) -> Result<Tenant> {
    all.iter().find(|tenant| tenant.name == *name).cloned().ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|tenant| tenant.name.as_str()).collect();
        Fault::new(Code::TenantUnknown).with("tenant", name).with("known", known.join(", "))
    })
}

pub(crate) fn plan(input: &PlanInput<'_>, names: &[TenantName]) -> Result<Plan> {
    let tenants = chosen(input, names)?;
    let mut draft = Draft::new(input);
    draft.load = load_of(&input.stack.backup);
    draft.remarks.extend(said(&draft.load));
    draft.take_lease()?;
    draft.phase(Phase::Secure)?;
    let mut points = Vec::new();
    for tenant in &tenants {
        let effect = Effect::Vault(VaultOperation::Take {
            tenant: tenant.name.clone(),
            kind: PointKind::Backup,
            release: input.observation.release.clone(),
            prove: input.prove,
        });
        let title = Message::new(if input.prove { "step-point-proved" } else { "step-point" })
            .with("tenant", &tenant.name);
        let name = format!("secure.point.{}", tenant.name);
        // One tenant's failure keeps no other from its backup; the run's end says who has none.
        let step = NewStep::perform(Phase::Secure, &name, Scope::Tenant(tenant.name.clone()), title, effect)?
            .nothing_to_undo("undo-nothing-point")
            .seconds(6 * 3600 + reading_seconds(input, &draft.load, &tenants));
        points.push(step);
    }
    draft.together(points)?;
    let intent = Intent::Backup { tenants: tenants.iter().map(|tenant| tenant.name.clone()).collect() };
    draft.finish(Frame {
        intent,
        to: None,
        tenants,
        services: Vec::new(),
        reversibility: std::collections::BTreeMap::new(),
        point_of_no_return: None,
    })
}

fn load_of(table: &BackupTable) -> Load {
    let ionice = table.ionice.map(|turn| match turn {
        DiskTurn::Lowest => DiskPriority::Lowest,
        DiskTurn::Idle => DiskPriority::Idle,
    });
    Load { nice: table.nice, ionice, bytes_per_second: table.bytes_per_second }
}

fn said(load: &Load) -> Vec<Message> {
    let nice = load.nice.map(|nice| Message::new("remark-load-nice").with("nice", nice));
    let ionice = load.ionice.map(|priority| match priority {
        DiskPriority::Lowest => Message::new("remark-load-ionice-lowest"),
        DiskPriority::Idle => Message::new("remark-load-ionice-idle"),
    });
    let megabytes = |rate: u64| format!("{} MB", rate as f64 / 1e6);
    let rate = load.bytes_per_second;
    let rate = rate.map(|rate| Message::new("remark-load-rate").with("rate", megabytes(rate)));
    nice.into_iter().chain(ionice).chain(rate).collect()
}

/// How often a byte of a tenant is read at most: by the copy of a SQLite file, by the dump, by reading back what was
/// written and what that lies in, and by a proof.
const READINGS: u64 = 5;

/// How much longer a backup may take because it is bounded. All tenants share the rate, so one may wait for all others.
fn reading_seconds(input: &PlanInput<'_>, load: &Load, tenants: &[Tenant]) -> u64 {
    let Some(rate) = load.bytes_per_second else { return 0 };
    let of = |tenant: &Tenant| {
        let now = input.observation.tenants.iter().find(|observed| observed.tenant.name == tenant.name);
        let now = now.and_then(|observed| observed.database_bytes).unwrap_or_default();
        let before = input.history.point_bytes.get(&tenant.name).copied().unwrap_or_default();
        now.saturating_add(before)
    };
    let bytes = tenants.iter().map(of).fold(0_u64, u64::saturating_add);
    // Twice as much: nobody knows how much was added since.
    bytes.saturating_mul(2 * READINGS) / rate.max(1)
}
