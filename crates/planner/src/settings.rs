//! Settings that a release brings with it, and their way back to what a restore point has.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{StepName, Tenant, TenantName};
use eclusa_runbook::{Effect, Phase, PointReference, Scope, SettingsOperation, Undo};

use crate::app::Setting;
use crate::draft::{Draft, NewStep};
use crate::release_steps::point_step;

/// Sets them, while nothing reads them. The way back is what the point has that this run took.
pub(crate) fn with_release(draft: &mut Draft<'_, '_>, tenants: &[Tenant]) -> Result<()> {
    let mut steps = Vec::new();
    for setting in draft.input.app.settings(draft.input.stack, tenants) {
        let undo = back(&setting, PointReference::TakenBy(point_step(&setting.tenant)?));
        let set = SettingsOperation::Set {
            tenant: setting.tenant.clone(),
            file: setting.file.clone(),
            values: setting.values.clone(),
        };
        let title = if setting.shared { "step-settings-shared" } else { "step-settings" };
        steps.push(step(&setting, title, set, undo)?);
    }
    draft.together(steps)
}

/// Sets them back to what the points of before the release have. The way back is what was salvaged in this run.
pub(crate) fn with_rollback(
    draft: &mut Draft<'_, '_>,
    tenants: &[Tenant],
    points: &BTreeMap<TenantName, String>,
) -> Result<()> {
    let mut steps = Vec::new();
    for setting in draft.input.app.settings(draft.input.stack, tenants) {
        let Some(point) = points.get(&setting.tenant) else { continue };
        let salvage = StepName::new(format!("secure.salvage.{}", setting.tenant))
            .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
        let undo = back(&setting, PointReference::TakenBy(salvage));
        let title = if setting.shared { "step-settings-back-shared" } else { "step-settings-back" };
        let forward = back(&setting, PointReference::Id(point.clone()));
        steps.push(step(&setting, title, forward, undo)?);
    }
    draft.together(steps)
}

fn back(setting: &Setting, point: PointReference) -> SettingsOperation {
    SettingsOperation::Back {
        tenant: setting.tenant.clone(),
        file: setting.file.clone(),
        point,
        names: setting.values.keys().cloned().collect(),
    }
}

fn step(
    setting: &Setting,
    title: &str,
    forward: SettingsOperation,
    undo: SettingsOperation,
) -> Result<NewStep> {
    let tenant = &setting.tenant;
    let (name, scope) = if setting.shared {
        ("change.settings".to_owned(), Scope::Stack)
    } else {
        (format!("change.settings.{tenant}"), Scope::Tenant(tenant.clone()))
    };
    let names: Vec<&str> = setting.values.keys().map(String::as_str).collect();
    let title = Message::new(title)
        .with("names", names.join(", "))
        .with("file", setting.file.name())
        .with("tenant", tenant);
    Ok(NewStep::perform(Phase::Change, &name, scope, title, Effect::Settings(forward))?
        .undo(Undo::By(Effect::Settings(undo)))
        .retries(1)
        .seconds(120))
}
