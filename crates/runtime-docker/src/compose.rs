//! The `docker compose` command: argument vectors, its version, and its failures as faults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{CommandResult, CommandSpec, Host, NoOutput, OutputSink, OutputStream};
use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::inspect::Project;
use crate::stack::ComposeStack;

/// The first version with `!override` and `!reset` as the generated override needs them.
const NEEDED: [u32; 3] = [2, 24, 4];

/// How long a question to Compose that changes nothing may take.
pub(crate) const QUESTION: Duration = Duration::from_secs(60);

/// How long a resolved model is taken for what the same files still say. What the files themselves say is compared; this
/// is for what they include, which only Compose knows. One look at a stack asks several times within a second.
const FRESH: Duration = Duration::from_secs(5);

/// The longest Compose, env or override file that is read.
pub(crate) const LONGEST_FILE: u64 = 4 * 1024 * 1024;

/// How many lines of a failed command become causes of its fault.
const CAUSES: usize = 12;

/// Which files, from where, under which name: what stands before the subcommand.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    pub(crate) directory: PathBuf,
    pub(crate) project: Option<String>,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) env_files: Vec<PathBuf>,
    /// Variables that Compose sees before those of the env files.
    pub(crate) variables: BTreeMap<String, SecretString>,
}

impl Invocation {
    /// The user's own files and nothing of ours.
    pub(crate) fn of(stack: &ComposeStack) -> Self {
        Self::of_files(&stack.files, &stack.env_files, &stack.directory, stack.project.as_deref())
    }

    /// These files, of a project that is called so or as its directory is.
    pub(crate) fn of_files(
        files: &[PathBuf],
        env_files: &[PathBuf],
        directory: &Path,
        project: Option<&str>,
    ) -> Self {
        Self {
            directory: directory.to_owned(),
            project: project.map(str::to_owned),
            files: files.to_vec(),
            env_files: env_files.to_vec(),
            variables: BTreeMap::new(),
        }
    }

    /// The same with one more file, which wins over those before it.
    pub(crate) fn and(mut self, file: impl Into<PathBuf>) -> Self {
        self.files.push(file.into());
        self
    }

    /// What its files say now, with the `.env` that Compose reads where no env file is named.
    ///
    /// # Errors
    /// `FileAccess` for one that cannot be read.
    pub(crate) async fn contents(&self, host: &dyn Host) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let mut paths: Vec<PathBuf> = self.files.iter().chain(&self.env_files).cloned().collect();
        let implied = self.directory.join(".env");
        if self.env_files.is_empty() && exists(host, &implied).await? {
            paths.push(implied);
        }
        let mut contents = BTreeMap::new();
        for path in paths {
            let content = host.read(&path, LONGEST_FILE).await?;
            contents.insert(path, content);
        }
        Ok(contents)
    }

    /// The whole argument vector.
    pub(crate) fn argv(&self, arguments: &[&str]) -> Vec<String> {
        let mut argv: Vec<String> =
            ["docker", "compose", "--ansi", "never", "--project-directory"].map(Into::into).into();
        argv.push(self.directory.display().to_string());
        if let Some(project) = &self.project {
            argv.extend(["-p".to_owned(), project.clone()]);
        }
        for file in &self.files {
            argv.extend(["-f".to_owned(), file.display().to_string()]);
        }
        for file in &self.env_files {
            argv.extend(["--env-file".to_owned(), file.display().to_string()]);
        }
        argv.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        argv
    }
}

/// The command, on one host.
#[derive(Clone)]
pub(crate) struct Compose {
    pub(crate) host: Arc<dyn Host>,
    checked: Arc<OnceCell<()>>,
    /// Held while Compose resolves, so that who asks at the same time gets the same answer.
    resolved: Arc<tokio::sync::Mutex<Option<Resolved>>>,
}

/// What Compose made of files, when, and what the files said.
struct Resolved {
    at: Instant,
    argv: Vec<String>,
    contents: BTreeMap<PathBuf, Vec<u8>>,
    project: Project,
}

