//! A run as a pure state machine: `replay` turns its journal into its state, `next` says what may happen next.
//! It is the only source of what happens; the conductor obeys it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use eclusa_fault::{Fault, Message};
use eclusa_model::{PersonName, RunId, StepName, TenantName};
use jiff::Timestamp;

mod lanes;

use crate::{
    Action, Effect, Entry, Event, Evidence, OnNoGo, Outcome, Outputs, Phase, Plan, Recovery,
    RestoreOperation, Scope, Step, Undo, Verdict, VerdictKind,
};

/// Why a journal is no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {sequence}: {problem}")]
pub struct Illegal {
    /// The entry that does not follow.
    pub sequence: u64,
    /// Why.
    pub problem: String,
}

/// Which way a run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Direction {
    /// Through the plan.
    Forward,
    /// Back through what was done.
    Back,
}

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Not begun.
    Pending,
    /// Begun under this generation of the lease, and not ended.
    Begun {
        /// The how-manieth try.
        attempt: u32,
        /// The generation that began it.
        generation: u64,
    },
    /// A person is asked.
    Asking {
        /// What.
        text: Message,
        /// Until when.
        deadline: Option<Timestamp>,
    },
    /// Done, or passed.
    Done,
    /// The last try failed.
    Failed {
        /// Why.
        fault: Fault,
        /// How many tries there were.
        attempts: u32,
    },
    /// A gate or a person said no.
    Refused {
        /// Why.
        why: Message,
    },
}

/// How far the undo of a step is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoProgress {
    /// Begun under this generation.
    Begun {
        /// The how-manieth try.
        attempt: u32,
        /// The generation that began it.
        generation: u64,
    },
    /// Taken back.
    Done,
    /// The last try failed.
    Failed {
        /// Why.
        fault: Fault,
        /// How many tries there were.
        attempts: u32,
    },
}

/// What may happen next. Everything that is ready is listed; the order does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Carry out a step.
    Perform {
        /// The step.
        step: StepName,
        /// The how-manieth try.
        attempt: u32,
    },
    /// Find out whether a step took effect before the crash.
    Recover {
        /// The step.
        step: StepName,
        /// What is to be done about it.
        recovery: Recovery,
        /// The try that was interrupted.
        attempt: u32,
    },
    /// Collect evidence and judge it.
    Judge {
        /// The gate's step.
        step: StepName,
        /// The how-manieth try.
        attempt: u32,
    },
    /// Put a question.
    Ask {
        /// The step.
        step: StepName,
    },
    /// Wait for the answer to a question.
    Await {
        /// The step.
        step: StepName,
        /// Until when.
        deadline: Option<Timestamp>,
    },
    /// Write down that the run goes back.
    TurnBack {
        /// What caused it.
        step: StepName,
        /// Why.
        why: Message,
    },
    /// Write down that one tenant goes back alone.
    TurnTenantBack {
        /// Whose.
        tenant: TenantName,
        /// What caused it.
        step: StepName,
        /// Why.
        why: Message,
    },
    /// Take a step back.
    Undo {
        /// The step.
        step: StepName,
        /// By what.
        effect: Effect,
        /// The how-manieth try.
        attempt: u32,
    },
    /// Write down that the run ended.
    End {
        /// How.
        outcome: Outcome,
    },
}

/// When a step began and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// When its first try began.
    pub began: Option<Timestamp>,
    /// When it was done, or its last try failed.
    pub ended: Option<Timestamp>,
    /// When its undo began.
    pub undo_began: Option<Timestamp>,
    /// When its undo was done.
    pub undo_ended: Option<Timestamp>,
}

/// What someone wrote down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: PersonName,
    /// `incident`, `lesson` or `note`.
    pub kind: String,
    /// What.
    pub text: String,
}

/// Who decided what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// About which step.
    pub step: StepName,
    /// Go on.
    pub go: bool,
    /// Who; none for the deadline.
    pub by: Option<PersonName>,
    /// Why.
    pub reason: String,
}

