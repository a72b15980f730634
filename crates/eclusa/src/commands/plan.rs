//! `eclusa plan`: shows what a command would do, and does nothing.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use eclusa_control::Assembly;
use eclusa_control::planning::{self, PlanOptions, rollback_intent};
use eclusa_control::saved_plan::SavedPlan;
use eclusa_control::{drill, retention};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use eclusa_runbook::Intent;

use super::Session;
use super::release::Making;
use super::restore::{Moment, OnlyPart, point_of, until_intent};
use super::rollback::Override;
use crate::exit::Exit;
use crate::perform::show;
use crate::terminal::{say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub struct Plan {
    /// Save the plan; it is refused later when the stack has moved since.
    #[arg(long, global = true, value_name = "FILE")]
    out: Option<PathBuf>,
    /// End with code 6 when there is something to do, 0 when there is nothing.
    #[arg(long, global = true)]
    exit_code: bool,
    /// Leave the steps out.
    #[arg(long, global = true)]
    summary: bool,
    #[command(subcommand)]
    intent: Wanted,
}

/// What is planned.
#[derive(Debug, Subcommand)]
enum Wanted {
    /// Another release.
    Release {
        /// The release.
        release: String,
        #[command(flatten)]
        making: Making,
    },
    /// Back to the release before.
    Rollback {
        #[command(flatten)]
        decision: Override,
    },
    /// Tenants closed and kept so, or opened again.
    Maintenance {
        #[command(subcommand)]
        wanted: super::maintenance::Wanted,
    },
    /// The data of tenants brought to the release that runs.
    Migrate(super::migrate::Wanted),
    /// An app of the image that runs, installed for tenants that lack it.
    AppsInstall(super::apps::Wanted),
    /// Restore points.
    Backup {
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
        /// Restore and compare each too.
        #[arg(long)]
        prove: bool,
    },
    /// A tenant's data from a restore point.
    Restore {
        /// The tenant.
        tenant: TenantName,
        /// The restore point; the newest when none is named.
        #[arg(long)]
        point: Option<String>,
        /// Only somewhere harmless.
        #[arg(long, conflicts_with = "part")]
        check: bool,
        #[command(flatten)]
        moment: Moment,
        #[command(flatten)]
        part: OnlyPart,
    },
    /// Tables of a restore point in a database of their own.
    Aside(super::aside::What),
    /// A new site out of a restore point of another.
    Clone(super::clone::What),
    /// Restore points restored somewhere harmless and proved.
    Drill {
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
        /// Only so many of them: those first that were never proved, then those whose proof is oldest.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        sample: Option<u32>,
        /// From the copies at this mirror, instead of the vault.
        #[arg(long, value_name = "MIRROR")]
        from: Option<String>,
        /// Also start the application on each copy.
        #[arg(long)]
        application: bool,
        /// Files below this directory instead of beside the live ones.
        #[arg(long, value_name = "DIRECTORY", conflicts_with = "application")]
        on: Option<PathBuf>,
    },
    /// A release tried on restored copies.
    Rehearse(super::rehearse::What),
    /// Restore points copied to other places, or back.
    Mirror(super::mirror::What),
    /// Restore points that nothing needs thrown away.
    Prune {
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
        /// At this mirror, by its own rules, instead of in the vault.
        #[arg(long, value_name = "MIRROR")]
        at: Option<String>,
    },
    /// The services started.
    Start,
    /// The services stopped.
    Stop,
    /// The edge put in front.
    EdgeInstall,
    /// The edge taken away.
    EdgeRemove,
    /// Demo data.
    Seed,
}

impl Wanted {
    async fn intent(self, session: &Session, assembly: &Assembly) -> Result<(Intent, PlanOptions)> {
        let mut options = PlanOptions::default();
        let intent = match self {
            Self::Release { release, making } => {
                options = making.options();
                Intent::Release { to: release }
            }
            Self::Rollback { decision } => {
                options.overridden = decision.wanted().is_some();
                rollback_intent(assembly, decision.wanted())?
            }
            Self::Backup { tenants, prove } => {
                options.prove = prove;
                Intent::Backup { tenants }
            }
            Self::Restore { tenant, moment: Moment { at: Some(until) }, .. } => {
                until_intent(assembly, tenant, until).await?
            }
            Self::Restore { tenant, point, check, part, .. } => {
                let point = point_of(assembly, &tenant, point.as_deref()).await?;
                let part = part.of(assembly, &tenant, &point).await?;
                let adapt = Default::default();
                Intent::Restore { tenant, point, check_only: check, adapt, part, until: None, base: None }
            }
            Self::Aside(what) => what.intent(assembly).await?,
            Self::Clone(what) => what.intent(assembly).await?,
            Self::Drill { tenants, sample, from, application, on } => {
                let on = drill::directory(assembly, on.as_deref()).await?;
                drill::choose(assembly, &tenants, sample, from).await?.intent(application, on)
            }
            Self::Rehearse(what) => what.intent(assembly).await?,
            Self::Mirror(what) => what.intent(assembly).await?,
            Self::Prune { tenants, at: Some(mirror) } => {
                let decided = retention::decide_at(assembly, &tenants, &mirror).await?;
                retention::intent(&decided, Some(&mirror))
            }
            Self::Prune { tenants, at: None } => {
                retention::intent(&retention::decide(assembly, &tenants).await?, None)
            }
            Self::Maintenance { wanted } => wanted.intent(assembly)?,
            Self::Migrate(what) => what.intent(assembly),
            Self::AppsInstall(what) => what.intent(session, assembly).await?,
            Self::Start => Intent::Start,
            Self::Stop => Intent::Stop,
            Self::EdgeInstall => Intent::EdgeInstall,
            Self::EdgeRemove => Intent::EdgeRemove,
            Self::Seed => Intent::Seed,
        };
        Ok((intent, options))
    }
}

impl Plan {
    /// Plans and shows.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let (intent, options) = self.intent.intent(session, &assembly).await?;
        let plan = match planning::make(&assembly, &intent, options).await {
            Ok(plan) => plan,
            Err(fault) if fault.code == Code::NothingToDo && self.exit_code => {
                tell(fault.headline(&session.language));
                return Ok(Exit::Ok);
            }
            Err(fault) => return Err(fault),
        };
        let saved = SavedPlan::of(&plan)?;
        if session.json() {
            say(saved.to_json()?);
        } else {
            show(session, &plan, !self.summary);
        }
        if let Some(path) = &self.out {
            std::fs::write(path, saved.to_json()?).map_err(|error| {
                Fault::new(Code::FileAccess)
                    .with("path", path.display())
                    .with("operation", "written")
                    .because(error)
            })?;
            tell(Message::new("plan-saved").with("path", path.display()).render(&session.language));
        }
        Ok(if self.exit_code { Exit::Changes } else { Exit::Ok })
    }
}
