//! A report as its page shows it: every value as text, for HTML and Markdown alike.

use eclusa_fault::{Language, Message};
use eclusa_runbook::{PointKind, VerdictKind};
use jiff::tz::TimeZone;

use crate::lines::verdict_text;
use crate::model::{
    CustomizationsReport, DecisionReport, FailureReport, GateReport, KeptReport, ReportModel, RunState,
    StepReport, StepStatus, TenantData, TenantReport,
};
use crate::plot;
use crate::rows::{
    About, CustomizationsRow, DecisionRow, FactRow, FailureRow, GateView, KeptRow, NoteRow, PhaseView,
    StepRow, TenantRow,
};
use crate::timeline::{self, Timeline};
use crate::words::{
    bytes_text, clock_text, count_text, duration_text, listed, moment_text, sentence, short, word, zone_text,
};

/// More reasons than this would push the rest of the page away.
const MOST_REASONS: usize = 8;

/// The page.
pub(crate) struct View {
    pub about: Vec<About>,
    pub reasons: Vec<String>,
    pub turned_back: String,
    pub tenants: Vec<TenantRow>,
    pub closed_label: String,
    /// How the times that tenants were closed were measured.
    pub closed_about: String,
    pub has_salvage: bool,
    pub timeline: Timeline,
    pub phases: Vec<PhaseView>,
    pub gates: Vec<GateView>,
    pub gates_summary: String,
    pub decisions: Vec<DecisionRow>,
    pub checklist: Vec<DecisionRow>,
    pub failures: Vec<FailureRow>,
    pub customizations: Vec<CustomizationsRow>,
    /// What holds of all of them.
    pub customizations_about: String,
    pub kept: Vec<KeptRow>,
    pub notes: Vec<NoteRow>,
    pub notes_none: String,
    pub journal: String,
    pub times_in: String,
}

/// Builds the page of a report.
pub(crate) fn of(model: &ReportModel) -> View {
    let teller = Teller { language: &model.language, zone: &model.zone };
    let held = !model.tenants.is_empty()
        && model.tenants.iter().all(|tenant| tenant.closed.is_some_and(|time| time.held));
    View {
        about: teller.about(model),
        reasons: model.turned_back.as_ref().map(|turn| teller.reasons(&turn.reasons)).unwrap_or_default(),
        turned_back: teller.turned_back(model),
        tenants: model.tenants.iter().map(|tenant| teller.tenant(tenant)).collect(),
        closed_label: teller.word(if held { "report-waited" } else { "report-closed" }),
        closed_about: teller.closed_about(model),
        has_salvage: model.tenants.iter().any(|tenant| tenant.salvage.is_some()),
        timeline: timeline::of(model, &model.language, &model.zone),
        phases: model
            .phases
            .iter()
            .map(|phase| PhaseView {
                title: phase.title.clone(),
                steps: phase.steps.iter().map(|step| teller.step(step)).collect(),
            })
            .collect(),
        gates: model.gates.iter().map(|gate| teller.gate(gate)).collect(),
        gates_summary: teller.gates_summary(model),
        decisions: model.decisions.iter().map(|decision| teller.decision(decision)).collect(),
        checklist: teller.checklist(model),
        failures: teller.failures(model),
        customizations: model.customizations.iter().filter_map(|one| teller.customizations(one)).collect(),
        customizations_about: teller.customizations_about(model),
        kept: model.kept.iter().map(|kept| teller.kept(kept)).collect(),
        notes: model.notes.iter().map(|note| teller.note(note)).collect(),
        notes_none: Message::new("report-notes-none").with("run", &model.run).render(&model.language),
        journal: teller.journal(model),
        times_in: Message::new("report-times-in")
            .with("zone", zone_text(model.began_at, &model.zone))
            .render(&model.language),
    }
}

struct Teller<'a> {
    language: &'a Language,
    zone: &'a TimeZone,
}

