//! Gates: what is asked, the evidence that is collected, and the verdict on it.

use std::collections::BTreeMap;

use eclusa_fault::Message;
use eclusa_model::{ServiceName, StepName, TenantName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AssetSource, Exec, PointReference, Query, RowRule, SignIn, Trial, Visit};

/// Which way a probe reaches the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeRoute {
    /// As the public does.
    Public,
    /// By the side door, past the closed gate.
    SideDoor,
}

/// An HTTP request and what its answer must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HttpProbe {
    /// What it is called.
    pub name: String,
    /// Whom it asks.
    pub tenant: TenantName,
    /// The `Host` that is asked for.
    pub host: String,
    /// `GET`, `HEAD`, `POST`.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The status that is expected.
    pub status: u16,
    /// Response headers that must be there and contain the text (names in lower case).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// JSON pointers into the body and the text that must stand there; an empty text: it must be there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, String>,
    /// A text that the body must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The most time an answer may take, in milliseconds.
    pub maximum_milliseconds: u64,
}

/// Which log lines count as errors.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogRule {
    /// The services whose output is read.
    pub services: Vec<ServiceName>,
    /// A line counts when it contains one of these (exact case).
    pub patterns: Vec<String>,
    /// ... unless it contains one of these.
    pub ignore: Vec<String>,
}

impl LogRule {
    /// Whether a line counts: it contains one of the patterns and none of the texts to ignore (exact case). An empty
    /// pattern is in every line and says nothing, so it is passed over; else one stray empty string would count or hide
    /// everything.
    #[must_use]
    pub fn counts(&self, line: &str) -> bool {
        let has_one = |patterns: &[String]| {
            patterns.iter().any(|pattern| !pattern.is_empty() && line.contains(pattern.as_str()))
        };
        has_one(&self.patterns) && !has_one(&self.ignore)
    }
}

/// The limits of a watch. Their defaults stand in DESIGN section 5.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchRule {
    /// For how long, in seconds.
    pub seconds: u64,
    /// At the start, samples of this many seconds are dropped.
    pub warm_up: u64,
    /// Judged every so many seconds.
    pub interval: u64,
    /// The highest share of failed requests (0.05 is 5 %).
    pub error_rate: f64,
    /// The highest ratio of the median latency to the baseline's (1.5 is 50 % slower).
    pub slowdown: f64,
    /// The highest median latency in milliseconds.
    pub latency_milliseconds: u64,
    /// Fewer samples than this per tenant are no answer.
    pub minimum_samples: usize,
    /// Requests a second that are sent per tenant where there is little traffic.
    pub synthetic_per_second: f64,
    /// The most new error lines in the logs.
    pub log_errors: u64,
}

impl Eq for WatchRule {}

/// Where the baseline of a watch comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BaselineSource {
    /// The gate that sampled it earlier in the same run.
    pub step: StepName,
}

/// A command that prints a JSON document with a list of texts in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listing {
    /// The command.
    pub exec: Exec,
    /// The JSON pointer to the list; empty: the document is the list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// The member of each entry that is the text; absent: the entry itself is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// A page that names other things.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PageProbe {
    /// Whom it asks.
    pub tenant: TenantName,
    /// The `Host` that is asked for.
    pub host: String,
    /// The path of the page.
    pub path: String,
    /// What the paths begin with that must be answered too.
    pub asset_prefix: String,
}

