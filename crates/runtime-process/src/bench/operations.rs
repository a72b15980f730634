//! Operations on a bench's programs and releases, and whether they took effect.

use std::time::Duration;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{ImagePin, Release, ServiceName, ServiceState};
use eclusa_ports::{ApplyContext, OutputSink};
use eclusa_runbook::{Outputs, RuntimeOperation};
use tokio::time::Instant;

use super::control::{processes, state_of};
use super::runtime::SupervisorRuntime;
use super::stack::BenchProgram;
use super::stage;
use crate::runtime::say;

/// How long a program may take to stop beyond its drain.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// A program is up once it ran for this long without being started again.
const SETTLED: Duration = Duration::from_millis(500);

impl SupervisorRuntime {
    pub(crate) async fn prepare(
        &self,
        release: &Release,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        let stage = self.stage(context.timeout);
        let id = if self.current().await?.is_some_and(|current| current.source == release.source) {
            stage.id(release).await?
        } else {
            stage.make(release, output).await?
        };
        say(output, &format!("{} is {id}", release.name));
        let mut outputs = Outputs::new();
        for program in self.own_programs() {
            outputs.insert(format!("image.{}", program.name), id.clone());
            outputs.insert(format!("reference.{}", program.name), release.name.clone());
        }
        Ok(outputs)
    }

    pub(crate) async fn switch(
        &self,
        to: &Release,
        names: &[ServiceName],
        start: Option<u64>,
        output: &dyn OutputSink,
    ) -> Result<()> {
        let mut release = to.clone();
        let id = self.stage(STOPS_WITHIN).id(to).await?;
        for name in names {
            self.stack.program(name)?;
            if let Some(prepared) = release.images.get(name).filter(|pin| pin.id != id) {
                return Err(Fault::new(Code::ReleaseUnknown)
                    .with("release", &to.name)
                    .with("problem", format!("it is not what was prepared ({})", prepared.id))
                    .with("where", "A release is never changed; give the new content a new name.")
                    .state(Message::verbatim("The programs were not touched.")));
            }
            let pin = ImagePin { reference: to.name.clone(), id: id.clone(), built: true };
            release.images.insert(name.clone(), pin);
        }
        self.stop(names, STOPS_WITHIN.as_secs(), output).await?;
        eclusa_crash::point("bench.down");
        let current = self.current().await?;
        let moving = self.swap.moving()?;
        if moving.is_some() || current.as_ref().is_none_or(|current| current.source != to.source) {
            let into = stage::directory_of(&self.stack, to)?;
            // What a crash left half moved is where the record says; else it is what the bench holds now.
            let out = match (&moving, &current) {
                (Some(moving), _) if moving.into == into => moving.out.clone(),
                (Some(moving), _) => moving.into.clone(),
                (None, Some(current)) => stage::directory_of(&self.stack, current)?,
                (None, None) => return Err(self.unknown_bench()),
            };
            let swap = self.swap.clone();
            tokio::task::spawn_blocking(move || swap.bring(&into, &out))
                .await
                .map_err(|error| Fault::new(Code::Internal).with("what", error))??;
        }
        let mut state = self.state()?;
        state.pinned = Some(release);
        if start.is_none() {
            state.wanted.retain(|name| !names.contains(name));
        }
        self.write_state(&state)?;
        eclusa_crash::point("bench.pinned");
        self.swap.ended()?;
        say(output, &format!("{} is on the bench", to.name));
        match start {
            Some(within) => self.start(names, within, output).await,
            None => Ok(()),
        }
    }

    fn unknown_bench(&self) -> Fault {
        Fault::new(Code::ReleaseUnknown)
            .with("release", "(what is on the bench)")
            .with("problem", "its apps cannot be read")
            .with("where", format!("Look at {}", self.stack.bench.join("apps").display()))
    }

    pub(crate) async fn start(
        &self,
        names: &[ServiceName],
        within: u64,
        output: &dyn OutputSink,
    ) -> Result<()> {
        let mut state = self.state()?;
        for name in names {
            self.stack.program(name)?;
        }
        let chosen: Vec<&BenchProgram> =
            self.own_programs().filter(|program| names.contains(&program.name)).collect();
        state.wanted.extend(chosen.iter().map(|program| program.name.clone()));
        self.write_state(&state)?;
        let (limit, began) = (Duration::from_secs(within), Instant::now());
        let all = self.control().status().await?;
        for program in &chosen {
            let down = processes(&all, program);
            if down.is_empty() {
                return Err(self.absent(program));
            }
            let down = down.iter().filter(|one| one.state != "RUNNING").map(|one| one.name.clone());
            self.control()
                .tell("start", &program.name, &down.collect::<Vec<_>>(), limit + STOPS_WITHIN)
                .await?;
            eclusa_crash::point("bench.started");
        }
        for program in &chosen {
            self.wait_healthy(program, began + limit, limit).await?;
            say(output, &format!("{} runs after {} ms", program.name, began.elapsed().as_millis()));
        }
        self.start_edge_if_wanted().await
    }

