//! A baseline: the findings that a team starts from. What is in it is counted and not listed; what is new is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::Report;

/// The format of a baseline.
pub const FORMAT: u32 = 1;

/// The findings of a day.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Baseline {
    /// The format.
    pub format: u32,
    /// What each fingerprint is, for people who read the file.
    pub findings: BTreeMap<String, String>,
}

impl Baseline {
    /// Everything that a report lists.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let findings = report.findings.iter().map(|finding| {
            let path = finding.place.as_ref().map_or("", |place| place.path.as_str());
            (finding.fingerprint.clone(), format!("{} {} {path}", finding.code, finding.subject))
        });
        Self { format: FORMAT, findings: findings.collect() }
    }

    /// Takes out of a report what is in the baseline.
    pub fn apply(&self, report: &mut Report) {
        let before = report.findings.len();
        report.findings.retain(|finding| !self.findings.contains_key(&finding.fingerprint));
        report.baselined += before - report.findings.len();
    }
}
