//! A report for people and for programs. Nothing here prints: colours and streams belong to the command.

pub mod html;
pub mod json;
pub mod markdown;
pub mod sarif;
pub mod text;

use eclusa_fault::{Language, Message};

use crate::finding::{Finding, Place};
use crate::report::Report;

/// `path:line:column`.
#[must_use]
pub fn place_text(place: &Place) -> String {
    format!("{}:{}:{}", place.path, place.line, place.column)
}

/// Where a finding stands, for people: its place, or what it is about.
#[must_use]
pub fn evidence(finding: &Finding) -> String {
    finding.place.as_ref().map_or_else(|| finding.subject.clone(), place_text)
}

/// `2 critical, 3 high`.
#[must_use]
pub fn counts_text(report: &Report) -> String {
    let parts: Vec<String> =
        report.counts().iter().map(|(severity, count)| format!("{count} {}", severity.word())).collect();
    parts.join(", ")
}

/// The summary in one line.
#[must_use]
pub fn summary(report: &Report, language: &Language) -> String {
    if report.findings.is_empty() {
        return Message::new("audit-clean").render(language);
    }
    Message::new("audit-summary")
        .with("findings", report.findings.len())
        .with("files", report.files)
        .with("counts", counts_text(report))
        .render(language)
}