    fn absent(&self, program: &BenchProgram) -> Fault {
        Fault::new(Code::ServiceControl)
            .with("service", &program.name)
            .with("operation", "found")
            .because(format!(
                "supervisor knows no program {}",
                program.program.as_deref().unwrap_or_default()
            ))
            .hint(Message::verbatim(format!("See which there are: {} status", self.stack.control.join(" "))))
    }

    async fn wait_healthy(&self, program: &BenchProgram, deadline: Instant, limit: Duration) -> Result<()> {
        loop {
            let found = match self.healthy(program).await? {
                None => return Ok(()),
                Some(found) => found,
            };
            if Instant::now() >= deadline || found.contains("FATAL") {
                let mut fault = Fault::new(Code::ServiceUnhealthy)
                    .with("service", &program.name)
                    .with("seconds", limit.as_secs())
                    .with("found", found);
                if let Some(log) = program.logs.first() {
                    fault = fault.hint(Message::verbatim(format!("Look at its output: {}", log.display())));
                }
                return Err(fault);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Nothing when a program is up; otherwise how it is found.
    pub(crate) async fn healthy(&self, program: &BenchProgram) -> Result<Option<String>> {
        let all = self.control().status().await?;
        let own = processes(&all, program);
        if state_of(&own) != ServiceState::Running {
            let found: Vec<String> = own
                .iter()
                .filter(|one| one.state != "RUNNING")
                .map(|one| format!("{} {} {}", one.name, one.state, one.description))
                .collect();
            return Ok(Some(found.join("; ")));
        }
        if let Some(address) = &program.address {
            return Ok(self
                .connects(address)
                .await
                .err()
                .map(|error| format!("running, and {address}: {error}")));
        }
        tokio::time::sleep(SETTLED).await;
        let later = self.control().status().await?;
        let pids = |all: &[super::control::Supervised]| -> Vec<Option<u32>> {
            processes(all, program).iter().map(|one| one.pid).collect()
        };
        Ok((pids(&all) != pids(&later)).then(|| "restarting".to_owned()))
    }

    pub(crate) async fn stop(
        &self,
        names: &[ServiceName],
        drain: u64,
        output: &dyn OutputSink,
    ) -> Result<()> {
        for name in names {
            self.stack.program(name)?;
        }
        let mut state = self.state()?;
        state.wanted.retain(|name| !names.contains(name));
        self.write_state(&state)?;
        let within = Duration::from_secs(drain) + STOPS_WITHIN;
        let chosen: Vec<&BenchProgram> =
            self.own_programs().filter(|program| names.contains(&program.name)).collect();
        let all = self.control().status().await?;
        for program in chosen.into_iter().rev() {
            let up: Vec<String> = processes(&all, program)
                .iter()
                .filter(|one| !is_down(&one.state))
                .map(|one| one.name.clone())
                .collect();
            if up.is_empty() {
                continue;
            }
            self.control().tell("stop", &program.name, &up, within).await?;
            eclusa_crash::point("bench.stopped");
            say(output, &format!("{} is stopped", program.name));
        }
        Ok(())
    }

    async fn all_down(&self, names: &[ServiceName]) -> Result<bool> {
        let all = self.control().status().await?;
        let mut own = self.own_programs().filter(|program| names.contains(&program.name));
        Ok(own.all(|program| processes(&all, program).iter().all(|one| is_down(&one.state))))
    }

    async fn all_healthy(&self, names: &[ServiceName]) -> Result<bool> {
        for program in self.own_programs().filter(|program| names.contains(&program.name)) {
            if self.healthy(program).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) async fn let_go(&self, release: &Release) -> Result<()> {
        let stage = stage::directory_of(&self.stack, release)?;
        let in_use = |moving: super::swap::Moving| moving.out == stage || moving.into == stage;
        if self.swap.moving()?.is_some_and(in_use) {
            return Ok(());
        }
        self.stage(STOPS_WITHIN).remove(&stage).await
    }

    pub(crate) async fn took(&self, operation: &RuntimeOperation) -> Result<bool> {
        let state = self.state()?;
        Ok(match operation {
            // Its outputs are wanted, and doing it again changes nothing.
            RuntimeOperation::Prepare { .. } => false,
            RuntimeOperation::Switch { to, services, start, .. } => {
                let pinned = state.pinned.as_ref().is_some_and(|release| release.source == to.source);
                let moved = pinned && self.swap.moving()?.is_none();
                moved
                    && if *start {
                        self.all_healthy(services).await?
                    } else {
                        self.all_down(services).await?
                    }
            }
            RuntimeOperation::Start { services, .. } => self.all_healthy(services).await?,
            RuntimeOperation::Stop { services, .. } => self.all_down(services).await?,
            RuntimeOperation::LetGo { release } => !stage::directory_of(&self.stack, release)?.exists(),
            RuntimeOperation::EdgeInstall => {
                state.edge_installed && self.edge_stands().await? == (true, true)
            }
            RuntimeOperation::EdgeRemove => {
                !state.edge_installed && self.edge_stands().await? == (false, false)
            }
        })
    }
}

fn is_down(state: &str) -> bool {
    matches!(state, "STOPPED" | "EXITED" | "FATAL")
}
