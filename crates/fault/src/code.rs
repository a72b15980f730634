//! The numbered kinds of faults. A number is never used again for something else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// The kind of a fault. Its text is `E` and the number in the catalogue; its page is `docs/errors/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The number, such as 101 for `E0101`.
            #[must_use]
            pub fn number(self) -> u16 {
                match self { $(Code::$name => $number,)* }
            }
        }
    };
}

codes! {
    /// A bug in Eclusa: a state that the program says cannot be.
    Internal = 1,
    /// The state directory cannot be used.
    StateDirectory = 2,

    /// A configuration or env file cannot be read.
    ConfigUnreadable = 101,
    /// The configuration is not valid: unknown key, wrong type, impossible value.
    ConfigInvalid = 102,
    /// A stack was named that the configuration lacks, or none was named and there are several.
    ConfigStack = 103,
    /// A secret reference cannot be resolved.
    SecretMissing = 104,
    /// A placeholder was left in the env file.
    PlaceholderLeft = 105,
    /// A file that `adopt` would write is there already.
    ConfigExists = 106,
    /// No supported application was found by `adopt`.
    AdoptUnknown = 107,

    /// Docker is not there or does not answer.
    DockerUnreachable = 201,
    /// The Docker socket may not be opened by this user.
    DockerDenied = 202,
    /// Compose v2 of a sufficient version is not there.
    ComposeMissing = 203,
    /// The Compose file does not parse or does not resolve.
    ComposeInvalid = 204,
    /// A service that the configuration names is not in the stack.
    ServiceMissing = 205,
    /// A service did not become healthy in time.
    ServiceUnhealthy = 206,
    /// An image could not be built.
    BuildFailed = 207,
    /// An image could not be pulled or is not there.
    ImageMissing = 208,
    /// The engine refused or failed an operation.
    RuntimeFailed = 209,
    /// A service could not be started or stopped.
    ServiceControl = 210,

    /// A plan file does not parse, or its digest does not match its content.
    PlanInvalid = 301,
    /// The stack has moved since the plan was made.
    PlanStale = 302,
    /// The plan was made by a newer version of Eclusa.
    PlanTooNew = 303,
    /// The linter found a plan unsafe.
    PlanUnsafe = 304,
    /// There is nothing to do: the stack is already there.
    NothingToDo = 305,
    /// Outside the maintenance window, and no reason was given.
    OutsideWindow = 306,
    /// The release cannot be found: no such tag, ref or image.
    ReleaseUnknown = 307,
    /// The operation is refused in production.
    ProductionRefused = 308,
    /// There is nothing to roll back to.
    NoWayBack = 309,
    /// No such tenant.
    TenantUnknown = 311,
    /// The audit of the stack's files finds something as bad as `preflight.audit` refuses.
    AuditRefused = 312,
    /// A site of the bench cannot be used: no configuration, no database.
    SiteUnusable = 313,
    /// No such app in the release that runs.
    AppUnknown = 316,
    /// The release was not rehearsed, or not lately, or not on every tenant.
    NotRehearsed = 317,
    /// The release asked for is older than what the data has been migrated to.
    ReleaseOlder = 310,

    /// The journal cannot be opened or written.
    JournalUnwritable = 401,
    /// The journal is damaged: a hash does not match, or an event does not follow.
    JournalDamaged = 402,
    /// No such run.
    RunUnknown = 403,
    /// The run is owned by a live runner, or is not in a state that allows the request.
    RunState = 404,
    /// The stack is leased by another run.
    LeaseHeld = 405,
    /// The run was written by a newer version of Eclusa.
    RunTooNew = 406,
    /// The journal's file was written by a newer version of Eclusa.
    JournalTooNew = 407,

    /// The database cannot be reached.
    DatabaseUnreachable = 501,
    /// The database refused its user: the credentials do not fit, or the rights do not suffice.
    DatabaseDenied = 502,
    /// A dump failed or was incomplete.
    DumpFailed = 503,
    /// A restore failed.
    RestoreFailed = 504,
    /// What was restored is not what the restore point says.
    ProofFailed = 505,
    /// A swap of databases failed.
    SwapFailed = 506,
    /// The database engine or its version is not supported.
    DatabaseUnsupported = 507,
    /// Statements that the operator gave failed.
    StatementsFailed = 508,

    /// The vault cannot be opened.
    VaultUnreachable = 601,
    /// No such restore point.
    PointUnknown = 602,
    /// A restore point is damaged or incomplete.
    PointDamaged = 603,
    /// A restore point could not be taken.
    PointFailed = 604,
    /// The vault's key is missing or wrong.
    VaultKey = 605,
    /// A mirror of the vault cannot be used, or copying to it failed.
    MirrorFailed = 606,
    /// No such mirror.
    MirrorUnknown = 607,
    /// No customizations of a tenant are kept from then.
    CustomizationsUnknown = 608,
    /// Files of `bench backup` that cannot be taken as they are.
    BackupFiles = 609,
    /// A restore point does not hold the part that is wanted.
    PartUnknown = 610,
    /// A tenant cannot be copied under another name.
    CloneRefused = 611,
    /// The application cannot be tried on a copy of this stack.
    TrialUnavailable = 612,
    /// The application did not come up on a restored copy.
    TrialFailed = 613,
    /// A moment between restore points cannot be brought back.
    MomentUnreachable = 614,
    /// A restore point has no such table.
    TableUnknown = 615,
    /// Base backups of a server cannot be taken or looked at.
    BaseFailed = 616,
    /// A file with keys that cannot be used.
    EscrowInvalid = 620,
    /// The copies of a tenant must not be destroyed now.
    EraseRefused = 621,
    /// The stack key, which wraps the keys of tenants, cannot be used.
    StackKey = 622,
    /// A tenant's key is wrapped, and nothing here opens it.
    KeyWrapped = 623,

    /// The edge does not answer.
    EdgeUnreachable = 701,
    /// The edge refused or failed an operation.
    EdgeFailed = 702,
    /// An edge is already there, or none is.
    EdgeState = 703,

    /// A command could not be started.
    CommandMissing = 801,
    /// A command failed.
    CommandFailed = 802,
    /// A command ran past its deadline and was ended.
    CommandTimeout = 803,
    /// A command may still be running where it was started.
    CommandStillRunning = 804,

    /// A file cannot be read or written.
    FileAccess = 901,
    /// A path leads out of where it may lead.
    PathEscapes = 902,
    /// The disk is too full.
    DiskFull = 903,
    /// A port is taken.
    PortTaken = 904,

    /// A webhook or notification could not be delivered.
    NotifyFailed = 1001,
    /// The person may not answer this question.
    AnswerDenied = 1002,
    /// No question is open.
    NothingAsked = 1003,
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "E{:04}", self.number())
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.to_string()
    }
}

impl FromStr for Code {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Code::ALL
            .iter()
            .copied()
            .find(|code| code.to_string() == text)
            .ok_or_else(|| format!("no error code {text}"))
    }
}

impl TryFrom<String> for Code {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
