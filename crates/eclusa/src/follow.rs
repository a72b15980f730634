//! Following a run from outside: its journal is read as it grows, so that following needs nothing of its runner, and
//! ending the following ends nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eclusa_control::{Assembly, headway, running};
use eclusa_fault::{Code, Fault, Language, Message, Result};
use eclusa_journal::SqliteJournal;
use eclusa_model::{RunId, StepName};
use eclusa_ports::JournalStore;
use eclusa_runbook::{Action, Entry, Event, Intent, Outcome, Progress, Run, Scope, Step, UndoProgress};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use crate::terminal::{self, BOLD, GREEN, RED, YELLOW, say, tell};

/// How often the journal is looked at.
const GLANCE: Duration = Duration::from_millis(120);
/// How often it is said how far a step has come, where nothing is drawn.
const HEADWAY_EVERY: SignedDuration = SignedDuration::from_secs(10);
/// After this long without an owner a run is said to have none.
const OWNERLESS: Duration = Duration::from_secs(5);

/// Follows a run until it ends, its runner is gone, or the person has seen enough.
pub async fn follow(assembly: &Assembly, id: &RunId, language: &Language, json: bool) -> Result<Exit> {
    follow_after(assembly, id, language, json, 0).await
}

/// The same for a run that is being taken up: a stuck one has an end already, which counts no longer once a runner of a
/// generation after `generation` has it.
pub async fn follow_after(
    assembly: &Assembly,
    id: &RunId,
    language: &Language,
    json: bool,
    generation: u64,
) -> Result<Exit> {
    let mut follower = Follower {
        journal: assembly.journal.clone(),
        id: id.clone(),
        language: language.clone(),
        json,
        run: None,
        seen: None,
        live: (terminal::is_live() && !json).then(|| Live::new(assembly.ports.outputs.join(id.as_str()))),
        outputs: assembly.ports.outputs.join(id.as_str()),
        told: BTreeMap::new(),
    };
    let mut ownerless: Option<tokio::time::Instant> = None;
    let fault = |error: std::io::Error| Fault::new(Code::Internal).with("what", error);
    let mut terminated = signal(SignalKind::terminate()).map_err(fault)?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(fault)?;
    loop {
        let new = follower.glance().await?;
        let taken_up = follower.run.as_ref().filter(|run| run.generation > generation);
        if let Some(outcome) = taken_up.and_then(|run| run.outcome) {
            follower.end(outcome);
            return Ok(Exit::of(outcome));
        }
        if new || running::owner_lives(assembly, id).await {
            ownerless = None;
        } else if ownerless.get_or_insert_with(tokio::time::Instant::now).elapsed() > OWNERLESS {
            follower.clear();
            return Err(gone(assembly, id));
        }
        tokio::select! {
            () = tokio::time::sleep(GLANCE) => continue,
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
            _ = hung_up.recv() => {}
        }
        follower.clear();
        tell(Message::new("follow-detached").with("run", id).render(language));
        return Ok(Exit::Interrupted);
    }
}

/// The fault of a run whose runner is gone, with the last words of the runner.
fn gone(assembly: &Assembly, id: &RunId) -> Fault {
    let mut fault = Fault::new(Code::RunState).with("run", id).with("problem", "has lost its runner");
    let log = assembly.ports.outputs.join(id.as_str()).join("runner.log");
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    fault.causes = lines.iter().skip(lines.len().saturating_sub(8)).map(|line| (*line).to_owned()).collect();
    fault.state(Message::new("state-run-unowned")).hint(Message::new("hint-unfinished").with("run", id))
}

struct Follower {
    journal: Arc<SqliteJournal>,
    id: RunId,
    language: Language,
    json: bool,
    run: Option<Run>,
    /// The last event that was read.
    seen: Option<Arc<Entry>>,
    live: Option<Live>,
    /// Where the outputs of the steps are.
    outputs: PathBuf,
    /// When it was last said of a step how far it has come.
    told: BTreeMap<StepName, Timestamp>,
}

