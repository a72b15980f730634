//! The demo's directory: configuration, releases, tenants with data, free ports; and clearing all of it away.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use eclusa_control::{Assembly, Workspace};
use eclusa_fault::{Code, Fault, Result};
use eclusa_shop::{Defect, ReleaseFile, SeedOptions, seed};
use rand::{Rng, SeedableRng};

use super::{Demo, Stage};
use crate::arguments::{Arguments, Command};
use crate::commands::shop::{CUSTOMERS, PRODUCTS, fault};
use crate::commands::{Session, stop};

/// The demo's tenants.
pub const TENANTS: [&str; 3] = ["alpha", "beta", "gamma"];
/// The file that says that a directory is a demo's, so that no other is ever deleted.
const MARK: &str = ".eclusa-demo";

/// How many sales each tenant begins with.
const SALES: u32 = 400;

fn file_fault(path: &Path, operation: &str) -> impl Fn(std::io::Error) -> Fault {
    let (path, operation) = (path.display().to_string(), operation.to_owned());
    move |error| Fault::new(Code::FileAccess).with("path", &path).with("operation", &operation).because(error)
}

/// Ends what an earlier demo left running, and removes its directory.
pub async fn clear(directory: &Path, session: &Session) -> Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    if !directory.join(MARK).exists() {
        return Err(Fault::new(Code::FileAccess)
            .with("path", directory.display())
            .with("operation", "used: it is there already and no demo made it"));
    }
    let configuration = directory.join("eclusa.toml");
    if configuration.exists()
        && let Ok(workspace) = Workspace::open(&configuration, None, session.language.clone())
        && let Ok(assembly) = Assembly::of(&workspace, None).await
    {
        shut_down(&assembly).await?;
    }
    std::fs::remove_dir_all(directory).map_err(file_fault(directory, "removed"))
}

/// Ends every process of the stack.
pub async fn shut_down(assembly: &Assembly) -> Result<()> {
    match &assembly.processes {
        Some(processes) => processes.shut_down(Duration::from_secs(5)).await,
        None => Ok(()),
    }
}

/// Makes the directory and everything in it.
pub async fn lay(directory: &Path, demo: &Demo, session: &Session) -> Result<Stage> {
    let made = file_fault(directory, "made");
    std::fs::create_dir_all(directory).map_err(&made)?;
    std::fs::write(directory.join(MARK), "Made by eclusa demo; it may be deleted.\n").map_err(&made)?;
    let drawn = demo.seed.unwrap_or_else(|| rand::rng().random_range(1..1_000_000));
    releases(directory, demo.healthy, drawn)?;
    let data = directory.join("data");
    for (number, tenant) in TENANTS.iter().enumerate() {
        let options = SeedOptions {
            data: data.clone(),
            tenant: (*tenant).to_owned(),
            seed: drawn + number as u64,
            products: PRODUCTS,
            customers: CUSTOMERS,
            sales: SALES,
        };
        tokio::task::spawn_blocking(move || seed(&options))
            .await
            .map_err(|error| Fault::new(Code::Internal).with("what", error))?
            .map_err(fault)?;
    }
    let configuration = directory.join("eclusa.toml");
    std::fs::write(&configuration, configuration_text(directory, demo)?).map_err(&made)?;
    let workspace = Workspace::open(&configuration, None, session.language.clone())?;
    let assembly = Assembly::of(&workspace, None).await?;
    let arguments = Arguments {
        config: configuration,
        state: None,
        stack: None,
        json: session.json(),
        person: session.arguments.person.clone(),
        command: Command::Stop(stop::Stop::default()),
    };
    Ok(Stage {
        directory: directory.to_owned(),
        session: Session { arguments, language: session.language.clone() },
        assembly,
        seed: drawn,
        healthy: demo.healthy,
    })
}

fn releases(directory: &Path, healthy: bool, drawn: u64) -> Result<()> {
    let releases = directory.join("releases");
    for version in ["v1", "v2"] {
        ReleaseFile::healthy(version).write(&releases.join(version)).map_err(fault)?;
    }
    let mut random = rand::rngs::StdRng::seed_from_u64(drawn);
    let defect = Defect {
        error_share: random.random_range(0.12..0.40),
        slow_milliseconds: random.random_range(60..240),
        after_requests: 60,
    };
    let defect = (!healthy).then_some(defect);
    ReleaseFile { version: "v3".to_owned(), defect }.write(&releases.join("v3")).map_err(fault)
}

fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind("127.0.0.1:0").map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|error| Fault::new(Code::Internal).with("what", error))
}

fn configuration_text(directory: &Path, demo: &Demo) -> Result<String> {
    let binary = std::env::current_exe().map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    // A TOML string: JSON's escapes are a part of TOML's.
    let quoted = |text: String| serde_json::to_string(&text).unwrap_or_default();
    let binary = quoted(binary.display().to_string());
    let data = quoted(directory.join("data").display().to_string());
    let (port, public) = (free_port()?, free_port()?);
    let watch = if demo.rounds.is_some() { "7s" } else { "10s" };
    let mut text = format!(
        r#"# The demo's stack: a small shop with three tenants, run by Eclusa itself.
version = 1
state = "state"

[stacks.shop]
app = "generic"
runtime = "process"
environment = "staging"

[stacks.shop.process]
releases = "releases"

[stacks.shop.process.services.web]
command = [{binary}, "shop", "--data", {data}, "serve", "--release", "{{release_directory}}", "--listen", "127.0.0.1:{{port}}"]
port = {port}
public_port = {public}
health = "/healthz"

[stacks.shop.services]
frontend = "web"
web = ["web"]

[stacks.shop.release]
source = "directory"

[stacks.shop.commands]
migrate = [{binary}, "shop", "--data", {data}, "migrate", "--tenant", "{{tenant}}", "--release", "{{release_directory}}", "--at-least", "1200"]
pending = [{binary}, "shop", "--data", {data}, "migrate", "--tenant", "{{tenant}}", "--release", "{{release_directory}}", "--list"]

[[stacks.shop.probes]]
name = "products"
path = "/api/products"

[[stacks.shop.probes]]
name = "report"
path = "/api/report"

[[stacks.shop.checks]]
name = "books"
command = [{binary}, "shop", "--data", {data}, "check", "--tenant", "{{tenant}}", "--release", "{{release_directory}}"]

[stacks.shop.edge]
message = "The shop is being updated. It takes less than a minute."
retry_after = "20s"
drain = "5s"

[stacks.shop.preflight]
disk_free_percent = 1

[stacks.shop.limits]
healthy = "20s"
drain = "10s"
parallel = 3

[stacks.shop.logs]
patterns = ["ERROR", "panicked"]

[stacks.shop.watch]
for = "{watch}"
warm_up = "1s"
interval = "2s"
synthetic_per_second = 8.0
after_open = "restore"
"#
    );
    for tenant in TENANTS {
        text.push_str(&format!(
            r#"
[stacks.shop.tenants.{tenant}]
domains = ["{tenant}.shop.test"]
database = {{ engine = "sqlite", path = "data/{tenant}/shop.sqlite" }}
files = [{{ name = "receipts", directory = "data/{tenant}/receipts" }}]
"#
        ));
    }
    Ok(text)
}
