//! Building or pulling the images of a release. A commit is built from an export of its own, so that the user's work
//! tree is neither read nor changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Release, ReleaseSource, ServiceName};
use eclusa_ports::{ApplyContext, CommandResult, CommandSpec, NoOutput, OutputSink, OutputStream};
use eclusa_runbook::Outputs;
use secrecy::SecretString;

use crate::compose::{Invocation, failed, shown};
use crate::inspect::Project;
use crate::observe::service_name;
use crate::overlay::quoted;
use crate::runtime::ComposeRuntime;
use crate::stack::StackSource;

/// How long a command on files or on git may take.
const SMALL: Duration = Duration::from_secs(300);

/// The most of a build's output that is kept in its log.
const LONGEST_LOG: usize = 8 * 1024 * 1024;

impl ComposeRuntime {
    pub(crate) async fn prepare(
        &self,
        release: &Release,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        self.no_stray_edge().await?;
        // A build may move the tag by which the running image is known.
        let model = self.base_model().await?;
        let services = self.released_services(&model).await?;
        self.keep_running(&services, &self.containers().await?).await?;
        match &release.source {
            ReleaseSource::Git { commit } => self.build(release, commit, context, output).await,
            ReleaseSource::Image { variable } => {
                self.pull(release, variable, &services, context, output).await
            }
            ReleaseSource::Found => {
                for pin in release.images.values() {
                    self.ensure_pin(pin).await?;
                }
                let pins = release
                    .images
                    .iter()
                    .map(|(service, pin)| (service.clone(), pin.id.clone(), pin.reference.clone()));
                Ok(outputs(pins))
            }
            ReleaseSource::Directory { .. } | ReleaseSource::Bench { .. } => {
                Err(Fault::new(Code::ReleaseUnknown)
                    .with("release", &release.name)
                    .with("problem", "a Compose stack has no releases in directories")
                    .with("where", "Name a git ref or an image tag."))
            }
        }
    }