impl Follower {
    /// Shows what is new; says whether anything was.
    async fn glance(&mut self) -> Result<bool> {
        let (journal, id, seen) = (self.journal.clone(), self.id.clone(), self.seen.clone());
        let mut new = tokio::task::spawn_blocking(move || match &seen {
            Some(last) => journal.read_after(&id, last),
            None => journal.read(&id),
        })
        .await
        .map_err(|error| Fault::new(Code::Internal).with("what", error))??;
        for entry in &new {
            self.take(entry)?;
        }
        let is_new = !new.is_empty();
        self.seen = new.pop().map(Arc::new).or_else(|| self.seen.take());
        if let (Some(live), Some(run)) = (&mut self.live, &self.run) {
            live.draw(run, &self.language);
        }
        self.say_headway();
        Ok(is_new)
    }

    fn take(&mut self, entry: &Entry) -> Result<()> {
        let illegal =
            |illegal| Fault::new(Code::JournalDamaged).with("path", "of this run").with("problem", illegal);
        match &mut self.run {
            None => self.run = Some(Run::replay(std::slice::from_ref(entry)).map_err(illegal)?),
            Some(run) => run.apply(entry).map_err(illegal)?,
        }
        let Some(run) = &self.run else { return Ok(()) };
        if self.json {
            say(eclusa_report::events_json(entry));
            return Ok(());
        }
        if self.is_passing(&entry.event, run) {
            return Ok(());
        }
        let Some(line) = eclusa_report::summary_line(entry, run, &self.language) else { return Ok(()) };
        let line = paint(&entry.event, &line);
        match &self.live {
            Some(live) => live.bars.suspend(|| say(line)),
            None => say(line),
        }
        if let Event::Asked { .. } = &entry.event {
            let text = Message::new("follow-answer").with("run", &self.id).render(&self.language);
            match &self.live {
                Some(live) => live.bars.suspend(|| tell(text)),
                None => tell(text),
            }
        }
        Ok(())
    }

    /// A beginning that needs no line: in a terminal what is under way is drawn, and in a pipe a gate's verdict and a
    /// short step's end follow at once.
    fn is_passing(&self, event: &Event, run: &Run) -> bool {
        let short = |name: &StepName| {
            run.plan.step(name).is_some_and(|step| step.expected.is_some_and(|expected| expected < 3000))
        };
        match event {
            Event::Sampled { .. } => true,
            Event::Intended { step, .. } => {
                let gate = run.plan.step(step).is_some_and(|step| matches!(step.action, Action::Judge(_)));
                self.live.is_some() || short(step) || (gate && !step.as_str().starts_with("watch"))
            }
            Event::UndoIntended { .. } => self.live.is_some(),
            _ => false,
        }
    }

    /// Where nothing is drawn it is said every so often how far the steps have come that read many bytes. It is no event, so
    /// programs that read the events do not get it.
    fn say_headway(&mut self) {
        let Some(run) = self.run.as_ref().filter(|_| self.live.is_none() && !self.json) else { return };
        let now = Timestamp::now();
        for step in headway::under_way(run) {
            let told = self.told.entry(step.clone()).or_insert(now);
            if now.duration_since(*told) < HEADWAY_EVERY {
                continue;
            }
            if let Some(headway) = headway::of(&self.outputs, step, now) {
                *told = now;
                say(eclusa_report::headway_line(&headway, step, run, &self.language));
            }
        }
    }

    fn clear(&mut self) {
        if let Some(live) = &mut self.live {
            live.clear();
        }
    }

