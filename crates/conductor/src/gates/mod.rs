//! Gates: evidence collected through the ports, judged by pure functions. One module per family.

mod checks;
mod pages;
mod probes;
mod records;
mod session;
mod watch;

pub(crate) use probes::text_of;

use std::collections::BTreeSet;

use eclusa_fault::{Message, Result};
use eclusa_model::TenantName;
use eclusa_ports::LogLine;
use eclusa_runbook::{
    Evidence, Fact, Gate, GateKind, HttpProbe, LogRule, Sample, Verdict, VerdictKind, look_of,
};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::context::Context;

/// What a gate knows from before: of an interrupted watch, and of the baseline it is compared with.
#[derive(Clone, Default)]
pub(crate) struct Earlier {
    pub began: Option<Timestamp>,
    pub samples: Vec<Sample>,
    pub baseline: Vec<Sample>,
    /// What the error lines of before looked like.
    pub known_lines: BTreeSet<String>,
}

/// Evidence on its way to the journal while a gate is still collecting.
pub(crate) type Samples = mpsc::Sender<Evidence>;

/// Collects a gate's evidence and judges it. What was already sent through `samples` is not given again.
pub(crate) async fn judge(
    context: &Context,
    gate: &Gate,
    earlier: Earlier,
    samples: Samples,
) -> Result<(Evidence, Verdict)> {
    let inside = gate.trial.as_ref().map(|trial| context.in_trial(trial)).transpose()?;
    let context = inside.as_ref().unwrap_or(context);
    let evidence = match &gate.kind {
        GateKind::Watch { probes, rule, logs, .. } => {
            return watch::watch(context, &asked(context, probes), rule, logs, earlier, samples).await;
        }
        GateKind::Unmoved => checks::unmoved(context).await?,
        GateKind::Placeholders { files, prefixes } => checks::placeholders(context, files, prefixes).await?,
        GateKind::Disk { purpose, path, minimum_percent, minimum_bytes } => {
            checks::disk(context, purpose, path, *minimum_percent, *minimum_bytes).await?
        }
        GateKind::Database { tenant, long_transaction } => {
            checks::database(context, tenant, *long_transaction).await?
        }
        GateKind::Command { exec } => checks::command(context, exec).await?,
        GateKind::Eventually { exec, within, sooner } => {
            checks::eventually(context, exec, *within, sooner.as_ref()).await?
        }
        GateKind::Contained { needed, offered } => checks::contained(context, needed, offered).await?,
        GateKind::Pages { pages, route, attempts, sources } => {
            pages::ask_all(context, pages, *route, *attempts, sources).await?
        }
        GateKind::Session { tenant, host, sign_in, visits, route } => {
            session::ask(context, tenant, host, sign_in, visits, *route).await?
        }
        GateKind::Completes { what, begin, state, within } => {
            records::completes(context, what, begin, state, *within).await?
        }
        GateKind::Recorded { needed, recorded, alike } => {
            records::recorded(context, needed, recorded, alike.as_ref()).await?
        }
        GateKind::Rows { tenant, point, rule } => records::rows(context, tenant, point, rule).await?,
        GateKind::NewRows { tenant, point, table, rows, newest, ignore, most } => {
            let growth = records::Growth { tenant, point, table, rows, newest, ignore, most: *most };
            records::new_rows(context, growth).await?
        }
        GateKind::Advances { applies, value, within } => {
            records::advances(context, applies, value, *within).await?
        }
        GateKind::PendingMigrations { exec, expected, allowed } => {
            checks::pending(context, exec, expected.as_deref(), *allowed).await?
        }
        GateKind::Rehearsed { images } => checks::rehearsed(context, images),
        GateKind::Remaining { tenants } => remaining(context, tenants),
        GateKind::Healthy { services, within } => checks::healthy(context, services, *within).await?,
        GateKind::ProofAge { tenant, within } => checks::proof_age(context, tenant, *within).await?,
        GateKind::Probes { probes, route, attempts } => {
            probes::ask_all(context, &asked(context, probes), *route, *attempts).await?
        }
        GateKind::Baseline { probes, samples, logs } => {
            probes::baseline(context, probes, *samples, logs).await?
        }
        GateKind::Logs { rule, most, since, .. } => {
            let since = since
                .as_ref()
                .and_then(|step| context.timings.get(step).copied())
                .unwrap_or(context.began_at);
            logs(context, rule, *most, since, &earlier.known_lines).await?
        }
    };
    let verdict = Verdict::of_facts(&evidence.facts);
    Ok((evidence, verdict))
}

/// The probes of those who are served: who went back alone stays closed, under code that its data does not fit.
fn asked(context: &Context, probes: &[HttpProbe]) -> Vec<HttpProbe> {
    probes.iter().filter(|probe| !context.back.contains(&probe.tenant)).cloned().collect()
}

/// Whether somebody is left who has not gone back alone.
fn remaining(context: &Context, tenants: &[TenantName]) -> Evidence {
    let left = tenants.iter().filter(|tenant| !context.back.contains(*tenant)).count();
    let text = Message::new("fact-remaining").with("left", left).with("all", tenants.len());
    Evidence { facts: vec![fact(left > 0, text)], ..Evidence::default() }
}

/// A fact that speaks for or against going on.
fn fact(good: bool, text: Message) -> Fact {
    Fact { text, verdict: if good { VerdictKind::Go } else { VerdictKind::NoGo } }
}

/// The lines of the services since a time that count as errors and look like none of those that are known.
async fn error_lines(
    context: &Context,
    rule: &LogRule,
    since: Timestamp,
    known: &BTreeSet<String>,
) -> Result<Vec<String>> {
    if rule.services.is_empty() {
        return Ok(Vec::new());
    }
    let lines = context.ports.runtime.logs(&rule.services, since, 20_000).await?;
    let counts = |line: &&LogLine| rule.counts(&line.text) && !known.contains(&look_of(&line.text));
    Ok(lines
        .iter()
        .filter(counts)
        .map(|line| format!("{} {}: {}", line.at, line.service, line.text))
        .collect())
}

/// How many error lines go into the journal; they are counted all.
const LINES_KEPT: usize = 50;

async fn logs(
    context: &Context,
    rule: &LogRule,
    most: u64,
    since: Timestamp,
    known: &BTreeSet<String>,
) -> Result<Evidence> {
    let mut lines = error_lines(context, rule, since, known).await?;
    let found = lines.len() as u64;
    lines.truncate(LINES_KEPT);
    let text = Message::new("fact-log-errors").with("found", found).with("most", most);
    Ok(Evidence { facts: vec![fact(found <= most, text)], lines, ..Evidence::default() })
}
