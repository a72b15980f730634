//! The application tried on a restored copy: the copy is made in a directory that no application looks into and in a
//! database whose account reaches nothing else, or in a server of its own; what is started on it reaches nothing but that,
//! and all of it goes at the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Language, Result};
use eclusa_model::{DatabasePlace, FilesPlace, ServiceName, Tenant};
use eclusa_ports::{DatabaseCopy, PointManifest, TrialMount, TrialServer, TrialSpec, TrialTarget};
use eclusa_runbook::{
    Gate, GateKind, OnNoGo, Outputs, PointReference, Trial, TrialCopy, TrialOperation, TrialServices,
    TrialStep, VerdictKind,
};
use secrecy::SecretString;
use serde_json::json;

use super::copying::Copying;
use super::directories::{Directories, shown};
use super::point::{id_of, in_service, record_proof};
use super::{StepOutput, command, settings};
use crate::context::Context;
use crate::gates::{Earlier, judge};

/// Where copies are made, in the directory of the sites. No site is looked for so deep, and none has such a name.
const MAKING: &str = ".eclusa-trials";
/// The output that says how long a copy took to be restored.
const COPIED: &str = "copied-seconds";
/// What the parts of its database are named by while it is filled.
const SUFFIX: &str = "trial";
/// How long a server of a copy's own may take to be there: it makes its own files first.
const SERVER_WITHIN: Duration = Duration::from_secs(180);

/// The tenant as it is in a trial: its database is the copy.
fn tried(trial: &Trial, live: &Tenant) -> Tenant {
    let mut tenant = live.clone();
    match &mut tenant.database {
        DatabasePlace::Postgresql { name, .. } | DatabasePlace::Mariadb { name, .. } => {
            name.clone_from(&trial.database);
        }
        DatabasePlace::Sqlite { path } => path.clone_from(&trial.database),
    }
    tenant
}

impl Context {
    /// The same step with the trial in place of what is live: its services, and the copy as the tenant's database.
    pub(crate) fn in_trial(&self, trial: &Trial) -> Result<Self> {
        let mut inside = self.clone();
        inside.ports.runtime = self.ports.runtime.trial(&trial.name)?;
        if trial.server.is_some() {
            inside.ports.database = inside.ports.database.within(&inside.ports.runtime).ok_or_else(|| {
                Fault::new(Code::Internal)
                    .with("what", "a database of a trial was asked of what no runtime runs")
            })?;
        }
        let mut plan = (*self.plan).clone();
        for tenant in plan.tenants.iter_mut().filter(|tenant| tenant.name == trial.tenant) {
            *tenant = tried(trial, tenant);
        }
        inside.plan = Arc::new(plan);
        Ok(inside)
    }
}

pub(super) async fn perform(context: &Context, operation: &TrialOperation) -> Result<Outputs> {
    let trial = &operation.trial;
    match &operation.operation {
        TrialStep::Fill { point, from, copy } => {
            let began = context.ports.clock.now();
            let context = of_vault(context, from.as_deref())?;
            match &trial.server {
                Some(service) => fill_server(&context, trial, point, copy, service).await?,
                None => fill(&context, trial, point, copy).await?,
            }
            let taken = context.ports.clock.now().duration_since(began);
            Ok(Outputs::from([(COPIED.to_owned(), format!("{:.3}", taken.as_secs_f64()))]))
        }
        TrialStep::Prove { point, from, copy, filled } => {
            let earlier = context.outputs.get(filled).and_then(|outputs| outputs.get(COPIED));
            let earlier = earlier.and_then(|text| text.parse().ok()).unwrap_or_default();
            prove(&of_vault(context, from.as_deref())?, trial, point, copy, earlier).await
        }
        TrialStep::Start { point, from, services, sites } => {
            let context = of_vault(context, from.as_deref())?;
            let manifest = context.ports.vault.find(&trial.tenant, point).await?;
            start(&context, trial, &manifest, services, sites).await
        }
        TrialStep::Works { point, services, sites, gates } => {
            let manifest = context.ports.vault.find(&trial.tenant, point).await?;
            works(context, trial, &manifest, services, sites, gates).await
        }
        TrialStep::Run { exec } => command::perform(&context.in_trial(trial)?, exec).await,
        TrialStep::End { sites } => {
            end(context, trial, sites).await?;
            Ok(Outputs::new())
        }
    }
}

