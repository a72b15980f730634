//! What `[stacks.NAME.schedule]` wants done, and whether it was. What was done is read from the journal and the vault, so a
//! backup by hand counts as well, and nothing is forgotten when the process that watches the clock is killed.

mod due;

use eclusa_config::model::{Mirror, Schedule, ScheduledJob};
use eclusa_fault::{Message, Result};
use eclusa_model::TenantName;
use eclusa_ports::JournalStore as _;
use eclusa_runbook::{Intent, MirrorWay, Outcome, Run};
use jiff::Timestamp;
use serde::Serialize;

use crate::status::{Severity, TenantSafety, Trouble};
use crate::{Assembly, history};
pub use due::State;
use due::{Past, Times, later};

/// From how many of the newest runs it is read what was tried.
const RUNS_READ: usize = 500;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// A backup of one tenant.
    Backup,
    /// Copies of every tenant to some mirrors.
    Mirror,
    /// A drill.
    Drill,
    /// Base backups of every server that has some.
    Base,
}

impl JobKind {
    /// The word in commands and in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Mirror => "mirror",
            Self::Drill => "drill",
            Self::Base => "base",
        }
    }
}

/// Something that is to be done, and where it stands.
#[derive(Debug, Clone, Serialize)]
pub struct Task {
    /// What.
    pub job: JobKind,
    /// For whom; absent where it is for all.
    pub tenant: Option<TenantName>,
    /// To which mirrors, where it is copies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
    /// The last time for it.
    pub last: Option<Timestamp>,
    /// The next time for it.
    pub next: Option<Timestamp>,
    /// When it was last done.
    pub done: Option<Timestamp>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: State,
    /// What to type for it, after `eclusa`.
    pub command: Vec<String>,
}

/// Every task of a stack at an instant, in the order in which they are due.
///
/// # Errors
/// `JournalDamaged`; what keeps the points of a tenant from being listed.
pub async fn of(assembly: &Assembly, now: Timestamp) -> Result<Vec<Task>> {
    let mut newest = Vec::new();
    for tenant in assembly.tenants.iter() {
        let point = crate::status::newest(assembly, &tenant.name).await?;
        newest.push((tenant.name.clone(), point.map(|point| point.taken_at)));
    }
    let scheduled = assembly.stack.schedule.as_ref().is_some_and(|schedule| schedule.base.is_some());
    let based = if scheduled { crate::bases::looked(assembly).await.newest() } else { None };
    tasks(assembly, newest, based, now)
}

