//! A plan in the making: steps are added in the order of the narration, each after what stands before it.

use std::collections::{BTreeMap, BTreeSet};

use eclusa_config::{HookPoint, Side};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{PersonName, Release, ServiceName, StepName, Tenant, TenantName};
use eclusa_runbook::{
    Action, ELSEWHERE_PLAN_FORMAT, Effect, EnvironmentValue, Exec, Expect, Gate, GateKind, Intent, Lane,
    LeaseOperation, Limits, Load, OnNoGo, PARTS_PLAN_FORMAT, PLAN_FORMAT, Phase, Place, Plan, Question,
    Recovery, Reversibility, Scope, Step, Trial, Undo, VaultOperation,
};

use crate::PlanInput;

/// A step before it has its place.
pub(crate) struct NewStep {
    step: Step,
}

impl NewStep {
    fn new(phase: Phase, name: &str, scope: Scope, title: Message, action: Action) -> Result<Self> {
        let name = StepName::new(name).map_err(|error| Fault::new(Code::Internal).with("what", error))?;
        let undo = Undo::Nothing { why: Message::new("undo-nothing-check") };
        let limits = Limits { timeout: 120, retries: 0, tolerated: false };
        let recovery = Recovery::Repeat;
        Ok(Self {
            step: Step {
                name,
                phase,
                scope,
                title,
                after: Vec::new(),
                action,
                undo,
                recovery,
                limits,
                lane: None,
                expected: None,
            },
        })
    }

    pub(crate) fn perform(
        phase: Phase,
        name: &str,
        scope: Scope,
        title: Message,
        effect: Effect,
    ) -> Result<Self> {
        Self::new(phase, name, scope, title, Action::Perform(effect))
    }

    pub(crate) fn judge(
        phase: Phase,
        name: &str,
        scope: Scope,
        title: Message,
        kind: GateKind,
    ) -> Result<Self> {
        let gate = Gate { kind, on_no_go: OnNoGo::Back, on_hold: OnNoGo::Back, trial: None };
        Self::new(phase, name, scope, title, Action::Judge(gate))
    }

    pub(crate) fn ask(phase: Phase, name: &str, title: Message, question: Question) -> Result<Self> {
        Self::new(phase, name, Scope::Stack, title, Action::Ask(question))
    }

    pub(crate) fn undo(mut self, undo: Undo) -> Self {
        self.step.undo = undo;
        self
    }

    pub(crate) fn nothing_to_undo(self, why: &str) -> Self {
        self.undo(Undo::Nothing { why: Message::new(why) })
    }

    pub(crate) fn seconds(mut self, timeout: u64) -> Self {
        self.step.limits.timeout = timeout.max(1);
        self
    }

    pub(crate) fn retries(mut self, retries: u32) -> Self {
        self.step.limits.retries = retries;
        self
    }

    pub(crate) fn tolerated(mut self) -> Self {
        self.step.limits.tolerated = true;
        self
    }

    pub(crate) fn recovery(mut self, recovery: Recovery) -> Self {
        self.step.recovery = recovery;
        self
    }

    pub(crate) fn scope(mut self, scope: Scope) -> Self {
        self.step.scope = scope;
        self
    }

    pub(crate) fn lane(mut self, lane: Lane) -> Self {
        self.step.lane = Some(lane);
        self
    }

    /// A gate that is asked of a copy, in place of what is live.
    pub(crate) fn in_trial(mut self, trial: &Trial) -> Self {
        if let Action::Judge(gate) = &mut self.step.action {
            gate.trial = Some(trial.clone());
        }
        self
    }

    pub(crate) fn on_no_go(mut self, policy: OnNoGo) -> Self {
        if let Action::Judge(gate) = &mut self.step.action {
            gate.on_no_go = policy;
        }
        self
    }

    pub(crate) fn on_hold(mut self, policy: OnNoGo) -> Self {
        if let Action::Judge(gate) = &mut self.step.action {
            gate.on_hold = policy;
        }
        self
    }
}

/// A plan in the making.
pub(crate) struct Draft<'a, 'b> {
    pub input: &'b PlanInput<'a>,
    pub remarks: Vec<Message>,
    /// How much of the machine it may take.
    pub load: Load,
    steps: Vec<Step>,
    names: BTreeSet<StepName>,
    frontier: Vec<StepName>,
    phase: Option<Phase>,
    /// Whether the steps of one tenant are left out where that tenant went back.
    follows: bool,
}

