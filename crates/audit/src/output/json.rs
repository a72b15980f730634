//! A report as JSON, in the format that `docs/formats/audit.md` describes.

use eclusa_fault::Language;
use serde_json::{Value, json};

use crate::finding::Finding;
use crate::report::Report;

/// The report as a value.
#[must_use]
pub fn value(report: &Report, language: &Language) -> Value {
    let suppressed: Vec<Value> = report
        .suppressed
        .iter()
        .map(|one| json!({ "reason": one.reason, "comment": one.place, "finding": finding(&one.finding, language) }))
        .collect();
    json!({
        "format": report.format,
        "findings": report.findings.iter().map(|one| finding(one, language)).collect::<Vec<_>>(),
        "suppressed": suppressed,
        "baselined": report.baselined,
        "projects": report.projects,
        "files": report.files,
        "absent": report.absent,
        "live": report.live,
    })
}

fn finding(finding: &Finding, language: &Language) -> Value {
    json!({
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "subject": finding.subject,
        "place": finding.place,
        "related": finding.related,
        "excerpt": finding.excerpt,
        "message": finding.message.render(language),
        "risk": finding.risk.render(language),
        "remedy": finding.remedy.render(language),
        "fixable": finding.fixable,
        "fingerprint": finding.fingerprint,
    })
}
