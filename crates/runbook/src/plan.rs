//! Plans: immutable acyclic graphs of steps for one intent, bound to an observation's fingerprint.

use std::collections::BTreeMap;

use eclusa_fault::Message;
use eclusa_model::{
    AppKind, Fingerprint, PersonName, PlanDigest, Release, RuntimeKind, ServiceName, StackName, StepName,
    Tenant, TenantName,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Effect, Gate, Intent, Load, PointReference};

/// Which way restore points are copied, and how much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MirrorWay {
    /// To the mirror: what it lacks. That is read back.
    There,
    /// The same, and everything that is there is read; what is damaged is copied anew.
    ThereReadingAll,
    /// Out of the mirror: what the vault lacks, and what is damaged in it.
    Back,
}

/// How a tenant's data goes back, computed when the plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reversibility {
    /// No schema change is pending: the old code runs on the data as it is.
    CodeOnly,
    /// Schema or data change: the restore point is swapped in. Before the gate opens this loses nothing.
    Restore,
    /// The gate has been open: what was written since is put into a restore point first.
    SalvageFirst,
}

/// The part of the runbook that a step belongs to, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing is changed yet.
    Preflight,
    /// The gate closes.
    Close,
    /// Restore points.
    Secure,
    /// The new release.
    Change,
    /// The tenants' data.
    Migrate,
    /// The proof.
    Validate,
    /// The decision.
    Decide,
    /// The gate opens.
    Open,
    /// The same samples against the baseline.
    Watch,
    /// What was kept is let go.
    Accept,
}

impl Phase {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Close => "close",
            Self::Secure => "secure",
            Self::Change => "change",
            Self::Migrate => "migrate",
            Self::Validate => "validate",
            Self::Decide => "decide",
            Self::Open => "open",
            Self::Watch => "watch",
            Self::Accept => "accept",
        }
    }
}

/// What a step touches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The host.
    Host,
    /// The whole stack.
    Stack,
    /// One tenant.
    Tenant(TenantName),
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What is asked.
    pub text: Message,
    /// Who may answer; empty: anyone who can run the command.
    pub allowed: Vec<PersonName>,
    /// After how many seconds without an answer the run goes back; none: it waits.
    pub deadline: Option<u64>,
    /// The name of the checklist item it stands for, if any, so that it is asked once.
    pub checklist: Option<String>,
}

/// What a step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It changes something.
    Perform(Effect),
    /// It judges evidence.
    Judge(Gate),
    /// It asks a person.
    Ask(Question),
}

/// How a step is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// By another effect.
    By(Effect),
    /// The tenant's data from the point that was taken.
    Restore {
        /// Whose.
        tenant: TenantName,
        /// From which point.
        point: PointReference,
        /// What the copies are named by.
        suffix: String,
    },
    /// There is nothing to take back.
    Nothing {
        /// Why.
        why: Message,
    },
    /// It cannot be taken back; before it, a person must have agreed.
    NoReturn {
        /// Why.
        why: Message,
    },
}

/// What is done about a step whose intent is in the journal and whose outcome is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// Doing it again has the same result.
    Repeat,
    /// The world can be asked whether it took effect.
    Probe,
    /// Neither: what it did is unknown, so the run goes back (its undo is safe after any part of it).
    GoBack,
}

/// The limits of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// After how many seconds it is ended.
    pub timeout: u64,
    /// How often it is tried again after a failure.
    pub retries: u32,
    /// Whether the run goes on when it fails all the same: for words to people and for letting go what was kept.
    #[serde(default)]
    pub tolerated: bool,
}

/// How a tenant's step stands to the tenant's going back alone, while the others go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// Its failure takes its tenant back alone, by all the tenant's steps that are marked so.
    Own,
    /// It is left out where its tenant went back. Its own failure takes everyone back.
    Follows,
    /// It is done only where its tenant went back, once that has settled. Its own failure takes everyone back.
    Instead,
}

