//! A Django project started on a copy of its data. It gets its database's place from its environment under names that only
//! it knows, so it is not told another one: a server of the copy's own has the live one's name and accounts.

use eclusa_config::Stack;
use eclusa_model::{DatabasePlace, FilesPlace, RuntimeKind, Tenant};
use eclusa_planner::TrialShape;
use eclusa_runbook::{TrialCopy, TrialDatabase, TrialServices};

pub(super) fn shape(stack: &Stack, tenant: &Tenant) -> Option<TrialShape> {
    if stack.runtime != RuntimeKind::Compose {
        return None;
    }
    let service = match &tenant.database {
        DatabasePlace::Postgresql { service, .. } | DatabasePlace::Mariadb { service, host: None, .. } => {
            service
        }
        // A server that is no service of the stack cannot be started a second time.
        DatabasePlace::Mariadb { .. } | DatabasePlace::Sqlite { .. } => return None,
    };
    let port = tenant.database.engine().port()?;
    let frontend = stack.frontend_service()?.clone();
    let web = stack.services.web.iter().filter(|service| **service != frontend).cloned().collect();
    let named = |place: &FilesPlace| (place.name().to_owned(), place.name().to_owned());
    Some(TrialShape {
        server: Some(service.clone()),
        copy: TrialCopy {
            sites: tenant.files.first().cloned().unwrap_or_else(nowhere),
            sets: tenant.files.iter().map(named).collect(),
            directories: Vec::new(),
            shared: Vec::new(),
            settings_file: String::new(),
            settings: Default::default(),
            shared_settings_file: String::new(),
            shared_settings: Default::default(),
        },
        services: TrialServices {
            release: None,
            web,
            frontend,
            caches: stack.services.caches.clone(),
            database: TrialDatabase { host: service.to_string(), port },
            through: service.clone(),
            healthy_within: stack.limits.healthy.as_seconds(),
        },
    })
}

/// Where the copy of a tenant without files has its directory, in which there is nothing.
fn nowhere() -> FilesPlace {
    FilesPlace::Directory { name: "none".to_owned(), path: "/var/tmp".to_owned() }
}
