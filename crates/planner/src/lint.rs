//! Reviews plans independently of the planner: what no plan may do, whoever made it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use eclusa_model::StepName;
use eclusa_runbook::{
    Action, EdgeOperation, Effect, LeaseOperation, Phase, Plan, PointReference, RestoreOperation,
    RuntimeOperation, Step, Undo, VaultOperation,
};

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
    let before = order(plan, &mut findings);
    for step in &plan.steps {
        let mut found = |problem: String| findings.push(Finding { step: Some(step.name.clone()), problem });
        one_step(plan, step, &mut found);
        needs(plan, step, &before, &mut found);
    }
    whole(plan, &mut findings);
    findings
}

type Before<'a> = BTreeMap<&'a StepName, BTreeSet<&'a StepName>>;

/// Everything that is done before each step; names that are unknown, double or in a circle are found on the way.
fn order<'a>(plan: &'a Plan, findings: &mut Vec<Finding>) -> Before<'a> {
    let mut before: Before<'a> = BTreeMap::new();
    for step in &plan.steps {
        let mut all = BTreeSet::new();
        for name in &step.after {
            // Steps stand in an order in which they can be done one by one, so a circle would show here.
            match before.get(name) {
                Some(earlier) => {
                    all.extend(earlier.iter().copied());
                    all.insert(name);
                }
                None => findings.push(Finding {
                    step: Some(step.name.clone()),
                    problem: format!("it comes after {name}, which does not stand before it"),
                }),
            }
        }
        if before.insert(&step.name, all).is_some() {
            findings
                .push(Finding { step: Some(step.name.clone()), problem: "the name stands twice".to_owned() });
        }
    }
    before
}

fn one_step(plan: &Plan, step: &Step, found: &mut impl FnMut(String)) {
    if step.limits.timeout == 0 {
        found("it has no limit".to_owned());
    }
    if matches!(step.undo, Undo::NoReturn { .. }) && step.phase != Phase::Accept {
        found("it cannot be taken back and stands before the acceptance".to_owned());
    }
    if step.limits.tolerated && step.phase < Phase::Open {
        found("its failure is tolerated before the gate opens".to_owned());
    }
    let tenant = match &step.action {
        Action::Perform(Effect::Vault(
            VaultOperation::Take { tenant, .. } | VaultOperation::Check { tenant, .. },
        )) => Some(tenant),
        Action::Perform(Effect::Edge(
            EdgeOperation::Close { tenant, .. }
            | EdgeOperation::Open { tenant }
            | EdgeOperation::Hold { tenant },
        )) => Some(tenant),
        _ => None,
    };
    if let Some(tenant) = tenant
        && plan.tenant(tenant).is_none()
    {
        found(format!("the plan has no tenant {tenant}"));
    }
}

/// What must have been done before a step.
fn needs(plan: &Plan, step: &Step, before: &Before<'_>, found: &mut impl FnMut(String)) {
    let earlier = |wanted: &dyn Fn(&Step) -> bool| {
        before
            .get(&step.name)
            .is_some_and(|names| names.iter().any(|name| plan.step(name).is_some_and(wanted)))
    };
    let is_lease =
        |step: &Step| matches!(step.action, Action::Perform(Effect::Lease(LeaseOperation::Take { .. })));
    if matches!(&step.action, Action::Perform(_)) && !is_lease(step) && !earlier(&is_lease) {
        found("it changes something before the lease is taken".to_owned());
    }
    // Invariant 1: nothing is destroyed without a verified restore point of it.
    if let Undo::Restore { tenant, point: PointReference::TakenBy(taken), .. } = &step.undo {
        let takes = |other: &Step| {
            other.name == *taken
                && matches!(&other.action, Action::Perform(Effect::Vault(VaultOperation::Take { tenant: of, .. })) if of == tenant)
        };
        if !earlier(&takes) {
            found(format!("it would go back to a restore point of {tenant} that is not taken before it"));
        }
    }
    if let Action::Perform(Effect::Restore(RestoreOperation::SwapIn { tenant, .. })) = &step.action {
        let salvaged = |other: &Step| matches!(&other.action, Action::Perform(Effect::Vault(VaultOperation::Take { tenant: of, .. })) if of == tenant);
        let proved = |other: &Step| matches!(&other.action, Action::Perform(Effect::Restore(RestoreOperation::Prove { tenant: of, .. })) if of == tenant);
        if !earlier(&salvaged) {
            found(format!("{tenant} is overwritten without a restore point of what is there"));
        }
        if !earlier(&proved) {
            found(format!("{tenant} is overwritten by what was not proved"));
        }
        if !earlier(&|other| {
            matches!(other.action, Action::Perform(Effect::Runtime(RuntimeOperation::Stop { .. })))
        }) {
            found(format!("{tenant} is overwritten while its services run"));
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
    for effect in &effects {
        if let Effect::Edge(EdgeOperation::Close { tenant, .. } | EdgeOperation::Hold { tenant }) = effect {
            let opens = |other: &&&Effect| matches!(other, Effect::Edge(EdgeOperation::Open { tenant: of }) if of == tenant);
            if !effects.iter().any(|other| opens(&other)) {
                say(format!("the gate of {tenant} is closed and never opened"));
            }
        }
    }
    let takes = effects.iter().any(|effect| matches!(effect, Effect::Lease(LeaseOperation::Take { .. })));
    let last = plan.steps.last().map(|step| &step.action);
    let releases = matches!(last, Some(Action::Perform(Effect::Lease(LeaseOperation::Release))));
    if takes && !releases {
        say("the lease is not given up at the end".to_owned());
    }
    if plan.steps.is_empty() {
        say("it has no steps".to_owned());
    }
}
