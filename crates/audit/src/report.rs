//! An audit from files to a report: rules applied, suppressions heard, findings made readable and put in order.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::context::{Context, Request};
use crate::discovery::Stage;
use crate::finding::{Finding, Findings, Place, Raw, Severity};
use crate::library::{Library, Tree};
use crate::live::{self, Live};
use crate::rules;
use crate::secrets::masked;
use crate::suppression::{self, Suppression};

/// The format of a report as JSON.
pub const FORMAT: u32 = 1;
/// The longest line that is shown whole.
const LONGEST_LINE: usize = 160;

/// A project that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Audited {
    /// Its files in the order of `-f`.
    pub files: Vec<String>,
    /// What it is for.
    pub stage: Stage,
    /// Its services.
    pub services: Vec<String>,
}

/// A finding that a comment allows.
#[derive(Debug, Clone, Serialize)]
pub struct Suppressed {
    /// The reason that was given.
    pub reason: String,
    /// Where the comment stands.
    pub place: Place,
    /// What it allows.
    pub finding: Finding,
}

/// What an audit found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The format of this value as JSON.
    pub format: u32,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
    /// What comments allow, each with its reason.
    pub suppressed: Vec<Suppressed>,
    /// How many findings the baseline holds and are therefore not listed.
    pub baselined: usize,
    /// The projects.
    pub projects: Vec<Audited>,
    /// How many files were read.
    pub files: usize,
    /// Files that a project names and that are not among those under audit.
    pub absent: Vec<String>,
    /// Whether what runs was looked at too.
    pub live: bool,
}

impl Report {
    /// How many findings of each severity there are, the worst first.
    #[must_use]
    pub fn counts(&self) -> Vec<(Severity, usize)> {
        let count = |severity| self.findings.iter().filter(|finding| finding.severity == severity).count();
        Severity::ALL
            .into_iter()
            .map(|severity| (severity, count(severity)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Whether anything is at least this bad.
    #[must_use]
    pub fn reaches(&self, severity: Severity) -> bool {
        self.findings.iter().any(|finding| finding.severity >= severity)
    }

    /// The findings by rule, the worst first: the risk table.
    #[must_use]
    pub fn risks(&self) -> Vec<Vec<&Finding>> {
        let mut by_code: BTreeMap<(std::cmp::Reverse<Severity>, &str), Vec<&Finding>> = BTreeMap::new();
        for finding in &self.findings {
            by_code.entry((std::cmp::Reverse(finding.severity), finding.code)).or_default().push(finding);
        }
        by_code.into_values().collect()
    }
}

/// Audits a tree. `today` decides what has reached its end of life; `live` is what was observed of what runs.
#[must_use]
pub fn audit(tree: &dyn Tree, request: &Request, today: Date, live: Option<&Live>) -> Report {
    let library = Library::new(tree);
    report(&library, request, today, live)
}

/// The same on a library, whose files are opened afterwards.
#[must_use]
pub fn report(library: &Library<'_>, request: &Request, today: Date, live: Option<&Live>) -> Report {
    let context = Context::of(library, request);
    let mut found = Findings::default();
    rules::check(&context, today, &mut found);
    if let Some(live) = live {
        live::check(live, &mut found);
    }
    let refused = library.refused();
    if let Some(first) = refused.first() {
        let problem =
            format!("it is one of {} files with which the audit would keep too much", refused.len());
        found.add("A001", None, first).with("problem", problem);
    }
    let secrets = std::mem::take(&mut found.secrets);
    let mut comments = suppression::all(library);
    let mut findings = Vec::new();
    let mut suppressed = Vec::new();
    let mut ordinals: BTreeMap<String, usize> = BTreeMap::new();
    // Projects that share a file find the same things in it.
    let mut seen = std::collections::BTreeSet::new();
    for raw in found.found {
        if raw.span.is_some_and(|span| !seen.insert((raw.rule.code, span, raw.argument("what").to_owned()))) {
            continue;
        }
        let finding = readable(library, &raw, &secrets, &mut ordinals);
        match allowed(&mut comments, &finding) {
            Some((reason, place)) => suppressed.push(Suppressed { reason, place, finding }),
            None => findings.push(finding),
        }
    }
    let mut about_comments = Findings::default();
    suppression::check(&comments, &mut about_comments);
    for raw in about_comments.found {
        findings.push(readable(library, &raw, &secrets, &mut ordinals));
    }
    findings.sort_by(|left, right| {
        let key =
            |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.place.clone(), finding.code);
        key(left).cmp(&key(right))
    });
    let projects = context
        .projects
        .iter()
        .map(|project| Audited {
            files: project.files.clone(),
            stage: project.stage,
            services: project.services.iter().map(|known| known.name().to_owned()).collect(),
        })
        .collect();
    Report {
        format: FORMAT,
        findings,
        suppressed,
        baselined: 0,
        projects,
        files: library.opened_count(),
        absent: context.absent.clone(),
        live: live.is_some(),
    }
}

/// The comment that allows a finding; it is marked as having had an effect.
fn allowed(comments: &mut [Suppression], finding: &Finding) -> Option<(String, Place)> {
    let place = finding.place.as_ref()?;
    let comment = comments.iter_mut().find(|comment| {
        !comment.reason.is_empty()
            && comment.place.path == place.path
            && comment.covers == place.line
            && comment.codes.iter().any(|code| code == finding.code)
    })?;
    comment.used = true;
    Some((comment.reason.clone(), comment.place.clone()))
}

fn readable(
    library: &Library<'_>,
    raw: &Raw,
    secrets: &[String],
    ordinals: &mut BTreeMap<String, usize>,
) -> Finding {
    let place = raw.span.map(|span| Place::of(library, span));
    let line = match (&place, raw.span) {
        (Some(place), Some(span)) => library.file(span.file).line(place.line).to_owned(),
        _ => String::new(),
    };
    let excerpt: String = masked(&line, secrets).chars().take(LONGEST_LINE).collect();
    let path = place.as_ref().map_or("", |place| place.path.as_str());
    let identity = format!("{}\n{path}\n{}\n{}", raw.rule.code, raw.subject, excerpt.trim());
    let ordinal = ordinals.entry(identity.clone()).or_default();
    *ordinal += 1;
    let digest = Sha256::digest(format!("{identity}\n{ordinal}").as_bytes());
    let arguments: Vec<(&'static str, String)> =
        raw.arguments.iter().map(|(name, value)| (*name, masked(value, secrets))).collect();
    let message = |suffix: &str| Raw { arguments: arguments.clone(), ..raw.clone() }.message(suffix);
    Finding {
        code: raw.rule.code,
        name: raw.rule.name,
        severity: raw.rule.severity,
        subject: raw.subject.clone(),
        message: message(""),
        risk: message("-risk"),
        remedy: message("-fix"),
        place,
        excerpt,
        related: raw.related.iter().map(|span| Place::of(library, *span)).collect(),
        fixable: !raw.edits.is_empty(),
        fingerprint: hex::encode(digest.get(..8).unwrap_or_default()),
        edits: raw.edits.clone(),
        span: raw.span,
    }
}
