//! A stack of the shop in a directory of its own, driven through the real binary as an operator drives it. Nothing
//! of it runs any longer when the test ends, however it ends.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod processes;
pub mod receiver;
pub mod run;
pub mod sound;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use eclusa_shop::{Census, Defect, ReleaseFile};
use eclusa_testkit::free_port;
use tempfile::TempDir;

pub use processes::Process;
pub use run::{Ran, Run};

/// An identity of age that is nobody's, and its recipient.
pub const IDENTITY: &str = "AGE-SECRET-KEY-1VTGUT2V27PD2MUJHPY3HU03VTHPQYUTEPQAV6ERS83HKM0WDVS9SMYASL3";
pub const RECIPIENT: &str = "age147qx0ee2svtznnlrdpu9mntln072er9krypg848y2zd7sk35z5vsgquzea";

/// The tenants of a test's shop.
pub const TENANTS: [&str; 2] = ["alpha", "beta"];

/// A watch of two seconds, whose limits a healthy shop on a busy machine keeps.
pub const SHORT_WATCH: &str = r#"for = "2s"
warm_up = "0s"
interval = "1s"
synthetic_per_second = 20.0
minimum_samples = 5
error_rate = 0.6
slowdown = 50.0
latency = "5s"
after_open = "restore""#;

/// What differs from test to test.
pub struct Setting {
    /// `environment` of the stack.
    pub environment: &'static str,
    /// The keys of `[stacks.shop.watch]`.
    pub watch: &'static str,
    /// How long a migration takes at least, in milliseconds.
    pub migration: u32,
    /// Sales of each tenant at first.
    pub sales: u32,
    /// The keys of `[stacks.shop.logs]`.
    pub logs: &'static str,
    /// What `[stacks.shop.commands]` has besides.
    pub commands: String,
    /// Further tables.
    pub tables: String,
    /// What is wrong with v3.
    pub defect: Option<Defect>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            environment: "staging",
            watch: SHORT_WATCH,
            migration: 0,
            sales: 12,
            logs: r#"patterns = ["ERROR", "panicked"]"#,
            commands: String::new(),
            tables: String::new(),
            defect: None,
        }
    }
}

/// A stack of the shop.
pub struct Shop {
    /// Where all of it lies.
    pub directory: PathBuf,
    /// The binary that the stack is run by. It is the stack's own link, so that one that is built meanwhile does not
    /// take its place in the middle of a test.
    pub binary: PathBuf,
    /// The port of the public door.
    pub public_port: u16,
    holder: TempDir,
}

