//! Which tenants have an app, and whether the release that runs could give it to the others.

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{AppKind, TenantName};
use eclusa_runbook::Place;

use crate::Assembly;
use crate::observe::run;

/// The tenants that were named, by whether they have the app.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// Those that lack it.
    pub lack: Vec<TenantName>,
    /// Those that have it.
    pub have: Vec<TenantName>,
}

/// Looks at the tenants that are named.
///
/// # Errors
/// `TenantUnknown`; `AppUnknown` when the release that runs lacks the app, or the tenants have no apps of their own;
/// `CommandFailed` when one cannot be asked.
pub async fn choose(assembly: &Assembly, app: &str, tenants: &[TenantName]) -> Result<Chosen> {
    let unknown = |problem: String| Fault::new(Code::AppUnknown).with("app", app).with("problem", problem);
    if assembly.stack.app != AppKind::Frappe {
        return Err(unknown(format!("the tenants of {} have no apps of their own", assembly.name)));
    }
    if !is_app_name(app) {
        return Err(unknown("that is no name of an app".to_owned()));
    }
    let service = assembly.app.command_service(&assembly.stack);
    let service = service
        .ok_or_else(|| Fault::new(Code::ServiceMissing).with("service", "web").with("known", "none"))?;
    let place = Place::Service { service };
    let ask = async |exec: Option<eclusa_runbook::Exec>| -> Result<String> {
        let exec = exec.ok_or_else(|| unknown("nobody can be asked which apps there are".to_owned()))?;
        let command = exec.shown();
        run(assembly, exec).await.ok_or_else(|| {
            Fault::new(Code::CommandFailed).with("command", command).with("status", "a failure")
        })
    };
    let offered = ask(assembly.app.offered(&assembly.stack, app)).await?;
    if !lists(&offered, app) {
        let known: Vec<&str> = offered.lines().filter_map(|line| line.split_whitespace().next()).collect();
        return Err(unknown(format!("the release that runs has: {}", known.join(", "))));
    }
    let mut chosen = Chosen::default();
    for tenant in tenants {
        if !assembly.tenants.iter().any(|found| found.name == *tenant) {
            let known: Vec<&str> = assembly.tenants.iter().map(|found| found.name.as_str()).collect();
            return Err(Fault::new(Code::TenantUnknown)
                .with("tenant", tenant)
                .with("known", known.join(", ")));
        }
        let installed = ask(assembly.app.has_app(&assembly.stack, tenant, app, &place)).await?;
        let side = if lists(&installed, app) { &mut chosen.have } else { &mut chosen.lack };
        if !side.contains(tenant) {
            side.push(tenant.clone());
        }
    }
    Ok(chosen)
}

/// A Python module's name: nothing that a command line could take for something else.
fn is_app_name(app: &str) -> bool {
    let begins = app.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    begins && app.len() <= 64 && app.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a listing of apps, one a line with its version, has this one.
fn lists(listing: &str, app: &str) -> bool {
    listing.lines().any(|line| line.split_whitespace().next() == Some(app))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_found_by_its_whole_name() {
        let listing = "erpshop 15.1.0\nfrappe 15.1.0 UNVERSIONED\n";
        assert!(lists(listing, "erpshop") && lists(listing, "frappe"));
        assert!(!lists(listing, "erp") && !lists(listing, "15.1.0") && !lists("", "frappe"));
        for name in ["erpshop", "_a1", "hrms"] {
            assert!(is_app_name(name), "{name}");
        }
        for name in ["", "--force", "a b", "a;b", "../x", "1a", "$(x)"] {
            assert!(!is_app_name(name), "{name}");
        }
    }
}