    async fn build(
        &self,
        release: &Release,
        commit: &str,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        let StackSource::Git { repository, build_variables } = &self.stack.source else {
            return Err(Fault::new(Code::ReleaseUnknown)
                .with("release", &release.name)
                .with("problem", "this stack's releases are image tags")
                .with("where", "Name an image tag."));
        };
        if commit.len() < 7 || !commit.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(Fault::new(Code::ReleaseUnknown)
                .with("release", &release.name)
                .with("problem", format!("{commit:?} is no commit id"))
                .with("where", "See the tags: git tag"));
        }
        let top = self.repository_top(repository).await?;
        let checkout = self.stack.state_directory.join("checkouts").join(commit);
        self.discard(&checkout).await?;
        let built = match self.export(&top, commit, &checkout).await {
            Ok(()) => {
                let variables = build_variables
                    .iter()
                    .map(|(name, value)| (name.clone(), filled(value, release, commit)))
                    .collect();
                self.build_from(release, commit, &top, &checkout, variables, context, output).await
            }
            Err(fault) => Err(fault),
        };
        let discarded = self.discard(&checkout).await;
        let built = built?;
        discarded?;
        Ok(built)
    }

    #[allow(clippy::too_many_arguments)]
    async fn build_from(
        &self,
        release: &Release,
        commit: &str,
        top: &Path,
        checkout: &Path,
        variables: BTreeMap<String, SecretString>,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        let mut invocation = self.invocation_in(top, checkout).await?;
        invocation.variables = variables;
        invocation.project = Some(self.project().await?.to_owned());
        // What a service reads at run time lies beside the user's files and in no commit.
        let plain = checkout.with_extension("services.yml");
        let names = self.base_model().await?.services.into_keys();
        let resolved = self.resolve_without_env_files(&invocation, &plain, names.collect()).await;
        let _ = self.host.remove(&plain).await;
        let model = resolved?;
        let groups = build_groups(&model);
        let overlay = checkout.with_extension("build.yml");
        let mut text = String::from("services:\n");
        for name in model.services.keys() {
            text.push_str(&format!("  {}:\n    env_file: !reset []\n", quoted(name)));
            if groups.contains_key(name) {
                let reference = self.build_reference(name, commit).await?;
                text.push_str(&format!("    image: {}\n", quoted(&reference)));
            }
        }
        self.host.write_durably(&overlay, text.as_bytes(), 0o600).await?;
        let log = BuildLog { output, text: Mutex::new(String::new()) };
        let arguments: Vec<&str> = ["build"].into_iter().chain(groups.keys().map(String::as_str)).collect();
        let result = self.compose.run(&invocation.and(&overlay), &arguments, context.timeout, &log).await;
        let _ = self.host.remove(&overlay).await;
        self.judge_build(release, commit, result, &log).await?;
        let mut pins = Vec::new();
        for (builder, sharing) in &groups {
            let reference = self.build_reference(builder, commit).await?;
            let id = self.image(&reference).await?.and_then(|image| image.id);
            let id = id.ok_or_else(|| Fault::new(Code::ImageMissing).with("image", &reference))?;
            for service in sharing {
                let service = service_name(service)?;
                let reference = self.keep_reference(&service, &id).await?;
                self.keep(&id, &reference).await?;
                pins.push((service, id.clone(), reference));
            }
        }
        Ok(outputs(pins.into_iter()))
    }

    /// The model of a checkout. The names of its services are not known before it is resolved, and it does not
    /// resolve while its env files are missing: they are read from the files as they stand, or else taken to be those
    /// of today.
    async fn resolve_without_env_files(
        &self,
        invocation: &Invocation,
        path: &Path,
        names: BTreeSet<String>,
    ) -> Result<Project> {
        let raw = self.compose.raw_images(invocation).await?;
        let names = if raw.is_empty() { names } else { raw.into_keys().collect() };
        let mut text = String::from("services:\n");
        for name in &names {
            text.push_str(&format!("  {}:\n    env_file: !reset []\n", quoted(name)));
        }
        self.host.write_durably(path, text.as_bytes(), 0o600).await?;
        self.compose.model(&invocation.clone().and(path)).await
    }

    async fn judge_build(
        &self,
        release: &Release,
        commit: &str,
        result: Result<CommandResult>,
        log: &BuildLog<'_>,
    ) -> Result<()> {
        let short: String = commit.chars().take(crate::images::SHORT).collect();
        let path = self.stack.state_directory.join("logs").join(format!("build-{short}.log"));
        self.make_directory(&self.stack.state_directory.join("logs")).await?;
        let text = log.text.lock().map(|text| text.clone()).unwrap_or_default();
        self.host.write_durably(&path, text.as_bytes(), 0o600).await?;
        let result = result?;
        if result.code == 0 {
            return Ok(());
        }
        let fault = Fault::new(Code::BuildFailed).with("release", &release.name).with("log", shown(&path));
        Err(failed(fault, &result, self.engine.endpoint().await))
    }

    /// Compose in the checkout: each file as the commit has it, or the user's own where the commit has none.
    async fn invocation_in(&self, top: &Path, checkout: &Path) -> Result<Invocation> {
        let mut invocation = Invocation::of(&self.stack);
        let real = self.real_path(&self.stack.directory).await?;
        let inside = real
            .strip_prefix(top)
            .map_err(|_| Fault::new(Code::PathEscapes).with("path", shown(&real)).with("root", shown(top)))?;
        invocation.directory = checkout.join(inside);
        self.make_directory(&invocation.directory).await?;
        for file in &mut invocation.files {
            let real = self.real_path(file).await?;
            let Ok(inside) = real.strip_prefix(top) else { continue };
            let own = checkout.join(inside);
            if self.exists(&own).await? {
                *file = own;
            }
        }
        // Compose reads `.env` of the project directory by itself; the checkout has none.
        let implied = self.stack.directory.join(".env");
        if invocation.env_files.is_empty() && self.exists(&implied).await? {
            invocation.env_files.push(implied);
        }
        Ok(invocation)
    }

    /// Writes the files of a commit to a directory, through an index of its own: the repository's index, work tree
    /// and refs stay as they are.
    async fn export(&self, top: &Path, commit: &str, checkout: &Path) -> Result<()> {
        self.make_directory(checkout).await?;
        let index = checkout.with_extension("index");
        let prefix = format!("--prefix={}/", checkout.display());
        let read = self.git(top, &["read-tree", commit], Some(&index)).await;
        let written = match read {
            Ok(_) => self.git(top, &["checkout-index", "--all", "--force", &prefix], Some(&index)).await,
            Err(fault) => Err(fault),
        };
        let _ = self.host.remove(&index).await;
        written.map(|_| ())
    }

    async fn repository_top(&self, repository: &Path) -> Result<PathBuf> {
        let said = self.git(repository, &["rev-parse", "--show-toplevel"], None).await?;
        self.real_path(Path::new(said.trim_end_matches('\n'))).await
    }

    async fn git(&self, directory: &Path, arguments: &[&str], index: Option<&Path>) -> Result<String> {
        // The repository may belong to another user than the one who releases; naming it here is the consent that git
        // asks for.
        let safe = "safe.directory=*";
        let start = ["git", "-c", safe, "-C"].map(str::to_owned);
        let rest = arguments.iter().map(|argument| (*argument).to_owned());
        let argv = start.into_iter().chain([shown(directory)]).chain(rest);
        let mut command = CommandSpec::new(argv, SMALL);
        if let Some(index) = index {
            command.environment.insert("GIT_INDEX_FILE".to_owned(), shown(index).into());
        }
        self.small(command).await
    }

    pub(crate) async fn real_path(&self, path: &Path) -> Result<PathBuf> {
        let argv = ["realpath".to_owned(), "-e".to_owned(), "--".to_owned(), shown(path)];
        let result = self.host.run(CommandSpec::new(argv, SMALL), &NoOutput).await?;
        if result.code != 0 {
            let fault = Fault::new(Code::FileAccess).with("path", shown(path)).with("operation", "found");
            return Err(failed(fault, &result, ""));
        }
        Ok(PathBuf::from(result.stdout.trim_end_matches('\n')))
    }

    pub(crate) async fn make_directory(&self, path: &Path) -> Result<()> {
        self.small(CommandSpec::new(
            ["mkdir".to_owned(), "-p".to_owned(), "--".to_owned(), shown(path)],
            SMALL,
        ))
        .await
        .map(|_| ())
    }

    async fn discard(&self, checkout: &Path) -> Result<()> {
        self.small(CommandSpec::new(
            ["rm".to_owned(), "-rf".to_owned(), "--".to_owned(), shown(checkout)],
            SMALL,
        ))
        .await
        .map(|_| ())
    }

    /// Runs a command that must succeed and gives its output.
    pub(crate) async fn small(&self, command: CommandSpec) -> Result<String> {
        let shown = command.argv.join(" ");
        let result = self.host.run(command, &NoOutput).await?;
        if result.code == 0 {
            return Ok(result.stdout);
        }
        let fault = Fault::new(Code::CommandFailed)
            .with("command", shown)
            .with("status", format!("code {}", result.code));
        Err(failed(fault, &result, ""))
    }

    async fn pull(
        &self,
        release: &Release,
        variable: &str,
        services: &[ServiceName],
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        if services.is_empty() {
            return Err(Fault::new(Code::ReleaseUnknown)
                .with("release", &release.name)
                .with("problem", format!("no image of the Compose file names ${{{variable}}}"))
                .with("where", "Name the variable that holds the tag in eclusa.toml."));
        }
        let wanted = self.model_with(variable, &release.name).await?;
        let mut pins = Vec::new();
        for service in services {
            let reference = wanted.image(service.as_str()).unwrap_or_default();
            if self.image(&reference).await?.is_none() {
                let mut invocation = Invocation::of(&self.stack);
                invocation.variables.insert(variable.to_owned(), release.name.as_str().into());
                let arguments = ["pull", service.as_str()];
                let result = self.compose.run(&invocation, &arguments, context.timeout, output).await?;
                if result.code != 0 {
                    let fault = Fault::new(Code::ImageMissing).with("image", &reference);
                    return Err(failed(fault, &result, self.engine.endpoint().await));
                }
            }
            let missing = || Fault::new(Code::ImageMissing).with("image", &reference);
            let image = self.image(&reference).await?.ok_or_else(missing)?;
            let id = image.id.ok_or_else(missing)?;
            let digest = digest_of(&reference, &image.repo_digests.unwrap_or_default());
            let pin = match digest {
                Some(digest) => digest,
                None => {
                    let keep = self.keep_reference(service, &id).await?;
                    self.keep(&id, &keep).await?;
                    keep
                }
            };
            pins.push((service.clone(), id, pin));
        }
        Ok(outputs(pins.into_iter()))
    }
}

