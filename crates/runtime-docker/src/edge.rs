//! Putting the edge in front of the stack, and taking it away. Two containers cannot publish one port: whoever has it
//! gives it up before the other takes it, and the gap between is measured from outside.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::ServiceState;
use eclusa_ports::{ApplyContext, CommandSpec, OutputSink};
use eclusa_runbook::Outputs;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::EDGE_SERVICE;
use crate::compose::failed;
use crate::observe::{service_name, state_of};
use crate::overlay::{EdgePin, Pinned};
use crate::places::frontend_ports;
use crate::runtime::ComposeRuntime;
use crate::stack::EdgeSettings;
use crate::wait::Watch;

/// How long frontend and edge may take to be healthy, at most.
const HEALTHY_WITHIN: Duration = Duration::from_secs(120);

/// How often the public address is asked while the port changes hands.
const EVERY: Duration = Duration::from_millis(25);

/// How long one such request may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

const SMALL: Duration = Duration::from_secs(300);

impl ComposeRuntime {
    pub(crate) async fn edge_install(
        &self,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        let Some(settings) = self.stack.edge.clone() else {
            return Err(Fault::new(Code::EdgeState).with("problem", "no edge is configured for this stack"));
        };
        let now = self.pinned().await?.unwrap_or_else(|| Pinned::nothing(self.stack.name.clone()));
        // Also after a crash in the middle of this operation, the way back is a stack without an edge.
        let before = Pinned { edge: None, ..now };
        let image = self.own_image(&self.stack.binary, context.timeout, output).await?;
        self.write_edge_configuration(&settings).await?;
        let edge = self.edge_pin(&settings, image).await?;
        let wanted = Pinned { edge: Some(edge), ..before.clone() };
        let gap = Gap::watch(&self.published_address().await?);
        self.write_pinned(&wanted).await?;
        match self.hand_over(context, output).await {
            Ok(()) => Ok(gap.outputs().await),
            Err(fault) => {
                let back = self.take_back(&before, context, output).await;
                self.forget_edge_image(&wanted).await;
                Err(with_way_back(fault, back))
            }
        }
    }

    /// Lets the edge's image go; the edge of another stack that uses it keeps it.
    async fn forget_edge_image(&self, pinned: &Pinned) {
        if let Some(edge) = &pinned.edge
            && let Err(fault) = self.untag(&edge.image).await
        {
            tracing::warn!(%fault, "the edge's image was not removed");
        }
    }

    pub(crate) async fn edge_remove(
        &self,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        let Some(before) = self.pinned().await?.filter(|pinned| pinned.edge.is_some()) else {
            return self.remove_stray_edge(context, output).await;
        };
        let gap = Gap::watch(&self.published_address().await?);
        let without = Pinned { edge: None, ..before.clone() };
        match self.take_back(&without, context, output).await {
            Ok(()) => {
                self.forget_edge_image(&before).await;
                Ok(gap.outputs().await)
            }
            Err(fault) => {
                self.write_pinned(&before).await?;
                let back = self.hand_over(context, output).await;
                Err(with_way_back(fault, back))
            }
        }
    }

    /// Removes an edge whose override is gone; the frontend gets its port back from the user's own files.
    async fn remove_stray_edge(&self, context: &ApplyContext, output: &dyn OutputSink) -> Result<Outputs> {
        let containers = self.containers().await?;
        let Some(edge) = containers.get(EDGE_SERVICE) else {
            return Ok(Outputs::from([("gap-milliseconds".to_owned(), "0".to_owned())]));
        };
        let gap = Gap::watch(&self.published_address().await?);
        for container in edge.iter().filter_map(|container| container.id.as_deref()) {
            self.remove_container(container).await?;
        }
        let frontend = [self.stack.frontend.clone()];
        let invocation = self.current().await?;
        self.up(&invocation, &frontend, &containers, healthy_within(context), context.timeout, output)
            .await?;
        Ok(gap.outputs().await)
    }

    /// Whether an edge runs although no override has it: somebody deleted the file. A release would give the
    /// frontend the port that this edge has.
    pub(crate) async fn has_stray_edge(&self) -> Result<bool> {
        let pinned = self.pinned().await?.is_some_and(|pinned| pinned.edge.is_some());
        Ok(!pinned && self.containers().await?.contains_key(EDGE_SERVICE))
    }

    /// Refuses to go on with such an edge.
    pub(crate) async fn no_stray_edge(&self) -> Result<()> {
        if !self.has_stray_edge().await? {
            return Ok(());
        }
        let file = self.stack.override_file();
        let problem = format!("The edge runs, and {}, which had it, is gone", file.display());
        Err(Fault::new(Code::EdgeState).with("problem", problem).hint(Message::new("hint-edge-stray")))
    }

