//! How far a step has come, in words.

use eclusa_fault::{Language, Message};
use eclusa_model::StepName;
use eclusa_runbook::{Headway, Run, Stage};
use jiff::tz::TimeZone;

use crate::lines::line;
use crate::words::{bytes_text, clock_text, duration_text};

/// How far a step has come: the bytes, the rate, and when it ends as far as that can be told.
#[must_use]
pub fn headway_text(headway: &Headway, language: &Language) -> String {
    let bytes = bytes_text(headway.bytes);
    let amount = match headway.expected {
        Some(expected) => {
            Message::new("headway-of").with("bytes", bytes).with("expected", bytes_text(expected))
        }
        None => Message::new("headway-bytes").with("bytes", bytes),
    };
    let stage = Message::new(match headway.stage {
        Stage::Reading => "headway-reading",
        Stage::ReadingBack => "headway-reading-back",
        Stage::Restoring => "headway-restoring",
        Stage::Copying => "headway-copying",
    });
    let rate = headway.per_second.map(|rate| Message::new("headway-rate").with("rate", bytes_text(rate)));
    let ends = headway.ends.map(|ends| {
        let left = ends.duration_since(headway.at).as_millis().max(0);
        Message::new("headway-ends")
            .with("at", clock_text(ends, &TimeZone::UTC))
            .with("left", duration_text(u64::try_from(left).unwrap_or_default()))
    });
    let parts = [Some(stage.with("amount", amount.render(language))), rate, ends];
    let parts: Vec<String> = parts.into_iter().flatten().map(|part| part.render(language)).collect();
    parts.join(", ")
}

/// The same as a line between those of the run's events.
#[must_use]
pub fn headway_line(headway: &Headway, step: &StepName, run: &Run, language: &Language) -> String {
    line(headway.at, Some(step), &headway_text(headway, language), run, language, &TimeZone::UTC)
}
