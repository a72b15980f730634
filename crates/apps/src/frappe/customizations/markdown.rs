//! Customizations as a report in Markdown.

use std::fmt::Write as _;

use eclusa_fault::{Language, Message};
use serde_json::Value;

use super::{Customizations, Document, Kind, kind_of, label, text_of};

/// How many lines of a script are shown.
const LINES: usize = 5;
/// How long a line of a script may be.
const WIDEST: usize = 120;

/// The report: what there is, who changed it last, and how the scripts begin. What people wrote cannot become markup.
#[must_use]
pub fn markdown(customizations: &Customizations, language: &Language) -> String {
    let word = |id: &str| Message::new(id).render(language);
    let mut text = String::new();
    let title = Message::new("customizations-title").with("tenant", &customizations.tenant).render(language);
    // Writing to a text cannot fail.
    let _ = writeln!(text, "# {}\n", escape(&title));
    let about = Message::new("customizations-about")
        .with("stack", &customizations.stack)
        .with("release", customizations.release.as_deref().unwrap_or("–"))
        .with("time", customizations.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC"))
        .with("count", customizations.count());
    let _ = writeln!(text, "{}\n", escape(&about.render(language)));
    let filled = || customizations.documents.iter().filter(|(_, documents)| !documents.is_empty());
    if filled().next().is_some() {
        let _ = writeln!(
            text,
            "| {} | {} |\n| --- | ---: |",
            word("customizations-kind"),
            word("customizations-count")
        );
        for (doctype, documents) in filled() {
            let _ = writeln!(text, "| {} | {} |", escape(doctype), documents.len());
        }
        text.push('\n');
    }
    for (doctype, documents) in filled() {
        let _ = writeln!(text, "## {}\n", escape(doctype));
        let heads = [
            "customizations-name",
            "customizations-of",
            "customizations-changed-by",
            "customizations-changed-at",
        ];
        let heads: Vec<String> = heads.iter().map(|id| word(id)).collect();
        let _ = writeln!(text, "| {} |\n|{}", heads.join(" | "), " --- |".repeat(heads.len()));
        let kind = kind_of(doctype);
        for document in documents {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                escape(&label(document, kind.map_or(&[], |kind| kind.identity))),
                escape(&about_of(document, kind)),
                escape(&text_of(document, "modified_by")),
                escape(text_of(document, "modified").split('.').next().unwrap_or_default()),
            );
        }
        text.push('\n');
        for document in documents {
            script(&mut text, document, kind, language);
        }
    }
    if !customizations.passed_over.is_empty() {
        let passed = Message::new("customizations-passed-over")
            .with("doctypes", customizations.passed_over.join(", "))
            .render(language);
        let _ = writeln!(text, "{}", escape(&passed));
    }
    text
}

fn about_of(document: &Document, kind: Option<&Kind>) -> String {
    let about = kind.map_or(&[][..], |kind| kind.about);
    let mut about: Vec<String> = about
        .iter()
        .map(|column| text_of(document, column))
        .filter(|text| !text.is_empty())
        .take(1)
        .collect();
    // How many rows hang below.
    for (field, value) in document {
        if let Value::Array(rows) = value {
            about.push(format!("{} {field}", rows.len()));
        }
    }
    about.join(", ")
}

fn script(text: &mut String, document: &Document, kind: Option<&Kind>, language: &Language) {
    let Some(column) = kind.and_then(|kind| kind.script) else { return };
    let script = text_of(document, column);
    let all: Vec<&str> = script.lines().collect();
    let first: Vec<String> = all
        .iter()
        .filter(|line| !line.trim().is_empty())
        .take(LINES)
        .map(|line| {
            line.replace('\t', "    ")
                .chars()
                .filter(|character| !character.is_control())
                .take(WIDEST)
                .collect()
        })
        .collect();
    if first.is_empty() {
        return;
    }
    let title = Message::new("customizations-script")
        .with("document", text_of(document, "name"))
        .with("field", column)
        .with("count", all.len())
        .render(language);
    // A fence longer than any run of backticks inside cannot be closed from inside.
    let run = |line: &String| line.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(first.iter().map(run).max().unwrap_or(0).max(2) + 1);
    let _ = writeln!(text, "**{}**\n\n{fence}text\n{}\n{fence}\n", escape(&title), first.join("\n"));
}

/// Takes away what Markdown or HTML would read as markup. Line breaks become blanks, so that a table stays one.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '#' | '!' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '&' => escaped.push_str("&amp;"),
            character if character.is_whitespace() || character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
