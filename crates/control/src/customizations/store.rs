//! The files in which customizations are kept: `STATE/customizations/STACK/TENANT/TIME.json`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_apps::customizations::{CUSTOMIZATIONS_FORMAT, Customizations};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{StackName, TenantName};
use eclusa_ports::Host;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::workspace::private_directory;

/// The most that is read of a file, in bytes.
const MOST: u64 = 256 * 1024 * 1024;

/// Where they are kept.
#[derive(Clone)]
pub struct Store {
    directory: PathBuf,
    host: Arc<dyn Host>,
}

impl Store {
    pub(crate) fn new(state: &Path, stack: &StackName, host: Arc<dyn Host>) -> Self {
        Self { directory: state.join("customizations").join(stack.as_str()), host }
    }

    /// Keeps them; gives the file. Only its owner may read it: scripts can hold what nobody should see.
    ///
    /// # Errors
    /// `StateDirectory`, `FileAccess`.
    pub async fn keep(&self, customizations: &Customizations) -> Result<PathBuf> {
        let directory = self.directory.join(customizations.tenant.as_str());
        private_directory(&directory)?;
        let mut text = serde_json::to_string_pretty(customizations)
            .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
        text.push('\n');
        let path = directory.join(file_name(customizations.taken_at));
        self.host.write_durably(&path, text.as_bytes(), 0o600).await?;
        Ok(path)
    }

    /// Those in a file.
    ///
    /// # Errors
    /// `FileAccess`; `ConfigInvalid` when it holds none, or of a newer format.
    pub async fn open(&self, path: &Path) -> Result<Customizations> {
        let bytes = self.host.read(path, MOST).await?;
        let invalid = |problem: String| {
            Fault::new(Code::ConfigInvalid).with("path", path.display()).with("problem", problem)
        };
        // The format first: a newer one need not be readable otherwise.
        let value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| invalid(format!("no JSON: {error}")))?;
        let format = value.get("format").and_then(serde_json::Value::as_u64);
        if format.is_some_and(|format| format > u64::from(CUSTOMIZATIONS_FORMAT)) {
            return Err(invalid("a newer version of Eclusa wrote these customizations".to_owned()));
        }
        serde_json::from_value(value).map_err(|error| invalid(format!("no customizations: {error}")))
    }

    /// When those of a tenant were taken that are kept, newest first.
    ///
    /// # Errors
    /// `FileAccess`.
    pub fn kept(&self, tenant: &TenantName) -> Result<Vec<Timestamp>> {
        let directory = self.directory.join(tenant.as_str());
        let fault = |error: std::io::Error| {
            Fault::new(Code::FileAccess)
                .with("path", directory.display())
                .with("operation", "read")
                .because(error)
        };
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(fault)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(fault)?.file_name();
            found.extend(name.to_str().and_then(time_of));
        }
        found.sort_unstable_by(|first, second| second.cmp(first));
        Ok(found)
    }

    /// The newest of a tenant that were taken at a time or before: `newest`, a day (to its end, in UTC), or a time.
    ///
    /// # Errors
    /// `CustomizationsUnknown`, `FileAccess`.
    pub async fn at(&self, tenant: &TenantName, when: &str) -> Result<Customizations> {
        let kept = self.kept(tenant)?;
        let unknown = |problem: &str| {
            let listed: Vec<String> = kept.iter().take(5).map(ToString::to_string).collect();
            let listed = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
            Fault::new(Code::CustomizationsUnknown)
                .with("tenant", tenant)
                .with("when", when)
                .with("kept", listed)
                .because(problem)
        };
        let until = until(when)
            .ok_or_else(|| unknown("a time is written as newest, 2026-11-25 or 2026-11-25T20:00:00Z"))?;
        let found = kept.iter().find(|time| until.is_none_or(|until| **time <= until));
        let found = found.ok_or_else(|| unknown("none is as old as that"))?;
        self.open(&self.directory.join(tenant.as_str()).join(file_name(*found))).await
    }

    /// Those that a run wrote down, by the name that [`Store::keep`] gave the file.
    pub(crate) async fn record(&self, tenant: &TenantName, name: &str) -> Result<Customizations> {
        self.open(&self.directory.join(tenant.as_str()).join(name)).await
    }
}

/// `20261125T203134.123456Z.json`: sorted by name they are sorted by time.
fn file_name(at: Timestamp) -> String {
    format!("{}.json", at.strftime("%Y%m%dT%H%M%S.%6fZ"))
}

fn time_of(name: &str) -> Option<Timestamp> {
    let time = name.strip_suffix("Z.json")?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S.%f", time).ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

/// Until when; none inside: without a limit.
fn until(when: &str) -> Option<Option<Timestamp>> {
    if when == "newest" {
        return Some(None);
    }
    if let Ok(time) = when.parse::<Timestamp>() {
        return Some(Some(time));
    }
    let day: Date = when.parse().ok()?;
    let end = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Some(end.checked_sub(jiff::SignedDuration::from_nanos(1)).ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_when_it_was_taken() {
        let at: Timestamp = "2026-11-25T20:31:34.123456Z".parse().unwrap();
        assert_eq!(file_name(at), "20261125T203134.123456Z.json");
        assert_eq!(time_of(&file_name(at)), Some(at));
        assert_eq!(time_of("notes.txt"), None);
    }

    #[test]
    fn a_day_is_meant_to_its_end() {
        let late: Timestamp = "2026-11-25T23:59:59.999999Z".parse().unwrap();
        let next: Timestamp = "2026-11-26T00:00:00Z".parse().unwrap();
        let end = until("2026-11-25").unwrap().unwrap();
        assert!(late <= end && end < next);
        assert_eq!(until("newest"), Some(None));
        assert_eq!(until("yesterday"), None);
    }
}
