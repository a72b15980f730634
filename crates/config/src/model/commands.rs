//! The application's commands.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CommandLine, Period, Value};

/// `[stacks.NAME.commands]`: the commands of a generic application, or what a Django project does otherwise than
/// usual. `{tenant}` and `{release}` in an argument stand for their names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Commands {
    /// Django: how `manage.py` is called.
    pub manage: CommandLine,
    /// Brings one tenant's schema and data to the release.
    pub migrate: Option<CommandLine>,
    /// Prints the migrations that are not yet applied, one a line.
    pub pending: Option<CommandLine>,
    /// Collects the static files.
    #[serde(rename = "static")]
    pub static_files: Option<CommandLine>,
    /// The application's own checks, in the candidate; absent: those of the application's kind.
    pub check: Option<Vec<CommandLine>>,
    /// The application's tests.
    pub tests: Option<Tests>,
    /// The commands that make demo data, on a staging stack.
    pub seed: Vec<CommandLine>,
}

impl Default for Commands {
    fn default() -> Self {
        Self {
            manage: CommandLine::fixed(&["python", "manage.py"]),
            migrate: None,
            pending: None,
            static_files: None,
            check: None,
            tests: None,
            seed: Vec::new(),
        }
    }
}

/// `[stacks.NAME.commands.tests]`: tests that run in the candidate against a scratch database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// The command.
    pub command: CommandLine,
    /// The variable that names the database, set to the scratch database; absent: the tests make their own.
    pub database_variable: Option<String>,
    /// Further environment variables.
    #[serde(default)]
    pub environment: BTreeMap<String, Value>,
    /// How long they may take; absent: `limits.tests`.
    pub timeout: Option<Period>,
}
