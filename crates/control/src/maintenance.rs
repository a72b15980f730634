//! Tenants that someone keeps closed: who, why, and whether it is as it was meant.

use eclusa_fault::Message;
use eclusa_model::{MaintenanceOwner, Observation, TenantName};

use crate::Assembly;
use crate::status::{Severity, Status, Trouble, trouble};

/// What is said of the tenants that are closed.
pub(crate) fn troubles(assembly: &Assembly, status: &Status) -> Vec<Trouble> {
    let mut found = Vec::new();
    let observation = &status.observation;
    for (tenant, owner) in &observation.maintenance {
        if owner.unmigrated.is_some() {
            let text = Message::new("trouble-maintenance").with("tenant", tenant).with("owner", told(owner));
            let repair = Message::new("repair-unmigrated").with("tenant", tenant);
            found.push(trouble(Severity::Problem, text, Some(repair)));
            found.extend(gate_is_open(observation, tenant));
            continue;
        }
        let late = owner.until.is_some_and(|until| until <= assembly.ports.clock.now());
        let (severity, id) = if late {
            (Severity::Problem, "trouble-maintenance-late")
        } else {
            (Severity::Notice, "trouble-maintenance")
        };
        let text = Message::new(id).with("tenant", tenant).with("owner", told(owner));
        let repair = Message::new("repair-maintenance-off").with("tenant", tenant);
        found.push(trouble(severity, text, Some(repair)));
        found.extend(gate_is_open(observation, tenant));
    }
    // A run that goes on owns what it has closed.
    for tenant in observation.tenants.iter().filter(|_| status.open_run.is_none()) {
        let name = &tenant.tenant.name;
        let on = tenant.site.as_ref().is_some_and(|site| site.maintenance);
        if on && !observation.maintenance.contains_key(name) {
            let text = Message::new("trouble-maintenance-unowned").with("tenant", name);
            let repair = Message::new("repair-maintenance-own").with("tenant", name);
            found.push(trouble(Severity::Notice, text, Some(repair)));
        }
    }
    found
}

/// The gate of a tenant that somebody keeps closed is open all the same.
fn gate_is_open(observation: &Observation, tenant: &TenantName) -> Option<Trouble> {
    let gate = observation.edge.as_ref().and_then(|edge| edge.gates.get(tenant));
    gate.filter(|gate| gate.as_str() == "open").map(|_| {
        let text = Message::new("trouble-maintenance-open").with("tenant", tenant);
        let repair = Message::new("repair-maintenance-on").with("tenant", tenant);
        trouble(Severity::Problem, text, Some(repair))
    })
}

/// Who keeps a tenant closed, in words.
#[must_use]
pub fn told(owner: &MaintenanceOwner) -> String {
    let since = owner.since.strftime("%Y-%m-%d %H:%M UTC");
    let mut text = format!("{} since {since}", owner.by);
    if let Some(until) = owner.until {
        text.push_str(&format!(", until {}", until.strftime("%Y-%m-%d %H:%M UTC")));
    }
    if let Some(reason) = &owner.reason {
        text.push_str(&format!(": {reason}"));
    }
    if let Some(release) = &owner.unmigrated {
        text.push_str(&format!(": its data could not be brought to {release} (run {})", owner.run));
    }
    text
}
