//! The report of a run, made from its state.

use eclusa_fault::{Language, Message};
use eclusa_model::StepName;
use eclusa_runbook::{
    Action, Direction, Intent, Outcome, PointKind, Progress, Run, UndoProgress, VerdictKind,
};
use jiff::tz::TimeZone;

use crate::describe::intent_text;
use crate::model::{
    ChecklistReport, DecisionReport, FailureReport, JournalReport, KeptReport, NoteReport, REPORT_FORMAT,
    ReportModel, RunState, TenantData, TenantReport, TurnReport,
};
use crate::narration::kebab;
use crate::words::{between, listed, sentence, short, word};
use crate::{customizations, gates, kept, steps, tenants};

/// What a report needs to know beyond the run.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    /// The time zone in which times are shown.
    pub zone: TimeZone,
    /// The hash of the journal's last entry.
    pub journal_hash: Option<String>,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, journal_hash: None }
    }
}

/// The report of a run, finished or not. It ends where the journal ends: no clock is read.
#[must_use]
pub fn report(run: &Run, language: &Language, options: &ReportOptions) -> ReportModel {
    let plan = &run.plan;
    let state = state_of(run);
    let tenants = tenants::of(run);
    let kept = kept::of(run);
    let intent = intent_text(&plan.intent, language);
    let title =
        Message::new("report-title").with("intent", intent).with("stack", &plan.stack).render(language);
    ReportModel {
        format: REPORT_FORMAT,
        language: language.clone(),
        zone: options.zone.clone(),
        run: run.id.to_string(),
        title,
        state,
        verdict: word(verdict_word(state), language),
        meaning: meaning(run, state, &tenants, &kept, language),
        stack: plan.stack.to_string(),
        app: kebab(&plan.app),
        runtime: kebab(&plan.runtime),
        intent: plan.intent.word().to_owned(),
        from: plan.from.as_ref().map(|release| release.name.clone()),
        to: plan.to.as_ref().map(|release| release.name.clone()),
        plan_digest: plan.digest().map(|digest| digest.to_string()).unwrap_or_default(),
        observation: plan.observation.short().to_owned(),
        begun_by: run.by.to_string(),
        reason: run.reason.clone(),
        version: run.version.clone(),
        began_at: run.began_at,
        newest_at: run.newest_at,
        ended_at: run.ended_at,
        milliseconds: between(run.began_at, run.ended_at.unwrap_or(run.newest_at)),
        takeovers: run.generation.saturating_sub(1),
        turned_back: turned_back(run, language),
        tenants,
        phases: steps::of(run, language),
        gates: gates::of(run, language),
        decisions: run.decisions.iter().map(|decision| decided(run, decision, language)).collect(),
        checklist: checklist(run, language),
        failures: run.failures.iter().map(|(step, fault)| failure(step, fault, language)).collect(),
        customizations: customizations::of(run),
        kept,
        notes: run
            .notes
            .iter()
            .map(|note| NoteReport {
                at: note.at,
                by: note.by.to_string(),
                kind: note.kind.clone(),
                text: note.text.clone(),
            })
            .collect(),
        journal: JournalReport { entries: run.sequence, hash: options.journal_hash.clone() },
    }
}

fn state_of(run: &Run) -> RunState {
    match run.outcome {
        Some(Outcome::Done) => RunState::Done,
        Some(Outcome::WentBack) => RunState::WentBack,
        Some(Outcome::Partly) => RunState::Partly,
        Some(Outcome::Refused) => RunState::Refused,
        Some(Outcome::Stuck) => RunState::Stuck,
        None if run.direction == Direction::Back => RunState::GoingBack,
        None if question(run, &Language::default()).is_some() => RunState::Asking,
        None => RunState::Running,
    }
}

fn verdict_word(state: RunState) -> &'static str {
    match state {
        RunState::Done => "report-verdict-done",
        RunState::WentBack => "report-verdict-went-back",
        RunState::Partly => "report-verdict-partly",
        RunState::Refused => "report-verdict-refused",
        RunState::Stuck => "report-verdict-stuck",
        RunState::Running => "report-verdict-running",
        RunState::GoingBack => "report-verdict-going-back",
        RunState::Asking => "report-verdict-asking",
    }
}