/// The same step with the restore points of a mirror.
fn of_vault(context: &Context, mirror: Option<&str>) -> Result<Context> {
    let mut context = context.clone();
    if let Some(mirror) = mirror {
        context.ports.vault = context.ports.vault.at_mirror(mirror)?;
    }
    Ok(context)
}

/// Where a trial's files lie on this host: a directory inside a live one.
async fn root(context: &Context, trial: &Trial, sites: &FilesPlace) -> Result<(PathBuf, PathBuf)> {
    let live = context.ports.runtime.files_directory(sites).await?;
    let own = live.join(MAKING).join(&trial.name);
    Ok((live, own))
}

fn copying<'a>(
    context: &'a Context,
    trial: &Trial,
    live: &'a Tenant,
    copy: &'a Tenant,
    root: &Path,
) -> Copying<'a> {
    Copying {
        context,
        own_server: trial.server.is_some(),
        from: live,
        to: copy,
        suffix: SUFFIX,
        mark: format!("eclusa: trial {}", trial.name),
        directory: root.join(trial.tenant.as_str()),
    }
}

async fn fill(context: &Context, trial: &Trial, point: &str, copy: &TrialCopy) -> Result<()> {
    let live = context.tenant(&trial.tenant)?;
    let tenant = tried(trial, live);
    let (sites, root) = root(context, trial, &copy.sites).await?;
    let made = copying(context, trial, live, &tenant, &root);
    let manifest = context.ports.vault.find(&trial.tenant, point).await?;
    let host = made.directories();
    host.remove(&root).await?;
    host.make(&root, "0755").await?;
    host.mode(&root, &sites).await?;
    made.fill(&manifest, &copy.sets, &copy.directories).await?;
    made.swap_database().await?;
    eclusa_crash::point("trial.database-filled");
    for name in &copy.shared {
        let path = sites.join(name);
        // A directory is not copied: what is started sees it where it lies.
        if host.exists(&path).await? && !host.is_directory(&path).await? {
            // A link stays a link: what it leads to is part of the image.
            let (from, to) = (shown(&path), shown(&root));
            host.command(&["cp", "--archive", "--no-dereference", "--target-directory", &to, "--", &from])
                .await?;
        }
    }
    let password = configure(context, trial, point, copy, &sites, &root).await?;
    made.make_account(&password).await?;
    // Who runs the sites runs this one too.
    host.own(&root, &sites.join(trial.tenant.as_str())).await?;
    host.mode(&made.directory, &sites.join(trial.tenant.as_str())).await
}

/// The same in a server of its own, which has the live one's accounts and nothing else.
async fn fill_server(
    context: &Context,
    trial: &Trial,
    point: &str,
    copy: &TrialCopy,
    service: &ServiceName,
) -> Result<()> {
    let live = context.tenant(&trial.tenant)?;
    let port = live.database.engine().port().ok_or_else(|| {
        Fault::new(Code::Internal).with("what", "a server was to be started for a database that has none")
    })?;
    let server = TrialServer {
        name: trial.name.clone(),
        tenant: trial.tenant.clone(),
        service: service.clone(),
        port,
        healthy_within: SERVER_WITHIN,
    };
    context.ports.runtime.trial_server(&server).await?;
    eclusa_crash::point("trial.server-started");
    let inside = context.in_trial(trial)?;
    let tenant = tried(trial, live);
    let (sites, root) = root(context, trial, &copy.sites).await?;
    let made = copying(&inside, trial, live, &tenant, &root);
    let manifest = context.ports.vault.find(&trial.tenant, point).await?;
    let host = made.directories();
    host.remove(&root).await?;
    // Who serves the live directory may not look into it.
    host.make(&sites.join(MAKING), "0700").await?;
    host.make(&root, "0700").await?;
    made.fill(&manifest, &copy.sets, &copy.directories).await?;
    made.swap_database().await?;
    eclusa_crash::point("trial.database-filled");
    for place in &live.files {
        let Some(inside) = copy.sets.get(place.name()) else { continue };
        let like = context.ports.runtime.files_directory(place).await?;
        host.own(&made.directory.join(inside), &like).await?;
        host.mode(&made.directory.join(inside), &like).await?;
    }
    Ok(())
}

