//! The last steps of a release: the watch, and letting go of what is no longer needed.

use std::collections::BTreeSet;

use eclusa_config::AfterOpen;
use eclusa_fault::{Message, Result};
use eclusa_model::{StepName, TenantName};
use eclusa_runbook::{Effect, GateKind, OnNoGo, Phase, RestoreOperation, RuntimeOperation, Scope, Undo};

use crate::draft::{Draft, NewStep};
use crate::release::ReleaseDraft;
use crate::release_steps::baseline_source;
use crate::simple::{baseline_probes, log_rule, watch_rule};

pub(crate) fn watch(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Watch)?;
    let input = draft.input;
    let rule = watch_rule(&input.stack.watch);
    if rule.seconds == 0 {
        draft.remarks.push(Message::new("remark-no-watch"));
        return Ok(());
    }
    let seconds = rule.seconds;
    let kind = GateKind::Watch {
        probes: baseline_probes(input, &release.tenants),
        rule,
        baseline: baseline_source()?,
        logs: log_rule(input.stack),
    };
    let back = release.code_only || input.stack.watch.after_open == AfterOpen::Restore;
    let title = Message::new("step-watch").with("minutes", format!("{:.1}", seconds as f64 / 60.0));
    let step = NewStep::judge(Phase::Watch, "watch.stack", Scope::Stack, title, kind)?
        .on_no_go(if back { OnNoGo::Back } else { OnNoGo::Ask })
        .on_hold(OnNoGo::Ask)
        .seconds(seconds + 300);
    draft.then(step).map(|_| ())
}

pub(crate) fn accept(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Accept)?;
    let mut steps = Vec::new();
    for outdated in &draft.input.history.outdated {
        if outdated.name == release.to.name
            || release.from.as_ref().is_some_and(|from| from.name == outdated.name)
        {
            continue;
        }
        let Ok(name) = StepName::new(format!("accept.release.{}", outdated.name)) else { continue };
        let step = NewStep::perform(
            Phase::Accept,
            name.as_str(),
            Scope::Stack,
            Message::new("step-let-go").with("release", &outdated.name),
            Effect::Runtime(RuntimeOperation::LetGo { release: outdated.clone() }),
        )?
        .undo(Undo::NoReturn { why: Message::new("undo-no-return-image") })
        .tolerated();
        steps.push(step);
    }
    let known: BTreeSet<&TenantName> = release.tenants.iter().map(|tenant| &tenant.name).collect();
    for (tenant, suffix) in &draft.input.history.kept {
        if !known.contains(tenant) {
            continue;
        }
        let effect = RestoreOperation::DropKept { tenant: tenant.clone(), suffix: suffix.clone() };
        let title = Message::new("step-drop-kept").with("tenant", tenant).with("suffix", suffix);
        let name = format!("accept.kept.{tenant}.{suffix}");
        let step = NewStep::perform(
            Phase::Accept,
            &name,
            Scope::Tenant(tenant.clone()),
            title,
            Effect::Restore(effect),
        )?
        .undo(Undo::NoReturn { why: Message::new("undo-no-return-kept") })
        .seconds(600)
        .tolerated();
        steps.push(step);
    }
    draft.together(steps)
}
