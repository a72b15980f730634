//! What intents, undos and gates are in words.

use eclusa_fault::{Language, Message};
use eclusa_model::TenantName;
use eclusa_runbook::{
    CloneStep, DatabaseOperation, EdgeOperation, Effect, ErasureOperation, Gate, GateKind, Intent,
    LeaseOperation, MaintenanceOperation, MirrorWay, OnNoGo, Part, PointKind, PointReference, ProbeRoute,
    RestoreOperation, RowRule, RuntimeOperation, SettingsOperation, TrialStep, Undo, VaultOperation,
};

use crate::words::{bytes_text, duration_text, listed, short};

/// What the operator wants, as a title.
#[must_use]
pub fn intent_text(intent: &Intent, language: &Language) -> String {
    let message = match intent {
        Intent::Release { to } => Message::new("plan-intent-release").with("to", to),
        Intent::Rollback { to, .. } => Message::new("plan-intent-rollback").with("to", to),
        Intent::Backup { .. } => Message::new("plan-intent-backup"),
        Intent::Restore { tenant, until: Some(until), base: Some(base), .. } => {
            Message::new("plan-intent-restore-moment")
                .with("tenant", tenant)
                .with("base", base)
                .with("moment", until)
        }
        Intent::Restore { tenant, point, until: Some(until), .. } => {
            Message::new("plan-intent-restore-until")
                .with("tenant", tenant)
                .with("point", short(point, 8))
                .with("moment", until)
        }
        Intent::Restore { tenant, point, check_only, part, .. } => {
            let message = match part {
                _ if *check_only => Message::new("plan-intent-restore-check"),
                Part::Everything => Message::new("plan-intent-restore"),
                Part::Database => Message::new("plan-intent-restore-database"),
                Part::Files(sets) => {
                    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
                    Message::new("plan-intent-restore-files").with("sets", sets.join(", "))
                }
            };
            message.with("tenant", tenant).with("point", short(point, 8))
        }
        Intent::Aside { tenant, point, tables } => Message::new("plan-intent-aside")
            .with("tenant", tenant)
            .with("point", short(point, 8))
            .with("count", tables.len()),
        Intent::DropAside { tenant, database, .. } => {
            Message::new("plan-intent-drop-aside").with("tenant", tenant).with("database", database)
        }
        Intent::ErasePerson { tenant, .. } => Message::new("plan-intent-erase-person").with("tenant", tenant),
        Intent::Clone { tenant, point, to, .. } => Message::new("plan-intent-clone")
            .with("tenant", tenant)
            .with("point", short(point, 8))
            .with("to", to),
        Intent::Drill { points, application, .. } => {
            let id = if *application { "plan-intent-drill-application" } else { "plan-intent-drill" };
            Message::new(id).with("count", points.len())
        }
        Intent::Rehearse { to, points } => {
            Message::new("plan-intent-rehearse").with("to", to).with("count", points.len())
        }
        Intent::Mirror { mirrors, way, .. } => {
            let id = if *way == MirrorWay::Back { "plan-intent-mirror-back" } else { "plan-intent-mirror" };
            Message::new(id).with("mirrors", mirrors.join(", "))
        }
        Intent::Prune { points, at } => {
            let count: usize = points.values().map(Vec::len).sum();
            let message = match at {
                Some(mirror) => Message::new("plan-intent-prune-at").with("mirror", mirror),
                None => Message::new("plan-intent-prune"),
            };
            message.with("count", count)
        }
        Intent::Migrate { tenants } => {
            Message::new("plan-intent-migrate").with("tenants", listed_tenants(tenants))
        }
        Intent::AppsInstall { app, tenants } => {
            let tenants = listed_tenants(tenants);
            Message::new("plan-intent-apps-install").with("app", app).with("tenants", tenants)
        }
        Intent::Maintenance { on, tenants, .. } => {
            let id = if *on { "plan-intent-maintenance-on" } else { "plan-intent-maintenance-off" };
            Message::new(id).with("tenants", listed_tenants(tenants))
        }
        Intent::Start => Message::new("plan-intent-start"),
        Intent::Stop => Message::new("plan-intent-stop"),
        Intent::EdgeInstall => Message::new("plan-intent-edge-install"),
        Intent::EdgeRemove => Message::new("plan-intent-edge-remove"),
        Intent::Seed => Message::new("plan-intent-seed"),
    };
    message.render(language)
}