/// Writes the settings of the copy, as its restore point has them, with a database of its own; gives its password.
async fn configure(
    context: &Context,
    trial: &Trial,
    point: &str,
    copy: &TrialCopy,
    sites: &Path,
    root: &Path,
) -> Result<SecretString> {
    let live = context.tenant(&trial.tenant)?;
    let place = live.service_configuration.iter().find(|place| place.name() == copy.settings_file);
    let place = place.ok_or_else(|| {
        Fault::new(Code::TrialFailed)
            .with("tenant", &trial.tenant)
            .with("problem", format!("its restore points hold no {}", copy.settings_file))
    })?;
    let of_point = PointReference::Id(point.to_owned());
    let before = settings::of_point(context, &trial.tenant, place, &of_point).await?;
    let password = context.ports.clock.random_text(24);
    let mut own = settings::changed(&before, &copy.settings);
    own.insert("db_name".to_owned(), json!(trial.database));
    own.insert("db_password".to_owned(), json!(password));
    let live_file = in_service(context, place).await?.0;
    let path = root.join(trial.tenant.as_str()).join(&copy.settings_file);
    settings::write(context, &path, &own, settings::mode(context, &live_file).await?).await?;
    let shared_file = sites.join(&copy.shared_settings_file);
    if Directories(&*context.ports.host).exists(&shared_file).await? {
        let shared = settings::changed(&settings::read(context, &shared_file).await?, &copy.shared_settings);
        let path = root.join(&copy.shared_settings_file);
        settings::write(context, &path, &shared, settings::mode(context, &shared_file).await?).await?;
    }
    Ok(SecretString::from(password))
}

async fn prove(
    context: &Context,
    trial: &Trial,
    point: &str,
    copy: &TrialCopy,
    seconds_before: f64,
) -> Result<Outputs> {
    let began = context.ports.clock.now();
    let live = context.tenant(&trial.tenant)?;
    let tenant = tried(trial, live);
    let (_, root) = root(context, trial, &copy.sites).await?;
    let manifest = context.ports.vault.find(&trial.tenant, point).await?;
    let inside = match &trial.server {
        Some(_) => context.in_trial(trial)?,
        None => context.clone(),
    };
    let made = copying(&inside, trial, live, &tenant, &root);
    let compared = made.prove(&manifest, &DatabaseCopy::Live, &copy.sets).await?;
    let taken = Duration::try_from(context.ports.clock.now().duration_since(began)).unwrap_or_default();
    let taken = taken + Duration::try_from_secs_f64(seconds_before).unwrap_or_default();
    record_proof(context, &trial.tenant, &manifest, taken).await?;
    Ok(Outputs::from([
        ("point".to_owned(), id_of(&manifest)?.to_string()),
        ("rows".to_owned(), compared.rows.to_string()),
        ("files".to_owned(), compared.files.to_string()),
        ("bytes".to_owned(), manifest.bytes().to_string()),
        ("seconds".to_owned(), format!("{:.3}", taken.as_secs_f64())),
    ]))
}

/// The directory of the copies, as the services see that of the sites.
async fn mounts_of_sites(context: &Context, trial: &Trial, sites: &FilesPlace) -> Result<Vec<TrialMount>> {
    let (live, root) = root(context, trial, sites).await?;
    let (FilesPlace::Service { path, .. } | FilesPlace::Directory { path, .. }) = sites;
    let target = TrialTarget::Path(path.clone());
    let mut mounts = vec![TrialMount { source: root, target, read_only: false }];
    // Where the built assets are no part of the image, they are those that are served now.
    let assets = live.join("assets");
    if Directories(&*context.ports.host).is_directory(&assets).await? {
        let target = TrialTarget::Path(format!("{path}/assets"));
        mounts.push(TrialMount { source: assets, target, read_only: true });
    }
    Ok(mounts)
}