/// The question that is open.
fn question(run: &Run, language: &Language) -> Option<String> {
    run.progress.values().find_map(|progress| match progress {
        Progress::Asking { text, .. } => Some(text.render(language)),
        _ => None,
    })
}

fn meaning(
    run: &Run,
    state: RunState,
    tenants: &[TenantReport],
    kept: &[KeptReport],
    language: &Language,
) -> String {
    let why = why_back(run, language);
    let from = run.plan.from.as_ref().map(|release| release.name.clone());
    match state {
        RunState::Done => done(run, language),
        RunState::Refused => match from {
            Some(from) => Message::new("report-meaning-refused").with("from", from),
            None => Message::new("report-meaning-refused-plain"),
        }
        .with("why", why)
        .render(language),
        RunState::WentBack => went_back(run, from, &why, tenants, kept, language),
        RunState::Partly => partly(run, &why, language),
        RunState::Stuck => stuck(run, &why, language),
        RunState::GoingBack => Message::new("report-meaning-going-back").with("why", why).render(language),
        RunState::Asking => Message::new("report-meaning-asking")
            .with("question", question(run, language).unwrap_or_default())
            .render(language),
        RunState::Running => running(run, language),
    }
}

fn partly(run: &Run, why: &str, language: &Language) -> String {
    let text = Message::new("report-meaning-partly").with("why", why).render(language);
    match run.kept_closed() {
        kept if kept.is_empty() => text,
        kept => {
            let more = Message::new("report-meaning-kept").with("tenants", listed(kept));
            format!("{text} {}", more.render(language))
        }
    }
}

fn why_back(run: &Run, language: &Language) -> String {
    match &run.turned_back {
        Some((_, why, _)) => why.render(language),
        None if !run.tenants_back.is_empty() => {
            let back = run.tenants_back.iter();
            let said = back.map(|(tenant, (_, why, _))| format!("{tenant}: {}", why.render(language)));
            said.collect::<Vec<_>>().join("; ")
        }
        None => word("report-why-unknown", language),
    }
}

fn done(run: &Run, language: &Language) -> String {
    let plan = &run.plan;
    let overruled = run.verdicts.values().filter(|verdict| verdict.kind != VerdictKind::Go).count();
    let tolerated =
        run.progress.values().filter(|progress| matches!(progress, Progress::Failed { .. })).count();
    let mut said = vec![match (&plan.intent, &plan.to) {
        (Intent::Release { .. } | Intent::Rollback { .. }, Some(to)) => {
            let tenants = match plan.tenants.as_slice() {
                [only] => only.name.to_string(),
                all => Message::new("report-tenants-count").with("count", all.len()).render(language),
            };
            Message::new("report-meaning-done-release").with("to", &to.name).with("tenants", tenants)
        }
        _ => Message::new("report-meaning-done"),
    }];
    said.push(match overruled {
        0 => Message::new("report-meaning-gates-go"),
        count => Message::new("report-meaning-gates-overruled").with("count", count),
    });
    if tolerated > 0 {
        said.push(Message::new("report-meaning-tolerated").with("count", tolerated));
    }
    said.iter().map(|message| message.render(language)).collect::<Vec<_>>().join(" ")
}

fn went_back(
    run: &Run,
    from: Option<String>,
    why: &str,
    tenants: &[TenantReport],
    kept: &[KeptReport],
    language: &Language,
) -> String {
    let restored: Vec<&str> = tenants
        .iter()
        .filter(|tenant| matches!(tenant.data, TenantData::Restored | TenantData::SwappedBack))
        .map(|tenant| tenant.name.as_str())
        .collect();
    let message = match (from.is_some(), restored.is_empty()) {
        (true, true) => Message::new("report-meaning-back-code"),
        (false, true) => Message::new("report-meaning-back-code-plain"),
        (true, false) => Message::new("report-meaning-back-data"),
        (false, false) => Message::new("report-meaning-back-data-plain"),
    };
    let message =
        message.with("from", from.unwrap_or_default()).with("why", why).with("tenants", listed(&restored));
    let salvaged: Vec<String> = kept
        .iter()
        .filter_map(|kept| match kept {
            // One that a rollback took on its way forward holds nothing that going back overwrote.
            KeptReport::Point { tenant, kind: PointKind::Salvage, point, step, .. }
                if is_of_undo(run, step) =>
            {
                Some(format!("{tenant} {}", short(point, 8)))
            }
            _ => None,
        })
        .collect();
    let mut text = message.render(language);
    if !salvaged.is_empty() {
        let more = Message::new("report-meaning-salvaged").with("points", listed(salvaged));
        text = format!("{text} {}", more.render(language));
    }
    text
}

