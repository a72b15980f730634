//! The plan of tables of a restore point in a database of their own, and of dropping it. Nobody who works is in the way of
//! either.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{Tenant, TenantName};
use eclusa_runbook::{AsideName, Effect, Intent, Phase, Plan, PointReference, RestoreOperation, Scope, Undo};

use crate::PlanInput;
use crate::backup::one;
use crate::draft::{Draft, Frame};
use crate::restore::short;

pub(crate) fn plan(
    input: &PlanInput<'_>,
    tenant: &TenantName,
    point: &str,
    tables: &[String],
) -> Result<Plan> {
    let name = tenant;
    if tables.is_empty() {
        return Err(Fault::new(Code::NothingToDo).with("what", format!("no table of {name} is named")));
    }
    let suffix = format!("a{}", input.nonce);
    let make = Effect::Restore(RestoreOperation::Aside {
        tenant: name.clone(),
        point: PointReference::Id(point.to_owned()),
        suffix: suffix.clone(),
        tables: tables.to_vec(),
    });
    let drop = Effect::Restore(RestoreOperation::DropAside {
        tenant: name.clone(),
        database: AsideName::Suffix(suffix),
    });
    let title = Message::new("step-aside")
        .with("tenant", name)
        .with("point", short(point))
        .with("tables", tables.join(", "));
    let intent = Intent::Aside { tenant: name.clone(), point: point.to_owned(), tables: tables.to_vec() };
    of(input, name, "aside", title, make, Undo::By(drop), intent)
}

pub(crate) fn drop(
    input: &PlanInput<'_>,
    tenant: &TenantName,
    beside: &TenantName,
    database: &str,
) -> Result<Plan> {
    let drop = Effect::Restore(RestoreOperation::DropAside {
        tenant: beside.clone(),
        database: AsideName::Database(database.to_owned()),
    });
    let title = Message::new("step-drop-aside").with("tenant", tenant).with("database", database);
    let undo = Undo::Nothing { why: Message::new("undo-nothing-aside") };
    let intent =
        Intent::DropAside { tenant: tenant.clone(), beside: beside.clone(), database: database.to_owned() };
    of(input, beside, "drop-aside", title, drop, undo, intent)
}

/// A plan of one step.
fn of(
    input: &PlanInput<'_>,
    tenant: &TenantName,
    word: &str,
    title: Message,
    effect: Effect,
    undo: Undo,
    intent: Intent,
) -> Result<Plan> {
    let all: Vec<Tenant> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    let tenant = one(&all, tenant)?;
    let mut draft = Draft::new(input);
    draft.take_lease()?;
    draft.phase(Phase::Change)?;
    let (name, scope) = (format!("change.{word}.{}", tenant.name), Scope::Tenant(tenant.name.clone()));
    let step = crate::draft::NewStep::perform(Phase::Change, &name, scope, title, effect)?;
    draft.then(step.undo(undo).seconds(6 * 3600))?;
    draft.phase(Phase::Accept)?;
    draft.finish(Frame {
        intent,
        to: None,
        tenants: vec![tenant],
        services: Vec::new(),
        reversibility: BTreeMap::new(),
        point_of_no_return: None,
    })
}
