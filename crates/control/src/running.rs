//! Runs: begun, owned by a detached process, taken up again after a crash.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::sync::Arc;

use eclusa_conductor::{Conductor, Ending, Watcher, discard_proof};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Environment, PersonName, RunId};
use eclusa_runbook::{Action, Effect, Intent, Load, Outcome, Plan, Run, VaultOperation};
use jiff::tz::TimeZone;
use tokio::sync::watch;

use crate::workspace::private_directory;
use crate::{Assembly, auditing, history, planning};

/// How a run is to begin.
#[derive(Debug, Clone)]
pub struct Begin {
    /// Who begins it.
    pub by: PersonName,
    /// Why it begins outside the maintenance window.
    pub outside_window: Option<String>,
}

/// Begins a run: its first event is durable when this returns, and nothing else has happened.
///
/// # Errors
/// `PlanStale`, `OutsideWindow`, `AuditRefused`, `RunState` when another run of the stack has not ended, `JournalUnwritable`.
pub async fn begin(assembly: &Assembly, plan: Plan, how: Begin) -> Result<RunId> {
    check_window(assembly, &plan, &how)?;
    check_alone(assembly).await?;
    planning::check_fresh(assembly, &plan).await?;
    auditing::gate(&assembly.stack, &plan.intent).await?;
    let id = new_id(assembly)?;
    let ports = assembly.ports.clone();
    Conductor::begin(ports, id, plan, how.by, how.outside_window).await
}

/// Refuses to begin anything beside a run that has not ended.
///
/// # Errors
/// `LeaseHeld`.
pub async fn check_alone(assembly: &Assembly) -> Result<()> {
    let Some(run) = history::unfinished(assembly.journal.as_ref(), &assembly.name)? else { return Ok(()) };
    let fault = Fault::new(Code::LeaseHeld).with("run", &run.id);
    if owner_lives(assembly, &run.id).await {
        return Err(fault.with("holder", "a living runner"));
    }
    let hint = eclusa_fault::Message::new("hint-unfinished").with("run", &run.id);
    Err(fault.with("holder", "nobody: its runner is gone").hint(hint))
}

fn new_id(assembly: &Assembly) -> Result<RunId> {
    let now = assembly.ports.clock.now().to_zoned(TimeZone::UTC);
    let text = format!("r-{}-{}", now.strftime("%Y%m%d-%H%M%S"), assembly.ports.clock.random_text(4));
    RunId::new(text).map_err(|error| Fault::new(Code::Internal).with("what", error))
}

/// Releases and rollbacks of a production stack keep to its window, or say why not.
fn check_window(assembly: &Assembly, plan: &Plan, how: &Begin) -> Result<()> {
    let changes = matches!(
        plan.intent,
        Intent::Release { .. }
            | Intent::Migrate { .. }
            | Intent::AppsInstall { .. }
            | Intent::EdgeInstall
            | Intent::EdgeRemove
    );
    let Some(window) = &assembly.stack.window else { return Ok(()) };
    if !changes || how.outside_window.is_some() || window.contains(assembly.ports.clock.now()) {
        return Ok(());
    }
    let next = window.next_start(assembly.ports.clock.now());
    let text = next.map_or_else(|| "none is coming".to_owned(), |next| format!("the next begins {next}"));
    Err(Fault::new(Code::OutsideWindow).with("window", text))
}

/// Whether the stack holds clients' books.
#[must_use]
pub fn is_production(assembly: &Assembly) -> bool {
    assembly.stack.environment == Environment::Production
}

/// Whether a living process owns a run, as far as this machine can tell.
pub async fn owner_lives(assembly: &Assembly, run: &RunId) -> bool {
    if runner_file_lives(assembly, run) {
        return true;
    }
    matches!(assembly.ports.lease.look().await, Ok(Some(lease)) if lease.run == *run && lease.alive != Some(false))
}

/// The runner notes itself in its run's directory from its first moment on, before it has the lease.
fn runner_file_lives(assembly: &Assembly, run: &RunId) -> bool {
    let path = assembly.ports.outputs.join(run.as_str()).join("runner");
    let Ok(text) = std::fs::read_to_string(path) else { return false };
    let mut parts = text.split_whitespace();
    let (Some(pid), Some(started)) = (parts.next(), parts.next()) else { return false };
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name may hold spaces and brackets; what follows the last bracket has fixed places.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    // A process that has ended and was not yet waited for owns nothing.
    fields.get(19) == Some(&started) && !matches!(fields.first(), Some(&("Z" | "X")))
}

/// Starts the detached process that owns a run; it goes on when this process ends.
///
/// # Errors
/// `CommandMissing`, `StateDirectory`.
pub fn spawn_runner(assembly: &Assembly, run: &RunId, resume: Option<&PersonName>) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let directory = assembly.ports.outputs.join(run.as_str());
    private_directory(&directory)?;
    let log =
        std::fs::File::options().create(true).append(true).open(directory.join("runner.log")).map_err(
            |error| Fault::new(Code::StateDirectory).with("path", directory.display()).because(error),
        )?;
    let errors = log.try_clone().map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let load = if resume.is_some() { Load::default() } else { load_of(assembly, run)? };
    let mut argv = stepping_back(&load);
    argv.push(assembly.binary.clone().into_os_string());
    let mut argv = argv.into_iter();
    let mut command = Command::new(argv.next().unwrap_or_default());
    command
        .args(argv)
        .arg("--config")
        .arg(&assembly.configuration)
        .arg("--state")
        .arg(&assembly.state)
        .arg("--stack")
        .arg(assembly.name.as_str())
        .arg("own-run")
        .arg(run.as_str());
    if let Some(by) = resume {
        command.arg("--resume").arg(by.as_str());
    }
    command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
    let mut child = command.spawn().map_err(|error| {
        Fault::new(Code::CommandMissing).with("program", assembly.binary.display()).because(error)
    })?;
    // It is not this process's to end; but while this one lives, it does not leave the ended one in the process table.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// How much of the machine a run may take.
