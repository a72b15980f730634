//! A plan as the operator would tell it: structured lines, so that a terminal can colour them.

use std::collections::BTreeMap;

use eclusa_fault::{Language, Message};
use eclusa_model::TenantName;
use eclusa_runbook::{
    Action, EdgeOperation, Effect, Gate, Intent, Phase, Plan, Question, Reversibility, Step,
};
use jiff::tz::TimeZone;

use crate::describe::{gate_policies, gate_question, intent_text, undo_text};
use crate::words::{duration_text, listed, moment_text, short, word, zone_text};

/// What a line is, so that it can be coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// The first line: what is to be done.
    Headline,
    /// What stands under it: from what to what, the digest.
    About,
    /// The title of a part.
    Heading,
    /// What it means for a tenant.
    Tenant,
    /// A detail of the line above.
    Detail,
    /// The point of no return.
    NoReturn,
    /// What should be known before agreeing.
    Remark,
    /// The title of a phase.
    Phase,
    /// A step.
    Step,
    /// What undoes it.
    Undo,
    /// What a gate asks, or a person is asked.
    Question,
    /// Nothing: space between parts.
    Blank,
}

/// One line of the narration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// The columns before its text.
    pub indent: usize,
    /// The text, without the indentation.
    pub text: String,
}

/// How a plan is told.
#[derive(Debug, Clone)]
pub struct NarrationOptions {
    /// The columns there are; at least 40 are used.
    pub width: usize,
    /// Whether the steps are told, or only what the plan means.
    pub show_steps: bool,
    /// The time zone of times.
    pub zone: TimeZone,
}

impl Default for NarrationOptions {
    fn default() -> Self {
        Self { width: 100, show_steps: true, zone: TimeZone::UTC }
    }
}

/// The plan as the operator would tell it.
#[must_use]
pub fn narrate_plan(plan: &Plan, language: &Language, options: &NarrationOptions) -> Vec<Line> {
    let mut teller = Teller { plan, language, width: options.width.max(40), lines: Vec::new() };
    teller.head(&options.zone);
    teller.tenants();
    teller.no_return();
    teller.remarks();
    if options.show_steps {
        teller.steps();
    }
    teller.lines
}

/// The lines as text, each ended by a newline.
#[must_use]
pub fn plain(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{:indent$}{}\n", "", line.text, indent = line.indent)).collect()
}

/// Tenants of whom the same is said: how they go back and why, and how long they are closed.
type Group<'a> = (Vec<&'a TenantName>, Option<(String, String)>, Option<String>);

struct Teller<'a> {
    plan: &'a Plan,
    language: &'a Language,
    width: usize,
    lines: Vec<Line>,
}