    /// The frontend gives up its port, then the edge takes it, under the override as it is written now.
    async fn hand_over(&self, context: &ApplyContext, output: &dyn OutputSink) -> Result<()> {
        let invocation = self.current().await?;
        let both = [self.stack.frontend.clone(), service_name(EDGE_SERVICE)?];
        let before = self.containers().await?;
        // Made beforehand, so that it only has to be started once the port is free.
        let arguments = [&["create", "--no-build", EDGE_SERVICE][..]];
        let rise = ["up", "-d", "--no-deps", "--no-build"];
        let frontend: Vec<&str> = rise.into_iter().chain([both[0].as_str()]).collect();
        let edge: Vec<&str> = rise.into_iter().chain([EDGE_SERVICE]).collect();
        for arguments in arguments.into_iter().chain([&frontend[..], &edge[..]]) {
            let result = self.compose.run(&invocation, arguments, context.timeout, output).await?;
            if result.code != 0 {
                let service = arguments.last().copied().unwrap_or_default();
                let fault =
                    Fault::new(Code::ServiceControl).with("service", service).with("operation", "started");
                return Err(failed(fault, &result, self.engine.endpoint().await));
            }
        }
        self.until_healthy(&both, &mut Watch::new(&before, healthy_within(context))).await
    }

    /// The edge goes, and the frontend publishes its port again under `pinned`, which has no edge.
    async fn take_back(
        &self,
        pinned: &Pinned,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<()> {
        let frontend = [self.stack.frontend.clone()];
        let invocation = self.current().await?;
        if self.pinned().await?.is_some_and(|now| now.edge.is_some()) {
            let edge = service_name(EDGE_SERVICE)?;
            self.remove(&invocation, &[edge], context.timeout, output).await?;
        }
        self.write_pinned(pinned).await?;
        let containers = self.containers().await?;
        let invocation = self.current().await?;
        self.up(&invocation, &frontend, &containers, healthy_within(context), context.timeout, output).await
    }

    pub(crate) async fn has_edge(&self) -> Result<bool> {
        if self.pinned().await?.is_none_or(|pinned| pinned.edge.is_none()) {
            return Ok(false);
        }
        let containers = self.containers().await?;
        Ok([EDGE_SERVICE, self.stack.frontend.as_str()].iter().all(|service| {
            let mut found = containers.get(*service).into_iter().flatten().peekable();
            found.peek().is_some() && found.all(|container| state_of(container) == ServiceState::Running)
        }))
    }

    pub(crate) async fn has_no_edge(&self) -> Result<bool> {
        if self.pinned().await?.is_some_and(|pinned| pinned.edge.is_some()) {
            return Ok(false);
        }
        let containers = self.containers().await?;
        let frontend = containers.get(self.stack.frontend.as_str()).into_iter().flatten();
        Ok(!containers.contains_key(EDGE_SERVICE)
            && frontend.clone().count() > 0
            && frontend.clone().all(|container| state_of(container) == ServiceState::Running))
    }

    /// What the override says of the edge: who publishes which port.
    async fn edge_pin(&self, settings: &EdgeSettings, image: String) -> Result<EdgePin> {
        let model = self.base_model().await?;
        let frontend = &self.stack.frontend;
        let Some(defined) = model.services.get(frontend.as_str()) else {
            return Err(crate::exec::service_missing(frontend, model.services.keys()));
        };
        let taken = frontend_ports(&model, frontend, self.stack.frontend_port);
        if taken.is_empty() {
            let problem = format!(
                "{frontend} publishes no port for {}, so there is none to take over",
                self.stack.frontend_port
            );
            return Err(Fault::new(Code::EdgeState).with("problem", problem));
        }
        let side_door = format!("127.0.0.1:{}:{}/tcp", self.stack.side_door_port, self.stack.frontend_port);
        let left =
            defined.ports.iter().filter(|port| !taken.contains(port)).map(crate::inspect::PortModel::short);
        let moved = taken.iter().map(|port| {
            let mut port = port.clone();
            port.target = settings.listen_port;
            port.short()
        });
        Ok(EdgePin {
            image,
            frontend: frontend.clone(),
            frontend_ports: [side_door].into_iter().chain(left).collect(),
            edge_ports: moved.collect(),
            networks: defined.networks.clone(),
            control_directory: settings.control_directory.display().to_string(),
            configuration: hex::encode(Sha256::digest(&settings.config_json))
                .chars()
                .take(crate::images::SHORT)
                .collect(),
        })
    }

    async fn write_edge_configuration(&self, settings: &EdgeSettings) -> Result<()> {
        self.make_directory(&settings.control_directory).await?;
        self.host
            .write_durably(&settings.control_directory.join("edge.json"), &settings.config_json, 0o600)
            .await
    }

    /// The image of what is Eclusa's own: an empty one with the binary, tagged by the binary's hash.
    pub(crate) async fn own_image(
        &self,
        binary: &Path,
        within: Duration,
        output: &dyn OutputSink,
    ) -> Result<String> {
        let binary_text = binary.display().to_string();
        let said = self.small(CommandSpec::new(["sha256sum", "--", &binary_text], SMALL)).await?;
        let hash: String = said.trim_start_matches('\\').chars().take(crate::images::SHORT).collect();
        let image = format!("eclusa/edge:{hash}");
        let _alone = self.making_image.lock().await;
        if self.image(&image).await?.is_some() {
            return Ok(image);
        }
        let context_directory = self.stack.state_directory.join("edge-image");
        self.make_directory(&context_directory).await?;
        let copy = context_directory.join("eclusa").display().to_string();
        self.small(CommandSpec::new(["cp", "--", &binary_text, &copy], SMALL)).await?;
        self.small(CommandSpec::new(["chmod", "755", "--", &copy], SMALL)).await?;
        let recipe = b"FROM scratch\nCOPY eclusa /eclusa\nENTRYPOINT [\"/eclusa\"]\n";
        self.host.write_durably(&context_directory.join("Dockerfile"), recipe, 0o644).await?;
        let directory = context_directory.display().to_string();
        let argv = ["docker", "build", "--network", "none", "--tag", &image, &directory];
        let result = self.host.run(CommandSpec::new(argv, within), output).await?;
        let _ = self.small(CommandSpec::new(["rm", "-rf", "--", &directory], SMALL)).await;
        if result.code == 0 {
            return Ok(image);
        }
        let fault = Fault::new(Code::BuildFailed).with("release", "the edge").with("log", "the lines below");
        Err(failed(fault, &result, self.engine.endpoint().await))
    }
}

fn healthy_within(context: &ApplyContext) -> u64 {
    context.timeout.min(HEALTHY_WITHIN).as_secs().max(1)
}

fn with_way_back(mut fault: Fault, back: Result<()>) -> Fault {
    match back {
        Ok(()) => {
            // The last cause is the one that is told in one line: it stays the reason.
            fault.causes.insert(0, "the frontend and the edge are as they were before".to_owned());
            fault
        }
        Err(second) => fault.because("on the way back").because(second),
    }
}

/// Measures from outside for how long the public address did not answer.
struct Gap {
    seen: Arc<Mutex<Seen>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    last_good: Option<Instant>,
    failing: bool,
    longest: Duration,
}

impl Seen {
    fn note(&mut self, good: bool, at: Instant) {
        if !good {
            self.failing = true;
            return;
        }
        if self.failing
            && let Some(last) = self.last_good
        {
            self.longest = self.longest.max(at.saturating_duration_since(last));
        }
        self.failing = false;
        self.last_good = Some(at);
    }
}

impl Gap {
    fn watch(address: &str) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let authority = address.trim_start_matches("http://").to_owned();
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                let good =
                    matches!(tokio::time::timeout(ANSWER_WITHIN, answers(&authority)).await, Ok(Ok(true)));
                if let Ok(mut seen) = noted.lock() {
                    seen.note(good, Instant::now());
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { seen, task }
    }

