//! Appends events: durable first, then taken into the run's state, then shown to who watches.

use std::sync::Arc;

use eclusa_crash::{Passing, Side};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{RunId, StackName, StepName};
use eclusa_ports::{Clock, JournalStore, SecretResolver};
use eclusa_runbook::{Entry, Event, Evidence, Run};
use jiff::Timestamp;

/// Sees each event after it is durable.
pub trait Watcher: Send + Sync {
    /// An entry, and the run with it taken in.
    fn entry(&self, entry: &Entry, run: &Run);
}

pub(crate) struct Recorder {
    pub journal: Arc<dyn JournalStore>,
    pub clock: Arc<dyn Clock>,
    pub secrets: Arc<dyn SecretResolver>,
    pub watchers: Vec<Arc<dyn Watcher>>,
    pub run: Run,
}

impl Recorder {
    /// Appends an event to the run. An append that fails stops the run: what cannot be remembered is not done.
    pub(crate) async fn append(&mut self, event: Event) -> Result<Entry> {
        let event = redacted(event, self.secrets.as_ref());
        let (run, stack, sequence) =
            (self.run.id.clone(), self.run.plan.stack.clone(), self.run.sequence + 1);
        // What cannot follow is not written: a journal with it in could never be read as a run again. The state is taken
        // forward before the entry is durable; where it does not become so, this error ends the run's owner, and whoever
        // takes the run up reads its journal.
        let (previous, hash) = (String::new(), String::new());
        let expected =
            Entry { run: run.clone(), sequence, at: self.clock.now(), previous, hash, event: event.clone() };
        self.run.apply(&expected).map_err(|illegal| Fault::new(Code::Internal).with("what", illegal))?;
        eclusa_crash::entry(Side::Before, passing_of(&event, sequence));
        let entry = append(&self.journal, expected.at, run, stack, sequence, event).await?;
        eclusa_crash::entry(Side::After, passing_of(&entry.event, sequence));
        for watcher in &self.watchers {
            watcher.entry(&entry, &self.run);
        }
        Ok(entry)
    }
}

/// Appends on a blocking thread, since it waits for the disk.
pub(crate) async fn append(
    journal: &Arc<dyn JournalStore>,
    at: Timestamp,
    run: RunId,
    stack: StackName,
    sequence: u64,
    event: Event,
) -> Result<Entry> {
    let journal = journal.clone();
    tokio::task::spawn_blocking(move || journal.append(&run, &stack, sequence, at, &event))
        .await
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?
}

/// Commands print what they should not: no known secret gets into the journal.
fn redacted(mut event: Event, secrets: &dyn SecretResolver) -> Event {
    let clean_message = |message: &mut Message| {
        for value in message.args.values_mut() {
            *value = secrets.redact(value);
        }
    };
    let clean_fault = |fault: &mut Fault| {
        secrets.redact_lines(&mut fault.causes);
        for value in fault.args.values_mut().chain(&mut fault.excerpt) {
            *value = secrets.redact(value);
        }
        for message in [&mut fault.state, &mut fault.hint].into_iter().flatten() {
            clean_message(message);
        }
    };
    let clean_evidence = |evidence: &mut Evidence| {
        secrets.redact_lines(&mut evidence.lines);
        for sample in &mut evidence.samples {
            sample.problem = sample.problem.as_deref().map(|problem| secrets.redact(problem));
        }
        for fact in &mut evidence.facts {
            clean_message(&mut fact.text);
        }
    };
    match &mut event {
        Event::Failed { fault, .. } | Event::UndoFailed { fault, .. } | Event::NoticeLost { fault, .. } => {
            clean_fault(fault)
        }
        Event::Sampled { evidence, .. } => clean_evidence(evidence),
        Event::Judged { evidence, verdict, .. } => {
            clean_evidence(evidence);
            verdict.reasons.iter_mut().for_each(clean_message);
        }
        // The other outputs are not words of commands but what later steps go by: an image, a restore point.
        Event::Performed { outputs, .. } | Event::Undone { outputs, .. } => {
            if let Some(line) = outputs.get_mut("last-line") {
                *line = secrets.redact(line);
            }
        }
        Event::Asked { text, .. } => clean_message(text),
        Event::TurnedBack { why, by: None, .. } | Event::TenantTurnedBack { why, .. } => clean_message(why),
        _ => {}
    }
    event
}

/// How an event names the points around its append.
fn passing_of(event: &Event, sequence: u64) -> Passing<'_> {
    let (kind, step, undo) = match event {
        Event::Started { .. } => ("started", None, false),
        Event::Resumed { .. } => ("resumed", None, false),
        Event::Intended { step, .. } => ("intended", Some(step), false),
        Event::Performed { step, .. } => ("performed", Some(step), false),
        Event::Failed { step, .. } => ("failed", Some(step), false),
        Event::FoundUndone { step } => ("found.undone", Some(step), false),
        Event::Sampled { step, .. } => ("sampled", Some(step), false),
        Event::Judged { step, .. } => ("judged", Some(step), false),
        Event::Asked { step, .. } => ("asked", Some(step), false),
        Event::Answered { step, .. } => ("answered", Some(step), false),
        Event::TurnedBack { step, .. } => ("turned.back", step.as_ref(), false),
        Event::TenantTurnedBack { step, .. } => ("tenant.turned.back", Some(step), false),
        Event::UndoIntended { step, .. } => ("undo.intended", Some(step), true),
        Event::Undone { step, .. } => ("undone", Some(step), true),
        Event::UndoFailed { step, .. } => ("undo.failed", Some(step), true),
        Event::NoticeLost { .. } => ("notice.lost", None, false),
        Event::Noted { .. } => ("noted", None, false),
        Event::Ended { .. } => ("ended", None, false),
    };
    Passing { kind, sequence, step: step.map(StepName::as_str), undo }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use eclusa_runbook::Outputs;
    use secrecy::SecretString;

    use super::*;

    /// The only secret is `hush`.
    struct Hush;

    impl SecretResolver for Hush {
        fn resolve(&self, _reference: &str) -> Result<SecretString> {
            Ok(SecretString::from("hush"))
        }

        fn redact(&self, text: &str) -> String {
            text.replace("hush", "…")
        }
    }

    #[test]
    fn what_later_steps_go_by_is_left_as_it_is() {
        let step = StepName::new("secure.point.alpha").unwrap();
        let outputs = Outputs::from(
            ["point", "reference.web", "last-line"].map(|name| (name.to_owned(), "a-hush-1".to_owned())),
        );
        let Event::Performed { outputs, .. } = redacted(Event::Performed { step, outputs }, &Hush) else {
            panic!()
        };
        assert_eq!((outputs["point"].as_str(), outputs["reference.web"].as_str()), ("a-hush-1", "a-hush-1"));
        assert_eq!(outputs["last-line"], "a-…-1");
    }

    #[test]
    fn no_part_of_a_fault_keeps_a_secret() {
        let step = StepName::new("validate.probes").unwrap();
        let fault = Fault::new(Code::CommandFailed)
            .with("command", "hush")
            .because("it is hush")
            .excerpt("a hush b")
            .state(Message::verbatim("hush"))
            .hint(Message::verbatim("type hush"));
        let failed = redacted(Event::Failed { step: step.clone(), fault }, &Hush);
        let back =
            redacted(Event::TurnedBack { step: Some(step), why: Message::verbatim("hush"), by: None }, &Hush);
        let text = serde_json::to_string(&(failed, back)).unwrap();
        assert!(!text.contains("hush"), "{text}");
    }
}
