//! The plan of an erasure of a person: written down first, run on the live data after a restore point of it; and the replay of
//! such erasures on what is restored.

use std::collections::BTreeMap;

use eclusa_fault::{Message, Result};
use eclusa_model::{Tenant, TenantName};
use eclusa_runbook::{
    Effect, ErasureOperation, Intent, Part, Phase, Plan, PointKind, Scope, StatementFile, Undo,
    VaultOperation,
};

use crate::PlanInput;
use crate::backup::one;
use crate::draft::{Draft, Frame, NewStep};
use crate::restore::short;

pub(crate) fn plan(
    input: &PlanInput<'_>,
    tenant: &TenantName,
    statements: &StatementFile,
    reason: &str,
) -> Result<Plan> {
    let all: Vec<Tenant> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    let tenant = one(&all, tenant)?;
    let name = &tenant.name;
    let scope = || Scope::Tenant(name.clone());
    let (ledger, id) = (ledger(input, name), format!("e{}", input.nonce));
    let mut draft = Draft::new(input);
    draft.remarks.push(Message::new("remark-erase-person").with("tenant", name));
    draft.take_lease()?;
    draft.phase(Phase::Secure)?;
    let take = Effect::Vault(VaultOperation::Take {
        tenant: name.clone(),
        kind: PointKind::Backup,
        release: input.observation.release.clone(),
        prove: false,
    });
    let title = Message::new("step-point").with("tenant", name);
    let step = NewStep::perform(Phase::Secure, &format!("secure.point.{name}"), scope(), title, take)?;
    draft.then(step.nothing_to_undo("undo-nothing-point").seconds(6 * 3600))?;
    draft.phase(Phase::Change)?;
    let record = ErasureOperation::Record {
        tenant: name.clone(),
        ledger: ledger.clone(),
        id: id.clone(),
        reason: reason.to_owned(),
        statements: statements.clone(),
    };
    let forget = ErasureOperation::Forget {
        tenant: name.clone(),
        ledger: ledger.clone(),
        id: id.clone(),
        statements: statements.clone(),
    };
    let title = Message::new("step-person-record").with("tenant", name).with("id", &id);
    let step_name = format!("change.record.{name}");
    let step = NewStep::perform(Phase::Change, &step_name, scope(), title, Effect::Erasure(record))?;
    draft.then(step.undo(Undo::By(Effect::Erasure(forget))).seconds(60))?;
    let apply = ErasureOperation::Apply { tenant: name.clone(), ledger, id };
    let title = Message::new("step-person-apply").with("tenant", name);
    let step_name = format!("change.erase.{name}");
    let step = NewStep::perform(Phase::Change, &step_name, scope(), title, Effect::Erasure(apply))?;
    draft.then(step.nothing_to_undo("undo-nothing-statements").seconds(3600))?;
    draft.phase(Phase::Accept)?;
    draft.finish(Frame {
        intent: Intent::ErasePerson {
            tenant: tenant.name.clone(),
            statements: statements.clone(),
            reason: reason.to_owned(),
        },
        to: None,
        tenants: vec![tenant],
        services: Vec::new(),
        reversibility: BTreeMap::new(),
        point_of_no_return: None,
    })
}

/// The file of a tenant's ledger.
fn ledger(input: &PlanInput<'_>, tenant: &TenantName) -> String {
    format!("{}/{tenant}/ledger.json", input.persons_path)
}

/// The file of a tenant's ledger, where anything stands in it.
pub(crate) fn ledger_of(input: &PlanInput<'_>, tenant: &TenantName) -> Option<String> {
    input.observation.erasures.contains_key(tenant).then(|| ledger(input, tenant))
}

/// The replay on what lies beside, for a tenant that has a ledger and a part that has the database.
pub(crate) fn replay(
    draft: &mut Draft<'_, '_>,
    phase: Phase,
    tenant: &Tenant,
    (point, suffix): (&str, &str),
    part: &Part,
) -> Result<()> {
    let ledger = ledger_of(draft.input, &tenant.name).filter(|_| part.has_database());
    let Some(ledger) = ledger else { return Ok(()) };
    let (tenant, point, suffix) = (tenant.name.clone(), point.to_owned(), suffix.to_owned());
    let title = Message::new("step-person-replay").with("tenant", &tenant).with("point", short(&point));
    let (name, scope) = (format!("{}.erasures.{tenant}", phase.word()), Scope::Tenant(tenant.clone()));
    let effect = Effect::Erasure(ErasureOperation::Replay { tenant, ledger, point, suffix });
    let step = NewStep::perform(phase, &name, scope, title, effect)?;
    draft.then(step.nothing_to_undo("undo-nothing-beside").seconds(3600)).map(|_| ())
}
