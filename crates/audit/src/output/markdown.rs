//! A report as Markdown: the risk table of an operations runbook, with the evidence.

use eclusa_fault::{Language, Message};

use super::{evidence, summary};
use crate::finding::Finding;
use crate::report::Report;

/// The most places that stand in one cell.
pub(super) const MOST_PLACES: usize = 12;

/// The places of the findings of one rule, with their number where they are many.
pub(super) fn places(findings: &[&Finding], language: &Language) -> Vec<String> {
    let mut places: Vec<String> =
        findings.iter().take(MOST_PLACES).map(|finding| evidence(finding)).collect();
    if findings.len() > MOST_PLACES {
        let count = findings.len() - MOST_PLACES;
        places.push(Message::new("audit-report-more").with("count", count).render(language));
    }
    places
}

/// What was observed by one rule: each finding's own words once.
pub(super) fn observed(findings: &[&Finding], language: &Language) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for finding in findings.iter().take(MOST_PLACES) {
        let text = finding.message.render(language);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// The whole report.
#[must_use]
pub fn text(report: &Report, language: &Language) -> String {
    let say = |id: &str| Message::new(id).render(language);
    let mut out = format!("# {}\n\n{}\n", say("audit-report-title"), summary(report, language));
    if !report.findings.is_empty() {
        let heads = ["severity", "risk", "impact", "mitigation", "evidence"];
        let heads: Vec<String> = heads.iter().map(|head| say(&format!("audit-report-{head}"))).collect();
        out.push_str(&format!(
            "\n## {}\n\n| {} |\n|---|---|---|---|---|\n",
            say("audit-report-risks"),
            heads.join(" | ")
        ));
    }
    for findings in report.risks() {
        let Some(first) = findings.first() else { continue };
        let evidence: Vec<String> =
            places(&findings, language).iter().map(|place| format!("`{}`", cell(place))).collect();
        let observed: Vec<String> = observed(&findings, language).iter().map(|text| cell(text)).collect();
        out.push_str(&format!(
            "| {} {} | {} | {} | {} | {} |\n",
            first.code,
            first.severity.word(),
            observed.join("<br>"),
            cell(&first.risk.render(language)),
            cell(&first.remedy.render(language)),
            evidence.join("<br>")
        ));
    }
    if !report.suppressed.is_empty() {
        out.push_str(&format!("\n## {}\n\n", say("audit-report-allowed")));
        for one in &report.suppressed {
            let message = Message::new("audit-suppressed-one")
                .with("code", one.finding.code)
                .with("place", evidence(&one.finding))
                .with("reason", &one.reason);
            out.push_str(&format!("- {}\n", cell(&message.render(language))));
        }
    }
    out
}

/// A text that does not break a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").split_whitespace().collect::<Vec<_>>().join(" ")
}
