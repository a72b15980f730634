//! Commands in a short-lived container of a service under a release that need not be the running one. Compose
//! itself runs it, so that it has the service's environment, networks and volumes.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bollard::models::ContainerSummaryStateEnum;
use bollard::query_parameters::{
    KillContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Release, ServiceName};
use eclusa_ports::{CommandResult, ExecSpec, OutputSink};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use crate::engine::{is_missing, status};
use crate::exec::{own_mark, service_missing};
use crate::images::with_pins;
use crate::overlay::{list, quoted};
use crate::runtime::ComposeRuntime;
use crate::{MARK_LABEL, MARK_VARIABLE};

/// What the names of the variables begin with that carry values into Compose. They are no names of anyone else, so
/// that a value meant for the command changes nothing in the resolution of the files.
const CARRIER: &str = "ECLUSA_VALUE_";

/// How long the engine may take to remove a container.
const GONE_WITHIN: Duration = Duration::from_secs(20);

impl ComposeRuntime {
    pub(crate) async fn exec_in_candidate(
        &self,
        service: &ServiceName,
        release: &Release,
        mut spec: ExecSpec,
        sink: &dyn OutputSink,
    ) -> Result<CommandResult> {
        let model = self.base_model().await?;
        if !model.services.contains_key(service.as_str()) {
            return Err(service_missing(service, model.services.keys()));
        }
        let pinned = with_pins(release, &spec.images)?;
        let pin = pinned.images.get(service);
        if let Some(pin) = pin {
            self.ensure_pin(pin).await?;
        }
        let mark = spec.mark.take().unwrap_or_else(own_mark);
        if self.candidate_running(&mark).await? {
            return Err(Fault::new(Code::CommandStillRunning).with("command", spec.argv.join(" ")));
        }
        self.end_candidate(&mark).await?;
        let overlay = self.candidate_file(&mark);
        self.make_directory(&self.stack.state_directory).await?;
        let text = candidate_text(service, pin.map(|pin| pin.reference.as_str()), &spec, &mark);
        self.host.write_durably(&overlay, text.as_bytes(), 0o600).await?;
        let mut invocation = self.current().await?.and(&overlay);
        invocation.variables = carried(&spec.environment);
        let name = self.candidate_name(&mark).await?;
        let interactive = format!("--interactive={}", spec.stdin.is_some());
        let mut arguments =
            vec!["run", "--rm", "--no-deps", "-T", &interactive, "--quiet-pull", "--name", &name];
        if let Some(directory) = &spec.directory {
            arguments.extend(["--workdir", directory]);
        }
        arguments.push(service.as_str());
        // The program is the entrypoint; what follows are its arguments.
        arguments.extend(spec.argv.iter().skip(1).map(String::as_str));
        let result =
            self.compose.run_with(&invocation, &arguments, spec.stdin.take(), spec.timeout, sink).await;
        let _ = self.host.remove(&overlay).await;
        match result {
            Ok(result) => self.judged(result, &name, &spec).await,
            Err(fault) => {
                // The client is gone; its container is not.
                self.end_candidate(&mark).await?;
                Err(if fault.code == Code::CommandTimeout {
                    let shown = Fault::new(Code::CommandTimeout)
                        .with("command", spec.argv.join(" "))
                        .with("seconds", spec.timeout.as_secs());
                    fault.causes.into_iter().fold(shown, Fault::because)
                } else {
                    fault
                })
            }
        }
    }

    /// Tells a command that failed from one that was never started.
    async fn judged(&self, result: CommandResult, name: &str, spec: &ExecSpec) -> Result<CommandResult> {
        let refused = |line: &&String| {
            line.contains("OCI runtime create failed") || line.contains("executable file not found in $PATH")
        };
        if result.code != 0
            && let Some(said) = result.tail.iter().find(refused)
        {
            self.remove_container(name).await?;
            let program = spec.argv.first().map_or("", String::as_str);
            return Err(Fault::new(Code::CommandMissing).with("program", program).because(said));
        }
        Ok(result)
    }

    pub(crate) async fn candidate_running(&self, mark: &str) -> Result<bool> {
        Ok(self.candidates(mark).await?.into_iter().any(|(_, runs)| runs))
    }

    /// Ends and removes the container of a mark, and the file it was made with.
    pub(crate) async fn end_candidate(&self, mark: &str) -> Result<()> {
        for (id, runs) in self.candidates(mark).await? {
            if runs {
                let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
                match self.engine.docker().await?.kill_container(&id, Some(options)).await {
                    Ok(()) => {}
                    Err(error) if is_missing(&error) || status(&error) == Some(409) => {}
                    Err(error) => return Err(self.engine.fault("ending a command", &error)),
                }
            }
            self.remove_container(&id).await?;
        }
        self.host.remove(&self.candidate_file(mark)).await
    }