    /// The longest gap. Nothing when the address never answered before or does not answer now.
    async fn outputs(self) -> Outputs {
        let since = Instant::now();
        let failing = || self.seen.lock().map_or(true, |seen| seen.failing || seen.last_good.is_none());
        while failing() && since.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(EVERY).await;
        }
        let measured = !failing();
        let longest = self.seen.lock().map(|seen| seen.longest).unwrap_or_default();
        if !measured {
            return Outputs::new();
        }
        Outputs::from([("gap-milliseconds".to_owned(), longest.as_millis().to_string())])
    }
}

impl Drop for Gap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether an HTTP server answers there with anything but a gateway's own error. A connection alone says nothing:
/// the engine's proxy accepts it before the container listens.
async fn answers(authority: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(authority).await?;
    let request =
        format!("GET / HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: eclusa\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut start = [0_u8; 12];
    stream.read_exact(&mut start).await?;
    let status = start.get(9..12).unwrap_or_default();
    Ok(start.starts_with(b"HTTP/1.") && !matches!(status, b"502" | b"503" | b"504"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_from_the_last_answer_to_the_next() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut seen = Seen::default();
        seen.note(false, at(0));
        seen.note(true, at(10));
        assert_eq!(seen.longest, Duration::ZERO, "it did not answer before: no gap of ours");
        seen.note(true, at(500));
        assert_eq!(seen.longest, Duration::ZERO, "a slow answer is no gap");
        seen.note(false, at(520));
        seen.note(false, at(900));
        seen.note(true, at(1_000));
        seen.note(false, at(1_100));
        seen.note(true, at(1_150));
        assert_eq!(seen.longest, Duration::from_millis(500));
    }
}
