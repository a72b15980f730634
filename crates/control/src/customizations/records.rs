//! Customizations as the records that a release takes before and after.

use async_trait::async_trait;
use eclusa_apps::customizations::{Change, Difference};
use eclusa_fault::Result;
use eclusa_model::Tenant;
use eclusa_ports::{RecordDifference, Recorded, Records};

use super::{Reader, Store};

/// Records that are kept beside the state.
pub(crate) struct KeptRecords {
    pub reader: Reader,
    pub store: Store,
}

#[async_trait]
impl Records for KeptRecords {
    async fn record(&self, tenant: &Tenant, against: Option<&str>) -> Result<Recorded> {
        let now = self.reader.read(tenant).await?;
        let path = self.store.keep(&now).await?;
        let difference = match against {
            Some(name) => {
                let before = self.store.record(&tenant.name, name).await?;
                let difference = Difference::between(&before, &now);
                let count = |change| difference.count(change) as u64;
                Some(RecordDifference {
                    added: count(Change::Added),
                    changed: count(Change::Changed),
                    removed: count(Change::Removed),
                    lines: difference.lines(),
                })
            }
            None => None,
        };
        let record = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Recorded { record, documents: now.count() as u64, difference })
    }
}
