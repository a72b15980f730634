//! Tenants that go back alone, by the steps of their own lane, while the others go on; and which undos are ready, of a lane
//! or of the whole run.

use std::collections::BTreeMap;

use eclusa_fault::Message;
use eclusa_model::{StepName, TenantName};
use jiff::Timestamp;

use super::{Direction, Next, Progress, Run, UndoProgress, all_in, undo_effect};
use crate::{Action, Effect, MaintenanceOperation, Outcome, Step};

impl Run {
    pub(super) fn must_go_back(&self, step: &StepName) -> Result<(), String> {
        let alone = self.plan.step(step).is_some_and(|step| self.is_back_alone(step));
        if self.direction == Direction::Back || alone {
            Ok(())
        } else {
            Err("it does not go back".to_owned())
        }
    }

    pub(super) fn take_tenant_back(
        &mut self,
        tenant: &TenantName,
        step: &StepName,
        why: &Message,
        at: Timestamp,
    ) -> Result<(), String> {
        let found = self.known(step)?;
        if !found.goes_back_alone() || found.lane_tenant() != Some(tenant) {
            return Err(format!("{step} does not take {tenant} back alone"));
        }
        if self.direction == Direction::Back || self.is_back_alone(found) {
            return Err("it goes back already".to_owned());
        }
        self.tenants_back.insert(tenant.clone(), (step.clone(), why.clone(), at));
        Ok(())
    }

    /// Whether a step's tenant goes back, or went back, alone.
    #[must_use]
    pub fn is_back_alone(&self, step: &Step) -> bool {
        step.lane_tenant().is_some_and(|tenant| self.tenants_back.contains_key(tenant))
    }

    /// Whether a step is only for those who went back alone, and its tenant has not.
    pub(super) fn is_needless(&self, step: &Step) -> bool {
        step.instead_tenant().is_some_and(|tenant| !self.tenants_back.contains_key(tenant))
    }

    /// The tenants that this run keeps closed beyond its end, since they went back alone.
    #[must_use]
    pub fn kept_closed(&self) -> Vec<&TenantName> {
        let kept = self.plan.steps.iter().filter(|step| {
            let owns = matches!(
                &step.action,
                Action::Perform(Effect::Maintenance(MaintenanceOperation::Own { .. }))
            );
            let done = self.progress.get(&step.name) == Some(&Progress::Done);
            owns && done && !self.undone.contains_key(&step.name)
        });
        kept.filter_map(Step::instead_tenant).collect()
    }

    /// Whether everything that was done for a tenant which goes back alone has been taken back.
    pub(super) fn has_settled(&self, tenant: &TenantName) -> bool {
        let mut own = self.plan.steps.iter().filter(|step| step.lane_tenant() == Some(tenant));
        own.all(|step| !self.is_in_hand(&step.name) && self.needs_no_undo(step))
    }

    /// Whether a step has nothing that is still to be taken back.
    pub(super) fn needs_no_undo(&self, step: &Step) -> bool {
        !self.is_touched(&step.name)
            || matches!(self.undone.get(&step.name), Some(UndoProgress::Done))
            || undo_effect(step).is_none()
    }

    /// How a run ends that has come through: those who went back alone are not done.
    pub(super) fn forward_outcome(&self) -> Outcome {
        if self.tenants_back.is_empty() {
            return Outcome::Done;
        }
        let own = self.plan.steps.iter().filter(|step| step.goes_back_alone());
        let done = own.filter_map(Step::lane_tenant).any(|tenant| !self.tenants_back.contains_key(tenant));
        if done { Outcome::Partly } else { Outcome::WentBack }
    }

    /// The tenants of which a step failed for good and who go back alone for it.
    pub(super) fn turn_tenants_back(&self) -> Vec<Next> {
        let failed =
            self.plan.steps.iter().filter(|step| step.goes_back_alone() && !self.is_back_alone(step));
        let mut found: BTreeMap<&TenantName, Next> = BTreeMap::new();
        for step in failed {
            let (Some(tenant), Some(why)) = (step.lane_tenant(), self.why_stopped(step)) else { continue };
            let turn = Next::TurnTenantBack { tenant: tenant.clone(), step: step.name.clone(), why };
            found.entry(tenant).or_insert(turn);
        }
        found.into_values().collect()
    }

    /// Whether the present runner takes a step back.
    pub(super) fn is_undoing(&self) -> bool {
        self.undone.values().any(
            |undo| matches!(undo, UndoProgress::Begun { generation, .. } if *generation == self.generation),
        )
    }

    /// The undos that are ready, of the steps that are wanted; whether some wait, and whether one failed for good.
    pub(super) fn undos(&self, wanted: impl Fn(&Step) -> bool) -> (Vec<Next>, bool, bool) {
        let dependents = self.dependents();
        let undone = self.taken_back(&dependents);
        let mut next = Vec::new();
        let mut waiting = false;
        let mut stuck = false;
        for step in self.plan.steps.iter().filter(|step| wanted(step)) {
            if undone.contains(&step.name) {
                continue;
            }
            // What was still under way when the run turned back ends first.
            if self.is_in_hand(&step.name) {
                waiting = true;
                continue;
            }
            let ready = all_in(&undone, dependents.get(&step.name));
            match self.undone.get(&step.name) {
                Some(UndoProgress::Failed { attempts, .. }) if *attempts > step.limits.retries.max(1) => {
                    stuck = true
                }
                _ if !ready => waiting = true,
                Some(UndoProgress::Begun { generation, .. }) if *generation == self.generation => {
                    waiting = true
                }
                progress => {
                    let attempt = match progress {
                        Some(UndoProgress::Failed { attempts, .. }) => attempts + 1,
                        Some(UndoProgress::Begun { attempt, .. }) => *attempt,
                        _ => 1,
                    };
                    if let Some(effect) = undo_effect(step) {
                        next.push(Next::Undo { step: step.name.clone(), effect, attempt });
                    }
                }
            }
        }
        (next, waiting, stuck)
    }
}
