//! Base backups of servers of PostgreSQL, from which with the archived log any moment is brought back.

use std::collections::BTreeMap;

use eclusa_config::Stack;
use eclusa_database::BasePlace;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{DatabasePlace, ServiceName, Tenant};
use eclusa_ports::{Base, BaseFacts};
use jiff::Timestamp;
use serde::Serialize;

use crate::Assembly;
use crate::status::{Severity, Trouble, trouble};

/// A server, and what it has.
#[derive(Debug, Clone, Serialize)]
pub struct ServerBases {
    /// Its service.
    pub service: ServiceName,
    /// Where they lie, as the service sees it.
    pub directory: String,
    /// Whether the server archives its log.
    pub archives: bool,
    /// The file of its log that it cannot archive at present.
    pub failing: Option<String>,
    /// The base backups, the newest first.
    pub bases: Vec<Base>,
}

/// Where the configuration says that they lie.
pub(crate) fn places(stack: &Stack) -> BTreeMap<ServiceName, BasePlace> {
    let place = |(service, bases): (&ServiceName, &eclusa_config::BaseBackups)| {
        let keep = bases.keep.map(std::num::NonZeroUsize::get);
        (service.clone(), BasePlace { base: bases.directory.clone(), wal: bases.wal.clone(), keep })
    };
    stack.base_backups.iter().map(place).collect()
}

/// A server that has base backups, where they lie, and a tenant on it.
type Server<'a> = (&'a ServiceName, &'a eclusa_config::BaseBackups, &'a Tenant);

/// The servers that have base backups, each with a tenant on it by whose account it is asked.
fn servers(assembly: &Assembly) -> Vec<Server<'_>> {
    let of = |service: &ServiceName| {
        let on = |tenant: &&Tenant| matches!(&tenant.database, DatabasePlace::Postgresql { service: its, .. } if its == service);
        assembly.tenants.iter().find(on)
    };
    let configured = assembly.stack.base_backups.iter();
    configured.filter_map(|(service, bases)| Some((service, bases, of(service)?))).collect()
}

/// What each server has.
///
/// # Errors
/// `NothingToDo` when the configuration says of none where they lie; what asking the server gives.
pub async fn list(assembly: &Assembly) -> Result<Vec<ServerBases>> {
    let mut found = Vec::new();
    for (service, configured, tenant) in chosen(assembly, None)? {
        let BaseFacts { archives, failing, bases } =
            assembly.ports.database.bases(tenant).await?.unwrap_or_default();
        let (service, directory) = (service.clone(), configured.directory.clone());
        found.push(ServerBases { service, directory, archives, failing, bases });
    }
    Ok(found)
}

/// Takes a base backup of a server, or of each; `taking` is told before each of them.
///
/// # Errors
/// `NothingToDo` when the configuration says of none where they lie; `BaseFailed`.
pub async fn take(
    assembly: &Assembly,
    service: Option<&ServiceName>,
    taking: impl Fn(&ServiceName),
) -> Result<Vec<(ServiceName, Base)>> {
    let mut taken = Vec::new();
    for (service, _, tenant) in chosen(assembly, service)? {
        taking(service);
        taken.push((service.clone(), assembly.ports.database.take_base(tenant).await?));
    }
    Ok(taken)
}

fn chosen<'a>(assembly: &'a Assembly, wanted: Option<&ServiceName>) -> Result<Vec<Server<'a>>> {
    let mut found = servers(assembly);
    found.retain(|(service, _, _)| wanted.is_none_or(|wanted| wanted == *service));
    if found.is_empty() {
        let what = match wanted {
            Some(service) => format!("no base backups of the server {service} are kept"),
            None => "no base backups of a server are kept".to_owned(),
        };
        return Err(Fault::new(Code::NothingToDo).with("what", what).hint(Message::new("hint-bases")));
    }
    Ok(found)
}

/// What the servers said when they were asked once.
pub(crate) struct Looked(Vec<(ServiceName, Result<BaseFacts>)>);

/// Asks each server that has base backups.
pub(crate) async fn looked(assembly: &Assembly) -> Looked {
    let mut found = Vec::new();
    for (service, _, tenant) in servers(assembly) {
        let facts = assembly.ports.database.bases(tenant).await.map(Option::unwrap_or_default);
        found.push((service.clone(), facts));
    }
    Looked(found)
}

impl Looked {
    /// That a server which should be brought back to any moment cannot be.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        let of = |(service, facts): &(ServiceName, Result<BaseFacts>)| match facts {
            Ok(facts) => troubles_of(service, facts),
            Err(fault) if fault.code == Code::BaseFailed => {
                let cause = fault.causes.first().map_or_else(|| fault.to_string(), ToString::to_string);
                let text =
                    Message::new("trouble-base-unseen").with("service", service).with("problem", cause);
                vec![trouble(Severity::Problem, text, None)]
            }
            // A server that does not answer is said elsewhere.
            Err(_) => Vec::new(),
        };
        self.0.iter().flat_map(of).collect()
    }

    /// Since when a tenant's server has every moment, by the base backups that are there.
    pub(crate) fn moments_since(&self, tenant: &Tenant) -> Option<Timestamp> {
        let DatabasePlace::Postgresql { service, .. } = &tenant.database else { return None };
        let (_, facts) = self.0.iter().find(|(server, _)| server == service)?;
        let facts = facts.as_ref().ok().filter(|facts| facts.archives && facts.failing.is_none())?;
        facts.bases.last().map(|base| base.ended_at)
    }

    /// When the newest base backup was taken, of the server whose newest is the oldest. One that cannot be asked has none.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        let newest = |(_, facts): &(ServiceName, Result<BaseFacts>)| {
            facts.as_ref().ok()?.bases.first().map(|base| base.ended_at)
        };
        self.0.iter().map(newest).collect::<Option<Vec<_>>>()?.into_iter().min()
    }
}

fn troubles_of(service: &ServiceName, facts: &BaseFacts) -> Vec<Trouble> {
    let mut found = Vec::new();
    if !facts.archives {
        let text = Message::new("trouble-base-archives").with("service", service);
        found.push(trouble(Severity::Problem, text, Some(Message::new("repair-base-archives"))));
    }
    if let Some(file) = &facts.failing {
        let text = Message::new("trouble-base-failing").with("service", service).with("file", file);
        let repair = Message::new("repair-base-failing").with("service", service);
        found.push(trouble(Severity::Problem, text, Some(repair)));
    }
    if facts.bases.is_empty() {
        let text = Message::new("trouble-base-none").with("service", service);
        let repair = Message::new("repair-base-none").with("service", service);
        found.push(trouble(Severity::Problem, text, Some(repair)));
    }
    found
}

/// What an erasure does not reach, each in a line.
pub(crate) fn not_erased(stack: &Stack) -> Vec<String> {
    let line = |(service, bases): (&ServiceName, &eclusa_config::BaseBackups)| {
        format!(
            "the base backups of the whole server {service}, in {}, and its log, in {}",
            bases.directory, bases.wal
        )
    };
    stack.base_backups.iter().map(line).collect()
}