fn is_of_undo(run: &Run, step: &str) -> bool {
    run.undo_outputs.keys().any(|name| name.as_str() == step)
}

fn stuck(run: &Run, why: &str, language: &Language) -> String {
    let steps = run
        .undone
        .iter()
        .filter(|(_, undo)| matches!(undo, UndoProgress::Failed { .. }))
        .map(|(name, _)| name);
    let mut text =
        Message::new("report-meaning-stuck").with("why", why).with("steps", listed(steps)).render(language);
    if !run.plan.emergency.is_empty() {
        let call = Message::new("report-meaning-call").with("people", run.plan.emergency.join(", "));
        text = format!("{text} {}", call.render(language));
    }
    text
}

fn running(run: &Run, language: &Language) -> String {
    let begun: Vec<&StepName> = run
        .plan
        .steps
        .iter()
        .filter(|step| matches!(run.progress.get(&step.name), Some(Progress::Begun { .. })))
        .map(|step| &step.name)
        .collect();
    if begun.is_empty() {
        return word("report-meaning-starting", language);
    }
    Message::new("report-meaning-running").with("steps", listed(begun)).render(language)
}

fn turned_back(run: &Run, language: &Language) -> Option<TurnReport> {
    let (step, why, at) = run.turned_back.as_ref()?;
    let verdict = step.as_ref().and_then(|step| run.verdicts.get(step));
    let mut reasons: Vec<String> = verdict
        .map(|verdict| verdict.reasons.iter().map(|reason| reason.render(language)).collect())
        .unwrap_or_default();
    // A step that failed has no verdict; its last fault says why.
    if let Some(step) = step
        && reasons.is_empty()
        && let Some(Progress::Failed { fault, .. }) = run.progress.get(step)
    {
        reasons.push(format!("{} {}", fault.code, fault.headline(language)));
    }
    Some(TurnReport {
        at: *at,
        step: step.as_ref().map(StepName::to_string),
        why: sentence(&why.render(language)),
        reasons,
    })
}

fn decided(run: &Run, decision: &eclusa_runbook::Decision, language: &Language) -> DecisionReport {
    let question = match run.plan.step(&decision.step).map(|step| &step.action) {
        Some(Action::Ask(question)) => question.text.render(language),
        _ => Message::new("question-gate").with("step", &decision.step).render(language),
    };
    DecisionReport {
        at: decision.at,
        step: decision.step.to_string(),
        question,
        go: decision.go,
        by: decision.by.as_ref().map(ToString::to_string),
        reason: decision.reason.clone(),
    }
}

fn checklist(run: &Run, language: &Language) -> Vec<ChecklistReport> {
    run.plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Ask(question) => Some((step, question, question.checklist.clone()?)),
            _ => None,
        })
        .map(|(step, question, item)| ChecklistReport {
            item,
            text: question.text.args.get("text").cloned().unwrap_or_else(|| question.text.render(language)),
            answer: run
                .decisions
                .iter()
                .rfind(|decision| decision.step == step.name)
                .map(|decision| decided(run, decision, language)),
        })
        .collect()
}

fn failure(step: &StepName, fault: &eclusa_fault::Fault, language: &Language) -> FailureReport {
    FailureReport {
        step: step.to_string(),
        code: fault.code.to_string(),
        text: fault.headline(language),
        state: fault.state_text(language),
        hint: fault.hint_text(language),
        causes: fault.causes.clone(),
    }
}