/// From how many pairs on a step stands between many steps and the many that come after each of them. Every step after
/// every other one would be a hundred million pairs with ten thousand tenants; with it they are twenty thousand.
const MOST_PAIRS: usize = 64;

/// What a plan says beyond its steps.
pub(crate) struct Frame {
    pub intent: Intent,
    pub to: Option<Release>,
    pub tenants: Vec<Tenant>,
    pub services: Vec<ServiceName>,
    pub reversibility: BTreeMap<TenantName, (Reversibility, Message)>,
    pub point_of_no_return: Option<StepName>,
}

impl<'a, 'b> Draft<'a, 'b> {
    pub(crate) fn new(input: &'b PlanInput<'a>) -> Self {
        Self {
            input,
            remarks: Vec::new(),
            load: Load::default(),
            steps: Vec::new(),
            names: BTreeSet::new(),
            frontier: Vec::new(),
            phase: None,
            follows: false,
        }
    }

    /// From here on the steps of one tenant are left out where that tenant went back alone.
    pub(crate) fn follow(&mut self) {
        self.follows = true;
    }

    /// Enters a phase: the hooks after the one before and before this one.
    pub(crate) fn phase(&mut self, phase: Phase) -> Result<()> {
        if let Some(last) = self.phase.replace(phase) {
            self.hooks(Side::After, last)?;
        }
        self.hooks(Side::Before, phase)
    }

    fn hooks(&mut self, side: Side, phase: Phase) -> Result<()> {
        let stack = self.input.stack;
        let wanted = |point: HookPoint| point.side == side && point.phase.word() == phase.word();
        let release =
            self.input.observation.candidate.as_ref().map_or("", |candidate| candidate.release.name.as_str());
        for hook in stack.hooks.iter().filter(|hook| wanted(hook.at)) {
            let environment: BTreeMap<String, EnvironmentValue> = hook
                .environment
                .iter()
                .map(|(name, value)| (name.clone(), environment_value(value)))
                .collect();
            let exec = |argv: Vec<String>| Exec {
                place: Place::Host,
                argv,
                environment: environment.clone(),
                directory: None,
                expect: Expect::default(),
                unblock: None,
                stdin: None,
            };
            let values = [("release", release), ("stack", self.input.name.as_str())];
            let undo = match &hook.undo {
                Some(command) => Undo::By(Effect::Exec(exec(command.filled(&values)))),
                None => Undo::Nothing { why: Message::new("undo-nothing-hook") },
            };
            let title = Message::new("step-hook").with("name", &hook.name);
            let effect = Effect::Exec(exec(hook.command.filled(&values)));
            let mut step = NewStep::perform(
                phase,
                &format!("{}.hook.{}", phase.word(), hook.name),
                Scope::Host,
                title,
                effect,
            )?
            .undo(undo)
            .seconds(hook.timeout.as_seconds())
            // Whether a command of the user's may run twice is not known: what it did is taken back.
            .recovery(Recovery::GoBack);
            // After the gate has opened, a word that was not delivered is no reason to take the release back.
            if phase >= Phase::Open {
                step = step.tolerated();
            }
            self.then(step)?;
        }
        Ok(())
    }

    /// Adds a step after everything before it.
    pub(crate) fn then(&mut self, step: NewStep) -> Result<StepName> {
        let name = step.step.name.clone();
        self.together(vec![step])?;
        Ok(name)
    }

    /// Adds steps that may run at the same time, after everything before them.
    pub(crate) fn together(&mut self, steps: Vec<NewStep>) -> Result<()> {
        if steps.is_empty() {
            return Ok(());
        }
        if self.frontier.len() > 1 && steps.len() > 1 && self.frontier.len() * steps.len() > MOST_PAIRS {
            self.gather(steps.first().map_or(Phase::Preflight, |first| first.step.phase))?;
        }
        let mut frontier = Vec::with_capacity(steps.len());
        for NewStep { step } in steps {
            frontier.push(step.name.clone());
            self.add(step)?;
        }
        self.frontier = frontier;
        Ok(())
    }

