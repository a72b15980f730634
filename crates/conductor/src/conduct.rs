//! The loop: asks the run what may happen next, writes the intent, does it, writes the outcome.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{PersonName, RunId, StepName};
use eclusa_ports::{Pace, Request};
use eclusa_runbook::{
    Action, Direction, EVENT_FORMAT, Effect, Event, Evidence, GateKind, Intent, Next, Outcome, Outputs, Plan,
    Recovery, Run, UndoProgress, VaultOperation, Verdict, look_of,
};
use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::context::{Context, Listed, Ports};
use crate::effects::{end_leftover, patiently, perform, while_away};
use crate::gates::{self, Earlier};
use crate::notices::Lost;
use crate::recorder::{Recorder, Watcher, append};
use crate::recover::{Found, find_out};

/// How a conductor stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The run ended.
    Ended(Outcome),
    /// It was told to stop; the run can be resumed.
    Interrupted,
}

/// What a task came to.
enum Finished {
    Performed(Result<Outputs>),
    Judged(Result<(Evidence, Verdict)>),
    Recovered(Result<Found>),
    Undone(Result<Outputs>),
}

/// What a gate has collected so far.
type Collected = (StepName, Evidence);

/// Carries out one run.
pub struct Conductor {
    pub(crate) ports: Ports,
    pub(crate) recorder: Recorder,
    pub(crate) abort: Option<(Request, PersonName, String)>,
    pub(crate) lost: (mpsc::UnboundedSender<Lost>, mpsc::UnboundedReceiver<Lost>),
    pub(crate) telling: JoinSet<()>,
    /// The kind of each notice that is on its way or was.
    pub(crate) told: BTreeMap<tokio::task::Id, String>,
    tasks: JoinSet<(StepName, Finished)>,
    busy: BTreeMap<StepName, AbortHandle>,
    listed: Arc<Listed>,
    samples: (mpsc::Sender<Collected>, mpsc::Receiver<Collected>),
    /// So many bytes a second may be read by all steps together.
    pace: Option<Arc<Pace>>,
}

impl Conductor {
    /// Begins a run of a plan: the first event is durable when this returns.
    ///
    /// # Errors
    /// `JournalUnwritable`.
    pub async fn begin(
        ports: Ports,
        run: RunId,
        plan: Plan,
        by: PersonName,
        reason: Option<String>,
    ) -> Result<RunId> {
        let stack = plan.stack.clone();
        let version = plan.version.clone();
        let event = Event::Started { format: EVENT_FORMAT, version, plan: Box::new(plan), by, reason };
        append(&ports.journal, ports.clock.now(), run.clone(), stack, 1, event).await?;
        Ok(run)
    }

    /// Takes a run up from its journal. `resumed_by` is set when another process had it before.
    ///
    /// # Errors
    /// `JournalDamaged`, `RunUnknown`, `LeaseHeld`.
    pub async fn take_up(
        ports: Ports,
        run: RunId,
        resumed_by: Option<PersonName>,
        watchers: Vec<Arc<dyn Watcher>>,
    ) -> Result<Self> {
        let journal = ports.journal.clone();
        let id = run.clone();
        let entries = tokio::task::spawn_blocking(move || journal.read(&id))
            .await
            .map_err(|error| Fault::new(Code::Internal).with("what", error))??;
        let state = Run::replay(&entries).map_err(|illegal| {
            Fault::new(Code::JournalDamaged).with("path", format!("of run {run}")).with("problem", illegal)
        })?;
        let recorder = Recorder {
            journal: ports.journal.clone(),
            clock: ports.clock.clone(),
            secrets: ports.secrets.clone(),
            watchers,
            run: state,
        };
        let pace = recorder.run.plan.load.bytes_per_second.map(|rate| Arc::new(Pace::new(rate)));
        let mut conductor = Self {
            ports,
            recorder,
            abort: None,
            lost: mpsc::unbounded_channel(),
            telling: JoinSet::new(),
            told: BTreeMap::new(),
            tasks: JoinSet::new(),
            busy: BTreeMap::new(),
            listed: Arc::default(),
            samples: mpsc::channel(16),
            pace,
        };
        match resumed_by {
            Some(by) => {
                let generation = conductor.recorder.run.generation + 1;
                conductor.recorder.append(Event::Resumed { generation, by }).await?;
            }
            None => {
                if let Some(first) = entries.first() {
                    conductor.tell(first);
                }
            }
        }
        Ok(conductor)
    }