impl Compose {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        Self { host, checked: Arc::default(), resolved: Arc::default() }
    }

    /// Checks once that Compose v2 of a sufficient version is there.
    async fn check(&self) -> Result<()> {
        self.checked.get_or_try_init(|| async { check_version(&*self.host).await }).await.map(|_| ())
    }

    /// Runs a subcommand to its end.
    pub(crate) async fn run(
        &self,
        invocation: &Invocation,
        arguments: &[&str],
        timeout: Duration,
        output: &dyn OutputSink,
    ) -> Result<CommandResult> {
        self.run_with(invocation, arguments, None, timeout, output).await
    }

    /// Runs a subcommand to its end, with something on its standard input.
    pub(crate) async fn run_with(
        &self,
        invocation: &Invocation,
        arguments: &[&str],
        stdin: Option<Vec<u8>>,
        timeout: Duration,
        output: &dyn OutputSink,
    ) -> Result<CommandResult> {
        self.check().await?;
        let mut command = CommandSpec::new(invocation.argv(arguments), timeout);
        command.environment = invocation.variables.clone();
        command.stdin = stdin;
        eclusa_crash::point("compose.begins");
        let ended = self.host.run(command, output).await;
        eclusa_crash::point("compose.ended");
        ended
    }

    /// The merged model; one that was resolved a moment ago from files that say the same is given again.
    pub(crate) async fn model(&self, invocation: &Invocation) -> Result<Project> {
        // A file that cannot be read is Compose's to complain about.
        let contents = match invocation.contents(&*self.host).await {
            Ok(contents) if invocation.variables.is_empty() => contents,
            _ => return self.resolve(invocation).await,
        };
        let argv = invocation.argv(&["config"]);
        let mut resolved = self.resolved.lock().await;
        if let Some(known) = &*resolved
            && known.at.elapsed() < FRESH
            && known.argv == argv
            && known.contents == contents
        {
            return Ok(known.project.clone());
        }
        let at = Instant::now();
        let project = self.resolve(invocation).await?;
        *resolved = Some(Resolved { at, argv, contents, project: project.clone() });
        Ok(project)
    }

    /// Has Compose resolve. What it prints holds every secret in clear: it goes nowhere but into the parser, and only
    /// its standard error is shown when it fails.
    async fn resolve(&self, invocation: &Invocation) -> Result<Project> {
        let errors = ErrorLines::default();
        let result = self.run(invocation, &["config"], QUESTION, &errors).await?;
        let path = invocation.files.first().map_or_else(String::new, |file| file.display().to_string());
        let invalid = || Fault::new(Code::ComposeInvalid).with("path", &path);
        if result.code != 0 {
            return Err(errors.lines().into_iter().fold(invalid(), Fault::because));
        }
        if result.truncated {
            return Err(invalid().because("the resolved model is larger than 4 MiB"));
        }
        Project::parse(&result.stdout).map_err(|problem| invalid().because(problem))
    }

    /// The services and their images as they stand in the files, with their variables not yet filled in. This also
    /// answers where a file that a service reads at run time is missing. Empty when the files cannot be read so.
    pub(crate) async fn raw_images(
        &self,
        invocation: &Invocation,
    ) -> Result<BTreeMap<String, Option<String>>> {
        let result = self.run(invocation, &["config", "--no-interpolate"], QUESTION, &NoOutput).await?;
        if result.code != 0 || result.truncated {
            return Ok(BTreeMap::new());
        }
        Ok(crate::inspect::images_of(&result.stdout))
    }
}

/// Whether there is anything at a path.
pub(crate) async fn exists(host: &dyn Host, path: &Path) -> Result<bool> {
    let argv = ["test".to_owned(), "-e".to_owned(), path.display().to_string()];
    Ok(host.run(CommandSpec::new(argv, Duration::from_secs(20)), &NoOutput).await?.code == 0)
}

async fn check_version(host: &dyn Host) -> Result<()> {
    let needed = NEEDED.map(|part| part.to_string()).join(".");
    let missing =
        |problem: String| Fault::new(Code::ComposeMissing).with("needed", &needed).with("problem", problem);
    let command = CommandSpec::new(["docker", "compose", "version", "--short"], QUESTION);
    let result = host.run(command, &NoOutput).await.map_err(|fault| {
        if fault.code == Code::CommandMissing {
            missing("there is no docker command".to_owned())
        } else {
            fault
        }
    })?;
    if result.code != 0 {
        let said = result.last_line().unwrap_or("docker compose does not answer").to_owned();
        return Err(missing(said));
    }
    let found = result.stdout.trim();
    match version_of(found) {
        Some(version) if version >= NEEDED => Ok(()),
        _ => Err(missing(format!("found {found}"))),
    }
}

/// The numbers of `v2.26.1-4`.
fn version_of(text: &str) -> Option<[u32; 3]> {
    let digits: String =
        text.trim().trim_start_matches('v').chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    let mut parts = digits.split('.').map(str::parse);
    Some([
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next().and_then(std::result::Result::ok).unwrap_or(0),
    ])
}