    /// The last words.
    fn end(&mut self, outcome: Outcome) {
        self.clear();
        let Some(run) = &self.run else { return };
        if self.json {
            return;
        }
        let (style, word) = match outcome {
            Outcome::Done => (GREEN, "follow-end-done"),
            Outcome::Refused => (YELLOW, "follow-end-refused"),
            Outcome::WentBack => (YELLOW, "follow-end-back"),
            Outcome::Partly => (YELLOW, "follow-end-partly"),
            Outcome::Stuck => (RED, "follow-end-stuck"),
        };
        let why = self.why(run);
        let message = match &run.plan.intent {
            // The points that were taken are no less good for the one that could not be.
            Intent::Backup { tenants } if outcome == Outcome::WentBack => {
                let without = unfinished_tenants(run);
                let some = without.len() < tenants.len();
                let id = if some { "follow-end-backup-some" } else { "follow-end-backup" };
                Message::new(id).with("tenants", without.join(", "))
            }
            Intent::Mirror { .. } if outcome == Outcome::WentBack => {
                Message::new("follow-end-mirror").with("tenants", unfinished_tenants(run).join(", "))
            }
            // Nothing that is live was changed, so there is nothing to go back to.
            Intent::Drill { .. } | Intent::Rehearse { .. } | Intent::Restore { check_only: true, .. }
                if outcome == Outcome::WentBack =>
            {
                let message = match unfinished_tenants(run).join(", ") {
                    none if none.is_empty() => Message::new("follow-end-tried"),
                    tenants if matches!(run.plan.intent, Intent::Rehearse { .. }) => {
                        Message::new("follow-end-rehearsed-of").with("tenants", tenants)
                    }
                    tenants => Message::new("follow-end-tried-of").with("tenants", tenants),
                };
                message.with("why", why)
            }
            // What was thrown away before stays away: there is nothing to go back to.
            Intent::Prune { at, .. } if outcome == Outcome::WentBack => {
                let message = match at {
                    Some(mirror) => Message::new("follow-end-prune-at").with("mirror", mirror),
                    None => Message::new("follow-end-prune"),
                };
                message.with("tenants", unfinished_tenants(run).join(", "))
            }
            _ => Message::new(word).with("why", why),
        };
        let text = message.with("run", &self.id).render(&self.language);
        say(format!("{style}{text}{style:#}"));
        match outcome {
            Outcome::Done => {}
            Outcome::Refused | Outcome::WentBack | Outcome::Partly => self.say_next(run),
            Outcome::Stuck => self.say_what_is_left(run),
        }
        say(Message::new("follow-report").with("run", &self.id).render(&self.language));
    }
}

impl Follower {
    /// Why the run, or the tenants that went back alone, went back.
    fn why(&self, run: &Run) -> String {
        let alone = run.tenants_back.iter().map(|(tenant, (_, why, _))| (Some(tenant), why));
        let whole = run.turned_back.iter().map(|(_, why, _)| (None, why));
        let said = whole.chain(alone).map(|(tenant, why)| match tenant {
            Some(tenant) => format!("{tenant}: {}", why.render(&self.language)),
            None => why.render(&self.language),
        });
        said.collect::<Vec<_>>().join("; ")
    }

    /// What to do about the fault for which the run went back, where there is something.
    fn say_next(&self, run: &Run) {
        let alone = run.tenants_back.values().map(|(step, ..)| step).next();
        let step = run.turned_back.as_ref().and_then(|(step, ..)| step.as_ref()).or(alone);
        let fault =
            run.failures.iter().rev().find(|(failed, _)| Some(failed) == step).map(|(_, fault)| fault);
        if let Some(hint) = fault.and_then(|fault| fault.hint_text(&self.language)) {
            say(Message::new("follow-end-next").with("hint", hint).render(&self.language));
        }
        let kept: Vec<&str> = run.kept_closed().into_iter().map(|tenant| tenant.as_str()).collect();
        if !kept.is_empty() {
            let text = Message::new("follow-end-kept").with("tenants", kept.join(", "));
            say(text.render(&self.language));
        }
    }