impl Teller<'_> {
    fn say(&mut self, kind: LineKind, indent: usize, text: &str) {
        for text in wrap(text, self.width.saturating_sub(indent)) {
            self.lines.push(Line { kind, indent, text });
        }
    }

    fn tell(&mut self, kind: LineKind, indent: usize, message: &Message) {
        let text = message.render(self.language);
        self.say(kind, indent, &text);
    }

    fn blank(&mut self) {
        self.lines.push(Line { kind: LineKind::Blank, indent: 0, text: String::new() });
    }

    fn head(&mut self, zone: &TimeZone) {
        let plan = self.plan;
        let intent = intent_text(&plan.intent, self.language);
        self.tell(
            LineKind::Headline,
            0,
            &Message::new("plan-headline").with("intent", intent).with("stack", &plan.stack),
        );
        self.say(LineKind::About, 2, &change_text(plan, self.language));
        // A plan that cannot be written as JSON has no digest; it could not be saved either.
        let digest =
            plan.digest().map_or_else(|_| "–".to_owned(), |digest| short(digest.as_str(), 12).to_owned());
        let time = format!("{} {}", moment_text(plan.made_at, zone), zone_text(plan.made_at, zone));
        let about = Message::new("plan-about")
            .with("app", kebab(&plan.app))
            .with("runtime", kebab(&plan.runtime))
            .with("digest", digest)
            .with("time", time);
        self.tell(LineKind::About, 2, &about);
    }

    /// Tenants of whom the same is to be said are said together.
    fn tenants(&mut self) {
        if self.plan.tenants.is_empty() {
            return;
        }
        let mut groups: Vec<Group<'_>> = Vec::new();
        for tenant in &self.plan.tenants {
            let way = self.way(&tenant.name);
            let downtime = self.downtime(&tenant.name);
            match groups.iter_mut().find(|(_, other, time)| *other == way && *time == downtime) {
                Some((names, ..)) => names.push(&tenant.name),
                None => groups.push((vec![&tenant.name], way, downtime)),
            }
        }
        self.blank();
        self.tell(LineKind::Heading, 0, &Message::new("plan-tenants-title"));
        for (names, way, downtime) in groups {
            let message = match way {
                Some((way, why)) => Message::new("plan-tenant-way").with("way", way).with("why", why),
                None => Message::new("plan-tenant-touched"),
            };
            self.tell(LineKind::Tenant, 2, &message.with("tenant", listed(names)));
            if let Some(downtime) = downtime {
                self.say(LineKind::Detail, 4, &downtime);
            }
        }
    }

    fn way(&self, tenant: &TenantName) -> Option<(String, String)> {
        let way = match self.plan.reversibility.get(tenant)? {
            Reversibility::CodeOnly => "plan-way-code-only",
            Reversibility::Restore => "plan-way-restore",
            Reversibility::SalvageFirst => "plan-way-salvage-first",
        };
        let why = self.plan.reversibility_reasons.get(tenant).map(|why| why.render(self.language));
        Some((word(way, self.language), why.unwrap_or_default()))
    }

    /// How long a tenant waits or is closed, as far as that is known.
    fn downtime(&self, tenant: &TenantName) -> Option<String> {
        let gate = |wanted: &dyn Fn(&EdgeOperation) -> bool| {
            self.plan
                .steps
                .iter()
                .any(|step| matches!(&step.action, Action::Perform(Effect::Edge(op)) if wanted(op)))
        };
        let closes = gate(
            &|operation| matches!(operation, EdgeOperation::Close { tenant: name, .. } if name == tenant),
        );
        let holds =
            gate(&|operation| matches!(operation, EdgeOperation::Hold { tenant: name } if name == tenant));
        let message = match self.plan.expected_downtime.get(tenant).copied().flatten() {
            Some(time) if holds => Message::new("plan-downtime-waits").with("duration", duration_text(time)),
            Some(time) if closes => Message::new("plan-downtime").with("duration", duration_text(time)),
            _ if holds => Message::new("plan-downtime-waits-unknown"),
            _ if closes => Message::new("plan-downtime-unknown"),
            _ if self.stops_services() => Message::new("plan-downtime-services"),
            _ if matches!(self.plan.intent, Intent::Start) => return None,
            _ => Message::new("plan-downtime-none"),
        };
        Some(message.render(self.language))
    }

    fn stops_services(&self) -> bool {
        use eclusa_runbook::RuntimeOperation::{EdgeInstall, EdgeRemove, Stop, Switch};
        self.plan.steps.iter().any(|step| {
            matches!(
                &step.action,
                Action::Perform(Effect::Runtime(Stop { .. } | Switch { .. } | EdgeInstall | EdgeRemove))
            )
        })
    }

    fn no_return(&mut self) {
        if self.plan.reversibility.is_empty() {
            return;
        }
        self.blank();
        let message = match &self.plan.point_of_no_return {
            Some(name) => {
                let title =
                    self.plan.step(name).map(|step| step.title.render(self.language)).unwrap_or_default();
                Message::new("plan-no-return").with("step", name).with("title", title)
            }
            None => Message::new("plan-no-return-none"),
        };
        self.tell(LineKind::NoReturn, 0, &message);
    }

    fn remarks(&mut self) {
        if self.plan.remarks.is_empty() && self.plan.emergency.is_empty() {
            return;
        }
        self.blank();
        self.tell(LineKind::Heading, 0, &Message::new("plan-remarks-title"));
        for remark in self.plan.remarks.clone() {
            self.tell(LineKind::Remark, 2, &remark);
        }
        if !self.plan.emergency.is_empty() {
            let people = self.plan.emergency.join(", ");
            self.tell(LineKind::Detail, 2, &Message::new("plan-emergency").with("people", people));
        }
    }

    fn steps(&mut self) {
        self.blank();
        let total = Message::new("plan-total").with("count", self.plan.steps.len()).render(self.language);
        let at_once = Message::new("plan-at-once").with("count", self.plan.parallel).render(self.language);
        let title = word("plan-steps-title", self.language);
        self.say(LineKind::Heading, 0, &format!("{title} · {total} · {}", lower(&at_once)));
        let mut phase = None;
        for step in &self.plan.steps {
            if phase.replace(step.phase) != Some(step.phase) {
                self.phase(step.phase);
            }
            self.step(step);
        }
    }

    fn phase(&mut self, phase: Phase) {
        self.blank();
        let name = phase_text(phase, self.language);
        let times: Option<u64> =
            self.plan.steps.iter().filter(|step| step.phase == phase).map(|step| step.expected).sum();
        let message = match times {
            Some(time) => {
                Message::new("plan-phase-expected").with("phase", name).with("duration", duration_text(time))
            }
            None => Message::new("plan-phase").with("phase", name),
        };
        self.tell(LineKind::Phase, 2, &message);
    }

    fn step(&mut self, step: &Step) {
        let time = match step.expected {
            Some(time) => Message::new("plan-expected").with("duration", duration_text(time)),
            None => Message::new("plan-expected-unknown"),
        }
        .render(self.language);
        let title = step.title.render(self.language);
        let mut lines = wrap(&title, self.width.saturating_sub(4 + time.chars().count() + 2));
        if let Some(first) = lines.first_mut() {
            let room = self.width.saturating_sub(4 + time.chars().count());
            *first = format!("{first:<room$}{time}");
        }
        self.lines.extend(lines.into_iter().map(|text| Line { kind: LineKind::Step, indent: 4, text }));
        let (kind, told) = match &step.action {
            Action::Perform(_) => {
                let text = undo_text(&step.undo, self.language);
                (LineKind::Undo, Message::new("plan-back").with("text", text))
            }
            Action::Judge(gate) => {
                let text = gate_question(&gate.kind, self.language);
                (LineKind::Question, Message::new("plan-asks").with("text", text))
            }
            Action::Ask(question) => {
                let text = question.text.render(self.language);
                // What is to be confirmed is the title itself.
                let told = if text == title {
                    Message::verbatim("")
                } else {
                    Message::new("plan-asks").with("text", text)
                };
                (LineKind::Question, told)
            }
        };
        match told.render(self.language) {
            text if text.is_empty() => self.say(kind, 6, step.name.as_str()),
            text => self.say(kind, 6, &format!("{} · {text}", step.name)),
        }
        if let Some(tenant) = step.instead_tenant() {
            self.tell(LineKind::Detail, 6, &Message::new("plan-instead").with("tenant", tenant));
        }
        match &step.action {
            Action::Judge(gate) => self.gate(gate),
            Action::Ask(question) => self.question(question),
            Action::Perform(_) if step.limits.tolerated => {
                self.tell(LineKind::Detail, 6, &Message::new("plan-tolerated"));
            }
            Action::Perform(_) => {}
        }
    }

    fn gate(&mut self, gate: &Gate) {
        use eclusa_runbook::OnNoGo::{Ask, Back};
        // Going back is the rule and is not said at every gate.
        if gate.on_no_go == Back && gate.on_hold == Back {
            return;
        }
        let policies = gate_policies(gate, self.language).join("; ");
        self.say(LineKind::Detail, 6, &policies);
        if gate.on_no_go == Ask || gate.on_hold == Ask {
            let (deciders, within) = (self.plan.deciders.clone(), self.plan.answer_within);
            self.who(&deciders, within);
        }
    }

    fn question(&mut self, question: &Question) {
        self.who(&question.allowed, question.deadline);
    }

    fn who(&mut self, people: &[eclusa_model::PersonName], within: Option<u64>) {
        let people = if people.is_empty() { word("plan-anyone", self.language) } else { listed(people) };
        let people = Message::new("plan-may-answer").with("people", people).render(self.language);
        let deadline = match within {
            Some(seconds) => Message::new("plan-answer-within")
                .with("duration", duration_text(seconds.saturating_mul(1000))),
            None => Message::new("plan-answer-waits"),
        };
        let deadline = deadline.render(self.language);
        self.say(LineKind::Detail, 6, &format!("{people}; {deadline}"));
    }
}

