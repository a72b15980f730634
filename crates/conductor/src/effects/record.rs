//! What people have made of a tenant's application themselves, written down and compared.

use eclusa_fault::Result;
use eclusa_model::{StepName, TenantName};
use eclusa_runbook::Outputs;

use crate::context::Context;

/// The most lines of a difference that the journal keeps; the records themselves are whole.
const LINES: usize = 200;

pub(super) async fn perform(
    context: &Context,
    tenant: &TenantName,
    against: Option<&StepName>,
) -> Result<Outputs> {
    let tenant = context.tenant(tenant)?;
    // Where the earlier step failed, which is tolerated, there is nothing to compare with.
    let before = against.and_then(|step| context.outputs.get(step)?.get("record"));
    let recorded = context.ports.records.record(tenant, before.map(String::as_str)).await?;
    let mut outputs = Outputs::from([
        ("record".to_owned(), recorded.record),
        ("documents".to_owned(), recorded.documents.to_string()),
    ]);
    if let Some(difference) = recorded.difference {
        outputs.insert("added".to_owned(), difference.added.to_string());
        outputs.insert("changed".to_owned(), difference.changed.to_string());
        outputs.insert("removed".to_owned(), difference.removed.to_string());
        let more = difference.lines.len().saturating_sub(LINES);
        let mut lines = difference.lines;
        lines.truncate(LINES);
        if more > 0 {
            lines.push(format!("… {more}"));
        }
        outputs.insert("difference".to_owned(), lines.join("\n"));
    }
    Ok(outputs)
}
