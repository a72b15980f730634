//! What a run changed of what people have made of tenants themselves, as its steps wrote it down.

use eclusa_runbook::{Action, Effect, Run};
use serde::Serialize;

/// What was recorded of a tenant before and after.
#[derive(Debug, Clone, Serialize)]
pub struct CustomizationsReport {
    /// Its name.
    pub tenant: String,
    /// The file with what there was before; none where it could not be recorded.
    pub before: Option<String>,
    /// The file with what there was afterwards.
    pub after: String,
    /// How many documents there were afterwards.
    pub documents: u64,
    /// Whether both were compared.
    pub compared: bool,
    /// Each document that was not the same in a line: `+`, `~` or `-`, what it is, and which of its fields changed.
    pub lines: Vec<String>,
}

/// Of each tenant of which the record afterwards was taken.
pub(crate) fn of(run: &Run) -> Vec<CustomizationsReport> {
    let told = run.plan.steps.iter().filter_map(|step| {
        let Action::Perform(Effect::Record { tenant, against: Some(against) }) = &step.action else {
            return None;
        };
        let outputs = run.outputs.get(&step.name)?;
        let before = run.outputs.get(against).and_then(|outputs| outputs.get("record"));
        let difference = outputs.get("difference");
        Some(CustomizationsReport {
            tenant: tenant.to_string(),
            before: before.cloned(),
            after: outputs.get("record").cloned().unwrap_or_default(),
            documents: outputs.get("documents").and_then(|count| count.parse().ok()).unwrap_or(0),
            compared: difference.is_some(),
            lines: difference.map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default(),
        })
    });
    told.collect()
}
