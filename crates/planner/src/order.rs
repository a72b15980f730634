//! What is done before what in a plan, for as many steps as thousands of tenants give.

use std::collections::BTreeMap;

use eclusa_model::StepName;
use eclusa_runbook::Plan;

use crate::Finding;

/// The order of a plan's steps. Steps are meant by their places in the plan.
pub(crate) struct Order {
    /// The places that stand directly before each.
    after: Vec<Vec<usize>>,
    /// How many of the plan's first steps are all before each. In a plan whose phases follow one another that is nearly
    /// everything, and what is asked is mostly answered by it.
    beginning: Vec<usize>,
}

impl Order {
    /// Names that are unknown, double or in a circle are found on the way.
    pub(crate) fn of(plan: &Plan, findings: &mut Vec<Finding>) -> Self {
        let mut places: BTreeMap<&StepName, usize> = BTreeMap::new();
        let mut order = Self { after: Vec::new(), beginning: Vec::new() };
        for (place, step) in plan.steps.iter().enumerate() {
            let mut direct = Vec::with_capacity(step.after.len());
            for name in &step.after {
                // Steps stand in an order in which they can be done one by one, so a circle would show here.
                match places.get(name) {
                    Some(earlier) => direct.push(*earlier),
                    None => findings.push(Finding {
                        step: Some(step.name.clone()),
                        problem: format!("it comes after {name}, which does not stand before it"),
                    }),
                }
            }
            direct.sort_unstable();
            order.beginning.push(order.beginning_of(&direct));
            order.after.push(direct);
            if places.insert(&step.name, place).is_some() {
                findings.push(Finding {
                    step: Some(step.name.clone()),
                    problem: "the name stands twice".to_owned(),
                });
            }
        }
        order
    }

    /// How many of the first steps are before a step that comes directly after these, in the order of their places.
    fn beginning_of(&self, direct: &[usize]) -> usize {
        let before = |place: &usize| self.beginning.get(*place).copied().unwrap_or(0);
        let mut reached = direct.iter().map(before).max().unwrap_or(0);
        for place in direct {
            if *place == reached {
                reached += 1;
            }
        }
        reached
    }

    /// Whether one of these is before a step.
    pub(crate) fn is_any_before(&self, wanted: Option<&Vec<usize>>, place: usize) -> bool {
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else { return false };
        let beginning = self.beginning.get(place).copied().unwrap_or(0);
        if wanted.iter().any(|one| *one < beginning) {
            return true;
        }
        // Nothing that stands before the first of them can lead to one.
        let first = wanted.iter().min().copied().unwrap_or(0);
        let mut seen = vec![false; place];
        let mut waiting: Vec<usize> = self.after.get(place).cloned().unwrap_or_default();
        while let Some(next) = waiting.pop() {
            if wanted.contains(&next) {
                return true;
            }
            if next <= first || seen.get(next).copied().unwrap_or(true) {
                continue;
            }
            if let Some(seen) = seen.get_mut(next) {
                *seen = true;
            }
            waiting.extend(self.after.get(next).into_iter().flatten());
        }
        false
    }
}