/// What a gate asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "gate", rename_all = "kebab-case")]
pub enum GateKind {
    /// The stack is as the plan saw it.
    Unmoved,
    /// No placeholder is left in an env file.
    Placeholders {
        /// The files.
        files: Vec<String>,
        /// A value that begins with one of these is a placeholder.
        prefixes: Vec<String>,
    },
    /// A disk has room.
    Disk {
        /// What is kept there.
        purpose: String,
        /// The path.
        path: String,
        /// The least share that must be free, in percent.
        minimum_percent: u8,
        /// The least number of bytes that must be free.
        minimum_bytes: u64,
    },
    /// A tenant's database answers, and nobody has a transaction open for long.
    Database {
        /// Whose.
        tenant: TenantName,
        /// A transaction older than this many seconds is named.
        long_transaction: u64,
    },
    /// A command succeeds.
    Command {
        /// The command.
        exec: Exec,
    },
    /// A command succeeds sooner or later.
    Eventually {
        /// The command. It changes nothing and is tried again and again.
        exec: Exec,
        /// For how long, in seconds.
        within: u64,
        /// One that says the same in less time when it succeeds, and nothing when it does not. It is tried once, first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sooner: Option<Exec>,
    },
    /// Everything that one command lists is listed by another.
    Contained {
        /// What is needed.
        needed: Listing,
        /// What is offered.
        offered: Listing,
    },
    /// Pages are answered with 200, and so is everything that they name below a prefix.
    Pages {
        /// The pages.
        pages: Vec<PageProbe>,
        /// Which way.
        route: ProbeRoute,
        /// How often each is tried before its answer counts.
        attempts: u32,
        /// Who is asked which knows a file that is not answered.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sources: Vec<AssetSource>,
    },
    /// Somebody can sign in, see lists and open what is in them.
    Session {
        /// Whom it asks.
        tenant: TenantName,
        /// The `Host` that is asked for.
        host: String,
        /// How.
        sign_in: SignIn,
        /// What is looked at.
        visits: Vec<Visit>,
        /// Which way.
        route: ProbeRoute,
    },
    /// What one command sets going is finished sooner or later, as another one says.
    Completes {
        /// What that is called.
        what: String,
        /// The command that sets it going, once.
        begin: Exec,
        /// The command that is asked again and again. A line that it must not print ends the waiting.
        state: Exec,
        /// For how long, in seconds.
        within: u64,
    },
    /// Everything that a command lists was written down in the database.
    Recorded {
        /// What is needed.
        needed: Listing,
        /// What was written down.
        recorded: Query,
        /// Tenants for whom this gives the same, and something, need the same: one of them is asked. Absent: each is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alike: Option<Query>,
    },
    /// No table of a tenant has lost its rows since a restore point.
    Rows {
        /// Whose.
        tenant: TenantName,
        /// Since which.
        point: PointReference,
        /// What is borne.
        rule: RowRule,
    },
    /// A table that errors are written to has not grown since a restore point.
    NewRows {
        /// Whose.
        tenant: TenantName,
        /// Since which.
        point: PointReference,
        /// The table.
        table: String,
        /// How many rows it has now.
        rows: Query,
        /// What is said of the newest rows; `{count}` is how many that are.
        newest: Query,
        /// Rows of which this is said do not count: texts, with `*` for any text.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ignore: Vec<String>,
        /// The most rows that may be new.
        most: u64,
    },
    /// What a query gives changes sooner or later.
    Advances {
        /// Whether it can be asked for at all: the query gives `1`.
        applies: Query,
        /// What must change.
        value: Query,
        /// For how long it is waited, in seconds.
        within: u64,
    },
    /// The application says which migrations are pending, and they are those that the plan was made for.
    PendingMigrations {
        /// The command that prints them, one a line.
        exec: Exec,
        /// The lines that are expected; absent: not known beforehand, anything is taken where the plan restores.
        expected: Option<Vec<String>>,
        /// Whether any may be pending at all.
        allowed: bool,
    },
    /// What this run prepared is what was rehearsed.
    Rehearsed {
        /// The images of then, by service.
        images: BTreeMap<String, String>,
    },
    /// Some tenant has not gone back alone: where all have, there is nobody to go on for.
    Remaining {
        /// Who could have.
        tenants: Vec<TenantName>,
    },
    /// Services are running and healthy.
    Healthy {
        /// The services.
        services: Vec<ServiceName>,
        /// How long they may take, in seconds.
        within: u64,
    },
    /// Requests are answered as they should be.
    Probes {
        /// The requests.
        probes: Vec<HttpProbe>,
        /// Which way.
        route: ProbeRoute,
        /// How often each is tried before its answer counts.
        attempts: u32,
    },
    /// Nothing new and bad stands in the logs since the run's services were started.
    Logs {
        /// What counts.
        rule: LogRule,
        /// The most lines that may.
        most: u64,
        /// The step since whose end lines count; absent: since the run began.
        since: Option<StepName>,
        /// The gate that kept the error lines of before: lines that look like those are not new.
        baseline: Option<BaselineSource>,
    },
    /// Samples are taken for a later comparison; this never stops a run by itself.
    Baseline {
        /// The requests.
        probes: Vec<HttpProbe>,
        /// How often each is sent.
        samples: usize,
        /// The logs whose error lines of before are kept, so that later ones are known to be new.
        logs: LogRule,
    },
    /// The stack is watched while it serves.
    Watch {
        /// The requests that fill the sample where there is little traffic.
        probes: Vec<HttpProbe>,
        /// The limits.
        rule: WatchRule,
        /// What it is compared with.
        baseline: BaselineSource,
        /// The logs that are read.
        logs: LogRule,
    },
    /// A point of the tenant was proved recently.
    ProofAge {
        /// Whose.
        tenant: TenantName,
        /// Not longer ago than this many seconds.
        within: u64,
    },
}

