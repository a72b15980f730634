//! A command of an operator's own, run for one tenant where the release runs.

use std::collections::BTreeMap;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_ports::{CommandResult, ExecSpec, OutputSink};
use eclusa_runbook::{Exec, Outputs};

use crate::Assembly;

/// A command that was prepared: where it runs, and the mark by which it is found and ended there.
pub struct Prepared {
    exec: Exec,
    mark: String,
}

/// Prepares the command of a tenant: under bench for its site, under `manage.py`, or as it is.
///
/// # Errors
/// `TenantUnknown`, `ServiceMissing`.
pub fn prepare(assembly: &Assembly, tenant: &TenantName, argv: &[String]) -> Result<Prepared> {
    assembly.tenant(tenant)?;
    let exec = assembly
        .app
        .command(&assembly.stack, tenant, argv)
        .ok_or_else(|| Fault::new(Code::ServiceMissing).with("service", "web").with("known", "none"))?;
    Ok(Prepared { exec, mark: format!("exec-{}", assembly.ports.clock.random_text(12)) })
}

/// A command that gets no environment and no input.
pub(crate) fn spec_of(exec: Exec, within: Duration) -> ExecSpec {
    ExecSpec {
        place: exec.place,
        argv: exec.argv,
        environment: BTreeMap::new(),
        directory: exec.directory,
        stdin: None,
        timeout: within,
        mark: None,
        images: Outputs::new(),
    }
}

/// Runs it to its end, or until it was asked to end: then it is ended where it runs, not only here.
///
/// # Errors
/// When it could not be started, or was ended after `within`.
pub async fn run(
    assembly: &Assembly,
    prepared: Prepared,
    stdin: Option<Vec<u8>>,
    within: Duration,
    output: &dyn OutputSink,
    asked_to_end: impl Future<Output = ()> + Send,
) -> Result<Option<CommandResult>> {
    let Prepared { exec, mark } = prepared;
    let runtime = &assembly.ports.runtime;
    let place = exec.place.clone();
    let spec = ExecSpec { stdin, mark: Some(mark.clone()), ..spec_of(exec, within) };
    let running = runtime.exec(spec, output);
    tokio::pin!(running, asked_to_end);
    tokio::select! {
        result = &mut running => result.map(Some),
        () = &mut asked_to_end => {
            runtime.exec_end(&place, &mark).await?;
            Ok(None)
        }
    }
}
