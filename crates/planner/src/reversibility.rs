//! How each tenant's data would go back, computed from what is applied and what the candidate holds.

use std::collections::BTreeSet;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{CandidateObservation, TenantObservation};
use eclusa_runbook::Reversibility;

/// What is known of a tenant's pending migrations.
#[derive(Clone)]
pub(crate) struct Pending {
    /// Their names, where they are known.
    pub names: Option<Vec<String>>,
    pub how: Reversibility,
    pub why: Message,
}

/// The part of a migration's name before the dot: `sales` of `sales.0002_discount`.
fn label(name: &str) -> &str {
    name.split_once('.').map_or(name, |(label, _)| label)
}

/// Compares what is applied with what the candidate holds.
///
/// # Errors
/// `ReleaseOlder` when the data has been migrated past the candidate.
pub(crate) fn of(tenant: &TenantObservation, candidate: &CandidateObservation) -> Result<Pending> {
    if let Some(pending) = &tenant.pending {
        return Ok(known(pending.clone()));
    }
    let (Some(applied), Some(held)) = (&tenant.migrations, &candidate.migrations) else {
        return Ok(Pending {
            names: None,
            how: Reversibility::Restore,
            why: Message::new("why-migrations-unknown"),
        });
    };
    let applied: BTreeSet<&str> = applied.iter().map(String::as_str).collect();
    let held: BTreeSet<&str> = held.iter().map(String::as_str).collect();
    let own: BTreeSet<&str> = held.iter().map(|name| label(name)).collect();
    // Migrations of third parties are not in the candidate's own code; those say nothing about its age.
    let newer: Vec<&str> =
        applied.difference(&held).copied().filter(|name| own.contains(label(name))).collect();
    if !newer.is_empty() {
        return Err(Fault::new(Code::ReleaseOlder)
            .with("release", &candidate.release.name)
            .with("migrations", newer.join(", ")));
    }
    let pending: Vec<String> = held.difference(&applied).map(|name| (*name).to_owned()).collect();
    if pending.is_empty() && candidate.dependencies_change {
        return Ok(Pending {
            names: None,
            how: Reversibility::Restore,
            why: Message::new("why-dependencies-change"),
        });
    }
    if candidate.dependencies_change {
        // More may be pending than the project's own code tells; the application says which before anything is changed.
        return Ok(Pending { names: None, ..known(pending) });
    }
    Ok(known(pending))
}

fn known(pending: Vec<String>) -> Pending {
    if pending.is_empty() {
        return Pending {
            names: Some(pending),
            how: Reversibility::CodeOnly,
            why: Message::new("why-no-schema-change"),
        };
    }
    let why = Message::new("why-schema-changes")
        .with("count", pending.len())
        .with("migrations", pending.join(", "));
    Pending { names: Some(pending), how: Reversibility::Restore, why }
}
