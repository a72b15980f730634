//! What a step does: a closed, serialisable set of generic operations. Applications compose them; the
//! conductor carries them out through the ports.

use std::collections::BTreeMap;

use eclusa_model::{MaintenanceOwner, PointId, Release, RunId, ServiceName, StepName, TenantName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    CloneOperation, ErasureOperation, MirrorWay, RestoreOperation, SettingsOperation, TrialOperation,
};

/// A generic operation on the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing but the durable note that the run came this far; its undo may do something.
    Mark,
    /// A command.
    Exec(Exec),
    /// The services and their release.
    Runtime(RuntimeOperation),
    /// Databases that are no tenant's live data.
    Database(DatabaseOperation),
    /// Restore points.
    Vault(VaultOperation),
    /// A tenant's data, brought back.
    Restore(RestoreOperation),
    /// A copy of a tenant under another name.
    Clone(CloneOperation),
    /// The application on a restored copy.
    Trial(TrialOperation),
    /// The erasure of a person.
    Erasure(ErasureOperation),
    /// Settings in a file of a service.
    Settings(SettingsOperation),
    /// The gate in front of the stack.
    Edge(EdgeOperation),
    /// Who holds the stack.
    Lease(LeaseOperation),
    /// Who keeps a tenant closed.
    Maintenance(MaintenanceOperation),
    /// What people have made of a tenant's application themselves, written down beside the state; compared with what a step
    /// before wrote down. Outputs: `record`, `documents`; where it was compared, `added`, `changed`, `removed`, and
    /// `difference`, a line for each document that is not the same.
    Record {
        /// Whose.
        tenant: TenantName,
        /// The step with whose record it is compared.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        against: Option<StepName>,
    },
    /// Time that must pass.
    Wait {
        /// For how long, in milliseconds.
        milliseconds: u64,
    },
}

/// Where a command runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "kebab-case")]
pub enum Place {
    /// On the host, in the directory of `eclusa.toml`.
    Host,
    /// Inside the running instance of a service.
    Service {
        /// The service.
        service: ServiceName,
    },
    /// In a short-lived instance of a service under a release that need not be the running one.
    Candidate {
        /// The service whose environment, networks and volumes it gets.
        service: ServiceName,
        /// The release it runs under.
        release: Release,
    },
}

/// The value of an environment variable: secrets are references until the moment they are used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvironmentValue {
    /// The value itself.
    Plain(String),
    /// A reference: `env:NAME` or `file:PATH`.
    Secret(String),
}

/// What a command must do to have succeeded. The exit code alone is no proof for some programs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct Expect {
    /// The exit code.
    #[serde(default)]
    pub code: i32,
    /// A text that the last line that is not empty must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_line_contains: Option<String>,
    /// Texts each of which some line of the output must contain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// Texts that no line of the output may contain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<String>,
    /// Texts with `*` for any text, each of which some whole line of the output must be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub like: Vec<String>,
    /// Whether it runs tests of unittest, of which more must have run than were skipped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tests_ran: bool,
    /// With what the lines begin by which the command says what it does next. The last of them is named when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
}

/// A command: an argument vector, never a shell string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exec {
    /// Where it runs.
    pub place: Place,
    /// The program and its arguments. In a candidate, none at all: what the service itself does.
    pub argv: Vec<String>,
    /// Further environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, EnvironmentValue>,
    /// The working directory; the place's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// What it must do.
    #[serde(default)]
    pub expect: Expect,
    /// What it reads on standard input; absent: nothing. No secret: a plan is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// Whose connections must not be in its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblock: Option<Unblock>,
}

/// Connections that a command's statements wait for are looked for while it runs, named, and ended where that harms
/// nobody: the tenant's own, that ask for nothing and keep a transaction open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unblock {
    /// Whose database it is.
    pub tenant: TenantName,
    /// From how many seconds of waiting on.
    pub patience: u64,
    /// Whether they are ended.
    pub end: bool,
}

impl Exec {
    /// The command as a person reads it; where the service itself says what it does, the service's name.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.place {
            Place::Candidate { service, .. } if self.argv.is_empty() => service.to_string(),
            _ => self.argv.join(" "),
        }
    }
}

/// An operation on services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum RuntimeOperation {
    /// Builds or pulls the images of a release. Outputs: `image.SERVICE` = id, `reference.SERVICE` = reference.
    Prepare {
        /// The release; its images are filled in by the outputs.
        release: Release,
    },
    /// Pins a release and (re)creates services under it, or pins it and leaves them stopped.
    Switch {
        /// The release to pin. An empty image list means: what `Prepare` of the same release gave.
        to: Release,
        /// The services that change.
        services: Vec<ServiceName>,
        /// Whether they are started; otherwise they are stopped and removed, so that nothing runs the old code.
        start: bool,
        /// How long they may take to become healthy, in seconds.
        healthy_within: u64,
    },
    /// Starts services under the pinned release and waits until they are healthy.
    Start {
        /// The services.
        services: Vec<ServiceName>,
        /// How long they may take to become healthy, in seconds.
        healthy_within: u64,
    },
    /// Stops services, giving them time to finish their work.
    Stop {
        /// The services.
        services: Vec<ServiceName>,
        /// How long they may take, in seconds, before they are killed.
        drain: u64,
    },
    /// Lets a release's images go, unless another kept release uses them.
    LetGo {
        /// The release.
        release: Release,
    },
    /// Puts the edge in front of the stack.
    EdgeInstall,
    /// Takes the edge away.
    EdgeRemove,
}

