//! The edge among the processes: putting it in front of the stack and taking it away. One port cannot have two
//! owners, so each way there is a gap, which is measured.

use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::OutputSink;
use eclusa_runbook::Outputs;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::exec;
use crate::release::file_fault;
use crate::runtime::{ProcessRuntime, edge_name, say};
use crate::services::{Check, Unit};
use crate::stack::{EDGE_SERVICE, ProcessEdge};
use crate::state::{StackState, write_durably};

/// How long the edge may take to answer.
const EDGE_WITHIN: Duration = Duration::from_secs(30);
/// How long the edge may take to end: it lets requests in flight finish.
const EDGE_ENDS_WITHIN: Duration = Duration::from_secs(15);
/// How long the frontend may take when it moves to another port.
const FRONT_WITHIN: Duration = Duration::from_secs(60);

impl ProcessRuntime {
    pub(crate) fn edge_unit(&self) -> Result<(Unit, &ProcessEdge)> {
        let missing = || Fault::new(Code::EdgeState).with("problem", "No edge is configured for this stack");
        let edge = self.stack().edge.as_ref().ok_or_else(missing)?;
        let config = edge.config_path.display().to_string();
        let argv: Vec<String> =
            edge.argv.iter().map(|argument| argument.replace("{config}", &config)).collect();
        let content = match &edge.config {
            Some(content) => content.clone().into_bytes(),
            None => std::fs::read(&edge.config_path)
                .map_err(|error| file_fault(&edge.config_path, "read").because(error))?,
        };
        let unit = Unit {
            name: edge_name()?,
            argv,
            environment: exec::passed_on(),
            port: Some(edge.public_port),
            check: Check::Edge(edge.control_socket.clone()),
            release: EDGE_SERVICE.to_owned(),
            // An edge with another configuration is another edge.
            image_id: format!("sha256:{}", hex::encode(Sha256::digest(&content))),
            stop_within: EDGE_ENDS_WITHIN,
        };
        Ok((unit, edge))
    }

    pub(crate) async fn start_edge(&self) -> Result<()> {
        let (unit, edge) = self.edge_unit()?;
        if let Some(content) = &edge.config {
            write_durably(&edge.config_path, content.as_bytes(), 0o600)
                .map_err(|error| file_fault(&edge.config_path, "written").because(error))?;
        }
        self.services.start(&[unit], EDGE_WITHIN).await
    }

    /// The frontend and its unit for one side of the edge, checked to be able to move.
    pub(crate) async fn front_unit(&self, edge: &ProcessEdge, state: &StackState) -> Result<Option<Unit>> {
        let problem = |text: String| Fault::new(Code::EdgeState).with("problem", text);
        let Some(front) = self.stack().front() else {
            return Err(problem("No service of this stack listens on a port".to_owned()));
        };
        if front.listens_on(true) == Some(edge.public_port) {
            return Err(problem(format!("{} has no port of its own beside the public one", front.name)));
        }
        if !state.wanted.contains(&front.name) {
            return Ok(None);
        }
        let release = self.pinned(state)?;
        Ok(self.units(std::slice::from_ref(&front.name), &release, state.edge_installed).await?.pop())
    }

    pub(crate) async fn edge_install(&self, output: &dyn OutputSink) -> Result<Outputs> {
        let mut state = self.state()?;
        let (edge_unit, edge) = self.edge_unit()?;
        let installed = StackState { edge_installed: true, ..state.clone() };
        let front = self.front_unit(edge, &installed).await?;
        let front_moves = front.as_ref().is_some_and(|unit| !self.services.runs_as(unit));
        if !front_moves && state.edge_installed && self.services.healthy(&edge_unit).await {
            return Ok(gap(Duration::ZERO));
        }
        // First the intent: a crash from here on is finished by doing this again, or by taking the edge away.
        state.edge_installed = true;
        self.write_state(&state)?;
        let began = Instant::now();
        if let Some(unit) = &front {
            self.services.start(std::slice::from_ref(unit), FRONT_WITHIN).await?;
            say(output, &format!("{} listens on its own port {}", unit.name, unit.port.unwrap_or_default()));
        }
        self.start_edge().await?;
        say(output, &format!("the edge listens on port {}", edge.public_port));
        Ok(gap(began.elapsed()))
    }

    pub(crate) async fn edge_remove(&self, output: &dyn OutputSink) -> Result<Outputs> {
        let mut state = self.state()?;
        let name = edge_name()?;
        let was = state.edge_installed || self.services.look(&name).supervised;
        state.edge_installed = false;
        let front = match &self.stack().edge {
            Some(edge) => self.front_unit(edge, &state).await?,
            None => None,
        };
        self.write_state(&state)?;
        let began = Instant::now();
        self.services.stop(&name, EDGE_ENDS_WITHIN).await?;
        self.services.forget(&name);
        let moves = front.as_ref().is_some_and(|unit| !self.services.runs_as(unit));
        if let Some(unit) = &front {
            self.services.start(std::slice::from_ref(unit), FRONT_WITHIN).await?;
            say(
                output,
                &format!("{} listens on the public port {}", unit.name, unit.port.unwrap_or_default()),
            );
        }
        Ok(gap(if was || moves { began.elapsed() } else { Duration::ZERO }))
    }
}

fn gap(gap: Duration) -> Outputs {
    Outputs::from([("gap-milliseconds".to_owned(), gap.as_millis().to_string())])
}
