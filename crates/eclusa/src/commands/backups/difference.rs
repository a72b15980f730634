//! `eclusa backups diff`: what changed from one restore point to another.

use comfy_table::{Table, presets::NOTHING};
use eclusa_control::point_difference::{FilesDifference, PointDifference};
use eclusa_control::{Assembly, points};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_report::count_text;
use serde_json::json;

use crate::commands::Session;
use crate::exit::Exit;
use crate::terminal::{BOLD, say};

/// How many files of a set are named; the others are counted.
const NAMED: usize = 20;

pub(super) async fn show(session: &Session, assembly: &Assembly, from: &str, to: &str) -> Result<Exit> {
    let (tenant, first) = points::one(assembly, from).await?;
    let (other, second) = points::one(assembly, to).await?;
    if tenant != other {
        return Err(Fault::new(Code::PointUnknown)
            .with("tenant", &tenant)
            .with("point", to)
            .because(format!("it is one of {other}; only points of one tenant are compared")));
    }
    let first = assembly.ports.vault.find(&tenant, first.as_str()).await?;
    let second = assembly.ports.vault.find(&tenant, second.as_str()).await?;
    let difference = PointDifference::between(&first, &second);
    if session.json() {
        say(
            json!({"format": 1, "tenant": tenant, "from": first.id, "to": second.id, "difference": difference}),
        );
        return Ok(Exit::Ok);
    }
    let word = |id: &str| Message::new(id).render(&session.language);
    if difference.is_empty() {
        say(word("backups-diff-none"));
        return Ok(Exit::Ok);
    }
    if difference.only_counts {
        say(word("backups-diff-only-counts"));
    }
    if !difference.tables.is_empty() {
        say(format!("{BOLD}{}{BOLD:#}", word("backups-diff-tables")));
        say(tables(&difference, &word("backups-diff-content")));
    }
    lines(&word("backups-diff-objects"), difference.objects.iter().map(String::as_str));
    for (set, files) in &difference.files {
        let title = Message::new("backups-diff-files").with("set", set).render(&session.language);
        lines(&title, named(files).iter().map(String::as_str));
    }
    lines(&word("backups-diff-configuration"), difference.configuration.iter().map(String::as_str));
    Ok(Exit::Ok)
}

fn tables(difference: &PointDifference, same_count: &str) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["table", "rows before", "rows after", "change"]);
    let text = |rows: Option<u64>| rows.map_or_else(|| "–".to_owned(), count_text);
    for changed in &difference.tables {
        let (before, after) = (changed.rows_before.unwrap_or(0), changed.rows_after.unwrap_or(0));
        let change = if after > before {
            format!("+{}", count_text(after - before))
        } else if after < before {
            format!("-{}", count_text(before - after))
        } else {
            same_count.to_owned()
        };
        table.add_row([changed.table.clone(), text(changed.rows_before), text(changed.rows_after), change]);
    }
    table
}

fn named(files: &FilesDifference) -> Vec<String> {
    let mut found = Vec::new();
    for (sign, names) in [("+", &files.added), ("-", &files.removed), ("~", &files.changed)] {
        found.extend(names.iter().take(NAMED).map(|name| format!("{sign} {name}")));
        if let Some(more) = names.len().checked_sub(NAMED).filter(|more| *more > 0) {
            found.push(format!("{sign} {} more", count_text(more as u64)));
        }
    }
    found
}

fn lines<'a>(title: &str, lines: impl Iterator<Item = &'a str>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        say(format!("{BOLD}{title}{BOLD:#}"));
        lines.for_each(|line| say(format!("  {line}")));
    }
}