/// Each set of files, wherever services see the live one.
async fn mounts_of_sets(context: &Context, trial: &Trial, sites: &FilesPlace) -> Result<Vec<TrialMount>> {
    let (_, root) = root(context, trial, sites).await?;
    let mut mounts = Vec::new();
    for place in &context.tenant(&trial.tenant)?.files {
        let target = TrialTarget::InsteadOf(context.ports.runtime.files_directory(place).await?);
        let source = root.join(trial.tenant.as_str()).join(place.name());
        mounts.push(TrialMount { source, target, read_only: false });
    }
    Ok(mounts)
}

async fn start(
    context: &Context,
    trial: &Trial,
    manifest: &PointManifest,
    services: &TrialServices,
    sites: &FilesPlace,
) -> Result<Outputs> {
    let mounts = match &trial.server {
        Some(_) => mounts_of_sets(context, trial, sites).await?,
        None => mounts_of_sites(context, trial, sites).await?,
    };
    let spec = TrialSpec {
        name: trial.name.clone(),
        tenant: trial.tenant.clone(),
        release: services.release.clone().or_else(|| manifest.release.clone()),
        images: context.images(),
        web: services.web.clone(),
        frontend: services.frontend.clone(),
        caches: services.caches.clone(),
        server: trial.server.clone(),
        database: (services.database.host.clone(), services.database.port),
        through: services.through.clone(),
        mounts,
        healthy_within: Duration::from_secs(services.healthy_within),
    };
    let output = StepOutput::open(context);
    context.ports.runtime.trial_start(&spec, &output).await?;
    eclusa_crash::point("trial.started");
    Ok(Outputs::new())
}

/// Whether what is started on the copy as it is now comes up and answers.
async fn works(
    context: &Context,
    trial: &Trial,
    manifest: &PointManifest,
    services: &TrialServices,
    sites: &FilesPlace,
    gates: &[GateKind],
) -> Result<Outputs> {
    let answer = |problem: Option<String>| {
        let works = if problem.is_none() { "yes" } else { "no" };
        let mut outputs = Outputs::from([("works".to_owned(), works.to_owned())]);
        outputs.extend(problem.map(|problem| ("problem".to_owned(), problem)));
        outputs
    };
    match start(context, trial, manifest, services, sites).await {
        Err(fault) if fault.code == Code::TrialFailed => return Ok(answer(Some(fault.to_string()))),
        started => started?,
    };
    let inside = context.in_trial(trial)?;
    for kind in gates {
        let gate = Gate { kind: kind.clone(), on_no_go: OnNoGo::Warn, on_hold: OnNoGo::Warn, trial: None };
        let (samples, mut seen) = tokio::sync::mpsc::channel(16);
        let judged = judge(&inside, &gate, Earlier::default(), samples);
        let drained = async { while seen.recv().await.is_some() {} };
        let problem = match tokio::join!(judged, drained).0 {
            Ok((_, verdict)) if verdict.kind == VerdictKind::Go => continue,
            Ok((_, verdict)) => {
                let said = verdict.reasons.iter().map(|reason| reason.render(&Language::default()));
                said.collect::<Vec<_>>().join("; ")
            }
            Err(fault) => fault.to_string(),
        };
        return Ok(answer(Some(problem)));
    }
    Ok(answer(None))
}

async fn end(context: &Context, trial: &Trial, sites: &FilesPlace) -> Result<()> {
    // What runs first: it writes.
    context.ports.runtime.trial_end(&trial.name).await?;
    eclusa_crash::point("trial.ended");
    let live = context.tenant(&trial.tenant)?;
    let tenant = tried(trial, live);
    let (sites, root) = root(context, trial, sites).await?;
    let made = copying(context, trial, live, &tenant, &root);
    made.directories().remove(&root).await?;
    made.directories().remove_empty(&sites.join(MAKING)).await?;
    made.discard_database().await
}
