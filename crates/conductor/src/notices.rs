//! Words to people and programs outside, sent beside the run: they never hold it up, and what could not be
//! delivered is journaled.

use eclusa_fault::{Fault, Language, Message};
use eclusa_model::PersonName;
use eclusa_ports::Notice;
use eclusa_runbook::{Entry, Event, Run};
use serde_json::json;

use crate::conduct::Conductor;

/// A notice that could not be delivered.
pub(crate) struct Lost {
    pub kind: String,
    pub fault: Fault,
}

impl Conductor {
    /// Tells the outside about an entry, if it is one that is told.
    pub(crate) fn tell(&mut self, entry: &Entry) {
        let Some(notice) = notice(entry, &self.recorder.run) else { return };
        for notifier in &self.ports.notifiers {
            let (notifier, notice, lost) = (notifier.clone(), notice.clone(), self.lost.0.clone());
            let kind = notice.kind.to_owned();
            let task = self.telling.spawn(async move {
                if let Err(fault) = notifier.notify(&notice).await {
                    // The receiver is gone only when the run has ended and waited long enough.
                    let _ = lost.send(Lost { kind: notice.kind.to_owned(), fault });
                }
            });
            self.told.insert(task.id(), kind);
        }
    }
}

fn notice(entry: &Entry, run: &Run) -> Option<Notice> {
    let intent = run.plan.intent.word();
    let name = |person: &Option<PersonName>| person.as_ref().map(PersonName::to_string);
    let (kind, text, data) = match &entry.event {
        Event::Started { by, .. } => (
            "run.started",
            Message::new("notice-started")
                .with("intent", intent)
                .with("stack", &run.plan.stack)
                .with("person", by),
            json!({"intent": run.plan.intent, "by": by.to_string()}),
        ),
        Event::Asked { step, text, deadline } => (
            "run.asks",
            Message::new("notice-asks")
                .with("stack", &run.plan.stack)
                .with("run", &run.id)
                .with("question", text.render(&Language::default())),
            json!({"step": step.to_string(), "question": text.render(&Language::default()), "deadline": deadline}),
        ),
        Event::Judged { step, verdict, .. }
            if step.as_str().starts_with("watch") || step.as_str().starts_with("decide") =>
        {
            (
                "run.verdict",
                Message::new("notice-verdict")
                    .with("stack", &run.plan.stack)
                    .with("verdict", format!("{:?}", verdict.kind).to_lowercase()),
                json!({"step": step.to_string(), "verdict": verdict.kind}),
            )
        }
        Event::TurnedBack { why, by, .. } => (
            "run.verdict",
            Message::new("notice-back")
                .with("stack", &run.plan.stack)
                .with("why", why.render(&Language::default())),
            json!({"verdict": "no-go", "why": why.render(&Language::default()), "by": name(by)}),
        ),
        Event::TenantTurnedBack { tenant, why, .. } => (
            "run.verdict",
            Message::new("notice-tenant-back")
                .with("stack", &run.plan.stack)
                .with("tenant", tenant)
                .with("why", why.render(&Language::default())),
            json!({"verdict": "no-go", "tenant": tenant, "why": why.render(&Language::default())}),
        ),
        Event::Ended { outcome } => (
            "run.ended",
            Message::new("notice-ended")
                .with("stack", &run.plan.stack)
                .with("run", &run.id)
                .with("outcome", format!("{outcome:?}").to_lowercase()),
            json!({"outcome": outcome}),
        ),
        _ => return None,
    };
    let mut data = data;
    if let Some(data) = data.as_object_mut() {
        data.insert("told".to_owned(), json!(run.plan.told));
        data.insert("emergency".to_owned(), json!(run.plan.emergency));
    }
    Some(Notice {
        kind,
        stack: run.plan.stack.clone(),
        run: run.id.clone(),
        at: entry.at,
        sequence: entry.sequence,
        text: text.render(&Language::default()),
        data,
    })
}
