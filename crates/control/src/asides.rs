//! Tables of restore points in databases of their own, to be looked at: which there are, and what is meant by a table.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{DatabasePlace, TenantName};
use eclusa_ports::{Aside, PointManifest};

use crate::Assembly;
use crate::status::{Severity, Trouble, trouble};

/// How many tables are named when one is not there.
const NAMED: usize = 12;

/// What there is on the servers of a stack, each with a tenant whose database is on the same one.
///
/// # Errors
/// `DatabaseUnreachable`, `DatabaseDenied`.
pub async fn list(assembly: &Assembly) -> Result<Vec<(TenantName, Aside)>> {
    let mut servers = BTreeMap::new();
    for tenant in assembly.tenants.iter() {
        let server = match &tenant.database {
            DatabasePlace::Mariadb { service, host, port, .. } => (service.clone(), host.clone(), *port),
            DatabasePlace::Postgresql { service, .. } => (service.clone(), None, None),
            DatabasePlace::Sqlite { .. } => continue,
        };
        servers.entry(server).or_insert(tenant);
    }
    let mut found = Vec::new();
    for tenant in servers.into_values() {
        let asides = assembly.ports.database.asides(tenant).await?;
        found.extend(asides.into_iter().map(|aside| (tenant.name.clone(), aside)));
    }
    Ok(found)
}

/// The tables of a point that are meant: by their names, those of PostgreSQL's schema `public` without it too, or by the
/// DocTypes of Frappe whose tables they are.
///
/// # Errors
/// `TableUnknown`.
pub fn tables(manifest: &PointManifest, wanted: &[String]) -> Result<Vec<String>> {
    let known = &manifest.summary.tables;
    let mut tables = Vec::new();
    for name in wanted {
        let (of_doctype, of_public) = (format!("tab{name}"), format!("public.{name}"));
        let table = [name, &of_doctype, &of_public].into_iter().find(|table| known.contains_key(*table));
        let Some(table) = table else {
            let near: Vec<&str> = known
                .keys()
                .filter(|table| table.to_lowercase().contains(&name.to_lowercase()))
                .map(String::as_str)
                .take(NAMED)
                .collect();
            return Err(Fault::new(Code::TableUnknown)
                .with("tenant", &manifest.tenant)
                .with("point", manifest.id.as_ref().map_or("", |id| id.short()))
                .with("table", name)
                .with("near", if near.is_empty() { "–".to_owned() } else { near.join(", ") }));
        };
        if !tables.contains(table) {
            tables.push(table.clone());
        }
    }
    Ok(tables)
}

/// That data of tenants lies where nobody works with it.
pub(crate) async fn troubles(assembly: &Assembly) -> Vec<Trouble> {
    // A server that does not answer is said elsewhere.
    let found = list(assembly).await.unwrap_or_default();
    let Some((_, oldest)) = found.iter().min_by_key(|(_, aside)| aside.made_at) else { return Vec::new() };
    let text = Message::new("trouble-asides")
        .with("count", found.len())
        .with("database", &oldest.database)
        .with("tenant", &oldest.tenant)
        .with("at", crate::moments::moment_text(oldest.made_at));
    vec![trouble(
        Severity::Notice,
        text,
        Some(Message::new("repair-asides").with("database", &oldest.database)),
    )]
}