/// A fault of this code with what a failed command said last; when it could not reach the engine, that fault.
pub(crate) fn failed(fault: Fault, result: &CommandResult, endpoint: &str) -> Fault {
    let said = result.tail.join("\n");
    let fault = if said.contains("permission denied while trying to connect to the Docker daemon") {
        Fault::new(Code::DockerDenied).with("endpoint", endpoint)
    } else if said.contains("Cannot connect to the Docker daemon") {
        Fault::new(Code::DockerUnreachable).with("endpoint", endpoint)
    } else {
        fault
    };
    // The rules that a build draws around its words say nothing, and may be the last of two streams.
    let worded: Vec<&String> =
        result.tail.iter().filter(|line| line.chars().any(char::is_alphanumeric)).collect();
    let from = worded.len().saturating_sub(CAUSES);
    let fault = worded.into_iter().skip(from).fold(fault, Fault::because);
    // The engine says it at the end of a line that is too long to be shown whole.
    match result.tail.iter().find_map(|line| taken_address(line)) {
        Some(address) => {
            let port = address.rsplit(':').next().unwrap_or_default().to_owned();
            fault
                .because(format!("the address {address} is in use by something else"))
                .hint(eclusa_fault::Message::new("hint-port-taken").with("port", port))
        }
        None => fault,
    }
}

/// The address that the engine could not publish, because something else has it.
fn taken_address(line: &str) -> Option<&str> {
    if let Some((before, _)) = line.split_once(": bind: address already in use") {
        return before.rsplit(' ').next();
    }
    let (_, rest) = line.split_once("Bind for ")?;
    rest.split_once(" failed: port is already allocated").map(|(address, _)| address)
}

/// A path as the name in a fault.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Keeps the last lines of standard error only.
#[derive(Default)]
pub(crate) struct ErrorLines(Mutex<Vec<String>>);

impl ErrorLines {
    fn lines(&self) -> Vec<String> {
        let lines = self.0.lock().map(|lines| lines.clone()).unwrap_or_default();
        let from = lines.len().saturating_sub(CAUSES);
        lines.into_iter().skip(from).collect()
    }
}

impl OutputSink for ErrorLines {
    fn line(&self, stream: OutputStream, line: &str) {
        // A variable that is not set is a warning, not why Compose refused.
        let warning = line.contains("level=warning");
        if stream == OutputStream::Err
            && !warning
            && !line.trim().is_empty()
            && let Ok(mut lines) = self.0.lock()
        {
            lines.push(line.to_owned());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_around_what_a_build_says_are_no_cause() {
        let tail =
            [" > [4/5] RUN pip install:", "0.2 the wheel does not fit", "------"].map(String::from).to_vec();
        let result = CommandResult {
            code: 1,
            tail,
            stdout: String::new(),
            truncated: false,
            duration: Duration::ZERO,
        };
        let fault = failed(Fault::new(Code::BuildFailed), &result, "unix:///var/run/docker.sock");
        assert_eq!(fault.causes.last().map(String::as_str), Some("0.2 the wheel does not fit"));
    }

    #[test]
    fn an_address_that_is_taken_is_named() {
        let proxy = "Error response from daemon: driver failed programming external connectivity on endpoint web (d5): \
             Error starting userland proxy: listen tcp4 127.0.0.1:34829: bind: address already in use";
        assert_eq!(taken_address(proxy), Some("127.0.0.1:34829"));
        let other = "Error response from daemon: driver failed: Bind for 0.0.0.0:8080 failed: port is already allocated";
        assert_eq!(taken_address(other), Some("0.0.0.0:8080"));
        assert_eq!(taken_address("Error response from daemon: no such image"), None);
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(version_of("2.26.1-4"), Some([2, 26, 1]));
        assert_eq!(version_of("v2.24.4\n"), Some([2, 24, 4]));
        assert!(version_of("2.9.0").unwrap() < NEEDED);
        assert!(version_of("5.0.0-rc.1").unwrap() > NEEDED);
        assert_eq!(version_of("Docker"), None);
    }

    #[test]
    fn what_stands_before_the_subcommand() {
        let invocation = Invocation {
            directory: "/srv/shop".into(),
            project: Some("shop".into()),
            files: vec!["/srv/shop/docker-compose.yml".into()],
            env_files: vec!["/srv/shop/.env.production".into()],
            variables: BTreeMap::from([("TOKEN".to_owned(), SecretString::from("hidden"))]),
        };
        let argv = invocation.and("/srv/shop/docker-compose.eclusa.yml").argv(&["up", "-d"]).join(" ");
        assert_eq!(
            argv,
            "docker compose --ansi never --project-directory /srv/shop -p shop -f /srv/shop/docker-compose.yml \
             -f /srv/shop/docker-compose.eclusa.yml --env-file /srv/shop/.env.production up -d"
        );
        assert!(!argv.contains("hidden"));
    }
}
