//! Requests to a run from other processes: answers and aborts wait durably in the journal until its owner takes
//! them, so that they are not lost when nobody owns it at the moment.

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{PersonName, StepName};
use eclusa_ports::{Request, RequestKind};
use eclusa_runbook::{Action, Direction, Event, Progress, Run};

use crate::conduct::Conductor;

impl Conductor {
    /// Takes what others asked for.
    pub(crate) async fn take_requests(&mut self) -> Result<()> {
        let (journal, run) = (self.ports.journal.clone(), self.recorder.run.id.clone());
        let requests = tokio::task::spawn_blocking(move || journal.requests(&run))
            .await
            .map_err(|error| Fault::new(Code::Internal).with("what", error))??;
        for request in requests {
            match &request.kind {
                RequestKind::Answer { go, by, reason } => {
                    self.answer(*go, by, reason).await?;
                    self.mark_taken(&request).await?;
                }
                RequestKind::Note { by, kind, text } => {
                    let event = Event::Noted { by: by.clone(), kind: kind.clone(), text: text.clone() };
                    self.recorder.append(event).await?;
                    self.mark_taken(&request).await?;
                }
                RequestKind::Abort { by, reason } => {
                    if self.recorder.run.direction == Direction::Forward
                        && self.recorder.run.outcome.is_none()
                    {
                        // It is taken only when the turning back is durable.
                        self.abort.get_or_insert((request.clone(), by.clone(), reason.clone()));
                    } else {
                        self.mark_taken(&request).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn answer(&mut self, go: bool, by: &PersonName, reason: &str) -> Result<()> {
        let Some(step) = asking(&self.recorder.run) else { return Ok(()) };
        if may_answer(&self.recorder.run, &step, by).is_err() {
            return Ok(());
        }
        let event = Event::Answered { step, go, by: Some(by.clone()), reason: reason.to_owned() };
        self.recorder.append(event).await.map(|_| ())
    }

    pub(crate) async fn mark_taken(&self, request: &Request) -> Result<()> {
        let (journal, number) = (self.ports.journal.clone(), request.number);
        tokio::task::spawn_blocking(move || journal.taken(number))
            .await
            .map_err(|error| Fault::new(Code::Internal).with("what", error))?
    }

    /// Writes down that a person wants the run to go back.
    pub(crate) async fn turn_back_for(
        &mut self,
        request: Request,
        by: PersonName,
        reason: String,
    ) -> Result<()> {
        let why = Message::new("why-aborted").with("person", &by).with("reason", reason);
        self.recorder.append(Event::TurnedBack { step: None, why, by: Some(by) }).await?;
        self.mark_taken(&request).await
    }
}

/// The step whose question is open.
#[must_use]
pub fn asking(run: &Run) -> Option<StepName> {
    run.plan
        .steps
        .iter()
        .find(|step| matches!(run.progress.get(&step.name), Some(Progress::Asking { .. })))
        .map(|step| step.name.clone())
}

/// Whether a person may answer a step's question.
///
/// # Errors
/// `AnswerDenied` with those who may.
pub fn may_answer(run: &Run, step: &StepName, by: &PersonName) -> Result<()> {
    let allowed = match run.plan.step(step).map(|step| &step.action) {
        Some(Action::Ask(question)) => &question.allowed,
        _ => &run.plan.deciders,
    };
    if allowed.is_empty() || allowed.contains(by) {
        return Ok(());
    }
    let names: Vec<&str> = allowed.iter().map(PersonName::as_str).collect();
    Err(Fault::new(Code::AnswerDenied)
        .with("person", by)
        .with("question", step)
        .with("allowed", names.join(", ")))
}
