//! A copy of a site under another name: where it lies, and what must not go along with it.

use std::collections::BTreeMap;

use eclusa_config::Stack;
use eclusa_model::{DatabasePlace, FilesPlace, Tenant, TenantName};
use eclusa_planner::CloneShape;
use eclusa_runbook::{Place, Scrub};
use sha2::{Digest, Sha256};

use super::on_site;

/// What leaves the database of a copy, by table. Stored passwords are encrypted with the key of the site that was copied,
/// which the copy does not get; without it they are of no use, so they go. The hashes by which people sign in stay.
const SCRUB: &[(&str, &str)] = &[
    ("__Auth", "DELETE FROM `__Auth` WHERE `encrypted` = 1;"),
    ("tabSessions", "DELETE FROM `tabSessions`;"),
    ("tabOAuth Bearer Token", "DELETE FROM `tabOAuth Bearer Token`;"),
    ("tabOAuth Authorization Code", "DELETE FROM `tabOAuth Authorization Code`;"),
    ("tabToken Cache", "DELETE FROM `tabToken Cache`;"),
    // What the site that was copied has still to send, it sends itself.
    (
        "tabEmail Queue",
        "DELETE FROM `tabEmail Queue` WHERE `status` IN ('Not Sent', 'Sending', 'Partially Sent');",
    ),
    ("tabEmail Account", "UPDATE `tabEmail Account` SET `enable_incoming` = 0, `enable_outgoing` = 0;"),
    // What a document does elsewhere when it is saved, and the secrets by which it is believed there.
    ("tabWebhook", "DELETE FROM `tabWebhook`;"),
];

/// What bench makes for a new site, beside the files.
pub(super) const DIRECTORIES: [&str; 3] = ["private/backups", "locks", "logs"];

pub(super) fn shape(stack: &Stack, from: &Tenant, to: &TenantName, place: Place) -> Option<CloneShape> {
    let sites = stack.bench().sites();
    let own = format!("{sites}/{}/", from.name);
    let moved = |place: &FilesPlace| {
        let mut place = place.clone();
        let (FilesPlace::Service { path, .. } | FilesPlace::Directory { path, .. }) = &mut place;
        if let Some(inside) = path.strip_prefix(&own) {
            *path = format!("{sites}/{to}/{inside}");
        }
        place
    };
    let mut tenant = from.clone();
    tenant.name = to.clone();
    tenant.domains = vec![to.to_string()];
    tenant.files = from.files.iter().map(moved).collect();
    tenant.service_configuration = from.service_configuration.iter().map(moved).collect();
    let DatabasePlace::Mariadb { name, .. } = &mut tenant.database else { return None };
    *name = database_name(to);
    let (sites, sets) = lies(stack, from)?;
    let proof = on_site(stack, &place, to, &["list-apps"]);
    let scrub = SCRUB.iter().map(|(table, sql)| Scrub { table: (*table).to_owned(), sql: (*sql).to_owned() });
    Some(CloneShape {
        tenant,
        sites,
        sets,
        directories: DIRECTORIES.map(String::from).to_vec(),
        scrub: scrub.collect(),
        proof,
    })
}

/// Where the sites lie, and each set of a site's files in the site's directory.
pub(super) fn lies(stack: &Stack, tenant: &Tenant) -> Option<(FilesPlace, BTreeMap<String, String>)> {
    let path = stack.bench().sites();
    let own = format!("{path}/{}/", tenant.name);
    let inside = |place: &FilesPlace| {
        let (FilesPlace::Service { path, .. } | FilesPlace::Directory { path, .. }) = place;
        Some((place.name().to_owned(), path.strip_prefix(&own)?.to_owned()))
    };
    let sets = tenant.files.iter().map(inside).collect::<Option<_>>()?;
    let FilesPlace::Service { service, .. } = tenant.files.first()? else { return None };
    Some((FilesPlace::Service { name: "sites".to_owned(), service: service.clone(), path }, sets))
}

/// As bench names them: an underscore and sixteen hexadecimal digits that follow from the site's name.
fn database_name(site: &TenantName) -> String {
    let digest: String =
        Sha256::digest(site.as_str()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("_{digest}")
}
