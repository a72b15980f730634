//! Reviews plans independently of the planner: what no plan may do, whoever made it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use eclusa_model::{StepName, TenantName};
use eclusa_runbook::{
    Action, CloneStep, EdgeOperation, Effect, Gate, Lane, LeaseOperation, MaintenanceOperation, Part, Phase,
    Plan, PointReference, RestoreOperation, RuntimeOperation, Step, TrialStep, Undo, VaultOperation,
};

use crate::draft::format_of;
use crate::order::Order;

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The step, if it is one.
    pub step: Option<StepName>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Some(step) => write!(formatter, "{step}: {}", self.problem),
            None => formatter.write_str(&self.problem),
        }
    }
}

/// Everything that is wrong with a plan; empty when it may be carried out.
#[must_use]
pub fn lint(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    let order = Order::of(plan, &mut findings);
    let tenants: BTreeSet<&TenantName> = plan.tenants.iter().map(|tenant| &tenant.name).collect();
    let safety = Safety::of(plan);
    for (place, step) in plan.steps.iter().enumerate() {
        let mut found = |problem: String| findings.push(Finding { step: Some(step.name.clone()), problem });
        one_step(&tenants, step, &mut found);
        needs(step, &|places| order.is_any_before(places, place), &safety, &mut found);
    }
    whole(plan, &mut findings);
    findings
}

fn one_step(tenants: &BTreeSet<&TenantName>, step: &Step, found: &mut impl FnMut(String)) {
    if step.limits.timeout == 0 {
        found("it has no limit".to_owned());
    }
    if matches!(step.undo, Undo::NoReturn { .. }) && step.phase != Phase::Accept {
        found("it cannot be taken back and stands before the acceptance".to_owned());
    }
    // What only writes something down proves nothing, and nothing is built on it.
    let only_tells = matches!(step.action, Action::Perform(Effect::Record { .. }));
    if step.limits.tolerated && step.phase < Phase::Open && !only_tells {
        found("its failure is tolerated before the gate opens".to_owned());
    }
    let tenant = match &step.action {
        Action::Perform(Effect::Vault(
            VaultOperation::Take { tenant, .. }
            | VaultOperation::ReadAhead { tenant }
            | VaultOperation::Check { tenant, .. }
            | VaultOperation::Copy { tenant, .. }
            | VaultOperation::Forget { tenant, .. }
            | VaultOperation::ForgetAt { tenant, .. },
        )) => Some(tenant),
        Action::Perform(Effect::Edge(
            EdgeOperation::Close { tenant, .. }
            | EdgeOperation::Open { tenant }
            | EdgeOperation::Hold { tenant },
        )) => Some(tenant),
        _ => None,
    };
    if let Some(tenant) = tenant
        && !tenants.contains(tenant)
    {
        found(format!("the plan has no tenant {tenant}"));
    }
}

/// Where the steps stand that others need before them.
#[derive(Default)]
struct Safety<'a> {
    leases: Vec<usize>,
    stops: Vec<usize>,
    points: BTreeMap<&'a TenantName, Vec<usize>>,
    /// Of whom, and of which part.
    proofs: BTreeMap<(&'a TenantName, &'a Part), Vec<usize>>,
    /// What was done of a copy, by its name and the step's word.
    copies: BTreeMap<(&'a TenantName, &'static str), Vec<usize>>,
    /// What was done of a trial, by its name and the step's word.
    trials: BTreeMap<(&'a str, &'static str), Vec<usize>>,
    /// The steps that take a point, by name and tenant.
    takings: BTreeMap<(&'a StepName, &'a TenantName), Vec<usize>>,
}

impl<'a> Safety<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut safety = Self::default();
        for (place, step) in plan.steps.iter().enumerate() {
            match &step.action {
                Action::Perform(Effect::Lease(LeaseOperation::Take { .. })) => safety.leases.push(place),
                Action::Perform(Effect::Runtime(RuntimeOperation::Stop { .. })) => safety.stops.push(place),
                Action::Perform(Effect::Vault(VaultOperation::Take { tenant, .. })) => {
                    safety.points.entry(tenant).or_default().push(place);
                    safety.takings.entry((&step.name, tenant)).or_default().push(place);
                }
                Action::Perform(Effect::Restore(RestoreOperation::Prove { tenant, part, .. })) => {
                    safety.proofs.entry((tenant, part)).or_default().push(place);
                }
                // It compares what it makes.
                Action::Perform(Effect::Restore(RestoreOperation::Moment { tenant, .. })) => {
                    safety.proofs.entry((tenant, &Part::Database)).or_default().push(place);
                }
                Action::Perform(Effect::Clone(copy)) => {
                    safety.copies.entry((&copy.to, copy.operation.word())).or_default().push(place);
                }
                Action::Perform(Effect::Trial(operation)) => {
                    let key = (operation.trial.name.as_str(), operation.operation.word());
                    safety.trials.entry(key).or_default().push(place);
                }
                _ => {}
            }
        }
        safety
    }
}