fn outputs(pins: impl Iterator<Item = (ServiceName, String, String)>) -> Outputs {
    pins.flat_map(|(service, id, reference)| {
        [(format!("image.{service}"), id), (format!("reference.{service}"), reference)]
    })
    .collect()
}

fn filled(value: &str, release: &Release, commit: &str) -> SecretString {
    value.replace("{release}", &release.name).replace("{commit}", commit).into()
}

/// Which service is built for which: services that name the same image share one build, by the first of them that
/// says how. Building each would leave several images of one name, of which the last wins by chance.
fn build_groups(model: &Project) -> BTreeMap<String, Vec<String>> {
    let mut builders: BTreeMap<String, String> = BTreeMap::new();
    for (name, service) in &model.services {
        if service.build.is_some()
            && let Some(image) = model.image(name)
        {
            builders.entry(image).or_insert_with(|| name.clone());
        }
    }
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in model.services.keys() {
        if let Some(builder) = model.image(name).and_then(|image| builders.get(&image)) {
            groups.entry(builder.clone()).or_default().push(name.clone());
        }
    }
    groups
}

/// The digest by which a registry knows an image, of the same repository.
fn digest_of(reference: &str, digests: &[String]) -> Option<String> {
    let name = reference.split('@').next().unwrap_or(reference);
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let repository = match name.get(slash..).and_then(|last| last.find(':')) {
        Some(colon) => name.get(..slash + colon)?,
        None => name,
    };
    digests.iter().find(|digest| digest.split('@').next() == Some(repository)).cloned()
}