/// From which release to which.
pub(crate) fn change_text(plan: &Plan, language: &Language) -> String {
    let unknown = || word("plan-nothing-known", language);
    match (&plan.from, &plan.to) {
        (from, Some(to)) => Message::new("plan-from-to")
            .with("from", from.as_ref().map_or_else(unknown, |from| from.name.clone()))
            .with("to", &to.name)
            .render(language),
        (Some(from), None) => Message::new("plan-runs").with("release", &from.name).render(language),
        (None, None) => unknown(),
    }
}

/// The name of a phase.
pub(crate) fn phase_text(phase: Phase, language: &Language) -> String {
    word(
        match phase {
            Phase::Preflight => "phase-preflight",
            Phase::Close => "phase-close",
            Phase::Secure => "phase-secure",
            Phase::Change => "phase-change",
            Phase::Migrate => "phase-migrate",
            Phase::Validate => "phase-validate",
            Phase::Decide => "phase-decide",
            Phase::Open => "phase-open",
            Phase::Watch => "phase-watch",
            Phase::Accept => "phase-accept",
        },
        language,
    )
}

/// The word that stands in files for a kind of app or runtime.
pub(crate) fn kebab<T: serde::Serialize>(kind: &T) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

/// Breaks a text between words. A word that is longer than a line stands alone and whole: commands and paths have to
/// be copied.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let size = word.chars().count();
        match lines.last_mut() {
            Some(line) if length + 1 + size <= width => {
                line.push(' ');
                line.push_str(word);
                length += 1 + size;
            }
            _ => {
                lines.push(word.to_owned());
                length = size;
            }
        }
    }
    lines
}

/// Counts kept per key, for sums that are told once.
pub(crate) fn counted<K: Ord>(keys: impl IntoIterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}