    /// Removes a container and waits until it is gone: the engine may be removing it already.
    pub(crate) async fn remove_container(&self, id: &str) -> Result<()> {
        let docker = self.engine.docker().await?;
        let since = Instant::now();
        loop {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            match docker.remove_container(id, Some(options)).await {
                Err(error) if is_missing(&error) => return Ok(()),
                Err(error) if status(&error) == Some(409) && since.elapsed() < GONE_WITHIN => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Ok(()) => return Ok(()),
                Err(error) => return Err(self.engine.fault("removing a container", &error)),
            }
        }
    }

    async fn candidates(&self, mark: &str) -> Result<Vec<(String, bool)>> {
        let project = self.project().await?;
        let labels = vec![format!("{MARK_LABEL}={mark}"), format!("com.docker.compose.project={project}")];
        let filters = HashMap::from([("label", labels)]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.engine.docker().await?.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.engine.fault("looking at containers", &error))?;
        let ended = |state| {
            matches!(
                state,
                Some(
                    ContainerSummaryStateEnum::EXITED
                        | ContainerSummaryStateEnum::DEAD
                        | ContainerSummaryStateEnum::REMOVING
                )
            )
        };
        Ok(listed.into_iter().filter_map(|found| Some((found.id?, !ended(found.state)))).collect())
    }

    async fn candidate_name(&self, mark: &str) -> Result<String> {
        Ok(format!("eclusa-{}-{}", self.project().await?, digest(mark)))
    }

    fn candidate_file(&self, mark: &str) -> PathBuf {
        self.stack.state_directory.join(format!("candidate-{}.yml", digest(mark)))
    }
}

fn digest(mark: &str) -> String {
    hex::encode(Sha256::digest(mark.as_bytes())).chars().take(16).collect()
}

/// The values by the names that carry them, for the environment of Compose.
fn carried(environment: &BTreeMap<String, SecretString>) -> BTreeMap<String, SecretString> {
    environment.values().enumerate().map(|(at, value)| (format!("{CARRIER}{at}"), value.clone())).collect()
}

/// What the service is for this one command. Values stand in it only as the names of the variables that carry them.
fn candidate_text(service: &ServiceName, image: Option<&str>, spec: &ExecSpec, mark: &str) -> String {
    let mut lines = vec!["services:".to_owned(), format!("  {}:", quoted(service.as_str()))];
    if let Some(image) = image {
        lines.push(format!("    image: {}", quoted(image)));
        lines.push("    pull_policy: never".to_owned());
        lines.push("    build: !reset null".to_owned());
    }
    // The image's own entrypoint might migrate or wait before it comes to the command. Without a command, what the
    // service itself does is wanted.
    if let Some(program) = spec.argv.first() {
        lines.push(format!("    entrypoint: !override {}", list(std::slice::from_ref(program))));
        lines.push("    command: !reset null".to_owned());
    }
    lines.push("    healthcheck: !override {disable: true}".to_owned());
    lines.push("    environment:".to_owned());
    for (at, name) in spec.environment.keys().enumerate() {
        lines.push(format!("      {}: \"${{{CARRIER}{at}}}\"", quoted(name)));
    }
    lines.push(format!("      {MARK_VARIABLE}: {}", quoted(mark)));
    lines.push("    labels:".to_owned());
    lines.push(format!("      {MARK_LABEL}: {}", quoted(mark)));
    lines.join("\n") + "\n"
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use eclusa_runbook::{Outputs, Place};

    use super::*;

    #[test]
    fn no_value_stands_in_the_file() {
        let service = ServiceName::new("web").unwrap();
        let spec = ExecSpec {
            place: Place::Service { service: service.clone() },
            argv: vec!["python".into(), "manage.py".into()],
            environment: BTreeMap::from([("DATABASE_PASSWORD".to_owned(), SecretString::from("hunter2"))]),
            directory: None,
            stdin: None,
            timeout: Duration::from_secs(1),
            mark: None,
            images: Outputs::new(),
        };
        let text = candidate_text(&service, Some("eclusa/shop-web:sha-aa"), &spec, "r-1/$x");
        assert_eq!(
            text,
            r#"services:
  "web":
    image: "eclusa/shop-web:sha-aa"
    pull_policy: never
    build: !reset null
    entrypoint: !override ["python"]
    command: !reset null
    healthcheck: !override {disable: true}
    environment:
      "DATABASE_PASSWORD": "${ECLUSA_VALUE_0}"
      ECLUSA_MARK: "r-1/$$x"
    labels:
      eclusa.mark: "r-1/$$x"
"#
        );
    }
}
