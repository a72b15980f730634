//! What a tenant's database says: rows beside a restore point, new rows of a log, what was written down, what moves on.

use std::time::Duration;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use eclusa_runbook::{
    Evidence, Exec, Listing, PointReference, Query, RowChange, RowRule, VerdictKind, is_like, row_changes,
    unmet,
};
use tokio::time::Instant;

use super::checks::{TRIED_EVERY, listed, listed_alike};
use super::fact;
use crate::context::Context;
use crate::effects::{end_leftover, run_command, run_failure};

/// How many tables are named.
const NAMED: usize = 12;

/// How many of the newest rows are looked at.
const NEWEST: u64 = 50;

async fn rows_of_point(
    context: &Context,
    tenant: &TenantName,
    point: &PointReference,
) -> Result<std::collections::BTreeMap<String, u64>> {
    let manifest = context.ports.vault.find(tenant, &context.point(point)?).await?;
    Ok(manifest.summary.tables.into_iter().map(|(name, table)| (name, table.rows)).collect())
}

pub(super) async fn rows(
    context: &Context,
    tenant: &TenantName,
    point: &PointReference,
    rule: &RowRule,
) -> Result<Evidence> {
    let before = rows_of_point(context, tenant, point).await?;
    let now = context.ports.database.counts(context.tenant(tenant)?).await?;
    let changes = row_changes(&before, &now, rule);
    let text = Message::new("fact-rows")
        .with("tenant", tenant)
        .with("tables", now.len())
        .with("rows", now.values().sum::<u64>())
        .with("before", before.values().sum::<u64>());
    let mut evidence = Evidence { facts: vec![fact(true, text)], ..Evidence::default() };
    for change in changes.iter().take(NAMED) {
        let text = match change {
            RowChange::Gone { table, had } => {
                Message::new("fact-rows-gone").with("table", table).with("had", had)
            }
            RowChange::Renamed { table, now, had } => {
                Message::new("fact-rows-renamed").with("table", table).with("now", now).with("had", had)
            }
            RowChange::Emptied { table, had } => {
                Message::new("fact-rows-emptied").with("table", table).with("had", had)
            }
            RowChange::Fewer { table, had, has } => {
                Message::new("fact-rows-fewer").with("table", table).with("had", had).with("has", has)
            }
        };
        evidence.facts.push(fact(!change.is_loss(rule), text.with("tenant", tenant)));
    }
    let more = changes.len().saturating_sub(NAMED);
    if more > 0 {
        let worst = changes.iter().skip(NAMED).any(|change| change.is_loss(rule));
        evidence.facts.push(fact(!worst, Message::new("fact-rows-more").with("count", more)));
    }
    Ok(evidence)
}

/// How a log grew.
pub(super) struct Growth<'a> {
    pub tenant: &'a TenantName,
    pub point: &'a PointReference,
    pub table: &'a str,
    pub rows: &'a Query,
    pub newest: &'a Query,
    pub ignore: &'a [String],
    pub most: u64,
}

/// Compared by counts and not by clocks: the rows carry the site's own time.
pub(super) async fn new_rows(context: &Context, growth: Growth<'_>) -> Result<Evidence> {
    let Growth { tenant, point, table, rows, newest, ignore, most } = growth;
    let before = rows_of_point(context, tenant, point).await?.get(table).copied().unwrap_or_default();
    let database = &context.ports.database;
    let here = context.tenant(tenant)?;
    let answer = database.query(here, &rows.sql).await?;
    let now: u64 = answer.first().and_then(|text| text.parse().ok()).ok_or_else(|| {
        Fault::new(Code::Internal).with("what", format!("a count of rows that is none: {answer:?}"))
    })?;
    let grown = now.saturating_sub(before);
    let looked_at = grown.min(NEWEST);
    let said = match looked_at {
        0 => Vec::new(),
        count => database.query(here, &newest.sql.replace("{count}", &count.to_string())).await?,
    };
    let borne = said.iter().filter(|text| ignore.iter().any(|pattern| is_like(text, pattern))).count() as u64;
    let counted = grown.saturating_sub(borne);
    let lines: Vec<String> = said
        .iter()
        .filter(|text| !ignore.iter().any(|pattern| is_like(text, pattern)))
        .map(|text| eclusa_ports::clean_line(text.as_bytes()))
        .collect();
    let text = Message::new(if counted <= most { "fact-new-rows" } else { "fact-new-rows-found" })
        .with("tenant", tenant)
        .with("table", table)
        .with("count", counted)
        .with("most", most)
        .with("ignored", borne)
        .with("first", lines.first().map_or("–", String::as_str));
    Ok(Evidence { facts: vec![fact(counted <= most, text)], lines, ..Evidence::default() })
}

