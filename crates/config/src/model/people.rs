//! Who may answer what, who is told, and what only a person can confirm.

use std::collections::BTreeMap;

use eclusa_model::PersonName;
use serde::Deserialize;

use super::Period;

/// The people of a stack by name.
pub type People = BTreeMap<PersonName, Person>;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Starts runs, and takes them back.
    Operator,
    /// Answers the questions of a run.
    Approver,
}

/// `[stacks.NAME.people.PERSON]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    /// The name as it is shown; absent: the key.
    pub name: Option<String>,
    /// The telephone number.
    pub phone: Option<String>,
    /// The mail address.
    pub mail: Option<String>,
    /// What they may do.
    pub roles: Vec<Role>,
}

/// `[stacks.NAME.duties]`: who does what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Duties {
    /// Who may answer go or no-go; empty: every approver, or anyone where there is none.
    pub decide: Vec<PersonName>,
    /// Who is told of runs.
    pub told: Vec<PersonName>,
    /// Whom to call in an emergency, in this order.
    pub emergency: Vec<PersonName>,
}

/// `[[stacks.NAME.checklist]]`: what only a person can confirm; asked once a run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecklistItem {
    /// What it is called; no two have the same name.
    pub name: String,
    /// What is asked.
    pub text: String,
    /// Who may confirm it; empty: anyone who can run the command.
    #[serde(default)]
    pub allowed: Vec<PersonName>,
}

/// `[stacks.NAME.decide]`: the decision before the gate opens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decide {
    /// Whether a person is asked even when every gate says go.
    pub ask: bool,
    /// Without an answer for this long the run goes back.
    pub deadline: Period,
}

impl Default for Decide {
    fn default() -> Self {
        Self { ask: false, deadline: Period::minutes(30) }
    }
}
