//! What is asked of each site under the new release, beyond its pages.

use eclusa_model::{ServiceName, TenantName};
use serde::Deserialize;

use super::{Period, SecretReference};

/// `[stacks.NAME.frappe.gates]`. What needs nothing from the operator is on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FrappeGates {
    /// Whether no patch of the site's apps may be left over, or have been skipped.
    pub patches: bool,
    /// Whether the tables are compared with the restore point.
    pub rows: bool,
    /// Tables that are not compared, beside those that hold sessions, logs and queues; `*` is any text.
    pub rows_ignore: Vec<String>,
    /// A table that lost more than this share of its rows, in percent, is a no-go; absent: only one that lost all.
    pub rows_fewer_percent: Option<u8>,
    /// Whether rows that are new in the site's error log are looked for.
    pub errors: bool,
    /// The most of them.
    pub errors_most: u64,
    /// Those that do not count, by what they are called; `*` is any text.
    pub errors_ignore: Vec<String>,
    /// Whether the websocket service takes a handshake; absent: where one is configured and no probe asks it already.
    pub websocket: Option<bool>,
    /// Whether a job goes through each queue.
    pub jobs: Jobs,
    /// The queues; absent: those that every bench has, and those that its configuration names.
    pub queues: Option<Vec<String>>,
    /// Those that the bench's configuration names besides, as they were found there.
    #[serde(skip)]
    pub found_queues: Vec<String>,
    /// The service that holds the queues; absent: the one of `services.caches` that is called so.
    pub queue: Option<ServiceName>,
    /// The number of their database.
    pub queue_database: Option<u16>,
    /// How long a job may take that does nothing.
    pub jobs_within: Period,
    /// Whether the scheduler is seen to run a job after it was started, and for how long that is waited for.
    pub scheduler_within: Option<Period>,
    /// Who signs in.
    pub login: Vec<Login>,
    /// What runs in the console.
    pub console: Vec<Console>,
    /// The tests that run on the site. They change it, so none runs that is not named here.
    pub tests: Vec<SiteTests>,
}

impl Default for FrappeGates {
    fn default() -> Self {
        Self {
            patches: true,
            rows: true,
            rows_ignore: Vec::new(),
            rows_fewer_percent: None,
            errors: true,
            errors_most: 0,
            errors_ignore: Vec::new(),
            websocket: None,
            jobs: Jobs::Once,
            queues: None,
            found_queues: Vec::new(),
            queue: None,
            queue_database: None,
            jobs_within: Period::seconds(60),
            scheduler_within: None,
            login: Vec::new(),
            console: Vec::new(),
            tests: Vec::new(),
        }
    }
}

/// The queues that every bench has.
const USUAL_QUEUES: [&str; 3] = ["short", "default", "long"];

impl FrappeGates {
    /// Whether a text may be the name of a queue, a check or a module: it becomes a part of the names of steps and keys, and
    /// of an argument that is a Python literal.
    #[must_use]
    pub fn is_plain_name(text: &str) -> bool {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        !text.is_empty() && text.chars().all(legal)
    }

    /// Whether every bench has a queue of this name.
    #[must_use]
    pub fn is_usual_queue(name: &str) -> bool {
        USUAL_QUEUES.contains(&name)
    }

    /// The queues that a job goes through once the workers run.
    #[must_use]
    pub fn all_queues(&self) -> Vec<String> {
        let usual = || {
            let usual = USUAL_QUEUES.map(String::from).into_iter();
            usual.chain(self.found_queues.iter().cloned()).collect()
        };
        self.queues.clone().unwrap_or_else(usual)
    }

    /// Those of them that nobody asked for: whether workers serve them has to be seen before anything changes.
    #[must_use]
    pub fn unasked_queues(&self) -> &[String] {
        if self.queues.is_some() { &[] } else { &self.found_queues }
    }
}

/// For which sites a job goes through each queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Jobs {
    /// For none.
    Off,
    /// For the first site: the workers are the same for all.
    Once,
    /// For each site.
    EachSite,
}

/// `[[stacks.NAME.frappe.gates.login]]`: a user that exists for this purpose and may read what is opened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, as a reference; `{tenant}` in the path of a file is the site.
    pub password: SecretReference,
    /// The site; absent: each.
    pub tenant: Option<TenantName>,
    /// The DocTypes whose list is asked for, and the newest document of each opened.
    #[serde(default)]
    pub open: Vec<String>,
}

/// `[[stacks.NAME.frappe.gates.console]]`: Python in `bench console`, whose exit code proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Console {
    /// What it is called.
    pub name: String,
    /// The code. What it does to the site it must take back itself.
    pub script: String,
    /// What the last line that it prints must begin with.
    pub last_line: String,
    /// The site; absent: each.
    pub tenant: Option<TenantName>,
    /// How long it may take.
    #[serde(default = "two_minutes")]
    pub timeout: Period,
}

/// `[[stacks.NAME.frappe.gates.tests]]`: a module of tests. The site must allow tests (`allow_tests`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteTests {
    /// The module.
    pub module: String,
    /// The site; absent: each.
    pub tenant: Option<TenantName>,
    /// How long it may take.
    #[serde(default = "two_minutes")]
    pub timeout: Period,
}

fn two_minutes() -> Period {
    Period::minutes(2)
}
