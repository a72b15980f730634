//! One plain line for each event, for pipes and logs.

use eclusa_fault::{Fault, Language, Message};
use eclusa_model::{PersonName, StepName};
use eclusa_runbook::{Entry, Event, Evidence, Outcome, Outputs, Run, Verdict, VerdictKind};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::describe::{intent_text, undo_text};
use crate::narration::change_text;
use crate::outputs::phrases;
use crate::words::{between, clock_text, count_text, duration_text, moment_text, short, word};

/// The column of step names is no wider than this; longer names push their text to the right.
const WIDEST_NAME: usize = 32;
/// More reasons of a verdict than this are only counted.
const MOST_REASONS: usize = 3;

/// The line of an event, with its time in UTC. `run` is the run as it is after the event. None where there is nothing
/// to say.
#[must_use]
pub fn summary_line(entry: &Entry, run: &Run, language: &Language) -> Option<String> {
    summary_line_in(entry, run, language, &TimeZone::UTC)
}

/// The line of an event, with its time in a time zone.
#[must_use]
pub fn summary_line_in(entry: &Entry, run: &Run, language: &Language, zone: &TimeZone) -> Option<String> {
    let telling = Telling { run, language, zone, at: entry.at };
    let (step, text) = telling.event(&entry.event)?;
    Some(line(entry.at, step, &text, run, language, zone))
}

/// A line about a step, or about the whole run.
pub(crate) fn line(
    at: Timestamp,
    step: Option<&StepName>,
    text: &str,
    run: &Run,
    language: &Language,
    zone: &TimeZone,
) -> String {
    let width =
        run.plan.steps.iter().map(|step| step.name.as_str().len()).max().unwrap_or(0).min(WIDEST_NAME);
    let whole = word("line-run", language);
    let name = step.map_or(whole.as_str(), StepName::as_str);
    // A line is one line, whatever a command printed.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}  {name:<width$}  {text}", clock_text(at, zone))
}

struct Telling<'a> {
    run: &'a Run,
    language: &'a Language,
    zone: &'a TimeZone,
    at: Timestamp,
}

