//! The arguments that every command takes, and the list of commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use eclusa_fault::{Code, Fault, Language, Result};
use eclusa_model::PersonName;

use crate::commands::{
    abort, adopt, answer, apps, aside, attach, audit, backup, backups, base, bundle, clone, completions,
    customizations, doctor, drill, edge, erase, exec, history, keys, logs, maintenance, man, migrate, mirror,
    note, own_run, person, plan, prune, rehearse, release, report, restore, resume, rollback, schedule, seed,
    shop, start, status, stop, supervise, tenants,
};
use crate::demo;

/// Releases of multi-tenant business applications, through a lock: backed up, proved, opened again or taken back.
#[derive(Debug, Parser)]
#[command(name = "eclusa", version, max_term_width = 110)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, env = "ECLUSA_CONFIG", default_value = "eclusa.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// The state directory: journal, keys, vault.
    #[arg(long, global = true, env = "ECLUSA_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// The stack, where the configuration has several.
    #[arg(long, global = true, env = "ECLUSA_STACK", value_name = "NAME")]
    pub stack: Option<String>,
    /// For programs: JSON on standard output (one line per event while something runs).
    #[arg(long, global = true)]
    pub json: bool,
    /// Who you are, in the journal and for questions.
    #[arg(long = "as", global = true, env = "ECLUSA_PERSON", value_name = "PERSON")]
    pub person: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What is wrong with a deployment, read from its files.
    Audit(audit::Audit),
    /// Look at a Compose project and write a commented eclusa.toml for it.
    Adopt(adopt::Adopt),
    /// Start the services and wait until they are healthy.
    Start(start::Start),
    /// Stop the services.
    Stop(stop::Stop),
    /// What runs, which release, health, last backup, last proof, disk.
    Status(status::Status),
    /// Who is on the stack, with apps, databases and what cannot be used.
    Tenants(tenants::Tenants),
    /// What is wrong, and what to type.
    Doctor(doctor::Doctor),
    /// Show what a command would do, and do nothing.
    Plan(plan::Plan),
    /// Bring another release through the lock.
    Release(release::Release),
    /// Go back to the release before, with its data where that is needed.
    Rollback(rollback::Rollback),
    /// Close tenants until they are opened again, or open them.
    Maintenance(maintenance::Maintenance),
    /// Bring the data of tenants to the release that runs, each by itself.
    Migrate(migrate::Migrate),
    /// The apps of tenants.
    Apps(apps::Apps),
    /// Take restore points now.
    Backup(backup::Backup),
    /// List restore points.
    Backups(backups::Backups),
    /// Copy restore points to other places and read them back there, or copy them back.
    Mirror(mirror::Mirror),
    /// Show which restore points would go and why the others stay, and throw those away.
    Prune(prune::Prune),
    /// The keys of restore points: shown, kept safe elsewhere, exchanged, given to auditors.
    Keys(keys::Keys),
    /// Destroy every copy of a tenant that Eclusa made, and certify it.
    Erase(erase::Erase),
    /// Try to restore the newest restore points somewhere harmless, and prove them.
    Drill(drill::Drill),
    /// Try a release on restored copies of tenants, while everybody is served.
    Rehearse(rehearse::Rehearse),
    /// What is due when, and whether it was done; `schedule run` does it.
    Schedule(schedule::Schedule),
    /// Bring a tenant's data back from a restore point.
    Restore(restore::Restore),
    /// Tables of a restore point in a database of their own, to be looked at.
    Aside(aside::AsideCommand),
    /// Base backups of a PostgreSQL server, from which any moment can be brought back.
    Base(base::BaseCommand),
    /// Make a new site out of a restore point of another: mail and scheduler off, keys of its own.
    Clone(clone::Clone),
    /// Erase a single person from a tenant's data, now and in whatever is restored later.
    Person(person::Person),
    /// What people have made of tenants themselves: fields, scripts, workflows; kept, compared, reported.
    Customizations(customizations::Customizations),
    /// Run a command for one tenant, where the release runs.
    Exec(exec::Exec),
    /// What the services said lately.
    Logs(logs::Logs),
    /// Take up a run whose runner is gone.
    Resume(resume::Resume),
    /// Make a run go back.
    Abort(abort::Abort),
    /// Follow a run.
    Attach(attach::Attach),
    /// Answer a run's question.
    Answer(answer::Answer),
    /// The runs so far; one run's events; or a check of the whole journal.
    History(history::History),
    /// The report of a run.
    Report(report::Report),
    /// What whoever helps needs to know, in one file, without secrets.
    Bundle(bundle::Bundle),
    /// Write an incident or a lesson down in a run's report.
    Note(note::Note),
    /// The gate in front of the stack.
    Edge(edge::EdgeCommand),
    /// Demo data, on a staging stack.
    Seed(seed::Seed),
    /// The whole thing, shown on a small shop that is in this binary.
    Demo(demo::Demo),
    /// Completions for a shell.
    Completions(completions::Completions),
    /// Manual pages.
    Man(man::Man),
    /// Own a run until it ends.
    #[command(hide = true)]
    OwnRun(own_run::OwnRun),
    /// Supervise one service.
    #[command(hide = true)]
    Supervise(supervise::Supervise),
    /// The shop of the demo.
    #[command(hide = true)]
    Shop(shop::Shop),
}

impl Arguments {
    /// The language: `ECLUSA_LANG`, then that of the terminal.
    pub fn language(&self) -> Language {
        ["ECLUSA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .map(|locale| Language::from_locale(&locale))
            .unwrap_or_default()
    }

    /// Who gives the command: `--as`, then the user's name.
    pub fn person(&self) -> Result<PersonName> {
        let name = self
            .person
            .clone()
            .or_else(|| std::env::var("SUDO_USER").ok())
            .or_else(|| std::env::var("USER").ok())
            .or_else(|| std::env::var("LOGNAME").ok())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
        PersonName::new(name)
            .map_err(|error| Fault::new(Code::ConfigInvalid).with("path", "--as").with("problem", error))
    }
}
