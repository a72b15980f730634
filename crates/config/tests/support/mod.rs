//! What the tests share: a small good configuration, and a fault as a person sees it.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use eclusa_config::Configuration;
use eclusa_fault::{Fault, Language};

/// A Compose stack with nothing but what it needs.
pub const COMPOSE: &str = r#"version = 1
[stacks.boutique]
app = "django"
runtime = "compose"
[stacks.boutique.compose]
files = ["docker-compose.prod.yml"]
env_files = [".env.production"]
[stacks.boutique.services]
frontend = "frontend"
web = ["web"]
database = "db"
[stacks.boutique.release]
source = "git"
[stacks.boutique.database]
engine = "postgresql"
name = "env:POSTGRES_DB"
user = "boutique"
password = "env:POSTGRES_PASSWORD"
"#;

/// A process stack with two tenants.
pub const PROCESS: &str = r#"version = 1
[stacks.demo]
app = "generic"
runtime = "process"
[stacks.demo.process.services.web]
command = ["./shop", "serve"]
port = 8101
public_port = 8100
[stacks.demo.services]
web = ["web"]
[stacks.demo.release]
source = "directory"
[stacks.demo.tenants.alpha]
domains = ["alpha.localhost"]
database = { engine = "sqlite", path = "data/alpha.db" }
[stacks.demo.tenants.beta]
domains = ["beta.localhost"]
database = { engine = "sqlite", path = "data/beta.db" }
"#;

pub fn parse(text: &str) -> Result<Configuration, Fault> {
    Configuration::parse(text, Path::new("/srv/shop/eclusa.toml"))
}

/// The fault as the command line shows it.
pub fn shown(fault: &Fault) -> String {
    let english = Language::default();
    format!(
        "{}: {}\n{}\nhint: {}\n",
        fault.code,
        fault.headline(&english),
        fault.excerpt.as_deref().unwrap_or("(no excerpt)"),
        fault.hint_text(&english).unwrap_or_default(),
    )
}

pub fn mistake(text: &str) -> String {
    match parse(text) {
        Ok(_) => format!("accepted:\n{text}"),
        Err(fault) => {
            assert!(fault.args.contains_key("line") && fault.args.contains_key("column"), "{fault:?}");
            shown(&fault)
        }
    }
}
