//! What is particular to a bench.

use eclusa_model::ServiceName;
use serde::Deserialize;

use super::{FrappeGates, SetConfig};

/// `[stacks.NAME.frappe]`: the bench that the sites of a Frappe stack live on. The sites themselves are found in its
/// `sites` directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FrappeTable {
    /// The directory of the bench inside the services.
    pub bench: String,
    /// The service that holds the cache, which is emptied whenever the release changes.
    pub cache: Option<ServiceName>,
    /// The number of the cache's database, where others of that service are not the cache's: only this one is emptied.
    pub cache_database: Option<u16>,
    /// Whether the queues are in the cache's database too. Their keys are kept when it is emptied.
    pub cache_keeps_queue: bool,
    /// The service that runs once on every start and writes the list of apps, if there is one.
    pub configurator: Option<ServiceName>,
    /// Whether each site's own maintenance mode is on while its gate is closed.
    pub maintenance: bool,
    /// The pages that must be answered, with everything they name below `/assets/`.
    pub pages: Vec<String>,
    /// Settings that a release brings with it.
    pub set_config: Vec<SetConfig>,
    /// What else is asked of each site under the new release.
    pub gates: FrappeGates,
}

impl Default for FrappeTable {
    fn default() -> Self {
        Self {
            bench: String::from("/home/frappe/frappe-bench"),
            cache: None,
            cache_database: None,
            cache_keeps_queue: false,
            configurator: None,
            maintenance: true,
            pages: vec![String::from("/login")],
            set_config: Vec::new(),
            gates: FrappeGates::default(),
        }
    }
}

impl FrappeTable {
    /// The directory of the sites inside the services.
    #[must_use]
    pub fn sites(&self) -> String {
        format!("{}/sites", self.bench.trim_end_matches('/'))
    }
}