pub(super) async fn recorded(
    context: &Context,
    needed: &Listing,
    recorded: &Query,
    alike: Option<&Query>,
) -> Result<Evidence> {
    let tenant = &recorded.tenant;
    let same = match alike {
        Some(query) => context.ports.database.query(context.tenant(tenant)?, &query.sql).await?.join("\n"),
        None => String::new(),
    };
    let needed = match same.trim() {
        "" => listed(context, needed).await?,
        same => listed_alike(context, needed, tenant, same).await?,
    };
    let written: std::collections::BTreeSet<String> =
        context.ports.database.query(context.tenant(tenant)?, &recorded.sql).await?.into_iter().collect();
    let missing: Vec<&str> =
        needed.iter().filter(|text| !written.contains(*text)).map(String::as_str).take(NAMED).collect();
    let text = Message::new(if missing.is_empty() { "fact-recorded" } else { "fact-not-recorded" })
        .with("tenant", tenant)
        .with("count", needed.len())
        .with("missing", missing.join(", "));
    Ok(Evidence { facts: vec![fact(missing.is_empty(), text)], ..Evidence::default() })
}

/// Sets something going once and waits until it is done.
pub(super) async fn completes(
    context: &Context,
    what: &str,
    begin: &Exec,
    state: &Exec,
    within: u64,
) -> Result<Evidence> {
    end_leftover(context, begin).await?;
    let result = run_command(context, begin).await?;
    if unmet(&begin.expect, result.code, &result.tail).is_some() {
        return Err(run_failure(begin, &result));
    }
    let began = Instant::now();
    let deadline = began + Duration::from_secs(within);
    loop {
        let result = run_command(context, state).await?;
        let line = result.last_line().unwrap_or_default().chars().take(200).collect::<String>();
        let good = unmet(&state.expect, result.code, &result.tail).is_none();
        let over = state.expect.lacks.iter().any(|text| result.tail.iter().any(|line| line.contains(text)));
        if good || over || Instant::now() + TRIED_OFTEN > deadline {
            let text = Message::new(if good { "fact-completed" } else { "fact-not-completed" })
                .with("what", what)
                .with("line", if line.is_empty() { "–".to_owned() } else { line })
                .with("seconds", format!("{:.1}", began.elapsed().as_secs_f64()));
            return Ok(Evidence { facts: vec![fact(good, text)], ..Evidence::default() });
        }
        tokio::time::sleep(TRIED_OFTEN).await;
    }
}

/// The pause between two looks at something that takes a moment.
const TRIED_OFTEN: Duration = Duration::from_millis(500);

pub(super) async fn advances(
    context: &Context,
    applies: &Query,
    value: &Query,
    within: u64,
) -> Result<Evidence> {
    let database = &context.ports.database;
    let tenant = context.tenant(&value.tenant)?;
    let only = |verdict: VerdictKind, text: Message| Evidence {
        facts: vec![eclusa_runbook::Fact { text, verdict }],
        ..Evidence::default()
    };
    if database.query(tenant, &applies.sql).await?.first().map(String::as_str) != Some("1") {
        let text = Message::new("fact-advances-not").with("tenant", &value.tenant);
        return Ok(only(VerdictKind::Go, text));
    }
    let asked = || async {
        database.query(tenant, &value.sql).await?.into_iter().next().ok_or_else(|| {
            Fault::new(Code::Internal).with("what", format!("a query that gives nothing: {}", value.sql))
        })
    };
    let (first, began) = (asked().await?, Instant::now());
    let deadline = began + Duration::from_secs(within);
    loop {
        tokio::time::sleep(TRIED_EVERY).await;
        let now = asked().await?;
        if now != first || Instant::now() > deadline {
            let id = if now == first { "fact-stands-still" } else { "fact-advances" };
            let text = Message::new(id)
                .with("tenant", &value.tenant)
                .with("value", if now.is_empty() { "–" } else { &now })
                .with("seconds", format!("{:.0}", began.elapsed().as_secs_f64()));
            return Ok(Evidence { facts: vec![fact(now != first, text)], ..Evidence::default() });
        }
    }
}