    /// Adds rows of steps, one row for each tenant: each begins after everything before, and no row waits for another.
    /// A failure in a row takes only its tenant back.
    pub(crate) fn lanes(&mut self, lanes: Vec<Vec<NewStep>>) -> Result<()> {
        let phase = lanes.iter().flatten().map(|first| first.step.phase).next();
        if self.frontier.len() * lanes.len() > MOST_PAIRS
            && let Some(phase) = phase
        {
            self.gather(phase)?;
        }
        let before = self.frontier.clone();
        let mut ends = Vec::new();
        for lane in lanes {
            self.frontier.clone_from(&before);
            for step in lane {
                self.then(step.lane(Lane::Own))?;
            }
            ends.append(&mut self.frontier);
        }
        ends.retain(|end| !before.contains(end));
        self.frontier = if ends.is_empty() { before } else { ends };
        Ok(())
    }

    /// Adds a step that does nothing and comes after everything before it.
    fn gather(&mut self, phase: Phase) -> Result<()> {
        let name = format!("{}.gather.{}", phase.word(), self.steps.len());
        let count = self.frontier.len();
        let title = Message::new("step-gather").with("count", count);
        let step = NewStep::perform(phase, &name, Scope::Stack, title, Effect::Mark)?
            .nothing_to_undo("undo-nothing-gather");
        let name = step.step.name.clone();
        self.add(step.step)?;
        self.frontier = vec![name];
        Ok(())
    }

    fn add(&mut self, mut step: Step) -> Result<()> {
        if !self.names.insert(step.name.clone()) {
            return Err(Fault::new(Code::Internal).with("what", format!("two steps named {}", step.name)));
        }
        if self.follows && step.lane.is_none() && matches!(step.scope, Scope::Tenant(_)) {
            step.lane = Some(Lane::Follows);
        }
        step.after.clone_from(&self.frontier);
        step.expected = self.input.history.durations.get(step.name.as_str()).copied();
        self.steps.push(step);
        Ok(())
    }

    /// The first step of every plan that changes something: nobody else does at the same time.
    pub(crate) fn take_lease(&mut self) -> Result<()> {
        let step = NewStep::perform(
            Phase::Preflight,
            "preflight.lease",
            Scope::Stack,
            Message::new("step-lease-take"),
            Effect::Lease(LeaseOperation::Take { run: None }),
        )?
        .undo(Undo::By(Effect::Lease(LeaseOperation::Release)))
        .seconds(60);
        self.then(step)?;
        let unmoved = NewStep::judge(
            Phase::Preflight,
            "preflight.unmoved",
            Scope::Stack,
            Message::new("step-unmoved"),
            GateKind::Unmoved,
        )?;
        self.then(unmoved).map(|_| ())
    }

    /// The last step.
    fn release_lease(&mut self) -> Result<()> {
        let step = NewStep::perform(
            Phase::Accept,
            "accept.lease",
            Scope::Stack,
            Message::new("step-lease-release"),
            Effect::Lease(LeaseOperation::Release),
        )?
        .nothing_to_undo("undo-nothing-lease")
        .retries(5)
        .seconds(60);
        self.then(step).map(|_| ())
    }

    /// The finished plan.
    pub(crate) fn finish(mut self, frame: Frame) -> Result<Plan> {
        if let Some(last) = self.phase.take() {
            self.hooks(Side::After, last)?;
        }
        self.release_lease()?;
        let input = self.input;
        let stack = input.stack;
        let expected_downtime = downtimes(&self.steps, &frame.tenants);
        let emergency = stack.duties.emergency.iter().map(|person| describe(stack, person)).collect();
        Ok(Plan {
            format: format_of(&self.steps),
            version: input.version.to_owned(),
            stack: input.name.clone(),
            app: stack.app,
            runtime: stack.runtime,
            intent: frame.intent,
            made_at: input.now,
            observation: input.fingerprint.clone(),
            from: input.observation.release.clone(),
            to: frame.to,
            tenants: frame.tenants,
            reversibility: frame.reversibility.iter().map(|(name, (how, _))| (name.clone(), *how)).collect(),
            reversibility_reasons: frame
                .reversibility
                .into_iter()
                .map(|(name, (_, why))| (name, why))
                .collect(),
            point_of_no_return: frame.point_of_no_return,
            expected_downtime,
            services: frame.services,
            parallel: stack.limits.parallel.max(1) as usize,
            deciders: deciders(stack),
            emergency,
            told: stack.duties.told.iter().map(|person| describe(stack, person)).collect(),
            answer_within: Some(stack.decide.deadline.as_seconds()),
            load: self.load,
            remarks: self.remarks,
            steps: self.steps,
        })
    }
}