impl Teller<'_> {
    fn word(&self, id: &str) -> String {
        word(id, self.language)
    }

    fn number(&self, number: Option<u64>) -> String {
        number.map_or_else(|| "–".to_owned(), count_text)
    }

    fn about(&self, model: &ReportModel) -> Vec<About> {
        let text = |id: &str, value: String| About { label: self.word(id), value, is_code: false };
        let code = |id: &str, value: String| About { label: self.word(id), value, is_code: true };
        let unknown = || self.word("report-nothing-known");
        let change = match (&model.from, &model.to) {
            (from, Some(to)) => Message::new("report-from-to")
                .with("from", from.clone().unwrap_or_else(unknown))
                .with("to", to),
            (Some(from), None) => Message::new("report-release-kept").with("release", from),
            (None, None) => Message::new("report-nothing-known"),
        };
        let stack = Message::new("report-stack-value")
            .with("stack", &model.stack)
            .with("app", &model.app)
            .with("runtime", &model.runtime);
        let moment = |at| format!("{} {}", moment_text(at, self.zone), zone_text(at, self.zone));
        let mut about = vec![
            text("report-stack", stack.render(self.language)),
            text("report-change", change.render(self.language)),
            text("report-began", moment(model.began_at)),
            text("report-ended", model.ended_at.map_or_else(|| self.word("report-not-ended"), moment)),
            text("report-took", duration_text(model.milliseconds)),
            text("report-began-by", model.begun_by.clone()),
            code("report-plan", short(&model.plan_digest, 12).to_owned()),
            code("report-observation", model.observation.clone()),
            text("report-version", model.version.clone()),
        ];
        if let Some(reason) = &model.reason {
            about.push(text("report-reason", reason.clone()));
        }
        if model.takeovers > 0 {
            let times = Message::new("report-takeovers-value").with("count", model.takeovers);
            about.push(text("report-takeovers", times.render(self.language)));
        }
        about
    }

    fn turned_back(&self, model: &ReportModel) -> String {
        let Some(turn) = &model.turned_back else { return String::new() };
        let message = match &turn.step {
            Some(step) => Message::new("report-turned-back-value").with("step", step),
            None => Message::new("report-turned-back-value-plain"),
        };
        message.with("time", clock_text(turn.at, self.zone)).with("why", &turn.why).render(self.language)
    }

    fn closed_about(&self, model: &ReportModel) -> String {
        let closed =
            || model.tenants.iter().filter_map(|tenant| tenant.closed).filter(|time| time.milliseconds > 0);
        match closed().next() {
            None => String::new(),
            Some(_) if closed().all(|time| time.measured) => self.word("report-closed-measured"),
            Some(_) => self.word("report-closed-about"),
        }
    }

    /// The first reasons; the others are counted, and stand under their gate.
    fn reasons(&self, reasons: &[String]) -> Vec<String> {
        let mut shown: Vec<String> = reasons.iter().take(MOST_REASONS).cloned().collect();
        if reasons.len() > MOST_REASONS {
            let more = Message::new("report-more").with("count", reasons.len() - MOST_REASONS);
            shown.push(more.render(self.language));
        }
        shown
    }

    /// What failed; the same failure of several tries in a row is told once.
    fn failures(&self, model: &ReportModel) -> Vec<FailureRow> {
        model
            .failures
            .chunk_by(|one, other| one == other)
            .filter_map(|same| Some((same.first()?, same.len())))
            .map(|(failure, times)| {
                let times = match times {
                    1 => String::new(),
                    _ => Message::new("report-failure-times").with("count", times).render(self.language),
                };
                told(failure, model.state, times)
            })
            .collect()
    }

    /// Only where there is something to tell.
    fn customizations(&self, one: &CustomizationsReport) -> Option<CustomizationsRow> {
        if one.compared && one.lines.is_empty() {
            return None;
        }
        let count =
            |sign: char| count_text(one.lines.iter().filter(|line| line.starts_with(sign)).count() as u64);
        let about = if one.compared {
            Message::new("report-customizations-counts")
                .with("added", count('+'))
                .with("changed", count('~'))
                .with("removed", count('-'))
        } else {
            Message::new("report-customizations-not-compared")
        };
        Some(CustomizationsRow {
            tenant: one.tenant.clone(),
            about: about.render(self.language),
            lines: one.lines.clone(),
        })
    }

    fn customizations_about(&self, model: &ReportModel) -> String {
        if model.customizations.is_empty() {
            return String::new();
        }
        let same = model.customizations.iter().filter(|one| one.compared && one.lines.is_empty());
        let same: Vec<&str> = same.map(|one| one.tenant.as_str()).collect();
        let mut about = Vec::new();
        if matches!(model.state, RunState::WentBack | RunState::GoingBack | RunState::Stuck) {
            about.push(self.word("report-customizations-went-back"));
        }
        if !same.is_empty() {
            let text = Message::new("report-customizations-same").with("tenants", same.join(", "));
            about.push(text.render(self.language));
        }
        about.join(" ")
    }

    fn tenant(&self, tenant: &TenantReport) -> TenantRow {
        let (closed, closed_note) = match tenant.closed {
            Some(time) if time.still => (duration_text(time.milliseconds), self.word("report-closed-still")),
            Some(time) if time.milliseconds == 0 => (self.word("report-closed-none"), String::new()),
            Some(time) => (duration_text(time.milliseconds), String::new()),
            None => ("–".to_owned(), self.word("report-closed-unknown")),
        };
        let point = tenant.point.as_deref().map(|point| short(point, 8).to_owned());
        let (data, data_class) = match tenant.data {
            TenantData::Untouched => (self.word("report-data-untouched"), "quiet"),
            TenantData::Changed => (self.word("report-data-changed"), ""),
            TenantData::Restored => {
                let from = point.clone().unwrap_or_else(|| "–".to_owned());
                (Message::new("report-data-restored").with("point", from).render(self.language), "back")
            }
            TenantData::Swapped => (self.word("report-data-swapped"), ""),
            TenantData::SwappedBack => (self.word("report-data-swapped-back"), "back"),
        };
        TenantRow {
            name: tenant.name.clone(),
            closed,
            closed_note,
            expected: tenant
                .expected_milliseconds
                .map_or_else(|| self.word("report-expected-unknown"), duration_text),
            data,
            data_class,
            rows: self.number(tenant.rows),
            files: self.number(tenant.files),
            point: point.unwrap_or_else(|| self.word("report-none")),
            salvage: tenant
                .salvage
                .as_deref()
                .map_or_else(|| self.word("report-none"), |point| short(point, 8).to_owned()),
        }
    }

    fn step(&self, step: &StepReport) -> StepRow {
        let (class, status) = match step.status {
            StepStatus::Pending => ("quiet", "report-status-pending"),
            StepStatus::Begun => ("open", "report-status-begun"),
            StepStatus::Asking => ("open", "report-status-asking"),
            StepStatus::Done => ("go", "report-status-done"),
            StepStatus::Failed => ("no", "report-status-failed"),
            StepStatus::Tolerated => ("hold", "report-status-tolerated"),
            StepStatus::Refused => ("no", "report-status-refused"),
        };
        let (class, status, undo) = match &step.undo {
            None => (class, status, String::new()),
            Some(undo) => {
                let (undo_class, undo_status) = match undo.status {
                    StepStatus::Done => ("back", "report-status-undone"),
                    StepStatus::Failed => ("no", "report-status-undo-failed"),
                    _ => ("open", "report-status-undoing"),
                };
                let mut told = vec![sentence(&undo.by)];
                if let (StepStatus::Done, Some(time)) = (undo.status, undo.milliseconds) {
                    let took = Message::new("report-undo-took").with("duration", duration_text(time));
                    told.push(took.render(self.language));
                }
                told.extend(undo.results.iter().cloned().map(kept_together));
                // What a step that failed came to is the more important word.
                match class {
                    "no" if undo_class == "back" => (class, status, told.join(" · ")),
                    _ => (undo_class, undo_status, told.join(" · ")),
                }
            }
        };
        StepRow {
            name: step.name.clone(),
            title: step.title.clone(),
            class,
            status: self.word(status),
            began: step.began_at.map_or_else(|| "–".to_owned(), |at| clock_text(at, self.zone)),
            took: match step.status {
                StepStatus::Pending => "–".to_owned(),
                _ => step.milliseconds.map_or_else(|| "–".to_owned(), duration_text),
            },
            expected: step.expected_milliseconds.map_or_else(|| "–".to_owned(), duration_text),
            tries: step.tries.map_or_else(|| "–".to_owned(), |tries| tries.to_string()),
            results: joined(&step.results),
            undo,
        }
    }

    fn gate(&self, gate: &GateReport) -> GateView {
        let samples = match (gate.sample_count, gate.bad_count) {
            (0, _) => String::new(),
            (count, bad) => {
                let text = Message::new("report-samples")
                    .with("count", count_text(count as u64))
                    .render(self.language);
                match bad {
                    0 => text,
                    _ => Message::new("report-samples-failed")
                        .with("samples", text)
                        .with("bad", count_text(bad as u64))
                        .render(self.language),
                }
            }
        };
        let drawn = match gate.samples.len() {
            drawn if drawn == gate.sample_count => String::new(),
            drawn => Message::new("report-samples-drawn")
                .with("drawn", count_text(drawn as u64))
                .with("all", count_text(gate.sample_count as u64))
                .render(self.language),
        };
        let plots = plot::of(gate, self.language, self.zone);
        GateView {
            step: gate.step.clone(),
            title: gate.title.clone(),
            asks: gate.asks.clone(),
            class: gate.verdict.map_or("quiet", verdict_class),
            verdict: match gate.verdict {
                Some(verdict) => verdict_text(verdict, self.language),
                None => self.word("report-gate-not-judged"),
            },
            facts: gate
                .facts
                .iter()
                .map(|fact| FactRow {
                    class: verdict_class(fact.verdict),
                    verdict: verdict_text(fact.verdict, self.language),
                    text: fact.text.clone(),
                })
                .collect(),
            lines: gate.lines.clone(),
            samples,
            drawn,
            is_open: gate.verdict != Some(VerdictKind::Go) || gate.phase == "watch",
            plots,
        }
    }

    fn gates_summary(&self, model: &ReportModel) -> String {
        let counts = model.gate_counts();
        let count = |verdict| counts.get(&Some(verdict)).copied().unwrap_or(0);
        Message::new("report-gates-summary")
            .with("go", count(VerdictKind::Go))
            .with("hold", count(VerdictKind::Hold))
            .with("no", count(VerdictKind::NoGo))
            .render(self.language)
    }

    fn decision(&self, decision: &DecisionReport) -> DecisionRow {
        let verdict = if decision.go { VerdictKind::Go } else { VerdictKind::NoGo };
        DecisionRow {
            when: moment_text(decision.at, self.zone),
            who: decision.by.clone().unwrap_or_else(|| self.word("report-nobody")),
            what: decision.question.clone(),
            class: verdict_class(verdict),
            verdict: verdict_text(verdict, self.language),
            why: decision.reason.clone(),
        }
    }

    fn checklist(&self, model: &ReportModel) -> Vec<DecisionRow> {
        model
            .checklist
            .iter()
            .map(|item| match &item.answer {
                Some(answer) => DecisionRow { what: item.text.clone(), ..self.decision(answer) },
                None => DecisionRow {
                    when: "–".to_owned(),
                    who: "–".to_owned(),
                    what: item.text.clone(),
                    class: "quiet",
                    verdict: self.word("report-checklist-open"),
                    why: String::new(),
                },
            })
            .collect()
    }

    fn kept(&self, kept: &KeptReport) -> KeptRow {
        match kept {
            KeptReport::Point { tenant, kind, point, rows, files, bytes, verified, proved, .. } => {
                let what = match kind {
                    PointKind::Backup => "report-kept-point-backup",
                    PointKind::Release => "report-kept-point-release",
                    PointKind::Salvage => "report-kept-point-salvage",
                    PointKind::Imported => "report-kept-point-imported",
                };
                let mut proof = Vec::new();
                proof.extend(verified.map(|count| {
                    Message::new("report-kept-verified")
                        .with("count", count_text(count))
                        .render(self.language)
                }));
                proof.extend(proved.then(|| self.word("report-kept-proved")));
                KeptRow {
                    what: sentence(&self.word(what)),
                    tenant: tenant.clone(),
                    id: short(point, 8).to_owned(),
                    full_id: point.clone(),
                    rows: self.number(*rows),
                    files: self.number(*files),
                    size: bytes.map_or_else(|| "–".to_owned(), bytes_text),
                    proof: if proof.is_empty() { self.word("report-kept-unchecked") } else { listed(proof) },
                }
            }
            KeptReport::OldData { tenant, suffix, .. } => KeptRow {
                what: sentence(&self.word("report-kept-old")),
                tenant: tenant.clone(),
                id: suffix.clone(),
                full_id: suffix.clone(),
                rows: "–".to_owned(),
                files: "–".to_owned(),
                size: "–".to_owned(),
                proof: Message::new("report-kept-where").with("suffix", suffix).render(self.language),
            },
        }
    }

    fn note(&self, note: &crate::model::NoteReport) -> NoteRow {
        let (class, kind) = match note.kind.as_str() {
            "incident" => ("no", self.word("report-note-incident")),
            "lesson" => ("go", self.word("report-note-lesson")),
            _ => ("quiet", self.word("report-note-note")),
        };
        NoteRow {
            class,
            kind,
            when: moment_text(note.at, self.zone),
            who: note.by.clone(),
            text: note.text.clone(),
        }
    }

    fn journal(&self, model: &ReportModel) -> String {
        let entries = Message::new("report-journal-entries").with("count", count_text(model.journal.entries));
        let chain = match &model.journal.hash {
            Some(hash) => Message::new("report-journal-hash").with("hash", hash),
            None => Message::new("report-journal-without"),
        };
        format!("{}. {}", sentence(&entries.render(self.language)), chain.render(self.language))
    }
}

/// Phrases side by side, each kept on one line where it is short.
fn joined(phrases: &[String]) -> String {
    phrases.iter().cloned().map(kept_together).collect::<Vec<_>>().join(" · ")
}

fn kept_together(phrase: String) -> String {
    if phrase.chars().count() <= 24 { phrase.replace(' ', "\u{a0}") } else { phrase }
}

fn verdict_class(verdict: VerdictKind) -> &'static str {
    match verdict {
        VerdictKind::Go => "go",
        VerdictKind::Hold => "hold",
        VerdictKind::NoGo => "no",
    }
}

fn told(failure: &FailureReport, state: RunState, times: String) -> FailureRow {
    // What to do next, and how things stood then, helps nobody once the run has come to a safe end.
    let is_over = matches!(state, RunState::Done | RunState::WentBack | RunState::Partly);
    FailureRow {
        step: failure.step.clone(),
        times,
        headline: format!("{} {}", failure.code, failure.text),
        state: failure.state.clone().filter(|_| !is_over).unwrap_or_default(),
        hint: failure.hint.clone().filter(|_| !is_over).unwrap_or_default(),
        causes: failure.causes.clone(),
    }
}