/// What must have been done before a step; `earlier` says whether one of these places is.
fn needs(
    step: &Step,
    earlier: &impl Fn(Option<&Vec<usize>>) -> bool,
    safety: &Safety<'_>,
    found: &mut impl FnMut(String),
) {
    let is_lease = matches!(step.action, Action::Perform(Effect::Lease(LeaseOperation::Take { .. })));
    if matches!(&step.action, Action::Perform(_)) && !is_lease && !earlier(Some(&safety.leases)) {
        found("it changes something before the lease is taken".to_owned());
    }
    // Invariant 1: nothing is destroyed without a verified restore point of it.
    if let Undo::Restore { tenant, point: PointReference::TakenBy(taken), .. } = &step.undo
        && !earlier(safety.takings.get(&(taken, tenant)))
    {
        found(format!("it would go back to a restore point of {tenant} that is not taken before it"));
    }
    if let Action::Perform(Effect::Clone(copy)) = &step.action
        && copy.operation == CloneStep::Publish
    {
        for (word, problem) in [
            ("prove", "was not proved"),
            ("scrub", "may hold what must not leave the tenant"),
            ("configure", "has no configuration of its own"),
            ("account", "has no account of its own"),
        ] {
            if !earlier(safety.copies.get(&(&copy.to, word))) {
                found(format!("{} is published and {problem}", copy.to));
            }
        }
        let hides =
            |effect: &Effect| matches!(effect, Effect::Clone(back) if back.operation == CloneStep::Unpublish);
        if !matches!(&step.undo, Undo::By(effect) if hides(effect)) {
            found(format!("{} is published and stays when the run goes back", copy.to));
        }
    }
    trial(step, earlier, safety, found);
    if let Action::Perform(Effect::Restore(RestoreOperation::SwapIn { tenant, part, .. })) = &step.action {
        if !earlier(safety.points.get(tenant)) {
            found(format!("{tenant} is overwritten without a restore point of what is there"));
        }
        if !earlier(safety.proofs.get(&(tenant, part))) {
            found(format!("{tenant} is overwritten by what was not proved"));
        }
        if !earlier(Some(&safety.stops)) {
            found(format!("{tenant} is overwritten while its services run"));
        }
    }
}

/// What is asked of a copy is asked of one that was proved and started, and whatever becomes of the run, it goes.
fn trial(
    step: &Step,
    earlier: &impl Fn(Option<&Vec<usize>>) -> bool,
    safety: &Safety<'_>,
    found: &mut impl FnMut(String),
) {
    let (trial, needed): (_, &[&'static str]) = match &step.action {
        Action::Perform(Effect::Trial(operation)) => match &operation.operation {
            TrialStep::Fill { .. } => {
                let ends = |effect: &Effect| {
                    matches!(effect, Effect::Trial(back) if back.trial == operation.trial
                        && matches!(back.operation, TrialStep::End { .. }))
                };
                if !matches!(&step.undo, Undo::By(effect) if ends(effect)) {
                    found("a copy stays when the run goes back".to_owned());
                }
                if !safety.trials.contains_key(&(operation.trial.name.as_str(), "end")) {
                    found("a copy is made and never removed".to_owned());
                }
                return;
            }
            TrialStep::Prove { .. } | TrialStep::End { .. } => (&operation.trial, &["fill"]),
            TrialStep::Start { .. } => (&operation.trial, &["prove"]),
            TrialStep::Run { .. } | TrialStep::Works { .. } => (&operation.trial, &["start"]),
        },
        Action::Judge(Gate { trial: Some(trial), .. }) => (trial, &["start"]),
        _ => return,
    };
    for word in needed {
        if !earlier(safety.trials.get(&(trial.name.as_str(), *word))) {
            found(format!("it needs a copy of {} after its step “{word}”", trial.tenant));
        }
    }
}

/// What the plan as a whole must do: what it closes and stops it opens and starts, and the lease is given up.
fn whole(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut say = |problem: String| findings.push(Finding { step: None, problem });
    let effects: Vec<&Effect> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Perform(effect) => Some(effect),
            _ => None,
        })
        .collect();
    let opened: BTreeSet<&TenantName> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Edge(EdgeOperation::Open { tenant }) => Some(tenant),
            _ => None,
        })
        .collect();
    let closing = plan.steps.iter().filter_map(|step| match &step.action {
        // What someone keeps closed has nothing to undo, and whoever closes for longer is written down.
        Action::Perform(effect) if !matches!(step.undo, Undo::Nothing { .. }) => Some(effect),
        _ => None,
    });
    let owning = |wanted: fn(&Step) -> bool| -> BTreeSet<&TenantName> {
        let steps = plan.steps.iter().filter(move |step| wanted(step));
        steps
            .filter_map(|step| match &step.action {
                Action::Perform(Effect::Maintenance(MaintenanceOperation::Own { tenant, .. })) => {
                    Some(tenant)
                }
                _ => None,
            })
            .collect()
    };
    let owned = owning(|step| step.instead_tenant().is_none());
    // Invariant 2: who is left out when the gates open stays closed, and somebody must answer for that.
    let answered = owning(|step| step.instead_tenant().is_some());
    for step in plan.steps.iter().filter(|step| step.lane == Some(Lane::Follows)) {
        if let Action::Perform(Effect::Edge(EdgeOperation::Open { tenant })) = &step.action
            && !answered.contains(tenant)
        {
            say(format!("{tenant} stays closed where it went back alone, and nobody answers for it"));
        }
    }
    for effect in closing {
        if let Effect::Edge(EdgeOperation::Close { tenant, .. } | EdgeOperation::Hold { tenant }) = effect
            && !opened.contains(tenant)
            && !owned.contains(tenant)
        {
            say(format!("the gate of {tenant} is closed and never opened"));
        }
    }
    let takes = effects.iter().any(|effect| matches!(effect, Effect::Lease(LeaseOperation::Take { .. })));
    let last = plan.steps.last().map(|step| &step.action);
    let releases = matches!(last, Some(Action::Perform(Effect::Lease(LeaseOperation::Release))));
    if takes && !releases {
        say("the lease is not given up at the end".to_owned());
    }
    if plan.format < format_of(&plan.steps) {
        say(format!("its format, {}, is too low for what it says", plan.format));
    }
    if plan.steps.is_empty() {
        say("it has no steps".to_owned());
    }
}