impl Telling<'_> {
    fn event<'e>(&self, event: &'e Event) -> Option<(Option<&'e StepName>, String)> {
        let (step, message) = match event {
            Event::Started { by, reason, .. } => (None, self.started(by, reason.as_deref())),
            Event::Resumed { generation, by } => {
                (None, Message::new("line-resumed").with("person", by).with("generation", generation))
            }
            Event::Intended { step, attempt } => (Some(step), self.intended(step, *attempt)),
            Event::Performed { step, outputs } => (Some(step), self.performed(step, outputs)),
            Event::Failed { step, fault } => (Some(step), self.failed(step, fault)),
            Event::FoundUndone { step } => (Some(step), Message::new("line-found-undone")),
            Event::Sampled { step, evidence } => (Some(step), self.sampled(evidence)?),
            Event::Judged { step, verdict, .. } => (Some(step), self.judged(step, verdict)),
            Event::Asked { step, text, deadline } => (Some(step), self.asked(text, *deadline)),
            Event::Answered { step, go, by, reason } => (Some(step), self.answered(*go, by.as_ref(), reason)),
            Event::TurnedBack { step, why, .. } => {
                (step.as_ref(), Message::new("line-turned-back").with("why", why.render(self.language)))
            }
            Event::TenantTurnedBack { tenant, step, why } => {
                let why = why.render(self.language);
                (Some(step), Message::new("line-tenant-back").with("tenant", tenant).with("why", why))
            }
            Event::UndoIntended { step, attempt } => (Some(step), self.undo_intended(step, *attempt)),
            Event::Undone { step, outputs } => (Some(step), self.undone(step, outputs)),
            Event::UndoFailed { step, fault } => {
                (Some(step), Message::new("line-undo-failed").with("fault", self.fault(fault)))
            }
            Event::NoticeLost { kind, fault } => {
                (None, Message::new("line-notice-lost").with("kind", kind).with("fault", self.fault(fault)))
            }
            Event::Noted { by, kind, text } => {
                (None, Message::new("line-noted").with("person", by).with("kind", kind).with("text", text))
            }
            Event::Ended { outcome } => (None, self.ended(*outcome)),
        };
        Some((step, message.render(self.language)))
    }

    fn started(&self, by: &PersonName, reason: Option<&str>) -> Message {
        let plan = &self.run.plan;
        let digest =
            plan.digest().map_or_else(|_| "–".to_owned(), |digest| short(digest.as_str(), 12).to_owned());
        let id = if plan.to.is_some() { "line-started" } else { "line-started-plain" };
        let message = Message::new(id)
            .with("intent", intent_text(&plan.intent, self.language))
            .with("stack", &plan.stack)
            .with("change", change_text(plan, self.language))
            .with("person", by)
            .with("run", &self.run.id)
            .with("digest", digest);
        match reason {
            None => message,
            Some(reason) => Message::new("line-started-because")
                .with("text", message.render(self.language))
                .with("reason", reason),
        }
    }

    fn intended(&self, step: &StepName, attempt: u32) -> Message {
        let title = self.run.plan.step(step).map(|step| step.title.render(self.language)).unwrap_or_default();
        match attempt {
            0 | 1 => Message::new("line-intended").with("title", title),
            _ => Message::new("line-intended-again").with("title", title).with("attempt", attempt),
        }
    }

    /// How long a step has been going on at the time of the event.
    fn since(&self, began: Option<Timestamp>) -> String {
        duration_text(between(began.unwrap_or(self.at), self.at))
    }

    fn took(&self, step: &StepName) -> String {
        self.since(self.run.timings.get(step).and_then(|timing| timing.began))
    }

    fn performed(&self, step: &StepName, outputs: &Outputs) -> Message {
        with_outputs(
            ["line-performed", "line-performed-with"],
            &self.took(step),
            &phrases(outputs, self.language),
        )
    }

    fn undone(&self, step: &StepName, outputs: &Outputs) -> Message {
        let took = self.since(self.run.timings.get(step).and_then(|timing| timing.undo_began));
        with_outputs(["line-undone", "line-undone-with"], &took, &phrases(outputs, self.language))
    }

    fn failed(&self, step: &StepName, fault: &Fault) -> Message {
        let retries =
            self.run.plan.step(step).map_or((0, false), |step| (step.limits.retries, step.limits.tolerated));
        let attempts = match self.run.progress.get(step) {
            Some(
                eclusa_runbook::Progress::Failed { attempts, .. }
                | eclusa_runbook::Progress::Begun { attempt: attempts, .. },
            ) => *attempts,
            _ => u32::MAX,
        };
        let id = match retries {
            (retries, _) if attempts <= retries => "line-failed-again",
            (_, true) => "line-failed-tolerated",
            _ => "line-failed",
        };
        Message::new(id).with("fault", self.fault(fault))
    }

    fn fault(&self, fault: &Fault) -> String {
        let headline = format!("{} {}", fault.code, fault.headline(self.language));
        // An indented line goes on what stands above it: the reason is there.
        let told = fault.causes.iter().rev().find(|cause| !cause.starts_with(char::is_whitespace));
        match told.or(fault.causes.last()) {
            Some(cause) => format!("{headline}: {}", cause.chars().take(200).collect::<String>()),
            None => headline,
        }
    }

    fn sampled(&self, evidence: &Evidence) -> Option<Message> {
        let count = evidence.samples.len();
        let bad = evidence.samples.iter().filter(|sample| !sample.good).count();
        let samples = Message::new("line-sampled").with("count", count_text(count as u64));
        match (count, bad) {
            (0, _) => None,
            (_, 0) => Some(samples),
            _ => Some(
                Message::new("line-sampled-bad")
                    .with("samples", samples.render(self.language))
                    .with("bad", bad),
            ),
        }
    }

    fn judged(&self, step: &StepName, verdict: &Verdict) -> Message {
        let reasons: Vec<String> =
            verdict.reasons.iter().map(|reason| reason.render(self.language)).collect();
        let kind = verdict_text(verdict.kind, self.language);
        // A go is explained only where it is short; everything stands in the report.
        if reasons.is_empty() || (verdict.kind == VerdictKind::Go && reasons.len() > 1) {
            return Message::new("line-judged").with("verdict", kind).with("duration", self.took(step));
        }
        let mut text = reasons.iter().take(MOST_REASONS).cloned().collect::<Vec<_>>().join("; ");
        if reasons.len() > MOST_REASONS {
            text.push_str(&format!("; … (+{})", reasons.len() - MOST_REASONS));
        }
        Message::new("line-judged-because")
            .with("verdict", kind)
            .with("duration", self.took(step))
            .with("reasons", text)
    }

    fn asked(&self, text: &Message, deadline: Option<Timestamp>) -> Message {
        let question = text.render(self.language);
        let message = match deadline {
            Some(deadline) => {
                Message::new("line-asked-until").with("deadline", moment_text(deadline, self.zone))
            }
            None => Message::new("line-asked"),
        };
        let asked = message.with("question", question).render(self.language);
        let answer = Message::new("line-answer-with").with("run", &self.run.id).render(self.language);
        Message::verbatim(format!("{asked} → {answer}"))
    }

    fn answered(&self, go: bool, by: Option<&PersonName>, reason: &str) -> Message {
        let kind = if go { VerdictKind::Go } else { VerdictKind::NoGo };
        let message = match by {
            Some(person) => Message::new("line-answered").with("person", person),
            None => Message::new("line-answered-late"),
        };
        message.with("verdict", verdict_text(kind, self.language)).with("reason", reason)
    }

    fn undo_intended(&self, step: &StepName, attempt: u32) -> Message {
        let text =
            self.run.plan.step(step).map(|step| undo_text(&step.undo, self.language)).unwrap_or_default();
        match attempt {
            0 | 1 => Message::new("line-undo-intended").with("text", text),
            _ => Message::new("line-undo-intended-again").with("text", text).with("attempt", attempt),
        }
    }

    fn ended(&self, outcome: Outcome) -> Message {
        let text = word(
            match outcome {
                Outcome::Done => "outcome-done",
                Outcome::Refused => "outcome-refused",
                Outcome::WentBack => "outcome-went-back",
                Outcome::Partly => "outcome-partly",
                Outcome::Stuck => "outcome-stuck",
            },
            self.language,
        );
        Message::new("line-ended").with("outcome", text).with("duration", self.since(Some(self.run.began_at)))
    }
}

fn with_outputs([bare, with]: [&str; 2], took: &str, outputs: &[String]) -> Message {
    match outputs {
        [] => Message::new(bare).with("duration", took),
        _ => Message::new(with).with("duration", took).with("outputs", outputs.join(", ")),
    }
}

/// `go`, `hold`, `no-go`.
pub(crate) fn verdict_text(kind: VerdictKind, language: &Language) -> String {
    word(
        match kind {
            VerdictKind::Go => "verdict-go",
            VerdictKind::Hold => "verdict-hold",
            VerdictKind::NoGo => "verdict-no-go",
        },
        language,
    )
}
