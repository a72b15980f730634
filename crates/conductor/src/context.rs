//! What an effect or a gate may know and use while it is carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PersonName, RunId, StepName, Tenant, TenantName};
use eclusa_ports::{
    ApplyContext, Clock, Database, Edge, FilesSwap, Host, HttpClient, JournalStore, Lease, LeaseHolder,
    Meter, Notifier, Observer, Pace, Records, Runtime, SecretResolver, Vault,
};
use eclusa_runbook::{EnvironmentValue, Exec, Outputs, Plan, PointReference, Run};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::{Mutex, OnceCell};

/// Everything behind which the world stands, for one stack.
#[derive(Clone)]
pub struct Ports {
    /// Commands and files of the host.
    pub host: Arc<dyn Host>,
    /// The services.
    pub runtime: Arc<dyn Runtime>,
    /// The tenants' databases.
    pub database: Arc<dyn Database>,
    /// The tenants' files.
    pub files: Arc<dyn FilesSwap>,
    /// The restore points.
    pub vault: Arc<dyn Vault>,
    /// The gate in front, if one is installed.
    pub edge: Option<Arc<dyn Edge>>,
    /// The lease of the stack.
    pub lease: Arc<dyn Lease>,
    /// The journal.
    pub journal: Arc<dyn JournalStore>,
    /// Probes.
    pub http: Arc<dyn HttpClient>,
    /// Records of what people have made of tenants themselves.
    pub records: Arc<dyn Records>,
    /// Who is told.
    pub notifiers: Vec<Arc<dyn Notifier>>,
    /// Time and randomness.
    pub clock: Arc<dyn Clock>,
    /// Secrets.
    pub secrets: Arc<dyn SecretResolver>,
    /// The stack as it is now.
    pub observer: Arc<dyn Observer>,
    /// The directory of `eclusa.toml`, in which commands of the host run.
    pub directory: PathBuf,
    /// Where the whole output of each step is kept, one directory a run.
    pub outputs: PathBuf,
    /// This process, as a holder of leases.
    pub holder: LeaseHolder,
}

/// What commands of a candidate have listed in this run, whole. Each takes a container of its own to ask, and what an image
/// holds does not change between two tenants.
#[derive(Default)]
pub(crate) struct Listed(Mutex<BTreeMap<Exec, Arc<OnceCell<String>>>>);

impl Listed {
    /// What a command listed, asked where nobody has asked yet.
    ///
    /// # Errors
    /// Those of asking; the next one asks again.
    pub(crate) async fn once(
        &self,
        exec: &Exec,
        ask: impl Future<Output = Result<String>>,
    ) -> Result<String> {
        let cell = self.0.lock().await.entry(exec.clone()).or_default().clone();
        cell.get_or_try_init(|| ask).await.cloned()
    }
}

/// A step's view of its run, taken when it begins.
#[derive(Clone)]
pub(crate) struct Context {
    pub ports: Ports,
    pub plan: Arc<Plan>,
    pub run: RunId,
    pub step: StepName,
    pub timeout: Duration,
    pub outputs: Arc<BTreeMap<StepName, Outputs>>,
    pub timings: Arc<BTreeMap<StepName, Timestamp>>,
    pub began_at: Timestamp,
    pub by: PersonName,
    /// The tenants that went back alone.
    pub back: Arc<BTreeSet<TenantName>>,
    /// What was listed in this run.
    pub listed: Arc<Listed>,
    /// So many bytes a second may be read by all steps together.
    pub pace: Option<Arc<Pace>>,
    /// Past which goes what this step reads.
    pub meter: Arc<Meter>,
}

impl Context {
    pub(crate) fn new(
        ports: &Ports,
        run: &Run,
        step: &StepName,
        listed: &Arc<Listed>,
        pace: Option<Arc<Pace>>,
    ) -> Self {
        let timeout = run.plan.step(step).map_or(60, |step| step.limits.timeout);
        Self {
            ports: ports.clone(),
            plan: run.plan.clone(),
            run: run.id.clone(),
            step: step.clone(),
            timeout: Duration::from_secs(timeout),
            outputs: Arc::new(run.outputs.clone()),
            timings: Arc::new(
                run.timings.iter().filter_map(|(name, timing)| Some((name.clone(), timing.ended?))).collect(),
            ),
            began_at: run.began_at,
            by: run.by.clone(),
            back: Arc::new(run.tenants_back.keys().cloned().collect()),
            listed: listed.clone(),
            pace,
            meter: Arc::default(),
        }
    }

    /// The text that marks what this step starts, so that it can be found after a crash.
    pub(crate) fn mark(&self) -> String {
        format!("{}/{}", self.run, self.step)
    }

    pub(crate) fn tenant(&self, name: &TenantName) -> Result<&Tenant> {
        self.plan.tenant(name).ok_or_else(|| {
            Fault::new(Code::Internal)
                .with("what", format!("the plan has no tenant {name} that {} needs", self.step))
        })
    }

    /// The images that were prepared in this run.
    pub(crate) fn images(&self) -> Outputs {
        self.outputs
            .values()
            .flatten()
            .filter(|(name, _)| name.starts_with("image.") || name.starts_with("reference."))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    pub(crate) fn apply_context(&self) -> ApplyContext {
        ApplyContext {
            run: self.run.clone(),
            step: self.step.clone(),
            images: self.images(),
            timeout: self.timeout,
        }
    }

    /// The id of the restore point that is meant.
    pub(crate) fn point(&self, reference: &PointReference) -> Result<String> {
        match reference {
            PointReference::Id(id) => Ok(id.clone()),
            PointReference::TakenBy(step) => {
                self.outputs.get(step).and_then(|outputs| outputs.get("point")).cloned().ok_or_else(|| {
                    Fault::new(Code::Internal)
                        .with("what", format!("{step} has taken no point that {} needs", self.step))
                })
            }
        }
    }

    pub(crate) fn environment(
        &self,
        values: &BTreeMap<String, EnvironmentValue>,
    ) -> Result<BTreeMap<String, SecretString>> {
        values
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    EnvironmentValue::Plain(text) => SecretString::from(text.clone()),
                    EnvironmentValue::Secret(reference) => self.ports.secrets.resolve(reference)?,
                };
                Ok((name.clone(), value))
            })
            .collect()
    }
}