    /// The run as it stands.
    #[must_use]
    pub fn run(&self) -> &Run {
        &self.recorder.run
    }

    /// Goes on until the run has ended, or `stop` becomes true.
    ///
    /// # Errors
    /// When the journal cannot be written, or the run's state allows nothing: then nothing more is done.
    pub async fn conduct(mut self, mut stop: watch::Receiver<bool>) -> Result<Ending> {
        loop {
            if *stop.borrow() {
                self.tasks.shutdown().await;
                return Ok(Ending::Interrupted);
            }
            self.take_requests().await?;
            self.heed_abort().await?;
            if let Some(outcome) = self.recorder.run.outcome {
                self.finish_telling().await?;
                return Ok(Ending::Ended(outcome));
            }
            let began = self.begin_what_is_ready().await?;
            if began {
                continue;
            }
            let waits = self.recorder.run.next().iter().any(|next| matches!(next, Next::Await { .. }));
            if self.tasks.is_empty() && !waits && self.recorder.run.next().is_empty() {
                return Err(Fault::new(Code::Internal).with("what", "a run in which nothing can happen next"));
            }
            tokio::select! {
                Some(done) = self.tasks.join_next() => self.take_finished(done).await?,
                Some((step, evidence)) = self.samples.1.recv() => {
                    self.append(Event::Sampled { step, evidence }).await?;
                }
                Some(lost) = self.lost.1.recv() => {
                    self.append(Event::NoticeLost { kind: lost.kind, fault: lost.fault }).await?;
                }
                _ = stop.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
        }
    }

    async fn append(&mut self, event: Event) -> Result<()> {
        let entry = self.recorder.append(event).await?;
        self.tell(&entry);
        Ok(())
    }

    /// A wish to go back: commands are ended, and backups, which nobody waits for then; everything else that is under way
    /// finishes first.
    async fn heed_abort(&mut self) -> Result<()> {
        if self.abort.is_none() {
            return Ok(());
        }
        let backup = matches!(self.recorder.run.plan.intent, Intent::Backup { .. });
        for (step, handle) in &self.busy {
            let ends = match self.recorder.run.plan.step(step).map(|step| &step.action) {
                Some(Action::Perform(Effect::Exec(_)) | Action::Judge(_)) => true,
                // A point that is not whole is not listed. One that is proved has a copy beside, which goes with its step.
                Some(Action::Perform(Effect::Vault(VaultOperation::Take { prove: false, .. }))) => backup,
                _ => false,
            };
            if ends {
                handle.abort();
            }
        }
        if self.tasks.is_empty()
            && let Some((request, by, reason)) = self.abort.take()
        {
            if self.recorder.run.direction == Direction::Forward {
                self.turn_back_for(request, by, reason).await?;
            } else {
                self.mark_taken(&request).await?;
            }
        }
        Ok(())
    }

    /// Begins everything that may begin now; says whether anything was.
    async fn begin_what_is_ready(&mut self) -> Result<bool> {
        let mut began = false;
        for next in self.recorder.run.next() {
            let stopping = self.abort.is_some() && self.recorder.run.direction == Direction::Forward;
            if stopping || self.busy.len() >= self.recorder.run.plan.parallel.max(1) {
                break;
            }
            began |= self.begin_one(next).await?;
        }
        Ok(began)
    }

    async fn begin_one(&mut self, next: Next) -> Result<bool> {
        match next {
            Next::Perform { step, .. }
            | Next::Judge { step, .. }
            | Next::Recover { step, .. }
            | Next::Undo { step, .. }
                if self.busy.contains_key(&step) =>
            {
                Ok(false)
            }
            Next::Perform { step, attempt } => {
                self.append(Event::Intended { step: step.clone(), attempt }).await?;
                self.start_perform(step);
                Ok(true)
            }
            Next::Judge { step, attempt } => {
                self.append(Event::Intended { step: step.clone(), attempt }).await?;
                self.start_judge(step);
                Ok(true)
            }
            Next::Recover { step, recovery, .. } => {
                self.start_recover(step, recovery);
                Ok(true)
            }
            Next::Undo { step, effect, attempt } => {
                self.append(Event::UndoIntended { step: step.clone(), attempt }).await?;
                self.start_undo(step, effect);
                Ok(true)
            }
            Next::Ask { step } => {
                self.ask(step).await?;
                Ok(true)
            }
            Next::Await { step, deadline } => {
                let late = deadline.is_some_and(|deadline| self.ports.clock.now() >= deadline);
                if late {
                    let reason = "no answer in time".to_owned();
                    self.append(Event::Answered { step, go: false, by: None, reason }).await?;
                }
                Ok(late)
            }
            Next::TurnBack { step, why } => {
                self.append(Event::TurnedBack { step: Some(step), why, by: None }).await?;
                Ok(true)
            }
            Next::TurnTenantBack { tenant, step, why } => {
                self.append(Event::TenantTurnedBack { tenant, step, why }).await?;
                Ok(true)
            }
            Next::End { outcome } => {
                self.append(Event::Ended { outcome }).await?;
                Ok(true)
            }
        }
    }

    async fn ask(&mut self, step: StepName) -> Result<()> {
        let plan = &self.recorder.run.plan;
        let (text, within) = match plan.step(&step).map(|step| &step.action) {
            Some(Action::Ask(question)) => (question.text.clone(), question.deadline),
            _ => (Message::new("question-gate").with("step", &step), plan.answer_within),
        };
        let deadline = within.and_then(|seconds| {
            self.ports.clock.now().checked_add(SignedDuration::from_secs(seconds as i64)).ok()
        });
        self.append(Event::Asked { step, text, deadline }).await
    }

    fn context(&self, step: &StepName) -> Context {
        Context::new(&self.ports, &self.recorder.run, step, &self.listed, self.pace.clone())
    }

    fn start(&mut self, step: StepName, task: impl Future<Output = Finished> + Send + 'static) {
        let name = step.clone();
        let handle = self.tasks.spawn(async move { (name, task.await) });
        self.busy.insert(step, handle);
    }

    fn start_perform(&mut self, step: StepName) {
        let context = self.context(&step);
        let action = self.recorder.run.plan.step(&step).map(|step| step.action.clone());
        self.start(step, async move {
            Finished::Performed(match action {
                Some(Action::Perform(effect)) => perform(&context, &effect).await,
                _ => Err(Fault::new(Code::Internal).with("what", "a step to perform that has no effect")),
            })
        });
    }

    fn start_judge(&mut self, step: StepName) {
        let context = self.context(&step);
        let run = &self.recorder.run;
        let action = run.plan.step(&step).map(|step| step.action.clone());
        let mut earlier = Earlier {
            began: run.timings.get(&step).and_then(|timing| timing.began),
            samples: run.evidence.get(&step).map(|evidence| evidence.samples.clone()).unwrap_or_default(),
            ..Earlier::default()
        };
        if let Some(Action::Judge(gate)) = &action
            && let GateKind::Watch { baseline, .. } | GateKind::Logs { baseline: Some(baseline), .. } =
                &gate.kind
            && let Some(evidence) = run.evidence.get(&baseline.step)
        {
            earlier.baseline.clone_from(&evidence.samples);
            earlier.known_lines = evidence.lines.iter().map(|line| look_of(gates::text_of(line))).collect();
        }
        let (sender, mut receiver) = mpsc::channel(4);
        let (all, name) = (self.samples.0.clone(), step.clone());
        self.start(step, async move {
            let Some(Action::Judge(gate)) = action else {
                return Finished::Judged(Err(Fault::new(Code::Internal).with("what", "a gate that asks nothing")));
            };
            let judging = gates::judge(&context, &gate, earlier, sender);
            tokio::pin!(judging);
            loop {
                tokio::select! {
                    Some(evidence) = receiver.recv() => {
                        if all.send((name.clone(), evidence)).await.is_err() {
                            break Finished::Judged(Err(Fault::new(Code::Internal).with("what", "a run without an owner")));
                        }
                    }
                    judged = &mut judging => break Finished::Judged(judged),
                }
            }
        });
    }

    fn start_recover(&mut self, step: StepName, recovery: Recovery) {
        let context = self.context(&step);
        let action = self.recorder.run.plan.step(&step).map(|step| step.action.clone());
        self.start(step, async move {
            Finished::Recovered(match action {
                Some(action) => find_out(&context, &action, &recovery).await,
                None => Err(Fault::new(Code::Internal).with("what", "a step that the plan lacks")),
            })
        });
    }

    fn start_undo(&mut self, step: StepName, effect: Effect) {
        let context = self.context(&step);
        let forward = self.recorder.run.plan.step(&step).map(|step| step.action.clone());
        self.start(step, async move {
            // The way forward may still be going on where it was started.
            if let Some(Action::Perform(Effect::Exec(exec))) = &forward
                && let Err(fault) = while_away(|| end_leftover(&context, exec)).await
            {
                return Finished::Undone(Err(fault));
            }
            if left_out(&effect) {
                return Finished::Undone(Ok(Outputs::new()));
            }
            Finished::Undone(patiently(&context, &effect).await)
        });
    }

    async fn take_finished(
        &mut self,
        done: std::result::Result<(StepName, Finished), tokio::task::JoinError>,
    ) -> Result<()> {
        let (step, finished) = match done {
            Ok(done) => done,
            Err(error) => return self.take_lost_task(&error).await,
        };
        self.busy.remove(&step);
        // What a gate sent before it was judged comes first.
        while let Ok((step, evidence)) = self.samples.1.try_recv() {
            self.append(Event::Sampled { step, evidence }).await?;
        }
        let event = match finished {
            Finished::Performed(Ok(outputs)) => Event::Performed { step, outputs },
            Finished::Performed(Err(fault)) | Finished::Judged(Err(fault)) => Event::Failed { step, fault },
            Finished::Judged(Ok((evidence, verdict))) => Event::Judged { step, evidence, verdict },
            Finished::Recovered(Ok(Found::Done)) => Event::Performed { step, outputs: Outputs::new() },
            Finished::Recovered(Ok(Found::Again)) => Event::FoundUndone { step },
            Finished::Recovered(Ok(Found::Back(_))) if self.recorder.run.direction == Direction::Back => {
                return Ok(());
            }
            Finished::Recovered(Ok(Found::Back(why))) => self.turned_back(step, why),
            // The world cannot be asked now: the run stops here, unchanged, and can be resumed.
            Finished::Recovered(Err(fault)) => return Err(fault),
            Finished::Undone(Ok(outputs)) => Event::Undone { step, outputs },
            Finished::Undone(Err(fault)) => Event::UndoFailed { step, fault },
        };
        self.append(event).await
    }

    /// A step of which nobody knows how far it came takes its tenant back, where that goes alone, or everyone.
    fn turned_back(&self, step: StepName, why: Message) -> Event {
        let found = self.recorder.run.plan.step(&step).filter(|found| found.goes_back_alone());
        match found.and_then(|found| found.lane_tenant()).cloned() {
            Some(tenant) => Event::TenantTurnedBack { tenant, step, why },
            None => Event::TurnedBack { step: Some(step), why, by: None },
        }
    }

    /// A task that was ended for an abort, or that died: its step has failed.
    async fn take_lost_task(&mut self, error: &tokio::task::JoinError) -> Result<()> {
        let id = error.id();
        let Some(step) = self.busy.iter().find(|(_, handle)| handle.id() == id).map(|(step, _)| step.clone())
        else {
            return Ok(());
        };
        self.busy.remove(&step);
        let fault = Fault::new(Code::CommandFailed)
            .with("command", &step)
            .with("status", if error.is_cancelled() { "an abort" } else { "a fault of its own" });
        // What was begun on the way forward may end after the run has turned back.
        let undoing = matches!(self.recorder.run.undone.get(&step), Some(UndoProgress::Begun { .. }));
        let event = if undoing { Event::UndoFailed { step, fault } } else { Event::Failed { step, fault } };
        self.append(event).await
    }

    /// Notices on their way get ten more seconds.
    async fn finish_telling(&mut self) -> Result<()> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while let Ok(Some(done)) = tokio::time::timeout_at(deadline, self.telling.join_next_with_id()).await {
            let id = done.map_or_else(|error| error.id(), |(id, ())| id);
            self.told.remove(&id);
        }
        while let Ok(lost) = self.lost.1.try_recv() {
            self.recorder.append(Event::NoticeLost { kind: lost.kind, fault: lost.fault }).await?;
        }
        for kind in std::mem::take(&mut self.told).into_values() {
            let fault = Fault::new(Code::NotifyFailed)
                .with("to", "a webhook")
                .because("it was not taken within 10 s of the run's end");
            self.recorder.append(Event::NoticeLost { kind, fault }).await?;
        }
        Ok(())
    }
}

/// Whether a test leaves out undos of this kind, to see that the sweep of crashes notices.
fn left_out(effect: &Effect) -> bool {
    match effect {
        Effect::Restore(_) => eclusa_crash::left_out("undo.restore"),
        Effect::Edge(_) => eclusa_crash::left_out("undo.gate"),
        Effect::Runtime(_) => eclusa_crash::left_out("undo.services"),
        Effect::Lease(_) => eclusa_crash::left_out("undo.lease"),
        _ => false,
    }
}
