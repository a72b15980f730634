//! A report as lines for a terminal.

use eclusa_fault::{Language, Message};

use super::{evidence, place_text, summary};
use crate::discovery::Stage;
use crate::finding::{Finding, Severity};
use crate::report::Report;

/// What a line is, so that it can be painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What is wrong, with its severity.
    Headline(Severity),
    /// Where.
    Place,
    /// A line of a file.
    Excerpt,
    /// The marks below it.
    Marks(Severity),
    /// Why it matters.
    Risk,
    /// What to write.
    Remedy,
    /// Anything else.
    Plain,
    /// The sum.
    Summary,
}

/// A line.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub text: String,
}

/// The lines of a report, no text wider than `width` columns where it can be broken.
#[must_use]
pub fn lines(report: &Report, language: &Language, width: usize) -> Vec<Line> {
    let mut out = Vec::new();
    // The worst last, where the terminal ends.
    for finding in report.findings.iter().rev() {
        of_finding(finding, language, width, &mut out);
    }
    let mut say = |kind, message: Message| {
        for text in wrapped(&message.render(language), width) {
            out.push(Line { kind, text });
        }
    };
    if !report.suppressed.is_empty() {
        say(Kind::Plain, Message::new("audit-suppressed").with("count", report.suppressed.len()));
        for one in &report.suppressed {
            let message = Message::new("audit-suppressed-one")
                .with("code", one.finding.code)
                .with("place", evidence(&one.finding))
                .with("reason", &one.reason);
            say(Kind::Risk, message);
        }
    }
    if report.baselined > 0 {
        say(Kind::Plain, Message::new("audit-baselined").with("count", report.baselined));
    }
    if !report.absent.is_empty() {
        say(Kind::Plain, Message::new("audit-absent").with("paths", report.absent.join(", ")));
    }
    let projects: Vec<String> =
        report.projects.iter().map(|project| project_text(project, language)).collect();
    match projects.as_slice() {
        [] => say(Kind::Plain, Message::new("audit-no-project")),
        _ => say(Kind::Plain, Message::new("audit-projects").with("projects", projects.join("; "))),
    }
    out.push(Line { kind: Kind::Summary, text: summary(report, language) });
    let fixable = report.findings.iter().filter(|finding| finding.fixable).count();
    if fixable > 0 {
        let text = Message::new("audit-fixable").with("count", fixable).render(language);
        out.push(Line { kind: Kind::Plain, text });
    }
    out
}

fn project_text(project: &crate::report::Audited, language: &Language) -> String {
    let files = project.files.join(" + ");
    match project.stage {
        Stage::Production => files,
        Stage::Development => Message::new("audit-project-development").with("files", files).render(language),
    }
}

fn of_finding(finding: &Finding, language: &Language, width: usize, out: &mut Vec<Line>) {
    let mut say = |kind, text: String| out.push(Line { kind, text });
    let head = format!("{} {}", finding.code, finding.severity.word());
    let mut headline =
        wrapped(&finding.message.render(language), width.saturating_sub(head.len() + 2)).into_iter();
    say(Kind::Headline(finding.severity), format!("{head}: {}", headline.next().unwrap_or_default()));
    headline.for_each(|text| say(Kind::Headline(finding.severity), format!("      {text}")));
    if let Some(place) = &finding.place {
        say(Kind::Place, format!("  --> {}", place_text(place)));
        let number = place.line.to_string();
        say(Kind::Excerpt, format!("{number:>5} | {}", finding.excerpt));
        let length = finding.excerpt.chars().count();
        let column = place.column.saturating_sub(1).min(length);
        let marks = place.end_column.saturating_sub(place.column).min(length.saturating_sub(column)).max(1);
        // Tabs stay tabs, so that the marks stand below what they mean.
        let before: String =
            finding.excerpt.chars().take(column).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        say(Kind::Marks(finding.severity), format!("      | {before}{}", "^".repeat(marks)));
    }
    if !finding.related.is_empty() {
        const MOST: usize = 8;
        let mut places: Vec<String> = finding.related.iter().take(MOST).map(place_text).collect();
        if finding.related.len() > MOST {
            places.push("…".to_owned());
        }
        let text = Message::new("audit-more-places").with("places", places.join(", ")).render(language);
        wrapped(&text, width.saturating_sub(6))
            .into_iter()
            .for_each(|text| say(Kind::Place, format!("      {text}")));
    }
    let inner = width.saturating_sub(6);
    for text in wrapped(&finding.risk.render(language), inner) {
        say(Kind::Risk, format!("      {text}"));
    }
    for text in wrapped(&finding.remedy.render(language), inner) {
        say(Kind::Remedy, format!("      {text}"));
    }
    say(Kind::Plain, String::new());
}

/// A text in lines of at most so many columns; a longer word stands alone.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(30);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
