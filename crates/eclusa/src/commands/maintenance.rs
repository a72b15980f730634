//! `eclusa maintenance`: closes tenants and keeps them closed until whoever asked for it opens them.

use clap::{Args, Subcommand};
use eclusa_config::model::Period;
use eclusa_control::Assembly;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_runbook::Intent;
use jiff::Timestamp;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// The arguments.
#[derive(Debug, Args)]
pub struct Maintenance {
    #[command(subcommand)]
    command: MaintenanceCommand,
}

#[derive(Debug, Subcommand)]
enum MaintenanceCommand {
    /// Close tenants. They stay closed, also through releases, until they are opened again.
    On {
        #[command(flatten)]
        what: Closing,
        #[command(flatten)]
        how: Performance,
    },
    /// Open tenants that are kept closed.
    Off {
        /// The tenants; all that are closed when none is named.
        tenants: Vec<TenantName>,
        #[command(flatten)]
        how: Performance,
    },
}

/// What is wanted.
#[derive(Debug, Clone, Subcommand)]
pub enum Wanted {
    /// Close tenants. They stay closed, also through releases, until they are opened again.
    On(Closing),
    /// Open tenants that are kept closed.
    Off {
        /// The tenants; all that are closed when none is named.
        tenants: Vec<TenantName>,
    },
}

/// Who is closed, why, and until when.
#[derive(Debug, Clone, Args)]
pub struct Closing {
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
    /// Why, for whoever looks later. Visitors do not see it.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// For how long it is meant. After that, `status` says that it is late; nothing opens by itself.
    #[arg(long = "for", value_name = "DURATION", value_parser = Period::parse)]
    within: Option<Period>,
}

impl Wanted {
    /// The intent.
    pub fn intent(self, assembly: &Assembly) -> Result<Intent> {
        let known: Vec<TenantName> = assembly.tenants.iter().map(|tenant| tenant.name.clone()).collect();
        let chosen = |tenants: Vec<TenantName>| if tenants.is_empty() { known } else { tenants };
        Ok(match self {
            Self::On(on) => Intent::Maintenance {
                on: true,
                tenants: chosen(on.tenants),
                reason: on.reason.filter(|reason| !reason.trim().is_empty()),
                until: on.within.map(until).transpose()?,
            },
            Self::Off { tenants } => {
                Intent::Maintenance { on: false, tenants: chosen(tenants), reason: None, until: None }
            }
        })
    }
}

fn until(within: Period) -> Result<Timestamp> {
    Timestamp::now()
        .checked_add(within.as_duration())
        .map_err(|error| Fault::new(Code::ConfigInvalid).with("path", "--for").with("problem", error))
}

impl Maintenance {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let (wanted, how) = match self.command {
            MaintenanceCommand::On { what, how } => (Wanted::On(what), how),
            MaintenanceCommand::Off { tenants, how } => (Wanted::Off { tenants }, how),
        };
        let intent = wanted.intent(&assembly)?;
        perform(session, &assembly, &intent, PlanOptions::default(), None, &how).await
    }
}