fn tasks(
    assembly: &Assembly,
    newest: Vec<(TenantName, Option<Timestamp>)>,
    based: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Task>> {
    let nothing = Schedule::default();
    let schedule = assembly.stack.schedule.as_ref().unwrap_or(&nothing);
    let mut tasks = Vec::new();
    let mut runs = Runs { assembly, read: None };
    for (tenant, taken) in newest {
        let own =
            assembly.stack.tenants.get(&tenant).and_then(|table| table.schedule.clone()).unwrap_or_default();
        let Some(job) = own.backup.as_ref().or(schedule.backup.as_ref()) else { continue };
        let zone = own.time_zone.as_ref().unwrap_or(&schedule.time_zone);
        let later = later(job, &[assembly.name.as_str(), "backup", tenant.as_str()]);
        let times = Times { job, zone, hours: own.hours.or(schedule.hours), later };
        let mut command = vec!["backup".to_owned(), tenant.to_string()];
        command.extend(job.prove.then(|| "--prove".to_owned()));
        let what = What { job: JobKind::Backup, tenant: Some(tenant), mirrors: Vec::new(), command };
        tasks.push(runs.task(what, times, taken, now)?);
    }
    for (job, mirrors, command) in copies(assembly, schedule) {
        let times = times_of_mirrors(assembly, schedule, job, &mirrors);
        let what = What { job: JobKind::Mirror, tenant: None, mirrors, command };
        tasks.push(runs.task(what, times, None, now)?);
    }
    if let Some(job) = &schedule.drill {
        let later = later(job, &[assembly.name.as_str(), JobKind::Drill.word()]);
        let times = Times { job, zone: &schedule.time_zone, hours: schedule.hours, later };
        let mut command = vec!["drill".to_owned()];
        if let Some(sample) = job.sample {
            command.extend(["--sample".to_owned(), sample.to_string()]);
        }
        command.extend(job.application.then(|| "--application".to_owned()));
        let what = What { job: JobKind::Drill, tenant: None, mirrors: Vec::new(), command };
        tasks.push(runs.task(what, times, None, now)?);
    }
    if let Some(job) = &schedule.base {
        let later = later(job, &[assembly.name.as_str(), JobKind::Base.word()]);
        let times = Times { job, zone: &schedule.time_zone, hours: schedule.hours, later };
        let command = ["base", "take"].map(str::to_owned).to_vec();
        let what = What { job: JobKind::Base, tenant: None, mirrors: Vec::new(), command };
        tasks.push(runs.task(what, times, based, now)?);
    }
    tasks.sort_by_key(|task| (task.last, task.job, task.tenant.clone(), task.mirrors.clone()));
    Ok(tasks)
}

/// What is copied when: to each mirror that has a time of its own, and to all others together.
fn copies<'a>(
    assembly: &'a Assembly,
    schedule: &'a Schedule,
) -> Vec<(&'a ScheduledJob, Vec<String>, Vec<String>)> {
    let mirrors = &assembly.stack.mirrors;
    let named = |names: &[String]| {
        let to = names.iter().flat_map(|name| ["--to".to_owned(), name.clone()]);
        ["mirror".to_owned()].into_iter().chain(to).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for mirror in mirrors {
        let Some(job) = &mirror.schedule else { continue };
        let names = vec![mirror.name.clone()];
        found.push((job, names.clone(), named(&names)));
    }
    let others = mirrors.iter().filter(|mirror| mirror.schedule.is_none());
    let others: Vec<String> = others.map(|mirror| mirror.name.clone()).collect();
    if let Some(job) = schedule.mirror.as_ref().filter(|_| !others.is_empty()) {
        let all = others.len() == mirrors.len();
        let command = if all { named(&[]) } else { named(&others) };
        found.push((job, others, command));
    }
    found
}

fn times_of_mirrors<'a>(
    assembly: &Assembly,
    schedule: &'a Schedule,
    job: &'a ScheduledJob,
    mirrors: &[String],
) -> Times<'a> {
    let own = assembly.stack.mirrors.iter().find(|mirror| mirror.schedule.as_ref() == Some(job));
    let mut words = vec![assembly.name.as_str(), JobKind::Mirror.word()];
    words.extend(own.and(mirrors.first()).map(String::as_str));
    Times { job, zone: &schedule.time_zone, hours: schedule.hours, later: later(job, &words) }
}

/// The time of a mirror's own schedule that was missed, of copies that were made at an instant.
pub(crate) fn missed_by_mirror(
    assembly: &Assembly,
    mirror: &Mirror,
    copied: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let nothing = Schedule::default();
    let schedule = assembly.stack.schedule.as_ref().unwrap_or(&nothing);
    let job = mirror.schedule.as_ref()?;
    let names = [mirror.name.clone()];
    let past = Past { done: Some(copied), failed: None };
    let (last, _, state) = times_of_mirrors(assembly, schedule, job, &names).at(now, past);
    last.filter(|_| state == State::Missed)
}

/// What is to be done.
struct What {
    job: JobKind,
    tenant: Option<TenantName>,
    mirrors: Vec<String>,
    command: Vec<String>,
}

/// The runs of the journal, read when something is not known otherwise.
struct Runs<'a> {
    assembly: &'a Assembly,
    read: Option<(Timestamp, Vec<Run>)>,
}

