//! What the operator wants.

use std::collections::BTreeMap;

use eclusa_model::{PointId, TenantName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Adapt, MirrorWay, Part, Reversibility, StatementFile};

/// What the operator wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "kebab-case")]
pub enum Intent {
    /// Another release.
    Release {
        /// What the operator called it.
        to: String,
    },
    /// Back to an earlier release, with or without its data.
    Rollback {
        /// The release to go back to.
        to: String,
        /// How.
        how: Reversibility,
    },
    /// Restore points now.
    Backup {
        /// Of whom.
        tenants: Vec<TenantName>,
    },
    /// A tenant's data from a restore point.
    Restore {
        /// Whose.
        tenant: TenantName,
        /// The point.
        point: String,
        /// Only restored somewhere harmless, proved and discarded.
        check_only: bool,
        /// What is done with it so that it fits the stack.
        #[serde(default, skip_serializing_if = "Adapt::is_nothing")]
        adapt: Adapt,
        /// Which part of it.
        #[serde(default, skip_serializing_if = "Part::is_everything")]
        part: Part,
        /// Up to which moment the server's log is replayed on it; none: it is as it was taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// From which base backup of the server the log is replayed; none: from the point.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<String>,
    },
    /// Tables of a restore point in a database of their own, to be looked at.
    Aside {
        /// Whose.
        tenant: TenantName,
        /// The point.
        point: String,
        /// The tables.
        tables: Vec<String>,
    },
    /// Such a database dropped.
    DropAside {
        /// Whose it was.
        tenant: TenantName,
        /// A tenant whose database is on the same server.
        beside: TenantName,
        /// The database.
        database: String,
    },
    /// A tenant's data from a restore point, as another tenant.
    Clone {
        /// Whose.
        tenant: TenantName,
        /// The point.
        point: String,
        /// The release that wrote the point.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release: Option<String>,
        /// What the copy is called.
        to: TenantName,
        /// Statements that are run on the copy before anybody sees it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        masking: Option<StatementFile>,
    },
    /// A person erased from a tenant's data, now and in whatever is restored later.
    ErasePerson {
        /// Whose data.
        tenant: TenantName,
        /// The statements.
        statements: StatementFile,
        /// Why, in words that name nobody.
        reason: String,
    },
    /// Restore points restored somewhere harmless and proved.
    Drill {
        /// Which of whom.
        points: BTreeMap<TenantName, PointId>,
        /// The mirror they are read from; none: the vault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// Whether the application is started on each copy, and answers.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        application: bool,
        /// The directory that files are restored to; none: beside the live ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<String>,
    },
    /// A release tried on restored copies, while everybody is served.
    Rehearse {
        /// What the operator called it.
        to: String,
        /// The restore points that it is tried on.
        points: BTreeMap<TenantName, PointId>,
    },
    /// Restore points copied to another place, or back from it.
    Mirror {
        /// The places.
        mirrors: Vec<String>,
        /// Whose.
        tenants: Vec<TenantName>,
        /// Which way, and how much is read.
        way: MirrorWay,
        /// By mirror and tenant, which points alone: of mirrors that do not keep all of them.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        only: BTreeMap<String, BTreeMap<TenantName, Vec<PointId>>>,
    },
    /// Restore points that nothing needs thrown away.
    Prune {
        /// Which of whom.
        points: BTreeMap<TenantName, Vec<PointId>>,
        /// The mirror at which; none: in the vault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<String>,
    },
    /// The data of tenants brought to the release that runs, without another release.
    Migrate {
        /// Whose.
        tenants: Vec<TenantName>,
    },
    /// An app of the image that runs, installed for tenants that lack it.
    AppsInstall {
        /// The app.
        app: String,
        /// For whom.
        tenants: Vec<TenantName>,
    },
    /// Tenants closed and kept so by whoever asks for it, or opened again.
    Maintenance {
        /// Closed, or opened.
        on: bool,
        /// Whose.
        tenants: Vec<TenantName>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Until when it is meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The services started.
    Start,
    /// The services stopped.
    Stop,
    /// The edge put in front.
    EdgeInstall,
    /// The edge taken away.
    EdgeRemove,
    /// Demo data.
    Seed,
}

impl Intent {
    /// The word of the command line for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Release { .. } => "release",
            Self::Rollback { .. } => "rollback",
            Self::Backup { .. } => "backup",
            Self::Restore { .. } => "restore",
            Self::Aside { .. } | Self::DropAside { .. } => "aside",
            Self::Clone { .. } => "clone",
            Self::ErasePerson { .. } => "erase-person",
            Self::Drill { .. } => "drill",
            Self::Rehearse { .. } => "rehearse",
            Self::Mirror { .. } => "mirror",
            Self::Prune { .. } => "prune",
            Self::Migrate { .. } => "migrate",
            Self::AppsInstall { .. } => "apps-install",
            Self::Maintenance { on: true, .. } => "maintenance-on",
            Self::Maintenance { .. } => "maintenance-off",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::EdgeInstall => "edge-install",
            Self::EdgeRemove => "edge-remove",
            Self::Seed => "seed",
        }
    }

    /// Whether it is nothing but the sum of what is done for each tenant, so that one's failure stops no other's.
    #[must_use]
    pub fn is_tenant_by_tenant(&self) -> bool {
        matches!(self, Self::Backup { .. } | Self::Drill { .. } | Self::Mirror { .. } | Self::Prune { .. })
    }
}
