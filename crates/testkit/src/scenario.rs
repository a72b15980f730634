//! A configuration, a world and the real planner's plan for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use eclusa_config::{Configuration, OnFailure};
use eclusa_fault::Result;
use eclusa_model::StackName;
use eclusa_planner::{History, PlanInput};
use eclusa_ports::Clock;
use eclusa_runbook::{Intent, Plan};

use crate::{FixedClock, World};

/// A stack named `shop` with its configuration and its world.
pub struct Scenario {
    /// The configuration.
    pub configuration: Configuration,
    /// The world.
    pub world: World,
    /// The time.
    pub clock: Arc<FixedClock>,
    /// What earlier runs tell.
    pub history: History,
    /// Whether a tenant whose migration fails stays closed while the others open.
    pub keeps_closed: bool,
    /// With which images, by service, the release was rehearsed on every tenant.
    pub rehearsed: Option<BTreeMap<String, String>>,
}

/// What every scenario has in `[stacks.shop]`.
const COMMON: &str = r#"
version = 1

[stacks.shop]
app = "generic"
runtime = "compose"
environment = "staging"
configuration = [".env"]

[stacks.shop.compose]
files = ["docker-compose.yml"]

[stacks.shop.release]
source = "git"

[stacks.shop.services]
frontend = "nginx"
web = ["web"]
workers = ["worker"]
schedulers = ["scheduler"]
database = "db"

[stacks.shop.commands]
migrate = ["app", "migrate", "{tenant}"]
pending = ["app", "pending", "{tenant}"]
static = ["app", "static"]
check = [["app", "check"]]
seed = [["app", "seed"]]

[stacks.shop.commands.tests]
command = ["app", "tests"]
database_variable = "DATABASE"

[[stacks.shop.probes]]
name = "front"
path = "/"

[[stacks.shop.checks]]
name = "books"
command = ["app", "books", "{tenant}"]

[stacks.shop.watch]
for = "10s"
warm_up = "1s"
interval = "5s"
synthetic_per_second = 10.0

[stacks.shop.decide]
DECIDE
deadline = "20s"
"#;

impl Scenario {
    /// A stack with these tenants; `more` is further TOML.
    #[must_use]
    pub fn new(tenants: &[&str], edge: bool, ask: bool, more: &str) -> Self {
        let mut text = COMMON.replace("DECIDE", &format!("ask = {ask}"));
        for tenant in tenants {
            text.push_str(&format!(
                "\n[stacks.shop.tenants.{tenant}]\ndomains = [\"{tenant}.example.org\"]\n\
                 [stacks.shop.tenants.{tenant}.database]\nengine = \"postgresql\"\nname = \"{tenant}\"\nuser = \"shop\"\n"
            ));
        }
        text.push_str(more);
        let configuration = Configuration::parse(&text, Path::new("/stack/eclusa.toml"))
            .unwrap_or_else(|fault| panic!("{fault:#?}"));
        Self {
            configuration,
            world: World::new(tenants, edge),
            clock: Arc::default(),
            history: History::default(),
            keeps_closed: false,
            rehearsed: None,
        }
    }

    /// The real planner's plan.
    ///
    /// # Errors
    /// As the planner's.
    pub fn plan(&self, intent: &Intent) -> Result<Plan> {
        let (name, stack) = self.configuration.stack(None)?;
        let candidate = match intent {
            Intent::Release { to } | Intent::Rehearse { to, .. } => Some(to.as_str()),
            _ => None,
        };
        let observation = self.world.observation(name, candidate, self.clock.now());
        eclusa_planner::plan(
            &PlanInput {
                name,
                stack,
                observation: &observation,
                fingerprint: &self.world.fingerprint(),
                app: eclusa_apps::app(stack.app),
                history: &self.history,
                version: "0.0.0",
                now: self.clock.now(),
                nonce: "x1",
                env_files: vec!["/stack/.env".to_owned()],
                vault_path: "/stack/vault".to_owned(),
                persons_path: "/stack/persons".to_owned(),
                overridden: false,
                prove: false,
                on_failure: self.keeps_closed.then_some(OnFailure::KeepClosed),
                rehearsed: self.rehearsed.clone(),
            },
            intent,
        )
    }

    /// The stack's name.
    #[must_use]
    pub fn stack(&self) -> StackName {
        self.configuration.stack(None).map(|(name, _)| name.clone()).unwrap()
    }
}

/// An application of the table.
#[must_use]
pub fn app(kind: eclusa_model::AppKind) -> &'static dyn eclusa_planner::App {
    eclusa_apps::app(kind)
}
