//! The file as a whole, and a stack.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eclusa_model::{AppKind, Environment, PersonName, RuntimeKind, ServiceName, StackName, TenantName};
use serde::Deserialize;

use super::{
    BackupTable, BaseBackups, Check, ChecklistItem, Commands, Compose, Database, Decide, Duties, EdgeTable,
    FileSet, FrappeTable, Hook, Keep, Limits, Logs, Mirror, Person, Preflight, Probe, Process, ReleaseTable,
    Roles, Schedule, Secure, Supervisor, TenantTable, VaultTable, Watch, Webhook, Window,
};

/// `eclusa.toml` as it stands.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationFile {
    /// The format: 1.
    pub version: u32,
    /// Where Eclusa keeps its journal, keys and vault; relative to the file.
    pub state: Option<PathBuf>,
    /// The language of messages, such as `pt-BR`; absent: that of the terminal.
    pub language: Option<String>,
    /// The stacks by name.
    pub stacks: BTreeMap<StackName, Stack>,
}

/// Where a stack's configuration was read; not a key of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The stack's name.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// The file's directory, to which relative paths are relative.
    pub directory: PathBuf,
}

/// One stack.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// Where it was read.
    #[serde(skip)]
    pub origin: Origin,
    /// What is run.
    pub app: AppKind,
    /// What runs it.
    pub runtime: RuntimeKind,
    /// Whether clients' books are in it.
    #[serde(default)]
    pub environment: Environment,
    /// The Compose project; there exactly when `runtime = "compose"`.
    pub compose: Option<Compose>,
    /// The processes; there exactly when `runtime = "process"`.
    pub process: Option<Process>,
    /// The programs of supervisor; there exactly when `runtime = "supervisor"`.
    pub supervisor: Option<Supervisor>,
    /// The bench of a Frappe stack.
    pub frappe: Option<FrappeTable>,
    /// What each service does.
    pub services: Roles,
    /// Where releases come from.
    pub release: ReleaseTable,
    /// The database of a stack with one tenant.
    pub database: Option<Database>,
    /// Where base backups of servers of PostgreSQL lie, by the service.
    #[serde(default)]
    pub base_backups: BTreeMap<ServiceName, BaseBackups>,
    /// The files of a stack with one tenant.
    #[serde(default)]
    pub files: Vec<FileSet>,
    /// Files that go into every tenant's restore points; relative to `eclusa.toml`.
    #[serde(default)]
    pub configuration: Vec<PathBuf>,
    /// The host names of a stack with one tenant.
    #[serde(default)]
    pub domains: Vec<String>,
    /// The tenants by name; empty: one tenant, named like the stack.
    #[serde(default)]
    pub tenants: BTreeMap<TenantName, TenantTable>,
    /// The application's commands.
    #[serde(default)]
    pub commands: Commands,
    /// The gate in front of the stack.
    #[serde(default)]
    pub edge: EdgeTable,
    /// Requests that must be answered as they should be.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// Commands that must succeed.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Which log lines count as errors.
    #[serde(default)]
    pub logs: Logs,
    /// How the stack is watched after the gate has opened.
    #[serde(default)]
    pub watch: Watch,
    /// What must hold before anything is changed.
    #[serde(default)]
    pub preflight: Preflight,
    /// How restore points are proved.
    #[serde(default)]
    pub secure: Secure,
    /// How long things may take.
    #[serde(default)]
    pub limits: Limits,
    /// Where restore points are kept.
    #[serde(default)]
    pub vault: VaultTable,
    /// How much of the machine a backup may take.
    #[serde(default)]
    pub backup: BackupTable,
    /// Which restore points are kept; absent: all.
    pub keep: Option<Keep>,
    /// Where copies of the restore points lie.
    #[serde(default)]
    pub mirrors: Vec<Mirror>,
    /// What is done at which times.
    pub schedule: Option<Schedule>,
    /// Commands at named points of a run.
    #[serde(default)]
    pub hooks: Vec<Hook>,
    /// Who is told over HTTP.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
    /// People by name.
    #[serde(default)]
    pub people: BTreeMap<PersonName, Person>,
    /// Who does what.
    #[serde(default)]
    pub duties: Duties,
    /// What only a person can confirm.
    #[serde(default)]
    pub checklist: Vec<ChecklistItem>,
    /// The decision before the gate opens.
    #[serde(default)]
    pub decide: Decide,
    /// When releases may start; absent: always.
    pub window: Option<Window>,
}