/// A few by name, many by number.
fn listed_tenants(tenants: &[TenantName]) -> String {
    match tenants {
        [] | [_] | [_, _] | [_, _, _] => {
            tenants.iter().map(TenantName::as_str).collect::<Vec<_>>().join(", ")
        }
        _ => format!("{} tenants", tenants.len()),
    }
}

/// What takes a step back.
#[must_use]
pub fn undo_text(undo: &Undo, language: &Language) -> String {
    match undo {
        Undo::By(effect) => effect_text(effect, language),
        Undo::Restore { tenant, point, .. } => Message::new("back-restore")
            .with("tenant", tenant)
            .with("point", point_text(point, language))
            .render(language),
        Undo::Nothing { why } => {
            Message::new("back-nothing").with("why", why.render(language)).render(language)
        }
        Undo::NoReturn { why } => {
            Message::new("back-no-return").with("why", why.render(language)).render(language)
        }
    }
}

/// What an effect does, as what takes another one back.
#[must_use]
pub fn effect_text(effect: &Effect, language: &Language) -> String {
    let message = match effect {
        Effect::Mark => Message::new("back-mark"),
        Effect::Exec(exec) => Message::new("back-command").with("command", exec.shown()),
        Effect::Runtime(operation) => runtime(operation),
        Effect::Database(DatabaseOperation::CreateScratch { name, .. }) => {
            Message::new("back-scratch-create").with("name", name)
        }
        Effect::Database(DatabaseOperation::DropScratch { name, .. }) => {
            Message::new("back-scratch-drop").with("name", name)
        }
        Effect::Vault(VaultOperation::Take { tenant, kind, .. }) => {
            let id = if *kind == PointKind::Salvage { "back-salvage" } else { "back-take" };
            Message::new(id).with("tenant", tenant)
        }
        Effect::Vault(VaultOperation::ReadAhead { tenant }) => {
            Message::new("back-read-ahead").with("tenant", tenant)
        }
        Effect::Vault(VaultOperation::Check { tenant, .. }) => {
            Message::new("back-check").with("tenant", tenant)
        }
        Effect::Vault(VaultOperation::Copy { tenant, mirror, .. }) => {
            Message::new("back-copy").with("tenant", tenant).with("mirror", mirror)
        }
        Effect::Vault(VaultOperation::Forget { tenant, points }) => {
            Message::new("back-forget").with("tenant", tenant).with("count", points.len())
        }
        Effect::Vault(VaultOperation::ForgetAt { tenant, mirror, points }) => Message::new("back-forget-at")
            .with("tenant", tenant)
            .with("mirror", mirror)
            .with("count", points.len()),
        Effect::Restore(operation) => restore(operation, language),
        Effect::Clone(copy) => match copy.operation {
            CloneStep::Unpublish => Message::new("back-clone-unpublish"),
            CloneStep::Discard => Message::new("back-clone-discard"),
            _ => Message::new("back-clone").with("point", short(&copy.point, 8)),
        }
        .with("to", &copy.to),
        Effect::Trial(operation) => match &operation.operation {
            TrialStep::Fill { point, .. } => Message::new("back-trial-fill").with("point", short(point, 8)),
            TrialStep::Run { exec } => Message::new("back-trial-run").with("command", exec.shown()),
            TrialStep::Prove { .. } => Message::new("back-trial-prove"),
            TrialStep::Start { .. } => Message::new("back-trial-start"),
            TrialStep::Works { .. } => Message::new("back-trial-works"),
            TrialStep::End { .. } => Message::new("back-trial-end"),
        }
        .with("tenant", &operation.trial.tenant),
        Effect::Erasure(operation) => {
            let (id, tenant) = match operation {
                ErasureOperation::Record { tenant, .. } => ("back-person-record", tenant),
                ErasureOperation::Forget { tenant, .. } => ("back-person-forget", tenant),
                ErasureOperation::Apply { tenant, .. } => ("back-person-apply", tenant),
                ErasureOperation::Replay { tenant, .. } => ("back-person-replay", tenant),
            };
            Message::new(id).with("tenant", tenant)
        }
        Effect::Settings(SettingsOperation::Set { file, values, .. }) => {
            let names: Vec<&str> = values.keys().map(String::as_str).collect();
            Message::new("back-settings-set").with("names", names.join(", ")).with("file", file.name())
        }
        Effect::Settings(SettingsOperation::Back { file, names, point, .. }) => Message::new("back-settings")
            .with("names", names.join(", "))
            .with("file", file.name())
            .with("point", point_text(point, language)),
        Effect::Edge(EdgeOperation::Close { tenant, .. }) => {
            Message::new("back-gate-close").with("tenant", tenant)
        }
        Effect::Edge(EdgeOperation::Hold { tenant }) => Message::new("back-gate-hold").with("tenant", tenant),
        Effect::Edge(EdgeOperation::Open { tenant }) => Message::new("back-gate-open").with("tenant", tenant),
        Effect::Maintenance(MaintenanceOperation::Own { tenant, .. }) => {
            Message::new("back-own").with("tenant", tenant)
        }
        Effect::Maintenance(MaintenanceOperation::Disown { tenant }) => {
            Message::new("back-disown").with("tenant", tenant)
        }
        Effect::Lease(LeaseOperation::Take { .. }) => Message::new("back-lease-take"),
        Effect::Lease(LeaseOperation::Release) => Message::new("back-lease-release"),
        Effect::Record { tenant, .. } => Message::new("back-record").with("tenant", tenant),
        Effect::Wait { milliseconds } => {
            Message::new("back-wait").with("duration", duration_text(*milliseconds))
        }
    };
    message.render(language)
}