/// A named effect, gate or question with its undo and limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name, the same for the same plan.
    pub name: StepName,
    /// Its part of the runbook.
    pub phase: Phase,
    /// What it touches.
    pub scope: Scope,
    /// What it does, as the operator would say it.
    pub title: Message,
    /// The steps that must be done before.
    pub after: Vec<StepName>,
    /// What it is.
    pub action: Action,
    /// How it is taken back.
    pub undo: Undo,
    /// What is done about it after a crash.
    pub recovery: Recovery,
    /// Its limits.
    pub limits: Limits,
    /// Whether its tenant can go back alone; none: its failure takes everyone back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// How long it took in earlier runs (median), in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
}

/// An immutable acyclic graph of steps for one intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The format: [`crate::PLAN_FORMAT`], or a newer one where the plan says what that one cannot.
    pub format: u32,
    /// The version of Eclusa that made it.
    pub version: String,
    /// The stack.
    pub stack: StackName,
    /// What is run.
    pub app: AppKind,
    /// What runs it.
    pub runtime: RuntimeKind,
    /// What the operator wants.
    pub intent: Intent,
    /// When it was made.
    pub made_at: Timestamp,
    /// The fingerprint of the observation it was made from.
    pub observation: Fingerprint,
    /// The release that runs now.
    pub from: Option<Release>,
    /// The release that will run.
    pub to: Option<Release>,
    /// The tenants it touches, with where their data is.
    pub tenants: Vec<Tenant>,
    /// How each tenant's data would go back.
    pub reversibility: BTreeMap<TenantName, Reversibility>,
    /// Why, per tenant.
    pub reversibility_reasons: BTreeMap<TenantName, Message>,
    /// The step after which going back loses or overwrites something; none: there is no such step.
    pub point_of_no_return: Option<StepName>,
    /// Per tenant, how long it is expected to be closed, in milliseconds; none where history has no answer.
    pub expected_downtime: BTreeMap<TenantName, Option<u64>>,
    /// The services that change.
    pub services: Vec<ServiceName>,
    /// How many steps may run at once.
    pub parallel: usize,
    /// Who may answer the questions of gates; empty: anyone who can run the command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deciders: Vec<PersonName>,
    /// Whom to call when the run is stuck, as a person reads it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emergency: Vec<String>,
    /// Who is told of the run, as a person reads it; webhooks carry it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
    /// After how many seconds without an answer a question sends the run back; none: it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_within: Option<u64>,
    /// How much of the machine it may take; absent: as much as there is.
    #[serde(default, skip_serializing_if = "Load::is_unbounded")]
    pub load: Load,
    /// What the operator should know before agreeing.
    pub remarks: Vec<Message>,
    /// The steps, in an order in which they could be carried out one by one.
    pub steps: Vec<Step>,
}

impl Step {
    /// The tenant whose going back alone it belongs to.
    #[must_use]
    pub fn lane_tenant(&self) -> Option<&TenantName> {
        match (&self.scope, self.lane) {
            (Scope::Tenant(tenant), Some(Lane::Own | Lane::Follows)) => Some(tenant),
            _ => None,
        }
    }

    /// The tenant that has to have gone back alone for it to be done.
    #[must_use]
    pub fn instead_tenant(&self) -> Option<&TenantName> {
        match (&self.scope, self.lane) {
            (Scope::Tenant(tenant), Some(Lane::Instead)) => Some(tenant),
            _ => None,
        }
    }

    /// Whether its failure takes only its tenant back.
    #[must_use]
    pub fn goes_back_alone(&self) -> bool {
        self.lane == Some(Lane::Own) && self.lane_tenant().is_some()
    }
}

impl Plan {
    /// The digest that approvals bind to: SHA-256 of the canonical JSON of everything but when it was made.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which would be a fault in this type.
    pub fn digest(&self) -> Result<PlanDigest, serde_json::Error> {
        let mut timeless = self.clone();
        timeless.made_at = Timestamp::UNIX_EPOCH;
        crate::digest_of(&timeless)
    }

    /// The step of a name.
    #[must_use]
    pub fn step(&self, name: &StepName) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == *name)
    }

    /// The tenant of a name.
    #[must_use]
    pub fn tenant(&self, name: &TenantName) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.name == *name)
    }
}