impl Shop {
    /// Lays a stack that was never released: configuration, three releases, two tenants with data.
    pub fn lay(setting: &Setting) -> Self {
        let holder = tempfile::Builder::new().prefix("ecl").tempdir().unwrap();
        let directory = holder.path().canonicalize().unwrap();
        let binary = directory.join("eclusa");
        // Another one may be named, for a test of what was installed.
        let built =
            std::env::var("ECLUSA_TEST_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_eclusa").to_owned());
        if std::fs::hard_link(&built, &binary).is_err() {
            std::fs::copy(&built, &binary).unwrap();
        }
        let shop = Self { directory, binary, public_port: free_port(), holder };
        for version in ["v1", "v2"] {
            ReleaseFile::healthy(version).write(&shop.directory.join("releases").join(version)).unwrap();
        }
        let third = ReleaseFile { version: "v3".to_owned(), defect: setting.defect };
        third.write(&shop.directory.join("releases/v3")).unwrap();
        for (number, tenant) in TENANTS.iter().enumerate() {
            let (sales, seed) = (setting.sales.to_string(), (number + 1).to_string());
            shop.run(&[
                "shop", "--data", "data", "seed", "--tenant", tenant, "--sales", &sales, "--seed", &seed,
            ])
            .must(0);
        }
        std::fs::write(shop.configuration(), shop.text(setting)).unwrap();
        shop
    }

    /// Lays a stack and brings it into service: v1 runs, the edge is in front.
    pub fn open(setting: &Setting) -> Self {
        let shop = Self::lay(setting);
        shop.run(&["release", "v1", "--yes"]).must(0);
        shop.run(&["edge", "install", "--yes"]).must(0);
        shop
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.directory.join("eclusa.toml")
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    fn text(&self, setting: &Setting) -> String {
        let Setting { environment, watch, migration, logs, commands, tables, .. } = setting;
        let (port, public) = (free_port(), self.public_port);
        let binary = self.binary.display();
        let data = self.directory.join("data").display().to_string();
        let mut text = format!(
            r#"version = 1
state = "state"

[stacks.shop]
app = "generic"
runtime = "process"
environment = "{environment}"

[stacks.shop.process.services.web]
command = ["{binary}", "shop", "--data", "{data}", "serve", "--release", "{{release_directory}}", "--listen", "127.0.0.1:{{port}}"]
port = {port}
public_port = {public}
health = "/healthz"

[stacks.shop.services]
frontend = "web"
web = ["web"]

[stacks.shop.release]
source = "directory"

[stacks.shop.commands]
migrate = ["{binary}", "shop", "--data", "{data}", "migrate", "--tenant", "{{tenant}}", "--release", "{{release_directory}}", "--at-least", "{migration}"]
pending = ["{binary}", "shop", "--data", "{data}", "migrate", "--tenant", "{{tenant}}", "--release", "{{release_directory}}", "--list"]
{commands}

[[stacks.shop.probes]]
name = "products"
path = "/api/products"

[[stacks.shop.checks]]
name = "books"
command = ["{binary}", "shop", "--data", "{data}", "check", "--tenant", "{{tenant}}", "--release", "{{release_directory}}"]

[stacks.shop.edge]
message = "The shop is being updated."
drain = "2s"

[stacks.shop.preflight]
disk_free_percent = 1

[stacks.shop.limits]
healthy = "20s"
drain = "5s"

[stacks.shop.logs]
{logs}

[stacks.shop.watch]
{watch}
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
        text.push_str(tables);
        text
    }

    /// A command, not yet run: the person is `olga`, the language English, nothing of the tester's own settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.directory).env_clear();
        command.envs(
            std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME" || name == "TMPDIR"),
        );
        command.env("ECLUSA_PERSON", "olga").env("LANG", "C.UTF-8").stdin(std::process::Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// Begins a run without following it.
    pub fn begin(&self, arguments: &[&str]) -> Run {
        let ran = self.run(&[arguments, &["--yes", "--detach"]].concat()).must(0);
        Run { id: ran.out.lines().last().unwrap().trim().to_owned() }
    }

    /// What a tenant has.
    pub fn census(&self, tenant: &str) -> Census {
        eclusa_shop::census(&self.directory.join("data"), tenant).unwrap()
    }

    /// What every tenant has.
    pub fn censuses(&self) -> Vec<Census> {
        TENANTS.iter().map(|tenant| self.census(tenant)).collect()
    }

    /// What the stack is, as `status --json` tells it.
    pub fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.run(&["status", "--json"]).out).unwrap()
    }

    /// The release that each tenant's public gets: what the door answers with, and which release said it.
    pub fn public(&self, tenant: &str, path: &str) -> (u16, Option<String>, String) {
        run::get(self.public_port, &format!("{tenant}.shop.test"), path)
    }

    /// Every living process of this stack.
    pub fn processes(&self) -> Vec<Process> {
        processes::of(&self.directory)
    }

    /// Changes the configuration.
    pub fn change_configuration(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.configuration()).unwrap();
        std::fs::write(self.configuration(), change(text)).unwrap();
    }

    /// Names a mirror `nas` in the configuration: a directory on the file system of the vault, which is not made.
    pub fn configure_mirror(&self) -> PathBuf {
        let nas = self.directory.join("nas");
        let table = format!(
            "\n[[stacks.shop.mirrors]]\nname = \"nas\"\ndirectory = \"{}\"\nsame_file_system = true\n",
            nas.display()
        );
        self.change_configuration(|text| text + &table);
        nas
    }

    /// Ends everything of the stack at once, as a loss of power does.
    pub fn kill_everything(&self) {
        processes::kill(&self.directory);
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.kill_everything();
        if std::thread::panicking() && std::env::var_os("ECLUSA_TEST_KEEP").is_some() {
            eprintln!("kept: {}", self.directory.display());
            self.holder.disable_cleanup(true);
        }
    }
}

/// Waits until something is so; fails the test when that takes too long.
pub fn wait_for<T>(what: &str, seconds: u64, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {seconds} s");
        std::thread::sleep(Duration::from_millis(20));
    }
}
