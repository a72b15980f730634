//! A stack with everything behind its ports, put together from the configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_conductor::Ports;
use eclusa_config::Stack;
use eclusa_database::Databases;
use eclusa_fault::{Code, Fault, Result};
use eclusa_host::{LocalFilesSwap, LocalHost};
use eclusa_journal::SqliteJournal;
use eclusa_model::{AppKind, FingerprintKey, RunId, ServiceRole, StackName, Tenant, TenantName};
use eclusa_planner::App;
use eclusa_ports::{Clock, Edge, JournalStore, LeaseHolder, Observer, SecretResolver};
use eclusa_probes::HttpProbes;
use eclusa_runbook::Intent;
use eclusa_runtime_process::{FileLease, ProcessRuntime};

use crate::customizations::{self, KeptRecords};
use crate::edge_port::EdgeControl;
use crate::observe::StackObserver;
use crate::runtimes::{Wanted, choose};
use crate::secrets::StackSecrets;
use crate::{SystemClock, Workspace, bases, keys, notices, sites};

/// A stack with everything behind its ports.
#[derive(Clone)]
pub struct Assembly {
    /// Its name.
    pub name: StackName,
    /// Its configuration.
    pub stack: Arc<Stack>,
    /// Its tenants.
    pub tenants: Arc<Vec<Tenant>>,
    /// What is run.
    pub app: &'static dyn App,
    /// What stands behind the ports. The edge is there only when it is installed.
    pub ports: Ports,
    /// The key of fingerprints.
    pub key: FingerprintKey,
    /// The state directory.
    pub state: PathBuf,
    /// The configuration file.
    pub configuration: PathBuf,
    /// The journal as it is.
    pub journal: Arc<SqliteJournal>,
    /// The control socket of the edge, installed or not.
    pub edge_socket: PathBuf,
    /// This binary.
    pub binary: PathBuf,
    /// The processes themselves, where Eclusa supervises them.
    pub processes: Option<Arc<ProcessRuntime>>,
}

impl Assembly {
    /// The tenant of a name.
    ///
    /// # Errors
    /// `TenantUnknown`.
    pub fn tenant(&self, name: &TenantName) -> Result<&Tenant> {
        self.tenants.iter().find(|known| known.name == *name).ok_or_else(|| {
            let known: Vec<&str> = self.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
            Fault::new(Code::TenantUnknown).with("tenant", name).with("known", known.join(", "))
        })
    }

    /// Puts a stack together.
    ///
    /// # Errors
    /// When the configuration names no such stack, a secret is missing, or the runtime does not answer.
    pub async fn of(workspace: &Workspace, stack: Option<&str>) -> Result<Self> {
        Self::with_journal(workspace, stack, workspace.journal()?).await
    }