/// The state of a run, as its journal tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The plan it carries out. It never changes, so whoever needs it shares it.
    pub plan: Arc<Plan>,
    /// The version of Eclusa that began it.
    pub version: String,
    /// Who began it.
    pub by: PersonName,
    /// Why, where a reason had to be given.
    pub reason: Option<String>,
    /// When it began.
    pub began_at: Timestamp,
    /// When its newest event was written.
    pub newest_at: Timestamp,
    /// The number of its newest entry.
    pub sequence: u64,
    /// The generation of its lease: how often it was taken over.
    pub generation: u64,
    /// Which way it goes.
    pub direction: Direction,
    /// Why it went back.
    pub turned_back: Option<(Option<StepName>, Message, Timestamp)>,
    /// The tenants that went back alone, by which step and why.
    pub tenants_back: BTreeMap<TenantName, (StepName, Message, Timestamp)>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How far each step is.
    pub progress: BTreeMap<StepName, Progress>,
    /// How far each undo is.
    pub undone: BTreeMap<StepName, UndoProgress>,
    /// What steps gave.
    pub outputs: BTreeMap<StepName, Outputs>,
    /// What undos gave.
    pub undo_outputs: BTreeMap<StepName, Outputs>,
    /// What gates collected.
    pub evidence: BTreeMap<StepName, Evidence>,
    /// What it meant.
    pub verdicts: BTreeMap<StepName, Verdict>,
    /// When steps began and ended.
    pub timings: BTreeMap<StepName, Timing>,
    /// Who decided what.
    pub decisions: Vec<Decision>,
    /// Failures that were tolerated or retried.
    pub failures: Vec<(StepName, Fault)>,
    /// What was written down.
    pub notes: Vec<Note>,
}

impl Run {
    /// The state that a journal leads to.
    ///
    /// # Errors
    /// `Illegal` at the first entry that cannot follow the ones before it.
    pub fn replay(entries: &[Entry]) -> Result<Self, Illegal> {
        let (first, rest) = entries
            .split_first()
            .ok_or_else(|| Illegal { sequence: 0, problem: "the journal of the run is empty".to_owned() })?;
        let Event::Started { version, plan, by, reason, .. } = &first.event else {
            return Err(Illegal {
                sequence: first.sequence,
                problem: "a run begins with `started`".to_owned(),
            });
        };
        let mut run = Self {
            id: first.run.clone(),
            version: version.clone(),
            by: by.clone(),
            reason: reason.clone(),
            began_at: first.at,
            newest_at: first.at,
            sequence: first.sequence,
            generation: 1,
            direction: Direction::Forward,
            turned_back: None,
            tenants_back: BTreeMap::new(),
            outcome: None,
            ended_at: None,
            progress: plan.steps.iter().map(|step| (step.name.clone(), Progress::Pending)).collect(),
            undone: BTreeMap::new(),
            outputs: BTreeMap::new(),
            undo_outputs: BTreeMap::new(),
            evidence: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            timings: BTreeMap::new(),
            decisions: Vec::new(),
            failures: Vec::new(),
            notes: Vec::new(),
            plan: Arc::new((**plan).clone()),
        };
        for entry in rest {
            run.apply(entry)?;
        }
        Ok(run)
    }

