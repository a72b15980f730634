//! When each step was under way, against how long it was expected to take, and what was taken back.

use eclusa_fault::Language;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{ReportModel, StepReport, StepStatus};
use crate::words::{between, clock_text, duration_text};

/// The steps that were begun, by phase, with their places in percent of the run.
pub(crate) struct Timeline {
    pub groups: Vec<Group>,
    pub ticks: Vec<Mark>,
    /// Where the run turned back.
    pub turn: Option<Mark>,
    pub has_undo: bool,
    pub has_expected: bool,
    pub has_failed: bool,
    pub is_open: bool,
}

/// A phase.
pub(crate) struct Group {
    pub title: String,
    pub rows: Vec<Row>,
}

/// A step.
pub(crate) struct Row {
    pub name: String,
    pub title: String,
    pub bars: Vec<Bar>,
    pub expected: Option<Bar>,
    pub took: String,
}

/// A bar; its places are percentages.
pub(crate) struct Bar {
    pub class: &'static str,
    pub x: String,
    pub width: String,
    pub about: String,
}

/// A place in time.
pub(crate) struct Mark {
    pub x: String,
    pub label: String,
    /// Where its label is held, so that the first and the last stay inside.
    pub anchor: &'static str,
}

/// A bar is at least this wide, in percent, so that what took a moment is seen.
const NARROWEST: f64 = 0.5;

struct Scale {
    from: Timestamp,
    span: f64,
}

impl Scale {
    fn at(&self, at: Timestamp) -> f64 {
        (between(self.from, at) as f64 / self.span * 100.0).min(100.0)
    }

    fn bar(&self, class: &'static str, from: Timestamp, milliseconds: u64, about: String) -> Bar {
        let x = self.at(from);
        let width = (milliseconds as f64 / self.span * 100.0).max(NARROWEST);
        // What is expected to go on after the run ended, or is too narrow at its end, stays inside the picture.
        let x = x.min(100.0 - NARROWEST);
        Bar { class, x: format!("{x:.2}"), width: format!("{:.2}", width.min(100.0 - x)), about }
    }
}

/// The timeline of a run.
pub(crate) fn of(model: &ReportModel, language: &Language, zone: &TimeZone) -> Timeline {
    let end = model.ended_at.unwrap_or(model.newest_at);
    let scale = Scale { from: model.began_at, span: between(model.began_at, end).max(1) as f64 };
    let steps = || model.phases.iter().flat_map(|phase| &phase.steps);
    let groups = model
        .phases
        .iter()
        .map(|phase| Group {
            title: phase.title.clone(),
            rows: phase.steps.iter().filter_map(|step| row(step, &scale, language)).collect(),
        })
        .filter(|group: &Group| !group.rows.is_empty())
        .collect();
    Timeline {
        groups,
        ticks: ticks(scale.span),
        turn: model.turned_back.as_ref().map(|turn| {
            let x = scale.at(turn.at);
            Mark { x: format!("{x:.2}"), label: clock_text(turn.at, zone), anchor: anchor(x) }
        }),
        has_undo: steps().any(|step| step.undo.is_some()),
        has_expected: steps().any(|step| step.began_at.is_some() && step.expected_milliseconds.is_some()),
        has_failed: steps().any(|step| is_bad(step.status)),
        is_open: steps().any(|step| matches!(step.status, StepStatus::Begun | StepStatus::Asking)),
    }
}

fn is_bad(status: StepStatus) -> bool {
    matches!(status, StepStatus::Failed | StepStatus::Tolerated | StepStatus::Refused)
}

fn row(step: &StepReport, scale: &Scale, language: &Language) -> Option<Row> {
    let began = step.began_at?;
    let milliseconds = step.milliseconds.unwrap_or(0);
    let class = match step.status {
        status if is_bad(status) => "bad",
        StepStatus::Begun | StepStatus::Asking => "open",
        _ => "done",
    };
    let mut bars = vec![scale.bar(
        class,
        began,
        milliseconds,
        format!("{}: {}", step.name, duration_text(milliseconds)),
    )];
    let mut took = duration_text(milliseconds);
    if let Some(undo) = &step.undo
        && let Some(began) = undo.began_at
    {
        let milliseconds = undo.milliseconds.unwrap_or(0);
        let class = if undo.status == StepStatus::Failed { "bad" } else { "undo" };
        let about = format!(
            "{}: {}",
            crate::words::word("report-legend-undo", language),
            duration_text(milliseconds)
        );
        bars.push(scale.bar(class, began, milliseconds, about));
        took = format!("{took} ↩ {}", duration_text(milliseconds));
    }
    let expected = step.expected_milliseconds.map(|expected| {
        let about = format!(
            "{}: {}",
            crate::words::word("report-legend-expected", language),
            duration_text(expected)
        );
        scale.bar("expected", began, expected, about)
    });
    Some(Row { name: step.name.clone(), title: step.title.clone(), bars, expected, took })
}

/// Up to five marks at round times since the beginning.
fn ticks(span: f64) -> Vec<Mark> {
    const ROUND: [u64; 22] = [
        10, 50, 100, 250, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
        900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000,
    ];
    let step =
        ROUND.into_iter().find(|step| span / *step as f64 <= 4.0).unwrap_or((span / 4.0) as u64).max(1);
    (0..)
        .map(|number| number * step)
        .take_while(|at| (*at as f64) <= span)
        .take(8)
        .map(|at| {
            let x = at as f64 / span * 100.0;
            let label = if at == 0 { "0".to_owned() } else { format!("+{}", round_text(at)) };
            Mark { x: format!("{x:.2}"), label, anchor: anchor(x) }
        })
        .collect()
}

/// A round time without the digits that it does not need.
fn round_text(milliseconds: u64) -> String {
    if milliseconds.is_multiple_of(1000) && milliseconds < 60_000 {
        format!("{} s", milliseconds / 1000)
    } else {
        duration_text(milliseconds)
    }
}

fn anchor(percent: f64) -> &'static str {
    match percent {
        _ if percent < 6.0 => "start",
        _ if percent > 94.0 => "end",
        _ => "middle",
    }
}