fn load_of(assembly: &Assembly, run: &RunId) -> Result<Load> {
    Ok(history::replayed(assembly.journal.as_ref(), run)?.plan.load)
}

/// What stands before the runner, so that it and the programs that it starts step back from others: those of `nice` and
/// `ionice` that are wanted and there. Only a run's first runner has it: whoever takes a run up after a crash may have to
/// start services too, and these would inherit it.
fn stepping_back(load: &Load) -> Vec<OsString> {
    let there = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
        if !found {
            tracing::warn!(program, "this machine has no such program: the run does not step back by it");
        }
        found
    };
    let nice = load.nice.is_some() && there("nice");
    let ionice = load.ionice.is_some() && there("ionice");
    load.prefix(nice, ionice).into_iter().map(OsString::from).collect()
}

/// Owns a run until it ends or this process is told to stop.
///
/// # Errors
/// When the journal cannot be written, or the world cannot be asked about what a crash left.
pub async fn own(
    assembly: Assembly,
    run: &RunId,
    resumed_by: Option<PersonName>,
    watchers: Vec<Arc<dyn Watcher>>,
    stop: watch::Receiver<bool>,
) -> Result<Ending> {
    note_runner(&assembly, run)?;
    let state = history::replayed(assembly.journal.as_ref(), run)?;
    check_resumable(&state)?;
    let mut assembly = assembly.for_intent(&state.plan.intent).await?;
    assembly.ports.holder.run = run.clone();
    if resumed_by.is_some() {
        // The dead runner's lease passes to this one before anything is asked or done.
        let held = assembly.ports.lease.look().await?;
        if held.is_some_and(|lease| lease.run == *run) {
            assembly.ports.lease.take(&assembly.ports.holder).await?;
        }
        // Together with its runner a machine may have lost the services, and the edge without which no gate moves.
        if let Some(processes) = &assembly.processes {
            processes.revive().await?;
        }
        clear_scratch(&assembly)?;
        clear_leftovers(&assembly, &state.plan).await;
    }
    let conductor = Conductor::take_up(assembly.ports.clone(), run.clone(), resumed_by, watchers).await?;
    conductor.conduct(stop).await
}

/// Removes what a killed runner was writing at that moment: it may be a copy of a client's database.
fn clear_scratch(assembly: &Assembly) -> Result<()> {
    let directory = assembly.state.join("scratch").join(assembly.name.as_str());
    match std::fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::new(Code::StateDirectory).with("path", directory.display()).because(error))
        }
        _ => private_directory(&directory),
    }
}

/// Removes what a killed runner had restored beside the live data only to compare it, and what it was writing into the
/// vault. Whoever repeats the step does so too; a run that goes back instead has nothing that would.
async fn clear_leftovers(assembly: &Assembly, plan: &Plan) {
    for tenant in &plan.tenants {
        if let Err(fault) = assembly.ports.vault.clear_unfinished(&tenant.name).await {
            tracing::warn!(tenant = %tenant.name, %fault, "what was unfinished in the vault could not be removed");
        }
    }
    let proved = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Perform(Effect::Vault(VaultOperation::Take { tenant, prove: true, .. })) => {
            Some((plan.tenant(tenant)?, None))
        }
        Action::Perform(Effect::Vault(VaultOperation::Check { tenant, on, .. })) => {
            Some((plan.tenant(tenant)?, on.as_deref()))
        }
        _ => None,
    });
    for (tenant, on) in proved {
        if let Err(fault) = discard_proof(&assembly.ports, tenant, on).await {
            tracing::warn!(tenant = %tenant.name, %fault, "a copy that was restored for a proof could not be removed");
        }
    }
}

fn note_runner(assembly: &Assembly, run: &RunId) -> Result<()> {
    let directory = assembly.ports.outputs.join(run.as_str());
    private_directory(&directory)?;
    let holder = &assembly.ports.holder;
    std::fs::write(directory.join("runner"), format!("{} {}\n", holder.pid, holder.started))
        .map_err(|error| Fault::new(Code::StateDirectory).with("path", directory.display()).because(error))
}

fn check_resumable(run: &Run) -> Result<()> {
    match run.outcome {
        None | Some(Outcome::Stuck) => Ok(()),
        Some(_) => Err(Fault::new(Code::RunState).with("run", &run.id).with("problem", "has ended")),
    }
}

/// The run to resume: the one named, or the only one that has not ended.
///
/// # Errors
/// `RunUnknown`, `RunState` when a living process owns it.
pub async fn to_resume(assembly: &Assembly, run: Option<RunId>) -> Result<RunId> {
    let id = match run {
        Some(run) => {
            check_resumable(&history::replayed(assembly.journal.as_ref(), &run)?)?;
            run
        }
        None => match history::unfinished(assembly.journal.as_ref(), &assembly.name)? {
            Some(run) => run.id,
            None => return Err(Fault::new(Code::NothingToDo).with("what", "every run has ended")),
        },
    };
    if owner_lives(assembly, &id).await {
        return Err(Fault::new(Code::RunState)
            .with("run", &id)
            .with("problem", "is owned by a living runner"));
    }
    Ok(id)
}
