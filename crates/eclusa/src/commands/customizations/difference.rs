//! `eclusa customizations diff`: what is not the same.

use clap::Args;
use eclusa_apps::customizations::{Change, DocumentDifference, FieldDifference, FixtureProblem, shown_value};
use eclusa_control::Assembly;
use eclusa_control::customizations::{Compared, Side, compare};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_report::count_text;
use serde_json::{Value, json};

use crate::commands::Session;
use crate::exit::Exit;
use crate::terminal::{BOLD, DIM, GREEN, RED, YELLOW, say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// What is compared: TENANT (as it is now), TENANT@newest, TENANT@2026-11-25 or TENANT@2026-11-25T20:00:00Z (as it was
    /// kept then or before), app:NAME (its fixtures), or a path with a / in it: a file that was kept, or a directory of
    /// fixtures.
    from: String,
    /// What it is compared with. Without it, FROM is a tenant: what was kept of it last is compared with what it has now.
    to: Option<String>,
    /// End with 1 when something is not the same.
    #[arg(long)]
    exit_code: bool,
}

impl Diff {
    pub(super) async fn run(self, session: &Session, assembly: &Assembly) -> Result<Exit> {
        let first = Side::parse(&self.from)?;
        let (first, second) = match (&self.to, first) {
            (Some(second), first) => (first, Side::parse(second)?),
            (None, Side::Live(tenant)) => {
                (Side::Kept(tenant.clone(), "newest".to_owned()), Side::Live(tenant))
            }
            (None, Side::Kept(tenant, when)) => (Side::Kept(tenant.clone(), when), Side::Live(tenant)),
            (None, _) => {
                return Err(Fault::new(Code::ConfigInvalid)
                    .with("path", &self.from)
                    .with("problem", "it has to be said with which tenant it is compared")
                    .hint(Message::new("hint-customizations")));
            }
        };
        let compared = compare(assembly, &first, &second).await?;
        let is_same = compared.difference.documents.is_empty();
        if session.json() {
            say(json!({
                "format": 1,
                "from": self.from,
                "to": self.to,
                "only": compared.only,
                "not_compared": problems_json(&compared.problems),
                "difference": compared.difference.documents,
            }));
        } else {
            show(session, &compared);
        }
        Ok(if self.exit_code && !is_same { Exit::Failure } else { Exit::Ok })
    }
}

fn problems_json(problems: &[(String, FixtureProblem)]) -> Vec<Value> {
    let one = |(file, problem): &(String, FixtureProblem)| match problem {
        FixtureProblem::Unreadable(_) => json!({"file": file, "problem": "unreadable"}),
        FixtureProblem::NotCompared(doctype, count) => {
            json!({"file": file, "problem": "no-customization", "doctype": doctype, "documents": count})
        }
    };
    problems.iter().map(one).collect()
}

fn show(session: &Session, compared: &Compared) {
    let word = |message: Message| message.render(&session.language);
    for (file, problem) in &compared.problems {
        let text = match problem {
            FixtureProblem::Unreadable(_) => Message::new("customizations-unreadable").with("file", file),
            FixtureProblem::NotCompared(doctype, count) => Message::new("customizations-not-compared")
                .with("file", file)
                .with("doctype", doctype)
                .with("count", count_text(*count as u64)),
        };
        tell(format!("{YELLOW}{}{YELLOW:#}", word(text)));
    }
    if let Some(only) = &compared.only {
        let doctypes: Vec<&str> = only.iter().map(String::as_str).collect();
        let listed = if doctypes.is_empty() { "–".to_owned() } else { doctypes.join(", ") };
        say(word(Message::new("customizations-only").with("doctypes", listed)));
    }
    let documents = &compared.difference.documents;
    if documents.is_empty() {
        say(word(Message::new("customizations-same")));
        return;
    }
    let mut last = "";
    for one in documents {
        if one.doctype != last {
            say(format!("{BOLD}{}{BOLD:#}", one.doctype));
            last = &one.doctype;
        }
        document(one);
    }
    let count = |change| count_text(compared.difference.count(change) as u64);
    say(word(
        Message::new("customizations-counts")
            .with("added", count(Change::Added))
            .with("changed", count(Change::Changed))
            .with("removed", count(Change::Removed)),
    ));
}

fn document(one: &DocumentDifference) {
    let style = match one.change {
        Change::Added => GREEN,
        Change::Removed => RED,
        Change::Changed => YELLOW,
    };
    let who = match (&one.modified_by, &one.modified) {
        (Some(by), Some(at)) => format!("  {DIM}{by}, {}{DIM:#}", at.split('.').next().unwrap_or(at)),
        _ => String::new(),
    };
    say(format!("  {style}{} {}{style:#}{who}", one.change.sign(), printable(&one.document)));
    for field in &one.fields {
        say(format!("      {}: {}", printable(&field.field), values(field)));
    }
}

/// Both values; of two long texts the first line that differs.
fn values(field: &FieldDifference) -> String {
    if let (Value::String(before), Value::String(after)) = (&field.before, &field.after)
        && (before.contains('\n') || after.contains('\n'))
    {
        let (mut first, mut second) = (before.lines(), after.lines());
        for number in 1.. {
            let (old, new) = (first.next(), second.next());
            if old != new {
                let line = |line: Option<&str>| {
                    line.map_or_else(|| "–".to_owned(), |line| shown_value(&Value::from(line)))
                };
                let (was, is) = (before.lines().count(), after.lines().count());
                return format!("{was} → {is} lines, line {number}: {} → {}", line(old), line(new));
            }
            if old.is_none() {
                break;
            }
        }
    }
    format!("{} → {}", shown_value(&field.before), shown_value(&field.after))
}

/// Names come from a database: none may move the cursor.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