/// An operation on databases that are no tenant's live data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum DatabaseOperation {
    /// Makes an empty database beside a tenant's, for tests. Idempotent: one that is there is emptied.
    CreateScratch {
        /// The tenant on whose server it is made.
        tenant: TenantName,
        /// Its name.
        name: String,
    },
    /// Drops a scratch database, and the `test_` database that a test runner made of it. Idempotent.
    DropScratch {
        /// The tenant on whose server it is.
        tenant: TenantName,
        /// Its name.
        name: String,
    },
}

/// Why a restore point was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PointKind {
    /// By hand or by schedule, while the tenant is served.
    Backup,
    /// Inside the closed window of a release.
    Release,
    /// Of what is about to be overwritten.
    Salvage,
    /// From files that another tool wrote.
    Imported,
}

impl PointKind {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Release => "release",
            Self::Salvage => "salvage",
            Self::Imported => "imported",
        }
    }

    /// Whether it holds what the tenant had, so that it counts as a backup of it.
    #[must_use]
    pub fn is_backup(self) -> bool {
        matches!(self, Self::Backup | Self::Release)
    }
}

/// Which restore point is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PointReference {
    /// The one of this id.
    Id(String),
    /// The one that a step of the same run took (its output `point`).
    TakenBy(StepName),
}

/// An operation on the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum VaultOperation {
    /// Takes a restore point and verifies it by reading back every stream.
    /// Outputs: `point`, `bytes`, `rows`, `tables`, `files`, `file-bytes`, `verified`.
    Take {
        /// Of whom.
        tenant: TenantName,
        /// Why.
        kind: PointKind,
        /// The release that wrote the data.
        release: Option<Release>,
        /// Whether it is also restored beside and proved (`secure.proof = "restored"`).
        prove: bool,
    },
    /// Reads a tenant's files into the vault while it is served, and reads them back, so that what is taken in the closed
    /// window of the same run reads only those that changed. No restore point. Outputs: `files`, `bytes`.
    ReadAhead {
        /// Of whom.
        tenant: TenantName,
    },
    /// Restores a point somewhere harmless, proves it, and discards the copy. Outputs: `rows`, `files`, `seconds`.
    Check {
        /// Of whom.
        tenant: TenantName,
        /// Which.
        point: PointReference,
        /// The mirror it is read from; none: the vault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The directory that files are restored to; none: beside the live ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<String>,
    },
    /// Copies a tenant's restore points to a mirror, or back. Outputs: `there` (points), `copied` (files), and where
    /// there are any, `bytes`, `reread` and `mended` (files).
    Copy {
        /// Whose.
        tenant: TenantName,
        /// The mirror.
        mirror: String,
        /// Which way.
        way: MirrorWay,
        /// Which points alone, where the mirror does not keep all of them; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        only: Option<Vec<PointId>>,
    },
    /// Throws points away at a mirror, with what no other point there needs. Outputs: as `forget`.
    ForgetAt {
        /// Of whom.
        tenant: TenantName,
        /// The mirror.
        mirror: String,
        /// Which.
        points: Vec<PointId>,
    },
    /// Throws points away, with what no other point needs. Outputs: `points`, `freed` (bytes).
    Forget {
        /// Of whom.
        tenant: TenantName,
        /// Which.
        points: Vec<PointId>,
    },
}

/// An operation on the gate in front of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum EdgeOperation {
    /// Closes the gate of a tenant and waits until the requests in flight have ended. Outputs: `remaining`.
    Close {
        /// Whose.
        tenant: TenantName,
        /// The sentence on the maintenance page.
        message: String,
        /// What `Retry-After` says, in seconds.
        retry_after: u64,
        /// How long requests in flight may take to end, in seconds.
        drain: u64,
    },
    /// Lets new requests wait for the gate to open, up to the edge's limits.
    Hold {
        /// Whose.
        tenant: TenantName,
    },
    /// Opens the gate. Outputs: `closed-seconds`.
    Open {
        /// Whose.
        tenant: TenantName,
    },
}

/// What is written down of who keeps a tenant closed, beyond the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum MaintenanceOperation {
    /// Whoever began the run keeps the tenant closed from now on, or the one who did before.
    Own {
        /// Whose.
        tenant: TenantName,
        /// Why.
        reason: Option<String>,
        /// Until when it is meant; it does not end by itself.
        until: Option<Timestamp>,
        /// Exactly this, as it was before.
        before: Option<MaintenanceOwner>,
        /// The release that its data could not be brought to, if that is why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unmigrated: Option<String>,
    },
    /// Nobody keeps the tenant closed any more. Idempotent.
    Disown {
        /// Whose.
        tenant: TenantName,
    },
}

/// An operation on the lease of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum LeaseOperation {
    /// Takes it for a run, or confirms that the run has it. Outputs: `generation`.
    Take {
        /// The run. Filled in when the run starts, since a plan has none.
        run: Option<RunId>,
    },
    /// Gives it up. Idempotent.
    Release,
}
