//! What the application itself asks of each tenant in the course of a release, and what must not be in its way.

use eclusa_fault::Result;
use eclusa_model::{DatabasePlace, Tenant};
use eclusa_runbook::{Lane, Phase, PointReference, Unblock};

use crate::draft::Draft;
use crate::release::ReleaseDraft;
use crate::release_steps::point_step;
use crate::{PlanInput, application, keep_closed};

/// Of each tenant's data, beside the restore point that this run took.
pub(crate) fn settled(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let input = draft.input;
    let mut gates = Vec::new();
    for tenant in &release.tenants {
        let point = PointReference::TakenBy(point_step(&tenant.name)?);
        for gate in input.app.settled_gates(input.stack, &tenant.name, &point) {
            gates.push(application::gate(Phase::Validate, gate, &tenant.name)?);
        }
    }
    draft.together(gates)
}

/// Of the workers, once they run.
pub(crate) fn working(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let input = draft.input;
    let of_tenant = |tenant: &Tenant| {
        let gates = input.app.working_gates(input.stack, tenant).into_iter();
        gates.map(|gate| (tenant.name.clone(), gate)).collect::<Vec<_>>()
    };
    // One stack has one set of workers, so one tenant is enough; but who can go back alone cannot answer for the others.
    let enough = if release.alone || release.keep_closed { release.tenants.len() } else { 1 };
    let mut asked: Vec<_> = release.tenants.iter().take(enough).flat_map(of_tenant).collect();
    asked.extend(input.app.queue_gates(input.stack, &release.tenants, input.nonce));
    let mut gates = Vec::new();
    for (tenant, gate) in asked {
        let step = application::gate(Phase::Open, gate, &tenant)?;
        // Who went back alone is not asked what only who was changed has to answer.
        gates.push(if release.alone { step.lane(Lane::Follows) } else { step });
    }
    gates.extend(keep_closed::queues(input, release)?);
    draft.together(gates)
}

/// Of the scheduler, once it runs.
pub(crate) fn ticking(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let input = draft.input;
    let mut gates = Vec::new();
    for tenant in &release.tenants {
        for gate in input.app.ticking_gates(input.stack, &tenant.name) {
            gates.push(application::gate(Phase::Open, gate, &tenant.name)?);
        }
    }
    draft.together(gates)
}

/// A server of MariaDB lets a change of a table wait for a day behind a connection that asks for nothing.
pub(crate) fn unblock(input: &PlanInput<'_>, tenant: &Tenant) -> Option<Unblock> {
    let patience = input.stack.limits.unblock_after.as_seconds();
    matches!(tenant.database, DatabasePlace::Mariadb { .. }).then(|| Unblock {
        tenant: tenant.name.clone(),
        patience: patience.max(1),
        end: patience > 0,
    })
}
