//! Records of what people have made of a tenant's application themselves, kept beside the state.

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::Tenant;

/// A record that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// What it is found by again.
    pub record: String,
    /// How many documents it holds.
    pub documents: u64,
    /// What changed since the record that it was compared with.
    pub difference: Option<RecordDifference>,
}

/// What changed from one record to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordDifference {
    /// How many documents are new.
    pub added: u64,
    /// How many are other than they were.
    pub changed: u64,
    /// How many are gone.
    pub removed: u64,
    /// Each of them in a line: `+`, `~` or `-`, what it is, and which of its fields changed.
    pub lines: Vec<String>,
}

/// Where records are taken and kept.
#[async_trait]
pub trait Records: Send + Sync {
    /// Takes a record of a tenant as it is now, keeps it, and compares it with an earlier one where one is named.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`, `FileAccess`.
    async fn record(&self, tenant: &Tenant, against: Option<&str>) -> Result<Recorded>;
}

/// For stacks whose application has nothing to record.
pub struct NoRecords;

#[async_trait]
impl Records for NoRecords {
    async fn record(&self, tenant: &Tenant, _against: Option<&str>) -> Result<Recorded> {
        let what = format!("a record of {}, whose application has none", tenant.name);
        Err(Fault::new(Code::Internal).with("what", what))
    }
}