    /// Takes one more entry in.
    ///
    /// # Errors
    /// `Illegal` when it cannot follow.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        let illegal = |problem: String| Illegal { sequence: entry.sequence, problem };
        if entry.run != self.id {
            return Err(illegal(format!("it belongs to run {}", entry.run)));
        }
        if entry.sequence != self.sequence + 1 {
            return Err(illegal(format!("number {} was expected", self.sequence + 1)));
        }
        let revives = matches!(entry.event, Event::Resumed { .. }) && self.outcome == Some(Outcome::Stuck);
        let after_end = matches!(entry.event, Event::Noted { .. } | Event::NoticeLost { .. }) || revives;
        if self.outcome.is_some() && !after_end {
            return Err(illegal("the run has ended".to_owned()));
        }
        self.take(entry).map_err(illegal)?;
        self.sequence = entry.sequence;
        self.newest_at = entry.at;
        Ok(())
    }

    fn take(&mut self, entry: &Entry) -> Result<(), String> {
        match &entry.event {
            Event::Started { .. } => Err("a run begins once".to_owned()),
            Event::Resumed { generation, .. } => self.take_resumed(*generation),
            Event::Intended { step, attempt } => self.take_intended(step, *attempt, entry.at),
            Event::Performed { step, outputs } => {
                self.must_be_begun(step)?;
                self.outputs.insert(step.clone(), outputs.clone());
                self.finish(step, Progress::Done, entry.at);
                Ok(())
            }
            Event::Failed { step, fault } => {
                let attempts = self.must_be_begun(step)?;
                self.failures.push((step.clone(), fault.clone()));
                self.finish(step, Progress::Failed { fault: fault.clone(), attempts }, entry.at);
                Ok(())
            }
            Event::FoundUndone { step } => {
                self.must_be_begun(step)?;
                if self.is_in_hand(step) {
                    return Err(format!("{step} is under way"));
                }
                self.progress.insert(step.clone(), Progress::Pending);
                Ok(())
            }
            Event::Sampled { step, evidence } => {
                self.must_be_begun(step)?;
                self.collect(step, evidence);
                Ok(())
            }
            Event::Judged { step, evidence, verdict } => self.take_judged(step, evidence, verdict, entry.at),
            Event::Asked { step, text, deadline } => self.take_asked(step, text, *deadline, entry.at),
            Event::Answered { step, go, by, reason } => {
                if !matches!(self.progress.get(step), Some(Progress::Asking { .. })) {
                    return Err(format!("{step} asked nothing"));
                }
                self.decisions.push(Decision {
                    at: entry.at,
                    step: step.clone(),
                    go: *go,
                    by: by.clone(),
                    reason: reason.clone(),
                });
                let answered = if *go {
                    Progress::Done
                } else {
                    Progress::Refused { why: Message::new("why-answered-no").with("reason", reason) }
                };
                self.finish(step, answered, entry.at);
                Ok(())
            }
            Event::TurnedBack { step, why, .. } => {
                if self.direction == Direction::Back {
                    return Err("it goes back already".to_owned());
                }
                self.direction = Direction::Back;
                self.turned_back = Some((step.clone(), why.clone(), entry.at));
                Ok(())
            }
            Event::TenantTurnedBack { tenant, step, why } => {
                self.take_tenant_back(tenant, step, why, entry.at)
            }
            Event::UndoIntended { step, attempt } => {
                self.must_go_back(step)?;
                if !self
                    .next()
                    .iter()
                    .any(|next| matches!(next, Next::Undo { step: ready, .. } if ready == step))
                {
                    return Err(format!("{step} cannot be taken back now"));
                }
                self.timings.entry(step.clone()).or_default().undo_began.get_or_insert(entry.at);
                self.undone.insert(
                    step.clone(),
                    UndoProgress::Begun { attempt: *attempt, generation: self.generation },
                );
                Ok(())
            }
            Event::Undone { step, outputs } => {
                self.undo_begun(step)?;
                self.timings.entry(step.clone()).or_default().undo_ended = Some(entry.at);
                self.undo_outputs.insert(step.clone(), outputs.clone());
                self.undone.insert(step.clone(), UndoProgress::Done);
                Ok(())
            }
            Event::UndoFailed { step, fault } => {
                let attempts = self.undo_begun(step)?;
                self.failures.push((step.clone(), fault.clone()));
                self.undone.insert(step.clone(), UndoProgress::Failed { fault: fault.clone(), attempts });
                Ok(())
            }
            Event::NoticeLost { .. } => Ok(()),
            Event::Noted { by, kind, text } => {
                self.notes.push(Note {
                    at: entry.at,
                    by: by.clone(),
                    kind: kind.clone(),
                    text: text.clone(),
                });
                Ok(())
            }
            Event::Ended { outcome } => {
                if !self.next().contains(&Next::End { outcome: *outcome }) {
                    return Err(format!("it cannot end {outcome:?} now"));
                }
                self.outcome = Some(*outcome);
                self.ended_at = Some(entry.at);
                Ok(())
            }
        }
    }

    fn take_resumed(&mut self, generation: u64) -> Result<(), String> {
        if generation <= self.generation {
            return Err(format!("generation {generation} is not newer than {}", self.generation));
        }
        self.generation = generation;
        // Who takes over tries again what had failed for good.
        if self.outcome == Some(Outcome::Stuck) {
            self.outcome = None;
            self.ended_at = None;
            self.undone.retain(|_, undo| !matches!(undo, UndoProgress::Failed { .. }));
        }
        Ok(())
    }

    fn take_intended(&mut self, step: &StepName, attempt: u32, at: Timestamp) -> Result<(), String> {
        let found = self.known(step)?;
        if self.direction == Direction::Back {
            return Err(format!("{step} cannot begin: the run goes back"));
        }
        if self.is_back_alone(found) {
            return Err(format!("{step} cannot begin: its tenant goes back"));
        }
        if self.is_needless(found) {
            return Err(format!("{step} cannot begin: its tenant goes on"));
        }
        if let Some(missing) = found.after.iter().find(|name| !self.is_passed(name)) {
            return Err(format!("{step} cannot begin before {missing}"));
        }
        match self.progress.get(step) {
            Some(Progress::Pending | Progress::Failed { .. }) => {}
            Some(Progress::Begun { generation, .. }) if *generation < self.generation => {}
            other => return Err(format!("{step} cannot begin: it is {other:?}")),
        }
        self.timings.entry(step.clone()).or_default().began.get_or_insert(at);
        // A gate that begins again begins with fresh evidence, unless it was only interrupted.
        if !matches!(self.progress.get(step), Some(Progress::Begun { .. })) {
            self.evidence.remove(step);
        }
        self.verdicts.remove(step);
        self.progress.insert(step.clone(), Progress::Begun { attempt, generation: self.generation });
        Ok(())
    }

    fn take_judged(
        &mut self,
        step: &StepName,
        evidence: &Evidence,
        verdict: &Verdict,
        at: Timestamp,
    ) -> Result<(), String> {
        self.must_be_begun(step)?;
        let (on_hold, on_no_go) = match self.plan.step(step).map(|step| &step.action) {
            Some(Action::Judge(gate)) => (gate.on_hold, gate.on_no_go),
            _ => return Err(format!("{step} is no gate")),
        };
        self.collect(step, evidence);
        self.verdicts.insert(step.clone(), verdict.clone());
        let policy = match verdict.kind {
            VerdictKind::Go => OnNoGo::Warn,
            VerdictKind::Hold => on_hold,
            VerdictKind::NoGo => on_no_go,
        };
        match policy {
            OnNoGo::Warn => self.finish(step, Progress::Done, at),
            OnNoGo::Back => {
                let why = Message::new("why-gate-refused").with("step", step);
                self.finish(step, Progress::Refused { why }, at);
            }
            // The question follows as an event of its own; until then the gate stays begun.
            OnNoGo::Ask => {}
        }
        Ok(())
    }

    fn take_asked(
        &mut self,
        step: &StepName,
        text: &Message,
        deadline: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<(), String> {
        let found = self.known(step)?;
        let asks = match (&found.action, self.progress.get(step)) {
            (Action::Ask(_), Some(Progress::Pending)) => found.after.iter().all(|name| self.is_passed(name)),
            (Action::Judge(_), Some(Progress::Begun { .. })) => self.verdicts.contains_key(step),
            _ => false,
        };
        if !asks {
            return Err(format!("{step} has nothing to ask"));
        }
        if self.direction == Direction::Back {
            return Err("the run goes back".to_owned());
        }
        self.timings.entry(step.clone()).or_default().began.get_or_insert(at);
        self.progress.insert(step.clone(), Progress::Asking { text: text.clone(), deadline });
        Ok(())
    }

    fn collect(&mut self, step: &StepName, evidence: &Evidence) {
        let kept = self.evidence.entry(step.clone()).or_default();
        kept.samples.extend(evidence.samples.iter().cloned());
        kept.facts.extend(evidence.facts.iter().cloned());
        kept.lines.extend(evidence.lines.iter().cloned());
    }

    fn finish(&mut self, step: &StepName, progress: Progress, at: Timestamp) {
        self.timings.entry(step.clone()).or_default().ended = Some(at);
        self.progress.insert(step.clone(), progress);
    }

    fn known(&self, step: &StepName) -> Result<&Step, String> {
        self.plan.step(step).ok_or_else(|| format!("the plan has no step {step}"))
    }

    fn must_be_begun(&self, step: &StepName) -> Result<u32, String> {
        match self.progress.get(step) {
            Some(Progress::Begun { attempt, .. }) => Ok(*attempt),
            other => Err(format!("{step} was not begun: it is {other:?}")),
        }
    }

    fn undo_begun(&self, step: &StepName) -> Result<u32, String> {
        self.must_go_back(step)?;
        match self.undone.get(step) {
            Some(UndoProgress::Begun { attempt, .. }) => Ok(*attempt),
            other => Err(format!("the undo of {step} was not begun: it is {other:?}")),
        }
    }

    /// Whether a step is done, or failed and that is tolerated, or its tenant has gone back alone.
    #[must_use]
    pub fn is_passed(&self, name: &StepName) -> bool {
        if let Some(step) = self.plan.step(name)
            && let Some(tenant) = step.lane_tenant()
            && self.tenants_back.contains_key(tenant)
        {
            // What is left out leaves nothing out that stands before it.
            return self.has_settled(tenant) && step.after.iter().all(|before| self.is_passed(before));
        }
        if let Some(step) = self.plan.step(name).filter(|step| self.is_needless(step)) {
            return step.after.iter().all(|before| self.is_passed(before));
        }
        match self.progress.get(name) {
            Some(Progress::Done) => true,
            Some(Progress::Failed { .. }) => {
                self.plan.step(name).is_some_and(|step| step.limits.tolerated && self.has_failed(step))
            }
            _ => false,
        }
    }

    /// Whether a step was ever begun, so that it may have left something to take back.
    #[must_use]
    pub fn is_touched(&self, name: &StepName) -> bool {
        !matches!(self.progress.get(name), None | Some(Progress::Pending))
    }

    /// Whether anything beyond the checks was done.
    #[must_use]
    pub fn has_changed_anything(&self) -> bool {
        self.plan.steps.iter().any(|step| {
            let changes = matches!(&step.action, Action::Perform(effect) if !matches!(effect, Effect::Lease(_) | Effect::Mark | Effect::Record { .. }));
            changes && step.phase != Phase::Preflight && self.is_touched(&step.name)
        })
    }

    /// Whether a step is in the hands of the present runner.
    fn is_in_hand(&self, name: &StepName) -> bool {
        // A gate whose verdict wants a question has nothing under way.
        matches!(self.progress.get(name), Some(Progress::Begun { generation, .. }) if *generation == self.generation)
            && !self.verdicts.contains_key(name)
    }

    /// The outputs of a step under a name.
    #[must_use]
    pub fn output(&self, step: &StepName, name: &str) -> Option<&str> {
        self.outputs.get(step).and_then(|outputs| outputs.get(name)).map(String::as_str)
    }

    /// Everything that may happen next. Empty: what was begun has to end first, or the run has ended.
    #[must_use]
    pub fn next(&self) -> Vec<Next> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        match self.direction {
            Direction::Forward => self.next_forward(),
            Direction::Back => self.next_back(),
        }
    }

    fn next_forward(&self) -> Vec<Next> {
        let stopper = self.stopper();
        if let Some((step, _)) = &stopper
            && !self.goes_on_without(step)
        {
            return self.turn_back(stopper);
        }
        let mut next = self.turn_tenants_back();
        let mut all_passed = true;
        for step in &self.plan.steps {
            if self.is_passed(&step.name) {
                continue;
            }
            all_passed = false;
            let ready = !self.has_failed(step) && step.after.iter().all(|name| self.is_passed(name));
            if ready && !self.is_back_alone(step) && !self.is_needless(step) {
                next.extend(self.next_of(step));
            }
        }
        if all_passed {
            next.push(Next::End { outcome: self.forward_outcome() });
            return next;
        }
        let mut stuck = false;
        if !self.tenants_back.is_empty() {
            let (undos, _, failed) = self.undos(|step| self.is_back_alone(step));
            next.extend(undos);
            stuck = failed;
        }
        if !next.is_empty() {
            return next;
        }
        let busy = self.is_undoing() || self.plan.steps.iter().any(|step| self.is_in_hand(&step.name));
        if stuck && !busy && stopper.is_none() {
            return vec![Next::End { outcome: Outcome::Stuck }];
        }
        self.turn_back(stopper)
    }

    /// What the present runner has begun ends first, so that it is known what has to be taken back.
    fn turn_back(&self, stopper: Option<(StepName, Message)>) -> Vec<Next> {
        let busy = self.plan.steps.iter().any(|step| self.is_in_hand(&step.name));
        match stopper {
            Some((step, why)) if !busy => vec![Next::TurnBack { step, why }],
            _ => Vec::new(),
        }
    }

    /// Whether the other steps are done all the same, because each serves a tenant of its own: that one tenant's copy
    /// failed is no reason for another to have none.
    fn goes_on_without(&self, step: &StepName) -> bool {
        let is_of_a_tenant = self.plan.step(step).is_some_and(|step| matches!(step.scope, Scope::Tenant(_)));
        self.plan.intent.is_tenant_by_tenant() && is_of_a_tenant
    }

    /// Whether a step failed as often as it may.
    fn has_failed(&self, step: &Step) -> bool {
        matches!(self.progress.get(&step.name), Some(Progress::Failed { attempts, .. }) if *attempts > step.limits.retries)
    }

    /// The first step that ends the way forward for everyone.
    fn stopper(&self) -> Option<(StepName, Message)> {
        let shared = self.plan.steps.iter().filter(|step| !step.goes_back_alone());
        shared.into_iter().find_map(|step| Some((step.name.clone(), self.why_stopped(step)?)))
    }

    /// Why nothing can come after a step, where that is so.
    fn why_stopped(&self, step: &Step) -> Option<Message> {
        match self.progress.get(&step.name) {
            Some(Progress::Refused { why }) => Some(why.clone()),
            Some(Progress::Failed { .. }) if self.has_failed(step) && !step.limits.tolerated => {
                Some(Message::new("why-step-failed").with("step", &step.name))
            }
            _ => None,
        }
    }

    fn next_of(&self, step: &Step) -> Option<Next> {
        let name = step.name.clone();
        match self.progress.get(&step.name)? {
            Progress::Pending => Some(match &step.action {
                Action::Perform(_) => Next::Perform { step: name, attempt: 1 },
                Action::Judge(_) => Next::Judge { step: name, attempt: 1 },
                Action::Ask(_) => Next::Ask { step: name },
            }),
            Progress::Failed { attempts, .. } => Some(match &step.action {
                Action::Judge(_) => Next::Judge { step: name, attempt: attempts + 1 },
                _ => Next::Perform { step: name, attempt: attempts + 1 },
            }),
            Progress::Begun { attempt, generation } if *generation < self.generation => {
                Some(match &step.action {
                    Action::Perform(_) => {
                        Next::Recover { step: name, recovery: step.recovery.clone(), attempt: *attempt }
                    }
                    // A verdict that wants a question was written before the crash.
                    Action::Judge(_) if self.verdicts.contains_key(&step.name) => Next::Ask { step: name },
                    Action::Judge(_) => Next::Judge { step: name, attempt: *attempt },
                    Action::Ask(_) => Next::Ask { step: name },
                })
            }
            Progress::Begun { .. } => match &step.action {
                Action::Judge(_) if self.verdicts.contains_key(&step.name) => Some(Next::Ask { step: name }),
                _ => None,
            },
            Progress::Asking { deadline, .. } => Some(Next::Await { step: name, deadline: *deadline }),
            Progress::Done | Progress::Refused { .. } => None,
        }
    }

    fn next_back(&self) -> Vec<Next> {
        let (mut next, waiting, stuck) = self.undos(|_| true);
        if next.is_empty() && !self.is_undoing() {
            if stuck {
                next.push(Next::End { outcome: Outcome::Stuck });
            } else if !waiting {
                let outcome = if self.has_changed_anything() { Outcome::WentBack } else { Outcome::Refused };
                next.push(Next::End { outcome });
            }
        }
        next
    }

    /// The steps that come directly after each.
    fn dependents(&self) -> BTreeMap<&StepName, Vec<&StepName>> {
        let mut dependents: BTreeMap<&StepName, Vec<&StepName>> = BTreeMap::new();
        for step in &self.plan.steps {
            for name in &step.after {
                dependents.entry(name).or_default().push(&step.name);
            }
        }
        dependents
    }

    /// The steps that need nothing more on the way back, by themselves or because it was done.
    fn taken_back<'a>(
        &'a self,
        dependents: &BTreeMap<&'a StepName, Vec<&'a StepName>>,
    ) -> BTreeSet<&'a StepName> {
        let mut set = BTreeSet::new();
        // From the last to the first: a step without an undo counts only once everything after it does, so that
        // order is kept through it.
        for step in self.plan.steps.iter().rev() {
            let itself = !self.is_in_hand(&step.name) && self.needs_no_undo(step);
            if itself && all_in(&set, dependents.get(&step.name)) {
                set.insert(&step.name);
            }
        }
        set
    }
}

fn all_in(set: &BTreeSet<&StepName>, names: Option<&Vec<&StepName>>) -> bool {
    names.into_iter().flatten().all(|name| set.contains(name))
}

/// The effect that takes a step back; none where there is nothing to take back.
fn undo_effect(step: &Step) -> Option<Effect> {
    if !matches!(step.action, Action::Perform(_)) {
        return None;
    }
    match &step.undo {
        Undo::By(effect) => Some(effect.clone()),
        Undo::Restore { tenant, point, suffix } => Some(Effect::Restore(RestoreOperation::Whole {
            tenant: tenant.clone(),
            point: point.clone(),
            suffix: suffix.clone(),
        })),
        Undo::Nothing { .. } | Undo::NoReturn { .. } => None,
    }
}
