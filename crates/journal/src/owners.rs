//! Who keeps which tenants closed.

use std::collections::BTreeMap;

use eclusa_model::{MaintenanceOwner, StackName, TenantName};
use rusqlite::{Connection, params};

use crate::trouble::Trouble;
use crate::{chain, schema};

/// Writes an owner down in the place of the one before.
pub(crate) fn own(
    connection: &Connection,
    stack: &StackName,
    tenant: &TenantName,
    owner: &MaintenanceOwner,
) -> Result<(), Trouble> {
    let text = serde_json::to_string(owner).map_err(|error| Trouble::Damaged(error.to_string()))?;
    let digest = chain::owner_digest(stack.as_str(), tenant.as_str(), &text);
    connection.execute(
        "INSERT OR REPLACE INTO owners (stack, tenant, owner, digest) VALUES (?1, ?2, ?3, ?4)",
        params![stack.as_str(), tenant.as_str(), text, digest],
    )?;
    Ok(())
}

/// Forgets an owner. Idempotent.
pub(crate) fn disown(connection: &Connection, stack: &StackName, tenant: &TenantName) -> Result<(), Trouble> {
    connection.execute(
        "DELETE FROM owners WHERE stack = ?1 AND tenant = ?2",
        params![stack.as_str(), tenant.as_str()],
    )?;
    Ok(())
}

/// The owners in a stack.
pub(crate) fn of(
    connection: &Connection,
    stack: &StackName,
) -> Result<BTreeMap<TenantName, MaintenanceOwner>, Trouble> {
    // One that is only read may be of a version that knew no owners.
    if schema::version(connection)? < 2 {
        return Ok(BTreeMap::new());
    }
    let mut statement =
        connection.prepare_cached("SELECT tenant, owner, digest FROM owners WHERE stack = ?1")?;
    let mut rows = statement.query([stack.as_str()])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (tenant, text, digest): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if chain::owner_digest(stack.as_str(), &tenant, &text) != digest {
            return Err(Trouble::Damaged(format!("who keeps {tenant} closed: its hash does not match")));
        }
        let unreadable =
            |error: &dyn std::fmt::Display| Trouble::Damaged(format!("who keeps {tenant} closed: {error}"));
        let owner = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
        found.insert(TenantName::new(tenant.clone()).map_err(|error| unreadable(&error))?, owner);
    }
    Ok(found)
}
