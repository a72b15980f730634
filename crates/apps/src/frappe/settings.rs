//! Keys of `site_config.json` and `common_site_config.json` that a release brings with it. They are written with the types
//! that they have in the configuration; `bench set-config` would guess them, and put them into the log of commands.

use std::collections::BTreeMap;

use eclusa_config::{SetConfig, Stack};
use eclusa_model::{FilesPlace, Tenant};
use eclusa_planner::Setting;
use serde_json::Value;

const OWN: &str = "site_config.json";
const COMMON: &str = "common_site_config.json";

pub(super) fn settings(stack: &Stack, tenants: &[Tenant]) -> Vec<Setting> {
    let all = stack.bench().set_config;
    let values = |chosen: &dyn Fn(&&SetConfig) -> bool| -> BTreeMap<String, Option<Value>> {
        let entries = all.iter().filter(chosen);
        entries.map(|entry| (entry.key.clone(), entry.value.as_ref().map(json))).collect()
    };
    let mut found = Vec::new();
    let common = values(&|entry| entry.common);
    if let (false, Some(tenant)) = (common.is_empty(), tenants.first())
        && let Some(file) = file(tenant, COMMON)
    {
        found.push(Setting { tenant: tenant.name.clone(), shared: true, file, values: common });
    }
    for tenant in tenants {
        // What is said of a site by its name counts before what is said of all.
        let of_all = values(&|entry| !entry.common && entry.tenant.is_none());
        let of_it = values(&|entry| !entry.common && entry.tenant.as_ref() == Some(&tenant.name));
        let values: BTreeMap<_, _> = of_all.into_iter().chain(of_it).collect();
        if let (false, Some(file)) = (values.is_empty(), file(tenant, OWN)) {
            found.push(Setting { tenant: tenant.name.clone(), shared: false, file, values });
        }
    }
    found
}

/// The configuration of a site itself.
pub(super) fn own_file(tenant: &Tenant) -> Option<FilesPlace> {
    file(tenant, OWN)
}

fn file(tenant: &Tenant, name: &str) -> Option<FilesPlace> {
    tenant.service_configuration.iter().find(|place| place.name() == name).cloned()
}

/// TOML's dates become texts; everything else has its like.
fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(on) => Value::from(*on),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(entries) => entries.iter().map(json).collect(),
        toml::Value::Table(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
    }
}