fn runtime(operation: &RuntimeOperation) -> Message {
    match operation {
        RuntimeOperation::Prepare { release } => Message::new("back-prepare").with("release", &release.name),
        RuntimeOperation::Switch { to, .. } => Message::new("back-switch").with("release", &to.name),
        RuntimeOperation::Start { services, .. } => {
            Message::new("back-start").with("services", listed(services))
        }
        RuntimeOperation::Stop { services, .. } => {
            Message::new("back-stop").with("services", listed(services))
        }
        RuntimeOperation::LetGo { release } => Message::new("back-let-go").with("release", &release.name),
        RuntimeOperation::EdgeInstall => Message::new("back-edge-install"),
        RuntimeOperation::EdgeRemove => Message::new("back-edge-remove"),
    }
}

fn restore(operation: &RestoreOperation, language: &Language) -> Message {
    let (id, tenant) = match operation {
        RestoreOperation::Whole { tenant, point, .. } => {
            return Message::new("back-restore")
                .with("tenant", tenant)
                .with("point", point_text(point, language));
        }
        RestoreOperation::Beside { tenant, .. } => ("back-beside", tenant),
        RestoreOperation::Prove { tenant, .. } => ("back-prove", tenant),
        RestoreOperation::Replay { tenant, .. } => ("back-replay", tenant),
        RestoreOperation::Moment { tenant, .. } => ("back-moment", tenant),
        RestoreOperation::Aside { tenant, .. } => ("back-aside", tenant),
        RestoreOperation::DropAside { tenant, .. } => ("back-drop-aside", tenant),
        RestoreOperation::SwapIn { tenant, .. } => ("back-swap-in", tenant),
        RestoreOperation::SwapBack { tenant, .. } => ("back-swap-back", tenant),
        RestoreOperation::Discard { tenant, .. } => ("back-discard", tenant),
        RestoreOperation::DropKept { tenant, .. } => ("back-drop-kept", tenant),
    };
    Message::new(id).with("tenant", tenant)
}

fn point_text(point: &PointReference, language: &Language) -> String {
    match point {
        PointReference::Id(id) => Message::new("back-point").with("point", short(id, 8)),
        PointReference::TakenBy(step) => Message::new("back-point-of-step").with("step", step),
    }
    .render(language)
}