    /// The same, with a journal that is open already (perhaps only for reading).
    ///
    /// # Errors
    /// As [`Assembly::of`].
    pub async fn with_journal(
        workspace: &Workspace,
        stack: Option<&str>,
        journal: Arc<SqliteJournal>,
    ) -> Result<Self> {
        let (name, stack) = workspace.configuration.stack(stack)?;
        let (name, mut stack) = (name.clone(), Arc::new(stack.clone()));
        let secrets: Arc<dyn SecretResolver> = Arc::new(StackSecrets::new(&stack, &workspace.state)?);
        let environment = stack.environment_files()?;
        let host: Arc<dyn eclusa_ports::Host> = Arc::new(LocalHost::new());
        let docker = eclusa_runtime_docker::DockerDoors::new(host.clone());
        let binary = own_binary()?;
        let holder = this_process()?;
        let state = workspace.state.clone();
        let machine = holder.machine.clone();
        let wanted = |tenants| Wanted {
            name: &name,
            stack: &stack,
            tenants,
            state: &state,
            binary: &binary,
            docker: &docker,
            secrets: secrets.as_ref(),
            machine: machine.clone(),
        };
        let listed = stack.tenants(&environment)?;
        let chosen = choose(&wanted(&listed)).await?;
        let (chosen, tenants) = if stack.app == AppKind::Frappe {
            // The runtime knows where the sites lie, and what stands in front of it must know their names.
            let found = sites::look(&stack, chosen.runtime.as_ref(), host.as_ref()).await?;
            let tenants = stack.tenants_of_sites(&found.found(), &environment)?;
            let chosen = choose(&wanted(&tenants)).await?;
            if let Some(bench) = &mut Arc::make_mut(&mut stack).frappe {
                bench.gates.found_queues = found.queues;
            }
            (chosen, tenants)
        } else {
            (chosen, listed)
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store: Arc<dyn JournalStore> = journal.clone();
        let vault = keys::vault_of(&name, &stack, &state, secrets.clone());
        let databases = Databases::new(
            chosen.runtime.clone(),
            secrets.clone(),
            state.join("scratch").join(name.as_str()),
        );
        let database: Arc<dyn eclusa_ports::Database> =
            Arc::new(databases.base_backups(bases::places(&stack)));
        let key = workspace.fingerprint_key()?;
        let records = KeptRecords {
            reader: customizations::Reader {
                stack: name.clone(),
                database: database.clone(),
                runtime: chosen.runtime.clone(),
                clock: clock.clone(),
                key: key.clone(),
            },
            store: customizations::Store::new(&state, &name, host.clone()),
        };
        let ports = Ports {
            host,
            database,
            records: Arc::new(records),
            files: Arc::new(LocalFilesSwap),
            vault: Arc::new(vault),
            edge: None,
            lease: chosen.lease,
            journal: store,
            http: Arc::new(HttpProbes::new(clock.clone())),
            notifiers: notices::of(&stack, secrets.as_ref(), &clock)?,
            clock,
            secrets,
            observer: Arc::new(NotYet),
            directory: stack.origin.directory.clone(),
            outputs: workspace.outputs(),
            holder,
            runtime: chosen.runtime,
        };
        Ok(Self {
            app: eclusa_apps::app(stack.app),
            tenants: Arc::new(tenants),
            name,
            stack,
            ports,
            key,
            state,
            configuration: workspace.configuration.path.clone(),
            journal,
            edge_socket: chosen.edge_socket,
            binary,
            processes: chosen.processes,
        })
    }

    /// The assembly for carrying out a run: with the edge, where one is installed, and an observer that looks at the
    /// stack as it was looked at for the plan.
    ///
    /// # Errors
    /// When the runtime does not answer.
    pub async fn for_intent(mut self, intent: &Intent) -> Result<Self> {
        self.ports.edge = self.edge().await?;
        let observer: Arc<dyn Observer> =
            Arc::new(StackObserver { assembly: self.clone(), intent: intent.clone() });
        self.ports.observer = observer;
        Ok(self)
    }

    /// The edge, if one is installed.
    ///
    /// # Errors
    /// When the runtime does not answer.
    pub async fn edge(&self) -> Result<Option<Arc<dyn Edge>>> {
        let observation = self.ports.runtime.observe().await?;
        let installed = observation.services.iter().any(|service| service.role == ServiceRole::Edge);
        Ok(installed.then(|| -> Arc<dyn Edge> { Arc::new(EdgeControl::new(self.edge_socket.clone())) }))
    }
}

/// This program's own file, also when it was replaced while it runs.
fn own_binary() -> Result<PathBuf> {
    let path = std::env::current_exe().map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), |text| Path::new(text).to_owned()))
}

fn this_process() -> Result<LeaseHolder> {
    let run = RunId::new("r-0").map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    FileLease::this_process(run)
}

/// Stands in until it is known what is wanted of the stack.
struct NotYet;

#[async_trait::async_trait]
impl Observer for NotYet {
    async fn fingerprint(&self) -> Result<eclusa_model::Fingerprint> {
        Err(Fault::new(Code::Internal).with("what", "a run without an intent"))
    }
}