/// What happens when a gate says no-go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnNoGo {
    /// The run goes back.
    Back,
    /// A person is asked.
    Ask,
    /// It is said, and the run goes on.
    Warn,
}

/// A gate with what its verdicts lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// What is asked.
    pub kind: GateKind,
    /// What a no-go leads to.
    pub on_no_go: OnNoGo,
    /// What a hold leads to.
    pub on_hold: OnNoGo,
    /// The trial that is asked in place of what is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
}

/// One measured answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When it began.
    pub at: Timestamp,
    /// The tenant that was asked.
    pub tenant: TenantName,
    /// The probe's name, or `traffic` for a request of the public.
    pub source: String,
    /// Whether the answer was as it should be.
    pub good: bool,
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// How long it took, in microseconds.
    pub microseconds: u64,
    /// What was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Eq for Sample {}

/// One thing that was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What was found.
    pub text: Message,
    /// Whether it speaks for going on.
    pub verdict: VerdictKind,
}

/// What a gate collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Evidence {
    /// Measured answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// Things found out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    /// The last lines of a command's output or the error lines of the logs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// What evidence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictKind {
    /// Go on.
    Go,
    /// Not known: too little evidence.
    Hold,
    /// Do not go on.
    NoGo,
}

/// A verdict with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What the evidence says.
    pub kind: VerdictKind,
    /// Why.
    pub reasons: Vec<Message>,
}

impl Verdict {
    /// The verdict that single facts lead to: the worst of them; none at all is a hold.
    #[must_use]
    pub fn of_facts(facts: &[Fact]) -> Self {
        let kind = facts.iter().map(|fact| fact.verdict).max().unwrap_or(VerdictKind::Hold);
        let reasons =
            facts.iter().filter(|fact| fact.verdict == kind).map(|fact| fact.text.clone()).collect();
        Self { kind, reasons }
    }
}

/// What a log line looks like without what changes from line to line: runs of digits, and hexadecimal ids of eight and
/// more characters, become `#`. Two lines of one look are the same news.
#[must_use]
pub fn look_of(line: &str) -> String {
    let mut look = String::with_capacity(line.len());
    for (number, word) in line.split(|c: char| !c.is_ascii_alphanumeric()).enumerate() {
        if number > 0 {
            look.push(' ');
        }
        let id = word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit());
        if id {
            look.push('#');
        } else {
            let mut in_digits = false;
            for c in word.chars() {
                if c.is_ascii_digit() {
                    if !in_digits {
                        look.push('#');
                    }
                    in_digits = true;
                } else {
                    in_digits = false;
                    look.push(c);
                }
            }
        }
    }
    look
}
