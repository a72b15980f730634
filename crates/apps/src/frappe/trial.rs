//! A site started on a copy of its data: what the copy is made of, and what must be otherwise there.

use std::collections::BTreeMap;

use eclusa_config::Stack;
use eclusa_model::{DatabasePlace, RuntimeKind, Tenant};
use eclusa_planner::{App, TrialShape};
use eclusa_runbook::{TRIAL_DATABASE, TrialCopy, TrialDatabase, TrialServices};
use serde_json::{Value, json};

use super::clone::{DIRECTORIES, lies};
use super::{Frappe, gates};

pub(super) fn shape(stack: &Stack, tenant: &Tenant) -> Option<TrialShape> {
    if stack.runtime != RuntimeKind::Compose {
        return None;
    }
    let DatabasePlace::Mariadb { service, host, port, .. } = &tenant.database else { return None };
    let (sites, sets) = lies(stack, tenant)?;
    let port = port.or(tenant.database.engine().port())?;
    let frontend = stack.frontend_service()?.clone();
    let web = stack.services.web.iter().filter(|service| **service != frontend).cloned().collect();
    let settings = [
        ("db_host", Some(json!(TRIAL_DATABASE))),
        ("db_port", Some(json!(port))),
        ("db_socket", None),
        ("db_user", None),
        // Nothing leads out of the network that it is in; it does not try either.
        ("mute_emails", Some(json!(1))),
        ("pause_scheduler", Some(json!(1))),
        ("maintenance_mode", Some(json!(0))),
    ];
    let named = |(name, value): (&str, Option<Value>)| (name.to_owned(), value);
    Some(TrialShape {
        server: None,
        copy: TrialCopy {
            sites,
            sets,
            directories: DIRECTORIES.map(String::from).to_vec(),
            shared: ["apps.txt", "apps.json", "assets"].map(String::from).to_vec(),
            settings_file: "site_config.json".to_owned(),
            settings: settings.map(named).into(),
            shared_settings_file: "common_site_config.json".to_owned(),
            shared_settings: shared(stack, port),
        },
        services: TrialServices {
            release: None,
            web,
            frontend,
            caches: stack.services.caches.clone(),
            database: TrialDatabase { host: host.clone().unwrap_or_else(|| service.to_string()), port },
            through: Frappe.command_service(stack)?,
            healthy_within: stack.limits.healthy.as_seconds(),
        },
    })
}

/// The database for who asks only the file that all share, and the empty caches, which have no password and only one
/// database that counts.
fn shared(stack: &Stack, port: u16) -> BTreeMap<String, Option<Value>> {
    let bench = stack.bench();
    let address = |service: Option<&eclusa_model::ServiceName>| {
        service.map(|service| json!(format!("redis://{service}:6379")))
    };
    let cache = bench.cache.as_ref().or(stack.services.caches.first());
    let queue = gates::queue_service(stack);
    let queue = queue.as_ref().or(cache);
    let own = [("redis_cache", cache), ("redis_queue", queue), ("redis_socketio", queue)];
    let caches = own.into_iter().map(|(name, service)| (name.to_owned(), address(service)));
    let database = [("db_host", json!(TRIAL_DATABASE)), ("db_port", json!(port))];
    caches.chain(database.map(|(name, value)| (name.to_owned(), Some(value)))).collect()
}
