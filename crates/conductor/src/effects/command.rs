//! Commands: run, judged by what they must do, and ended where they run.

use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{CommandResult, CommandSpec, ExecSpec};
use eclusa_runbook::{Exec, Outputs, Place, Scope, unmet};

use super::{StepOutput, unblock};
use crate::context::Context;

/// How many lines of a failed command go into the journal; the whole output is in its file.
const LINES_IN_FAULT: usize = 20;

/// A transaction that has been open for so many seconds may have been in the way of a command.
const LONG_ENOUGH: u64 = 2;

/// How long the database may take to say who was in the way.
const ASKED_WITHIN: Duration = Duration::from_secs(20);

pub(crate) async fn perform(context: &Context, exec: &Exec) -> Result<Outputs> {
    let (result, in_the_way) = unblock::run(context, exec).await;
    let blamed = |fault: Fault| {
        let left = in_the_way.left.iter().map(|text| format!("the connection {text} was in the way"));
        let ended = in_the_way.ended.iter();
        let ended = ended.map(|text| format!("the connection {text} was in the way, and was ended"));
        left.chain(ended).fold(fault, Fault::because)
    };
    let result = match result {
        Err(fault) if fault.code == Code::CommandTimeout => {
            return Err(with_who_was_in_the_way(context, blamed(fault)).await);
        }
        result => result.map_err(&blamed)?,
    };
    if unmet(&exec.expect, result.code, &result.tail).is_none() {
        let line = result.last_line().unwrap_or_default().chars().take(400).collect();
        let mut outputs = Outputs::from([("last-line".to_owned(), line)]);
        if !in_the_way.ended.is_empty() {
            outputs.insert("ended-connections".to_owned(), in_the_way.ended.join("; "));
        }
        return Ok(outputs);
    }
    Err(blamed(failure(exec, &result)))
}

/// A command of a tenant that ran out of time may have waited for somebody's lock; who that is stands last. The oldest
/// transaction is the last of them: what waits for it began later.
async fn with_who_was_in_the_way(context: &Context, fault: Fault) -> Fault {
    let scope = context.plan.step(&context.step).map(|step| &step.scope);
    let Some(Scope::Tenant(name)) = scope else { return fault };
    let Ok(tenant) = context.tenant(name) else { return fault };
    let asked = context.ports.database.facts(tenant, LONG_ENOUGH);
    let Ok(Ok(facts)) = tokio::time::timeout(ASKED_WITHIN, asked).await else { return fault };
    facts
        .long_transactions
        .into_iter()
        .rev()
        .fold(fault, |fault, transaction| fault.because(format!("a transaction was open: {transaction}")))
}

/// The fault of a command that did not do what it must.
pub(crate) fn failure(exec: &Exec, result: &CommandResult) -> Fault {
    let mut status =
        unmet(&exec.expect, result.code, &result.tail).unwrap_or_else(|| format!("code {}", result.code));
    // A long trace may follow, and what it ends with names a line and no purpose.
    if let Some(progress) = last_progress(exec, result) {
        status = format!("{status} at “{progress}”");
    }
    let mut fault = Fault::new(Code::CommandFailed).with("command", exec.shown()).with("status", status);
    let skip = result.tail.len().saturating_sub(LINES_IN_FAULT);
    fault.causes = result.tail.iter().skip(skip).cloned().collect();
    fault
}

/// What a command said last that it would do next.
fn last_progress(exec: &Exec, result: &CommandResult) -> Option<String> {
    let prefix = exec.expect.progress.as_deref().filter(|prefix| !prefix.is_empty())?;
    let said = |line: &&str| line.trim_start().starts_with(prefix);
    // The whole output first: of the tail, a trace may have left nothing.
    let line =
        result.stdout.lines().rfind(said).or_else(|| result.tail.iter().map(String::as_str).rfind(said))?;
    let line = eclusa_ports::clean_line(line.as_bytes());
    Some(line.trim().to_owned())
}

/// Runs a command to its end, wherever its place is.
pub(crate) async fn run_command(context: &Context, exec: &Exec) -> Result<CommandResult> {
    let output = StepOutput::open(context);
    let mut environment = context.environment(&exec.environment)?;
    let ports = &context.ports;
    match &exec.place {
        Place::Host => {
            // A hook knows what it belongs to.
            for (name, value) in [
                ("ECLUSA_RUN", context.run.to_string()),
                ("ECLUSA_STEP", context.step.to_string()),
                ("ECLUSA_STACK", context.plan.stack.to_string()),
                ("ECLUSA_MARK", context.mark()),
            ] {
                environment.insert(name.to_owned(), value.into());
            }
            let command = CommandSpec {
                argv: exec.argv.clone(),
                environment,
                directory: Some(match &exec.directory {
                    Some(directory) => ports.directory.join(directory),
                    None => ports.directory.clone(),
                }),
                stdin: exec.stdin.clone().map(String::into_bytes),
                timeout: context.timeout,
            };
            ports.host.run(command, &output).await
        }
        place => {
            let spec = ExecSpec {
                place: place.clone(),
                argv: exec.argv.clone(),
                environment,
                directory: exec.directory.clone(),
                stdin: exec.stdin.clone().map(String::into_bytes),
                timeout: context.timeout,
                mark: Some(context.mark()),
                images: context.images(),
            };
            ports.runtime.exec(spec, &output).await
        }
    }
}

/// Ends what a step may have left running where it was started, and waits until it is gone, before the step is
/// taken back or tried again.
pub(crate) async fn end_leftover(context: &Context, exec: &Exec) -> Result<()> {
    if exec.place == Place::Host {
        return context.ports.host.end_marked(&context.mark()).await;
    }
    let (runtime, mark) = (&context.ports.runtime, context.mark());
    for _ in 0..150 {
        if !runtime.exec_running(&exec.place, &mark).await? {
            return Ok(());
        }
        runtime.exec_end(&exec.place, &mark).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(Fault::new(Code::CommandStillRunning).with("command", exec.shown()))
}
