//! The report of a run as a value, from its journal.

use eclusa_fault::{Language, Result};
use eclusa_model::RunId;
use eclusa_ports::JournalStore;
use eclusa_report::{ReportModel, ReportOptions, report};

use crate::history;

/// The report of a run.
///
/// # Errors
/// `RunUnknown`, `JournalDamaged`.
pub fn of(journal: &dyn JournalStore, id: &RunId, language: &Language) -> Result<ReportModel> {
    let run = history::replayed(journal, id)?;
    let last = journal.read(id)?.last().map(|entry| entry.hash.clone()).unwrap_or_default();
    Ok(report(&run, language, &ReportOptions { journal_hash: Some(last), ..ReportOptions::default() }))
}
