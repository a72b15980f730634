//! From an intent to a plan: observe, read history, plan.

use eclusa_config::OnFailure;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::Observation;
use eclusa_planner::PlanInput;
use eclusa_runbook::{Action, Effect, EnvironmentValue, Gate, GateKind, Intent, Plan, Reversibility, Undo};

use crate::observe::{fingerprint, observe};
use crate::{Assembly, VERSION, history, rehearsal};

/// How a plan is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanOptions {
    /// Backups are also restored and proved.
    pub prove: bool,
    /// The decision of a rollback was overridden.
    pub overridden: bool,
    /// What becomes of a release when one tenant's migration fails; none: what the configuration says.
    pub on_failure: Option<OnFailure>,
    /// A release is refused that was not rehearsed.
    pub rehearsed: bool,
}

/// Makes a plan from the stack as it is now.
///
/// # Errors
/// What the planner refuses, and what cannot be looked at.
pub async fn make(assembly: &Assembly, intent: &Intent, options: PlanOptions) -> Result<Plan> {
    let observation = observe(assembly, Some(intent)).await?;
    let plan = from_observation(assembly, intent, options, &observation)?;
    check_secrets(assembly, &plan)?;
    Ok(plan)
}

/// Every secret that a command of the plan gets can be had now: one that is missing must not come to light when the gate
/// is closed, or on the way back.
fn check_secrets(assembly: &Assembly, plan: &Plan) -> Result<()> {
    let commands = plan.steps.iter().flat_map(|step| {
        let forward = match &step.action {
            Action::Perform(Effect::Exec(exec)) => vec![exec],
            Action::Judge(gate) => match &gate.kind {
                GateKind::Command { exec }
                | GateKind::PendingMigrations { exec, .. }
                | GateKind::Eventually { exec, .. } => vec![exec],
                GateKind::Contained { needed, offered } => vec![&needed.exec, &offered.exec],
                GateKind::Recorded { needed, .. } => vec![&needed.exec],
                GateKind::Completes { begin, state, .. } => vec![begin, state],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let back = match &step.undo {
            Undo::By(Effect::Exec(exec)) => Some(exec),
            _ => None,
        };
        forward.into_iter().chain(back)
    });
    let forms = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Judge(Gate { kind: GateKind::Session { sign_in, .. }, .. }) => Some(sign_in.form.values()),
        _ => None,
    });
    for value in commands.flat_map(|exec| exec.environment.values()).chain(forms.flatten()) {
        if let EnvironmentValue::Secret(reference) = value {
            assembly.ports.secrets.resolve(reference)?;
        }
    }
    Ok(())
}

fn from_observation(
    assembly: &Assembly,
    intent: &Intent,
    options: PlanOptions,
    observation: &Observation,
) -> Result<Plan> {
    let fingerprint = fingerprint(assembly, observation)?;
    let runs = history::newest(assembly)?;
    let mut history = history::of_runs(assembly, &runs)?;
    let nonce = assembly.ports.clock.random_text(8);
    let now = assembly.ports.clock.now();
    let mut rehearsed = None;
    if let (Intent::Release { .. }, Some(candidate)) = (intent, &observation.candidate) {
        let found = rehearsal::of_release(&runs, &candidate.release);
        // What a release was rehearsed with says more of its migrations than other releases do.
        history.durations.extend(rehearsal::durations(&found));
        if options.rehearsed {
            let tenants = observation.tenants.iter().map(|tenant| &tenant.tenant.name);
            rehearsed = Some(rehearsal::demand(assembly, &candidate.release, &found, tenants)?);
        }
    }
    eclusa_planner::plan(
        &PlanInput {
            name: &assembly.name,
            stack: &assembly.stack,
            observation,
            fingerprint: &fingerprint,
            app: assembly.app,
            history: &history,
            version: VERSION,
            now,
            nonce: &nonce,
            env_files: assembly
                .stack
                .environment_paths()
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            persons_path: crate::persons::directory(assembly).display().to_string(),
            vault_path: assembly.stack.vault_directory(&assembly.state).display().to_string(),
            overridden: options.overridden,
            prove: options.prove,
            on_failure: options.on_failure,
            rehearsed,
        },
        intent,
    )
}

/// How a rollback would go, as history decides it: to the release before, with the data where it changed.
///
/// # Errors
/// `NoWayBack`.
pub fn rollback_intent(assembly: &Assembly, how: Option<Reversibility>) -> Result<Intent> {
    let previous = history::of(assembly)?.previous.ok_or_else(|| {
        Fault::new(Code::NoWayBack)
            .with("problem", "no release was accepted before this one, or it was rolled back already")
    })?;
    let code_only = previous.reversibility.values().all(|how| *how == Reversibility::CodeOnly);
    let computed = if code_only { Reversibility::CodeOnly } else { Reversibility::SalvageFirst };
    Ok(Intent::Rollback { to: previous.release.name, how: how.unwrap_or(computed) })
}

/// Refuses a plan whose stack has moved.
///
/// # Errors
/// `PlanStale`, `PlanTooNew`.
pub async fn check_fresh(assembly: &Assembly, plan: &Plan) -> Result<()> {
    if plan.format > eclusa_runbook::NEWEST_PLAN_FORMAT {
        return Err(Fault::new(Code::PlanTooNew)
            .with("format", plan.format)
            .with("known", eclusa_runbook::NEWEST_PLAN_FORMAT));
    }
    if plan.stack != assembly.name {
        let problem = format!("it is for stack {}, not {}", plan.stack, assembly.name);
        return Err(Fault::new(Code::PlanInvalid).with("path", "The plan").with("problem", problem));
    }
    let now = fingerprint(assembly, &observe(assembly, Some(&plan.intent)).await?)?;
    if now == plan.observation {
        return check_secrets(assembly, plan);
    }
    let moved = format!(
        "the stack is not as it was when the plan was made ({} then, {} now)",
        plan.observation.short(),
        now.short()
    );
    Err(Fault::new(Code::PlanStale).with("moved", moved))
}