impl Runs<'_> {
    fn task(
        &mut self,
        what: What,
        times: Times<'_>,
        done: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Task> {
        let past = Past { done, failed: None };
        let (last, next, mut state) = times.at(now, past);
        let What { job, tenant, mirrors, command } = what;
        let mut task = Task { job, tenant, mirrors, last, next, done, state, command };
        if let Some(last) = last
            && state != State::Done
        {
            let past = self.past(&task, last)?;
            state = times.at(now, past).2;
            task = Task { done: past.done, state, ..task };
        }
        Ok(task)
    }

    /// What came of a task since an instant.
    fn past(&mut self, task: &Task, since: Timestamp) -> Result<Past> {
        let mut past = Past { done: task.done, failed: None };
        let tenants = self.assembly.tenants.len();
        for run in self.since(since)?.iter().filter(|run| task.is_of(&run.plan.intent)) {
            let whose = |tenant: &TenantName| run.plan.tenants.iter().any(|of_run| of_run.name == *tenant);
            if run.began_at < since || !task.tenant.as_ref().is_none_or(whose) {
                continue;
            }
            let Some(ended) = run.ended_at else { continue };
            if run.outcome == Some(Outcome::Done) && has_done(task, run, tenants) {
                past.done = past.done.max(Some(run.began_at));
            } else if run.outcome != Some(Outcome::Done) {
                past.failed = past.failed.max(Some(ended));
            }
        }
        Ok(past)
    }

    fn since(&mut self, since: Timestamp) -> Result<&[Run]> {
        if self.read.as_ref().is_none_or(|(from, _)| *from > since) {
            let journal = self.assembly.journal.as_ref();
            let summaries = journal.runs(Some(&self.assembly.name), RUNS_READ)?;
            let wanted = summaries.iter().filter(|summary| summary.began >= since);
            let runs =
                wanted.map(|summary| history::replayed(journal, &summary.run)).collect::<Result<_>>()?;
            self.read = Some((since, runs));
        }
        Ok(self.read.as_ref().map(|(_, runs)| runs.as_slice()).unwrap_or_default())
    }
}

impl Task {
    /// Whether a run with this intent was for it.
    fn is_of(&self, intent: &Intent) -> bool {
        match (self.job, intent) {
            (JobKind::Backup, Intent::Backup { .. }) | (JobKind::Drill, Intent::Drill { .. }) => true,
            (JobKind::Mirror, Intent::Mirror { mirrors, way, .. }) => {
                *way != MirrorWay::Back && self.mirrors.iter().all(|mirror| mirrors.contains(mirror))
            }
            _ => false,
        }
    }
}

/// Whether a run that ended well has done a task. A backup is done when its restore point or base backup is there; who copies
/// one tenant by hand has not copied all.
fn has_done(task: &Task, run: &Run, tenants: usize) -> bool {
    match task.job {
        JobKind::Backup | JobKind::Base => false,
        JobKind::Mirror => run.plan.tenants.len() >= tenants,
        JobKind::Drill => true,
    }
}

/// What was missed, for `status`.
pub(crate) fn troubles(
    assembly: &Assembly,
    safety: &[TenantSafety],
    based: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Trouble>> {
    // Whose points cannot be listed is said already.
    let known = safety.iter().filter(|safety| safety.trouble.is_none());
    let newest = known.map(|safety| (safety.tenant.clone(), safety.taken_at)).collect();
    // Of a mirror with times of its own it is said whose copies are late.
    let own = |task: &Task| {
        let of_task = assembly.stack.mirrors.iter().filter(|mirror| task.mirrors.contains(&mirror.name));
        of_task.into_iter().any(|mirror| mirror.schedule.is_some())
    };
    let missed = tasks(assembly, newest, based, now)?.into_iter();
    let missed = missed.filter(|task| task.state == State::Missed && !own(task));
    let trouble = |task: Task| {
        let at = task.last.map(|last| last.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
        let text = match &task.tenant {
            Some(tenant) => Message::new("trouble-missed-of").with("tenant", tenant),
            None => Message::new("trouble-missed"),
        };
        Trouble {
            severity: Severity::Problem,
            text: text.with("job", task.job.word()).with("at", at),
            repair: Some(Message::new("repair-missed").with("command", task.command.join(" "))),
        }
    };
    Ok(missed.map(trouble).collect())
}