    /// What could not be taken back, and what to do about that.
    fn say_what_is_left(&self, run: &Run) {
        for (step, undo) in &run.undone {
            let UndoProgress::Failed { fault, .. } = undo else { continue };
            let text = Message::new("follow-end-left").with("step", step).with("fault", fault);
            say(text.render(&self.language));
        }
        say(Message::new("follow-end-mend").with("run", &self.id).render(&self.language));
        if !run.plan.emergency.is_empty() {
            let people = run.plan.emergency.join(", ");
            say(Message::new("follow-emergency").with("people", people).render(&self.language));
        }
    }
}

/// The tenants of which a step was not done.
fn unfinished_tenants(run: &Run) -> Vec<&str> {
    let undone = |step: &&Step| run.progress.get(&step.name) != Some(&Progress::Done);
    let names = run.plan.steps.iter().filter(undone).filter_map(|step| match &step.scope {
        Scope::Tenant(tenant) => Some(tenant.as_str()),
        _ => None,
    });
    let mut named = BTreeSet::new();
    names.filter(|name| named.insert(*name)).collect()
}

fn paint(event: &Event, line: &str) -> String {
    match event {
        Event::Failed { .. }
        | Event::UndoFailed { .. }
        | Event::TurnedBack { .. }
        | Event::TenantTurnedBack { .. } => {
            format!("{RED}{line}{RED:#}")
        }
        Event::Asked { .. } => format!("{YELLOW}{line}{YELLOW:#}"),
        Event::Started { .. } | Event::Ended { .. } | Event::Resumed { .. } => {
            format!("{BOLD}{line}{BOLD:#}")
        }
        _ => line.to_owned(),
    }
}

/// What is under way, drawn under the lines.
struct Live {
    bars: MultiProgress,
    steps: BTreeMap<StepName, ProgressBar>,
    outputs: PathBuf,
}

impl Live {
    fn new(outputs: PathBuf) -> Self {
        let bars = MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::stdout());
        Self { bars, steps: BTreeMap::new(), outputs }
    }

    fn draw(&mut self, run: &Run, language: &Language) {
        let under_way = headway::under_way(run);
        self.steps.retain(|name, bar| {
            let keep = under_way.contains(&name);
            if !keep {
                bar.finish_and_clear();
            }
            keep
        });
        for name in under_way {
            let bar = self.steps.entry(name.clone()).or_insert_with(|| {
                let bar = self.bars.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg}") {
                    bar.set_style(style);
                }
                bar.enable_steady_tick(Duration::from_millis(150));
                bar
            });
            let headway = headway::of(&self.outputs, name, Timestamp::now());
            let headway = headway.map(|headway| eclusa_report::headway_text(&headway, language));
            let tail = headway.or_else(|| last_line(&self.outputs, name));
            bar.set_message(describe(run, name, language, tail));
        }
    }

    fn clear(&mut self) {
        for bar in self.steps.values() {
            bar.finish_and_clear();
        }
        self.steps.clear();
        let _ = self.bars.clear();
    }
}

fn describe(run: &Run, name: &StepName, language: &Language, tail: Option<String>) -> String {
    let Some(step) = run.plan.step(name) else { return name.to_string() };
    let timing = run.timings.get(name).copied().unwrap_or_default();
    let undoing = run.undone.contains_key(name);
    let began = if undoing { timing.undo_began } else { timing.began };
    let elapsed = began.map_or(0, |began| Timestamp::now().duration_since(began).as_secs().max(0));
    let expected = match step.expected {
        Some(expected) if !undoing => format!(" / {} s", expected.div_ceil(1000)),
        _ => String::new(),
    };
    let back = if undoing { "← " } else { "" };
    let tail =
        tail.map(|line| format!("  {}", line.chars().take(100).collect::<String>())).unwrap_or_default();
    format!("{back}{}  {elapsed} s{expected}{tail}", step.title.render(language))
}

/// The last line of a step's output so far.
fn last_line(outputs: &std::path::Path, name: &StepName) -> Option<String> {
    let mut file = std::fs::File::open(outputs.join(format!("{name}.log"))).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(2048))).ok()?;
    let mut bytes = Vec::new();
    file.take(2048).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}