/// The lowest format that says all of it, so that older binaries read as many plans as they can and refuse the others.
pub(crate) fn format_of(steps: &[Step]) -> u32 {
    use eclusa_runbook::RestoreOperation as Restore;
    let has_part = |effect: &Effect| match effect {
        Effect::Restore(
            Restore::Beside { part, .. }
            | Restore::Prove { part, .. }
            | Restore::SwapIn { part, .. }
            | Restore::SwapBack { part, .. }
            | Restore::Discard { part, .. },
        ) => !part.is_everything(),
        _ => false,
    };
    let parts = steps.iter().any(|step| {
        matches!(&step.action, Action::Perform(effect) if has_part(effect))
            || matches!(&step.undo, Undo::By(effect) if has_part(effect))
    });
    let tried = steps.iter().any(|step| match &step.action {
        Action::Perform(effect) => matches!(effect, Effect::Trial(_)),
        Action::Judge(gate) => gate.trial.is_some(),
        Action::Ask(_) => false,
    });
    let at_mirror = |effect: &Effect| match effect {
        Effect::Vault(VaultOperation::ForgetAt { .. }) => true,
        Effect::Vault(VaultOperation::Copy { only, .. }) => only.is_some(),
        _ => false,
    };
    let elsewhere =
        steps.iter().any(|step| matches!(&step.action, Action::Perform(effect) if at_mirror(effect)));
    match (tried || elsewhere, parts) {
        (true, _) => ELSEWHERE_PLAN_FORMAT,
        (false, true) => PARTS_PLAN_FORMAT,
        (false, false) => PLAN_FORMAT,
    }
}

/// Who may answer gates: those whose duty it is, else every approver, else anyone.
pub(crate) fn deciders(stack: &eclusa_config::Stack) -> Vec<PersonName> {
    if !stack.duties.decide.is_empty() {
        return stack.duties.decide.clone();
    }
    stack
        .people
        .iter()
        .filter(|(_, person)| person.roles.contains(&eclusa_config::Role::Approver))
        .map(|(name, _)| name.clone())
        .collect()
}

fn describe(stack: &eclusa_config::Stack, person: &PersonName) -> String {
    let found = stack.people.get(person);
    let name = found.and_then(|person| person.name.clone()).unwrap_or_else(|| person.to_string());
    match found.and_then(|person| person.phone.clone().or_else(|| person.mail.clone())) {
        Some(how) => format!("{name} ({how})"),
        None => name,
    }
}

pub(crate) fn environment_value(value: &eclusa_config::Value) -> EnvironmentValue {
    if value.is_reference() {
        EnvironmentValue::Secret(value.as_str().to_owned())
    } else {
        EnvironmentValue::Plain(value.as_str().to_owned())
    }
}

/// How long each tenant is closed, from the step that closes its gate to the one that opens it; none while history
/// does not know every step between.
fn downtimes(steps: &[Step], tenants: &[Tenant]) -> BTreeMap<TenantName, Option<u64>> {
    let places: BTreeMap<&str, usize> =
        steps.iter().enumerate().map(|(place, step)| (step.name.as_str(), place)).collect();
    // Up to each step: what everybody waits for, and how many of these steps history does not know.
    let mut common = vec![(0, 0)];
    let mut own: BTreeMap<&TenantName, Vec<(usize, Option<u64>)>> = BTreeMap::new();
    for (place, step) in steps.iter().enumerate() {
        let (mut sum, mut unknown) = common.last().copied().unwrap_or_default();
        match (&step.scope, step.expected) {
            (Scope::Tenant(name), expected) => own.entry(name).or_default().push((place, expected)),
            (_, Some(expected)) => sum += expected,
            (_, None) => unknown += 1,
        }
        common.push((sum, unknown));
    }
    let one = |tenant: &TenantName| {
        let closing = *places.get(format!("close.gate.{tenant}").as_str())?;
        let opening = *places.get(format!("open.gate.{tenant}").as_str())?;
        let (before, unknown_before) = *common.get(closing)?;
        let (after, unknown_after) = *common.get(opening + 1)?;
        if unknown_after != unknown_before || opening < closing {
            return None;
        }
        let between = own.get(tenant).into_iter().flatten();
        let between = between.filter(|(place, _)| (closing..=opening).contains(place));
        let own: Option<u64> = between.map(|(_, expected)| *expected).sum();
        own.map(|own| own + after - before)
    };
    tenants.iter().map(|tenant| (tenant.name.clone(), one(&tenant.name))).collect()
}
