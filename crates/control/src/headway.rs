//! How far the steps of a run have come that read many bytes, as their runner tells it.

use std::path::Path;

use eclusa_model::StepName;
use eclusa_runbook::{HEADWAY_FORMAT, Headway, Progress, Run, UndoProgress};
use jiff::{SignedDuration, Timestamp};

/// What is older is of a runner that is gone, or waits for something else.
const BELIEVED: SignedDuration = SignedDuration::from_secs(10);

/// The steps that are under way, on the way back those that are being taken back.
#[must_use]
pub fn under_way(run: &Run) -> Vec<&StepName> {
    let begun = |name: &&StepName| match run.undone.get(*name) {
        Some(UndoProgress::Begun { .. }) => true,
        Some(_) => false,
        None => matches!(run.progress.get(*name), Some(Progress::Begun { .. } | Progress::Asking { .. })),
    };
    run.plan.steps.iter().map(|step| &step.name).filter(begun).collect()
}

/// How far a step has come, by the directory of its run's outputs. `None` when it does not tell, or no longer.
#[must_use]
pub fn of(outputs: &Path, step: &StepName, now: Timestamp) -> Option<Headway> {
    let text = std::fs::read(outputs.join(format!("{step}.headway"))).ok()?;
    let headway: Headway = serde_json::from_slice(&text).ok()?;
    let age = now.duration_since(headway.at);
    (headway.format == HEADWAY_FORMAT && age.abs() <= BELIEVED).then_some(headway)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_told_a_moment_ago_in_a_known_format_is_believed() {
        let directory = tempfile::tempdir().unwrap();
        let step = StepName::new("secure.point.alpha").unwrap();
        let now: Timestamp = "2026-03-01T02:00:05Z".parse().unwrap();
        let told = |text: &str| {
            std::fs::write(directory.path().join("secure.point.alpha.headway"), text).unwrap();
            of(directory.path(), &step, now)
        };
        assert_eq!(of(directory.path(), &step, now), None);
        let text = r#"{"format":1,"stage":"reading","at":"2026-03-01T02:00:00Z","bytes":7,"expected":42}"#;
        assert_eq!(told(text).map(|headway| (headway.bytes, headway.expected)), Some((7, Some(42))));
        assert_eq!(told(&text.replace("02:00:00", "01:59:00")), None);
        assert_eq!(told(&text.replace("02:00:00", "02:01:00")), None);
        assert_eq!(told(&text.replace("\"format\":1", "\"format\":2")), None);
        assert_eq!(told("{"), None);
    }
}