/// Passes output on and keeps it for the log.
struct BuildLog<'a> {
    output: &'a dyn OutputSink,
    text: Mutex<String>,
}

impl OutputSink for BuildLog<'_> {
    fn line(&self, stream: OutputStream, line: &str) {
        self.output.line(stream, line);
        if let Ok(mut text) = self.text.lock()
            && text.len() < LONGEST_LOG
        {
            text.push_str(line);
            text.push('\n');
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn services_of_one_image_share_one_build() {
        let model = Project::parse(
            "name: shop\nservices:\n  beat: {image: 'shop:v1'}\n  web: {image: 'shop:v1', build: {context: /x}}\n  \
             worker: {image: 'shop:v1', build: {context: /x}}\n  site: {build: {context: /y}}\n  db: {image: postgres}\n",
        )
        .unwrap();
        let groups = build_groups(&model);
        assert_eq!(groups["web"], ["beat", "web", "worker"]);
        assert_eq!(groups["site"], ["site"]);
        assert_eq!(groups.len(), 2);
    }

    #[test]
    fn a_digest_counts_only_for_its_own_repository() {
        let digests = ["other/shop@sha256:aa".to_owned(), "registry:5000/shop@sha256:bb".to_owned()];
        assert_eq!(
            digest_of("registry:5000/shop:v1", &digests).as_deref(),
            Some("registry:5000/shop@sha256:bb")
        );
        assert_eq!(
            digest_of("registry:5000/shop", &digests).as_deref(),
            Some("registry:5000/shop@sha256:bb")
        );
        assert_eq!(digest_of("shop:v1", &digests), None);
    }
}
