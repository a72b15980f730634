//! The audit's second gate: what became worse between the plan and its beginning is seen when the run begins, and then
//! nothing has begun.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use eclusa_config::{Configuration, Stack};
use eclusa_control::planning::{self, PlanOptions};
use eclusa_control::running::{self, Begin};
use eclusa_control::{Assembly, Workspace, history};
use eclusa_fault::{Code, Language};
use eclusa_model::PersonName;
use eclusa_runbook::Intent;

/// A stack that needs no engine, so that a release of it can be planned here.
const PROCESSES: &str = r#"version = 1
state = "state"
[stacks.shop]
app = "generic"
runtime = "process"
[stacks.shop.process]
releases = "releases"
[stacks.shop.process.services.web]
command = ["sleep", "3600"]
port = 18191
public_port = 18192
health = "/healthz"
[stacks.shop.services]
frontend = "web"
web = ["web"]
[stacks.shop.release]
source = "directory"
[stacks.shop.commands]
migrate = ["true"]
pending = ["true"]
[stacks.shop.preflight]
disk_free_percent = 0
[stacks.shop.tenants.alpha]
domains = ["alpha.shop.test"]
database = { engine = "sqlite", path = "data/shop.sqlite" }
"#;

/// One that has files to audit.
const COMPOSE: &str = r#"version = 1
[stacks.shop]
app = "django"
runtime = "compose"
[stacks.shop.compose]
files = ["compose.yaml"]
[stacks.shop.services]
frontend = "web"
web = ["web"]
database = "db"
[stacks.shop.release]
source = "git"
[stacks.shop.database]
engine = "postgresql"
name = "shop"
user = "shop"
password = "env:POSTGRES_PASSWORD"
[stacks.shop.preflight]
audit = "high"
"#;

const TIDY: &str = "services:\n  web:\n    image: shop:1\n";

fn write(directory: &Path, path: &str, text: &str) {
    let path = directory.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The stack of processes with the other one's files and its bar.
async fn assembly(directory: &Path) -> Assembly {
    write(directory, "eclusa.toml", PROCESSES);
    let files = Configuration::parse(COMPOSE, &directory.join("eclusa.toml")).unwrap();
    let files: Stack = files.stack(None).unwrap().1.clone();
    let workspace = Workspace::open(&directory.join("eclusa.toml"), None, Language::default()).unwrap();
    let mut assembly = Assembly::of(&workspace, None).await.unwrap();
    let mut stack = (*assembly.stack).clone();
    (stack.compose, stack.preflight.audit) = (files.compose, files.preflight.audit);
    assembly.stack = Arc::new(stack);
    assembly
}

#[tokio::test]
async fn what_became_worse_since_the_plan_is_seen_when_the_run_begins() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    for release in ["v1", "v2"] {
        write(directory, &format!("releases/{release}/release.json"), "{}");
    }
    write(directory, "compose.yaml", TIDY);
    std::fs::create_dir_all(directory.join("data")).unwrap();
    write(directory, "data/shop.sqlite", "");
    let assembly = assembly(directory).await;
    let intent = Intent::Release { to: "v2".to_owned() };
    let plan = planning::make(&assembly, &intent, PlanOptions::default()).await.unwrap();
    let how = || Begin { by: PersonName::new("ana").unwrap(), outside_window: None };

    write(directory, "compose.yaml", &TIDY.replace("shop:1", "shop:1\n    privileged: true"));
    let refused = running::begin(&assembly, plan.clone(), how()).await.unwrap_err();
    assert_eq!(refused.code, Code::AuditRefused, "{refused:?}");
    assert!(history::unfinished(assembly.journal.as_ref(), &assembly.name).unwrap().is_none());

    write(directory, "compose.yaml", TIDY);
    let run = running::begin(&assembly, plan, how()).await.unwrap();
    let begun = history::unfinished(assembly.journal.as_ref(), &assembly.name).unwrap();
    assert_eq!(begun.map(|begun| begun.id), Some(run));
}