/// What a gate asks, as a question.
#[must_use]
pub fn gate_question(kind: &GateKind, language: &Language) -> String {
    let seconds = |seconds: u64| duration_text(seconds.saturating_mul(1000));
    let message = match kind {
        GateKind::Unmoved => Message::new("asks-unmoved"),
        GateKind::Placeholders { files, .. } => {
            Message::new("asks-placeholders").with("files", listed(files))
        }
        GateKind::Disk { path, minimum_percent, minimum_bytes: 0, .. } => {
            Message::new("asks-disk-share").with("path", path).with("percent", minimum_percent)
        }
        GateKind::Disk { path, minimum_percent, minimum_bytes, .. } => Message::new("asks-disk")
            .with("path", path)
            .with("percent", minimum_percent)
            .with("bytes", bytes_text(*minimum_bytes)),
        GateKind::Database { tenant, long_transaction } => {
            Message::new("asks-database").with("tenant", tenant).with("duration", seconds(*long_transaction))
        }
        GateKind::Command { exec } => match &exec.expect.last_line_contains {
            Some(line) => Message::new("asks-command-line").with("code", exec.expect.code).with("line", line),
            None => match exec.expect.contains.iter().chain(&exec.expect.like).next() {
                Some(text) => {
                    Message::new("asks-command-says").with("code", exec.expect.code).with("text", text)
                }
                None => Message::new("asks-command").with("code", exec.expect.code),
            },
        },
        GateKind::Eventually { exec, within, .. } => {
            Message::new("asks-eventually").with("code", exec.expect.code).with("duration", seconds(*within))
        }
        GateKind::Contained { needed, offered } => Message::new("asks-contained")
            .with("needed", needed.exec.shown())
            .with("offered", offered.exec.shown()),
        GateKind::Pages { pages, .. } => {
            let paths: Vec<&str> = pages.iter().map(|page| page.path.as_str()).collect();
            Message::new("asks-pages").with("pages", paths.join(", "))
        }
        GateKind::Session { visits, .. } if visits.is_empty() => Message::new("asks-session"),
        GateKind::Session { visits, .. } => {
            let names: Vec<&str> = visits.iter().map(|visit| visit.name.as_str()).collect();
            Message::new("asks-session-visits").with("names", names.join(", "))
        }
        GateKind::Completes { within, .. } => {
            Message::new("asks-completes").with("duration", seconds(*within))
        }
        GateKind::Recorded { needed, .. } => {
            Message::new("asks-recorded").with("command", needed.exec.shown())
        }
        GateKind::Rows { rule: RowRule { fewer_percent: Some(percent), .. }, .. } => {
            Message::new("asks-rows-share").with("percent", percent)
        }
        GateKind::Rows { .. } => Message::new("asks-rows"),
        GateKind::NewRows { table, most, .. } => {
            Message::new("asks-new-rows").with("table", table).with("count", most)
        }
        GateKind::Advances { within, .. } => Message::new("asks-advances").with("duration", seconds(*within)),
        GateKind::PendingMigrations { expected, allowed, .. } => match expected {
            Some(names) if *allowed && !names.is_empty() => {
                Message::new("asks-pending-known").with("migrations", listed(names))
            }
            None if *allowed => Message::new("asks-pending-any"),
            _ => Message::new("asks-pending-none"),
        },
        GateKind::Rehearsed { .. } => Message::new("asks-rehearsed"),
        GateKind::Remaining { tenants } => Message::new("asks-remaining").with("tenants", listed(tenants)),
        GateKind::Healthy { services, within } => {
            Message::new("asks-healthy").with("services", listed(services)).with("duration", seconds(*within))
        }
        GateKind::Probes { probes, route, .. } => {
            let id = match route {
                ProbeRoute::SideDoor => "asks-probes-side",
                ProbeRoute::Public => "asks-probes-public",
            };
            Message::new(id).with("count", probes.len())
        }
        GateKind::Logs { rule, most, .. } => {
            Message::new("asks-logs").with("services", listed(&rule.services)).with("count", most)
        }
        GateKind::Baseline { .. } => Message::new("asks-baseline"),
        GateKind::Watch { rule, .. } => Message::new("asks-watch")
            .with("duration", seconds(rule.seconds))
            .with("errors", (rule.error_rate * 1000.0).round() / 10.0)
            .with("latency", rule.latency_milliseconds)
            .with("slowdown", rule.slowdown)
            .with("lines", rule.log_errors),
        GateKind::ProofAge { tenant, within } => {
            Message::new("asks-proof-age").with("tenant", tenant).with("duration", seconds(*within))
        }
    };
    message.render(language)
}

/// What a gate's verdicts lead to, where it is anything but going back.
pub(crate) fn gate_policies(gate: &Gate, language: &Language) -> Vec<String> {
    let no_go = match gate.on_no_go {
        OnNoGo::Back => "gate-policy-no-go-back",
        OnNoGo::Ask => "gate-policy-no-go-ask",
        OnNoGo::Warn => "gate-policy-no-go-warn",
    };
    let hold = match gate.on_hold {
        OnNoGo::Back => "gate-policy-hold-back",
        OnNoGo::Ask => "gate-policy-hold-ask",
        OnNoGo::Warn => "gate-policy-hold-warn",
    };
    if gate.on_no_go == OnNoGo::Back && gate.on_hold == OnNoGo::Back {
        return vec![Message::new(no_go).render(language)];
    }
    vec![Message::new(no_go).render(language), Message::new(hold).render(language)]
}
