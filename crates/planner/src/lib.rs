//! L2: `plan(intent, observation, config, history) -> Plan`, and the linter of plans. Pure: the same input gives
//! the same plan.

mod app;
mod application;
mod aside;
mod backup;
mod clone;
mod customizations;
mod draft;
mod drains;
mod drill;
mod edge;
mod erasure;
mod input;
mod keep_closed;
mod lint;
mod maintenance;
mod migrate;
mod mirror;
mod order;
mod prune;
mod rehearsal;
mod release;
mod release_end;
mod release_gates;
mod release_preflight;
mod release_steps;
mod restore;
mod retention;
mod reversibility;
mod rollback;
mod services;
mod settings;
mod simple;
mod trial;

pub use app::{
    App, Back, CloneShape, LogFiles, NamedCommand, NamedGate, Reversible, Setting, TestRun, TrialShape,
};
pub use input::{History, PlanInput, PreviousRelease};
pub use lint::{Finding, lint};
pub use retention::{Candidate, Needed, Why, retain};
pub use simple::log_rule;

use eclusa_fault::{Code, Fault, Result};
use eclusa_runbook::{Intent, Plan};

/// Makes the plan for an intent, and lets the linter look at it before anyone else does.
///
/// # Errors
/// What the intent cannot be planned for (`NothingToDo`, `NoWayBack`, `ReleaseOlder`), and `PlanUnsafe` when the
/// linter found a fault of the planner.
pub fn plan(input: &PlanInput<'_>, intent: &Intent) -> Result<Plan> {
    let plan = match intent {
        Intent::Release { to } => release::plan(input, to)?,
        Intent::Rollback { to, how } => rollback::plan(input, to, *how)?,
        Intent::Backup { tenants } => backup::plan(input, tenants)?,
        Intent::Restore { tenant, point, check_only, adapt, part, until, base } => {
            let (check_only, adapt, until) = (*check_only, *adapt, *until);
            let base = base.as_deref();
            restore::plan(input, &restore::Wanted { tenant, point, check_only, adapt, part, until, base })?
        }
        Intent::Aside { tenant, point, tables } => aside::plan(input, tenant, point, tables)?,
        Intent::DropAside { tenant, beside, database } => aside::drop(input, tenant, beside, database)?,
        Intent::Clone { tenant, point, release, to, masking } => {
            let release = release.as_deref();
            clone::plan(input, &clone::Wanted { tenant, point, release, to, masking: masking.as_ref() })?
        }
        Intent::ErasePerson { tenant, statements, reason } => {
            erasure::plan(input, tenant, statements, reason)?
        }
        Intent::Drill { points, from, application, on } => {
            let copies = drill::Copies { from: from.as_deref(), on: on.as_deref() };
            drill::plan(input, points, copies, *application)?
        }
        Intent::Rehearse { to, points } => rehearsal::plan(input, to, points)?,
        Intent::Mirror { mirrors, tenants, way, only } => mirror::plan(input, mirrors, tenants, *way, only)?,
        Intent::Prune { points, at } => prune::plan(input, points, at.as_deref())?,
        Intent::Migrate { tenants } => migrate::plan(input, tenants)?,
        Intent::AppsInstall { app, tenants } => migrate::install(input, app, tenants)?,
        Intent::Maintenance { on, tenants, reason, until } => {
            maintenance::plan(input, *on, tenants, reason.as_deref(), *until)?
        }
        Intent::Start => simple::start(input)?,
        Intent::Stop => simple::stop(input)?,
        Intent::Seed => simple::seed(input)?,
        Intent::EdgeInstall => edge::install(input)?,
        Intent::EdgeRemove => edge::remove(input)?,
    };
    match lint(&plan).first() {
        None => Ok(plan),
        Some(finding) => Err(Fault::new(Code::PlanUnsafe).with("problem", finding)),
    }
}
