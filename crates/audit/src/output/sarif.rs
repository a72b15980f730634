//! A report as SARIF 2.1.0, for code hosts and editors: stable rule ids, relative paths, fingerprints.

use std::collections::BTreeSet;

use eclusa_fault::{Language, Message};
use serde_json::{Value, json};

use crate::finding::{Finding, Place, Severity};
use crate::report::Report;
use crate::rules::{RULES, Rule};

/// Where the pages of the rules are, from the repository of Eclusa.
const PAGES: &str = "docs/rules";

/// The report as a SARIF log of one run.
#[must_use]
pub fn value(report: &Report, language: &Language, version: &str) -> Value {
    let all = report.findings.iter().chain(report.suppressed.iter().map(|one| &one.finding));
    let used: BTreeSet<&str> = all.map(|finding| finding.code).collect();
    let rules: Vec<&Rule> = RULES.iter().filter(|rule| used.contains(rule.code)).collect();
    let mut results: Vec<Value> = report.findings.iter().map(|one| result(one, &rules, language)).collect();
    for one in &report.suppressed {
        let mut value = result(&one.finding, &rules, language);
        if let Some(object) = value.as_object_mut() {
            let suppression =
                json!([{ "kind": "inSource", "status": "accepted", "justification": one.reason }]);
            object.insert("suppressions".to_owned(), suppression);
        }
        results.push(value);
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "eclusa audit",
                "semanticVersion": version,
                "rules": rules.iter().map(|rule| description(rule, language)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// What code hosts sort by: 0 to 10.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.0",
        Severity::Low => "3.0",
        Severity::Info => "1.0",
    }
}

fn description(rule: &Rule, language: &Language) -> Value {
    let text = |suffix: &str| Message::new(format!("{}{suffix}", rule.code)).render(language);
    json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": { "text": rule.name.replace('-', " ") },
        "fullDescription": { "text": text("-risk") },
        "help": { "text": text("-fix"), "markdown": format!("{} See {PAGES}/{}.md.", text("-fix"), rule.code) },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": { "security-severity": score(rule.severity), "tags": ["deployment"] },
    })
}

fn result(finding: &Finding, rules: &[&Rule], language: &Language) -> Value {
    let text =
        [finding.message.render(language), finding.risk.render(language), finding.remedy.render(language)];
    let mut value = json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": { "text": text.join("\n") },
        "partialFingerprints": { "eclusa/v1": finding.fingerprint },
    });
    let Some(object) = value.as_object_mut() else { return value };
    if let Some(index) = rules.iter().position(|rule| rule.code == finding.code) {
        object.insert("ruleIndex".to_owned(), json!(index));
    }
    if let Some(place) = &finding.place {
        object.insert("locations".to_owned(), json!([location(place, None)]));
    }
    if !finding.related.is_empty() {
        let related: Vec<Value> =
            finding.related.iter().enumerate().map(|(id, place)| location(place, Some(id))).collect();
        object.insert("relatedLocations".to_owned(), Value::Array(related));
    }
    value
}

fn location(place: &Place, id: Option<usize>) -> Value {
    let mut value = json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(&place.path), "uriBaseId": "%SRCROOT%" },
        "region": {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        },
    } });
    if let (Some(id), Some(object)) = (id, value.as_object_mut()) {
        object.insert("id".to_owned(), json!(id));
    }
    value
}

/// A relative path as a URI.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
