//! Plans of their own: the edge put in front of the stack, and taken away.

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::RuntimeKind;
use eclusa_runbook::{
    Effect, GateKind, Intent, Phase, Plan, ProbeRoute, Recovery, RuntimeOperation, Scope, Undo,
};

use crate::PlanInput;
use crate::draft::{Draft, NewStep};
use crate::simple::{baseline_probes, frame};

pub(crate) fn install(input: &PlanInput<'_>) -> Result<Plan> {
    if input.observation.edge.is_some() {
        return Err(Fault::new(Code::NothingToDo).with("what", "the edge is installed"));
    }
    if !input.stack.edge.enabled {
        let problem = "The configuration says that this stack has no edge (edge.enabled = false)";
        return Err(Fault::new(Code::EdgeState).with("problem", problem));
    }
    turn(
        input,
        Intent::EdgeInstall,
        "step-edge-install",
        RuntimeOperation::EdgeInstall,
        RuntimeOperation::EdgeRemove,
    )
}

pub(crate) fn remove(input: &PlanInput<'_>) -> Result<Plan> {
    let Some(edge) = &input.observation.edge else {
        return Err(Fault::new(Code::NothingToDo).with("what", "no edge is installed"));
    };
    if let Some((tenant, _)) = edge.gates.iter().find(|(_, gate)| gate.as_str() != "open") {
        let problem = format!("The gate of {tenant} is not open; the run that closed it has to end first");
        return Err(Fault::new(Code::EdgeState).with("problem", problem));
    }
    turn(
        input,
        Intent::EdgeRemove,
        "step-edge-remove",
        RuntimeOperation::EdgeRemove,
        RuntimeOperation::EdgeInstall,
    )
}

fn turn(
    input: &PlanInput<'_>,
    intent: Intent,
    title: &str,
    forward: RuntimeOperation,
    back: RuntimeOperation,
) -> Result<Plan> {
    let mut draft = Draft::new(input);
    let remark = match input.stack.runtime {
        RuntimeKind::Supervisor => "remark-edge-proxy",
        RuntimeKind::Compose | RuntimeKind::Process => "remark-edge-gap",
    };
    draft.remarks.push(Message::new(remark));
    draft.take_lease()?;
    draft.phase(Phase::Change)?;
    let step = NewStep::perform(
        Phase::Change,
        "change.edge",
        Scope::Stack,
        Message::new(title),
        Effect::Runtime(forward),
    )?
    .undo(Undo::By(Effect::Runtime(back)))
    .recovery(Recovery::Probe)
    .seconds(input.stack.limits.healthy.as_seconds() + 300);
    draft.then(step)?;
    draft.phase(Phase::Validate)?;
    let tenants: Vec<_> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    let kind =
        GateKind::Probes { probes: baseline_probes(input, &tenants), route: ProbeRoute::Public, attempts: 5 };
    let title = Message::new("step-probes-public");
    draft
        .then(NewStep::judge(Phase::Validate, "validate.public", Scope::Stack, title, kind)?.seconds(300))?;
    draft.finish(frame(input, intent, Vec::new()))
}
