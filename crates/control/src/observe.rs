//! A stack as it is now: what decides a plan, and what only informs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{
    AppKind, CandidateObservation, DatabasePlace, DiskObservation, EdgeObservation, Fingerprint,
    MaintenanceOwner, OBSERVATION_FORMAT, Observation, ServiceName, ServiceRole, ServiceState, Tenant,
    TenantName, TenantObservation,
};
use eclusa_ports::{GateState, JournalStore, NoOutput, Observer, RuntimeObservation, clean_line};
use eclusa_runbook::{Exec, Intent, Place};

use crate::execute::spec_of;
use crate::sites::{self, Sites};
use crate::{Assembly, candidate};

/// No transaction is as old as ten years: a look at the stack judges none.
const NOTHING_IS_LONG: u64 = 10 * 365 * 24 * 3600;

/// How long an application may take to say which migrations it has.
const MIGRATIONS_WITHIN: Duration = Duration::from_secs(120);

/// Looks at the stack again for a run, the same way as for its plan.
pub(crate) struct StackObserver {
    pub assembly: Assembly,
    pub intent: Intent,
}

#[async_trait]
impl Observer for StackObserver {
    async fn fingerprint(&self) -> Result<Fingerprint> {
        let observation = observe(&self.assembly, Some(&self.intent)).await?;
        fingerprint(&self.assembly, &observation)
    }
}

pub(crate) fn fingerprint(assembly: &Assembly, observation: &Observation) -> Result<Fingerprint> {
    observation.fingerprint(&assembly.key).map_err(|error| Fault::new(Code::Internal).with("what", error))
}

/// Looks at a stack. What an intent needs to know beyond what is there is looked up too.
pub(crate) async fn observe(assembly: &Assembly, intent: Option<&Intent>) -> Result<Observation> {
    let runtime = assembly.ports.runtime.observe().await?;
    let candidate = match intent {
        Some(Intent::Release { to } | Intent::Rehearse { to, .. }) => {
            Some(candidate::look_up(assembly, to, runtime.release.as_ref()).await?)
        }
        _ => None,
    };
    let found = match assembly.stack.app {
        AppKind::Frappe => {
            let ports = &assembly.ports;
            sites::look(&assembly.stack, ports.runtime.as_ref(), ports.host.as_ref()).await?
        }
        _ => Sites::default(),
    };
    let mut tenants = Vec::new();
    for tenant in assembly.tenants.iter() {
        let mut observed = observe_tenant(assembly, tenant, &runtime, candidate.as_ref()).await;
        observed.site = found.sites.get(&tenant.name).map(|config| config.site.clone());
        tenants.push(observed);
    }
    let unusable_sites = moved_sites(assembly, found);
    let mut files: BTreeMap<String, Fingerprint> = runtime
        .files
        .iter()
        .map(|(name, content)| (name.clone(), Fingerprint::of_bytes(&assembly.key, content)))
        .collect();
    if let Ok(content) = assembly.ports.host.read(&assembly.configuration, 4 * 1024 * 1024).await {
        files.insert("eclusa.toml".to_owned(), Fingerprint::of_bytes(&assembly.key, &content));
    }
    Ok(Observation {
        format: OBSERVATION_FORMAT,
        stack: assembly.name.clone(),
        at: assembly.ports.clock.now(),
        app: assembly.stack.app,
        runtime: assembly.stack.runtime,
        release: runtime.release.clone(),
        edge: edge(assembly, &runtime).await,
        services: runtime.services,
        tenants,
        unusable_sites,
        maintenance: owners(assembly).await?,
        erasures: crate::persons::counts(assembly)?,
        candidate,
        disks: disks(assembly).await,
        lease: assembly.ports.lease.look().await.unwrap_or(None),
        files,
    })
}

/// Who keeps which tenants closed.
async fn owners(assembly: &Assembly) -> Result<BTreeMap<TenantName, MaintenanceOwner>> {
    let (journal, stack) = (assembly.journal.clone(), assembly.name.clone());
    tokio::task::spawn_blocking(move || journal.owners(&stack))
        .await
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?
}

/// What cannot be used of what lies on the bench now, and the sites that came and went since the tenants were read: a
/// run that began before a site was made must not take it for one of its own.
fn moved_sites(assembly: &Assembly, found: Sites) -> BTreeMap<String, String> {
    if assembly.stack.app != AppKind::Frappe {
        return BTreeMap::new();
    }
    let mut unusable = found.unusable;
    let known = |name: &TenantName| assembly.tenants.iter().any(|tenant| tenant.name == *name);
    for name in found.sites.keys().filter(|name| !known(name)) {
        unusable.insert(name.to_string(), "it was made since".to_owned());
    }
    for tenant in assembly.tenants.iter().filter(|tenant| !found.sites.contains_key(&tenant.name)) {
        unusable.entry(tenant.name.to_string()).or_insert_with(|| "it is gone".to_owned());
    }
    unusable
}

