//! What runs the services: the Compose project or the processes, the roles, the edge, limits and the vault.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eclusa_model::ServiceName;
use serde::Deserialize;

use super::{CommandLine, Period, SecretReference, Value};

/// `[stacks.NAME.compose]`: a Docker Compose project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compose {
    /// The user's Compose files in the order of `-f`; relative to `eclusa.toml`.
    pub files: Vec<PathBuf>,
    /// The project name (`-p`); absent: Compose's own choice.
    pub project: Option<String>,
    /// The files of `--env-file`, in order; relative to `eclusa.toml`.
    #[serde(default)]
    pub env_files: Vec<PathBuf>,
    /// The override that Eclusa generates beside them.
    #[serde(default = "default_override", rename = "override")]
    pub override_file: PathBuf,
}

fn default_override() -> PathBuf {
    PathBuf::from("docker-compose.eclusa.yml")
}

/// `[stacks.NAME.process]`: services that Eclusa supervises itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The directory that holds one directory per release; relative to `eclusa.toml`.
    #[serde(default = "default_releases")]
    pub releases: PathBuf,
    /// Env files that every service gets, in order; relative to `eclusa.toml`.
    #[serde(default)]
    pub env_files: Vec<PathBuf>,
    /// The services by name.
    pub services: BTreeMap<ServiceName, ProcessService>,
}

fn default_releases() -> PathBuf {
    PathBuf::from("releases")
}

/// `[stacks.NAME.process.services.SERVICE]`: one supervised process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessService {
    /// The program and its arguments.
    pub command: CommandLine,
    /// The port it listens on, on 127.0.0.1; absent: it serves no one.
    pub port: Option<u16>,
    /// The port the public reaches: the edge's while it is installed.
    pub public_port: Option<u16>,
    /// The path whose answer 2xx says that it is healthy; absent: it is healthy while it runs.
    pub health: Option<String>,
    /// Its environment variables; references are resolved when it starts.
    #[serde(default)]
    pub environment: BTreeMap<String, Value>,
    /// How long it may take to end after SIGTERM.
    #[serde(default = "default_stop")]
    pub stop: Period,
}

fn default_stop() -> Period {
    Period::seconds(10)
}

/// `[stacks.NAME.services]`: what each service does. Those not named are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// What the public reaches. It may be one of `web`.
    pub frontend: Option<ServiceName>,
    /// They run the application's code for requests.
    pub web: Vec<ServiceName>,
    /// They run its jobs.
    pub workers: Vec<ServiceName>,
    /// They start jobs by the clock.
    pub schedulers: Vec<ServiceName>,
    /// It holds the data.
    pub database: Option<ServiceName>,
    /// They hold what can be lost or queued.
    pub caches: Vec<ServiceName>,
    /// Services that run once and end, such as one that migrates at each `up`. They are never started, nor missed.
    pub once: Vec<ServiceName>,
    /// The service in whose image migrations run; absent: the first of `web`.
    pub migrate_in: Option<ServiceName>,
}

/// `[stacks.NAME.edge]`: the gate in front of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EdgeTable {
    /// Whether the stack has one.
    pub enabled: bool,
    /// The port the public reaches; absent: the one that the frontend publishes.
    pub public_port: Option<u16>,
    /// The port on 127.0.0.1 by which probes reach a closed stack.
    pub side_door: u16,
    /// The sentence on the maintenance page.
    pub message: String,
    /// What `Retry-After` says.
    pub retry_after: Period,
    /// How long requests in flight may take to end when the gate closes.
    pub drain: Period,
    /// What may wait for the gate to open.
    pub hold: HoldTable,
}

impl Default for EdgeTable {
    fn default() -> Self {
        Self {
            enabled: true,
            public_port: None,
            side_door: 18_080,
            message: String::from("We are updating the system. Please try again in a few minutes."),
            retry_after: Period::minutes(2),
            drain: Period::seconds(30),
            hold: HoldTable::default(),
        }
    }
}

/// `hold` of `[stacks.NAME.edge]`: requests that wait for the gate instead of being refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoldTable {
    /// How many requests of a tenant may wait at once.
    pub requests: u32,
    /// How long each may wait.
    #[serde(rename = "for")]
    pub length: Period,
}

impl Default for HoldTable {
    fn default() -> Self {
        Self { requests: 256, length: Period::seconds(30) }
    }
}

/// `[stacks.NAME.limits]`: how long things may take, and how much happens at once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// One tenant's migration.
    pub migrate: Period,
    /// The application's tests.
    pub tests: Period,
    /// Building or pulling the images.
    pub build: Period,
    /// Until services are healthy.
    pub healthy: Period,
    /// Until workers have finished their jobs.
    pub drain: Period,
    /// How many tenants are worked on at once.
    pub parallel: u32,
    /// How long a migration waits for a connection of the tenant's own that asks for nothing, before that is ended.
    pub unblock_after: Period,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            migrate: Period::minutes(30),
            tests: Period::minutes(15),
            build: Period::minutes(30),
            healthy: Period::minutes(2),
            drain: Period::seconds(60),
            parallel: 2,
            unblock_after: Period::seconds(5),
        }
    }
}

/// `[stacks.NAME.vault]`: where restore points are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultTable {
    /// The directory of the repositories, one per tenant; absent: `vault/STACK` in the state directory.
    pub directory: Option<PathBuf>,
    /// The directory of their keys; absent: `keys/STACK` in the state directory.
    pub keys: Option<PathBuf>,
    /// A reference to the key that wraps them, an age identity; absent: they lie as they are.
    pub stack_key: Option<SecretReference>,
    /// How old a tenant's newest restore point may become before `status` says so; absent: as old as it likes.
    pub stale_after: Option<Period>,
    /// How long ago a point of a tenant may last have been restored and proved; absent: as long as it likes.
    pub proof_stale_after: Option<Period>,
}
