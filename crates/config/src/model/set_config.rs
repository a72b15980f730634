//! Settings of a bench that a release brings with it.

use eclusa_model::TenantName;
use serde::Deserialize;

/// `[[stacks.NAME.frappe.set_config]]`: one key of `site_config.json`, or of the file that all sites share. What it was
/// before is put back when the release goes back.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetConfig {
    /// The key.
    pub key: String,
    /// What it becomes, with its type; absent: the key is removed.
    pub value: Option<toml::Value>,
    /// The site; absent: each.
    pub tenant: Option<TenantName>,
    /// Whether it stands in `common_site_config.json` instead.
    #[serde(default)]
    pub common: bool,
}

// A value is compared as it is written; TOML has numbers that equal nothing, which no setting needs.
impl Eq for SetConfig {}