async fn observe_tenant(
    assembly: &Assembly,
    tenant: &Tenant,
    runtime: &RuntimeObservation,
    candidate: Option<&CandidateObservation>,
) -> TenantObservation {
    let mut found = TenantObservation {
        tenant: tenant.clone(),
        database_version: None,
        database_bytes: None,
        keeps_log: false,
        files_bytes: None,
        migrations: None,
        pending: None,
        site: None,
        trouble: None,
    };
    match assembly.ports.database.facts(tenant, NOTHING_IS_LONG).await {
        Ok(facts) => {
            found.database_version = Some(facts.version);
            found.database_bytes = Some(facts.bytes);
            found.keeps_log = facts.keeps_log;
        }
        Err(fault) => found.trouble = Some(assembly.ports.secrets.redact(&fault.to_string())),
    }
    if let Some(candidate) = candidate {
        found.migrations = applied(assembly, tenant, runtime).await;
        found.pending = pending(assembly, tenant, candidate).await;
    }
    found
}

fn runs(runtime: &RuntimeObservation, name: &ServiceName) -> bool {
    runtime.services.iter().any(|service| service.name == *name && service.state == ServiceState::Running)
}

/// The migrations that are applied, asked of the running application.
async fn applied(assembly: &Assembly, tenant: &Tenant, runtime: &RuntimeObservation) -> Option<Vec<String>> {
    if assembly.stack.app != eclusa_model::AppKind::Django {
        return None;
    }
    let service = assembly.app.command_service(&assembly.stack).filter(|service| runs(runtime, service))?;
    let release = runtime.release.clone()?;
    let exec = assembly.app.pending(&assembly.stack, &tenant.name, &release, &Place::Service { service })?;
    let output = run(assembly, exec).await?;
    Some(eclusa_apps::parse_show_migrations(&output))
}

/// What a candidate that is here already says would be pending.
async fn pending(
    assembly: &Assembly,
    tenant: &Tenant,
    candidate: &CandidateObservation,
) -> Option<Vec<String>> {
    if !candidate.image_present {
        return None;
    }
    let service = assembly.app.command_service(&assembly.stack)?;
    let place = Place::Candidate { service, release: candidate.release.clone() };
    let exec = assembly.app.pending(&assembly.stack, &tenant.name, &candidate.release, &place)?;
    let output = run(assembly, exec).await?;
    let mut pending: Vec<String> =
        output.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    pending.sort();
    Some(pending)
}

pub(crate) async fn run(assembly: &Assembly, exec: Exec) -> Option<String> {
    let spec = spec_of(exec, MIGRATIONS_WITHIN);
    let result = assembly.ports.runtime.exec(spec, &NoOutput).await.ok()?;
    let lines = result.stdout.lines().map(|line| clean_line(line.as_bytes()));
    (result.code == 0 && !result.truncated).then(|| lines.collect::<Vec<_>>().join("\n"))
}

async fn edge(assembly: &Assembly, runtime: &RuntimeObservation) -> Option<EdgeObservation> {
    runtime.services.iter().find(|service| service.role == ServiceRole::Edge)?;
    let mut found = EdgeObservation { answers: false, gates: BTreeMap::new(), closed_by: BTreeMap::new() };
    if let Ok(Some(edge)) = assembly.edge().await
        && let Ok(gates) = edge.status().await
    {
        found.answers = true;
        for gate in gates {
            let word = match gate.state {
                GateState::Open => "open",
                GateState::Held => "held",
                GateState::Closed => "closed",
            };
            found.gates.insert(gate.tenant.clone(), word.to_owned());
            if let Some(run) = gate.run {
                found.closed_by.insert(gate.tenant, run);
            }
        }
    }
    Some(found)
}

async fn disks(assembly: &Assembly) -> Vec<DiskObservation> {
    let mut disks = Vec::new();
    let vault = assembly.stack.vault_directory(&assembly.state);
    let places = [
        ("data", data_path(assembly).await),
        ("vault", Some(vault)),
        ("state", Some(assembly.state.clone())),
    ];
    for (purpose, path) in places {
        let Some(path) = path else { continue };
        if let Ok(room) = assembly.ports.host.disk(&path).await {
            disks.push(DiskObservation {
                purpose: purpose.to_owned(),
                path: path.display().to_string(),
                total_bytes: room.total_bytes,
                free_bytes: room.free_bytes,
            });
        }
    }
    disks
}

/// Where the data lies: the first tenant's SQLite file or files, else where the engine keeps its volumes.
async fn data_path(assembly: &Assembly) -> Option<PathBuf> {
    let tenant = assembly.tenants.first()?;
    if let DatabasePlace::Sqlite { path } = &tenant.database {
        return Some(PathBuf::from(path));
    }
    if let Some(place) = tenant.files.first()
        && let Ok(path) = assembly.ports.runtime.files_directory(place).await
    {
        return Some(path);
    }
    let docker = Path::new("/var/lib/docker");
    docker.exists().then(|| docker.to_owned())
}
