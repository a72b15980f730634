//! The rows that the page of a report is made of: texts, and the class of each where it has a colour.

use crate::plot::Plot;

/// A label and its value.
pub(crate) struct About {
    pub label: String,
    pub value: String,
    pub is_code: bool,
}

pub(crate) struct TenantRow {
    pub name: String,
    pub closed: String,
    pub closed_note: String,
    pub expected: String,
    pub data: String,
    pub data_class: &'static str,
    pub rows: String,
    pub files: String,
    pub point: String,
    pub salvage: String,
}

pub(crate) struct PhaseView {
    pub title: String,
    pub steps: Vec<StepRow>,
}

pub(crate) struct StepRow {
    pub name: String,
    pub title: String,
    pub class: &'static str,
    pub status: String,
    pub began: String,
    pub took: String,
    pub expected: String,
    pub tries: String,
    pub results: String,
    pub undo: String,
}

pub(crate) struct FactRow {
    pub class: &'static str,
    pub verdict: String,
    pub text: String,
}

pub(crate) struct GateView {
    pub step: String,
    pub title: String,
    pub asks: String,
    pub class: &'static str,
    pub verdict: String,
    pub facts: Vec<FactRow>,
    pub lines: Vec<String>,
    pub samples: String,
    pub drawn: String,
    pub plots: Vec<Plot>,
    pub is_open: bool,
}

impl GateView {
    pub(crate) fn has_baseline(&self) -> bool {
        self.plots.iter().any(|plot| plot.series.iter().any(|series| series.baseline.is_some()))
    }
}

pub(crate) struct DecisionRow {
    pub when: String,
    pub who: String,
    pub what: String,
    pub class: &'static str,
    pub verdict: String,
    pub why: String,
}

/// What changed of a tenant's customizations.
pub(crate) struct CustomizationsRow {
    pub tenant: String,
    pub about: String,
    pub lines: Vec<String>,
}

pub(crate) struct KeptRow {
    pub what: String,
    pub tenant: String,
    pub id: String,
    pub full_id: String,
    pub rows: String,
    pub files: String,
    pub size: String,
    pub proof: String,
}

pub(crate) struct FailureRow {
    pub step: String,
    /// How often, where it was more than once.
    pub times: String,
    pub headline: String,
    pub state: String,
    pub hint: String,
    pub causes: Vec<String>,
}

pub(crate) struct NoteRow {
    pub class: &'static str,
    pub kind: String,
    pub when: String,
    pub who: String,
    pub text: String,
}
