//! Releases of the boutique under traffic: by Eclusa, and by the runbook that it replaces.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::table::{median, print};
use crate::traffic::{Customers, Traffic};
use crate::{Common, Outcome, measure, stack};

/// What the customers ask for: a page of the application that reads the database.
const PATH: &str = "/api/v1/products/";

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Release {
    /// The repository, for the boutique and the script that brings it up.
    #[arg(long, default_value = ".")]
    repository: PathBuf,
    /// How many customers.
    #[arg(long, default_value = "4")]
    customers: usize,
    /// The milliseconds between two requests of one customer.
    #[arg(long, default_value = "50")]
    pause: u64,
}

/// A boutique that runs at v1. Everything of it is removed when it is dropped.
struct Shop {
    directory: PathBuf,
    project: String,
    port: u16,
    _root: tempfile::TempDir,
}

impl Shop {
    fn lay(common: &Common, repository: &Path, name: &str) -> Outcome<Self> {
        let root = tempfile::Builder::new().prefix("eclusa-benches-").tempdir_in(&common.scratch)?;
        let directory = root.path().join("shop");
        let project = format!("eclusa-benches-{name}-{}", std::process::id());
        let (port, side_door) = (stack::free_port()?, stack::free_port()?);
        let shop = Self { directory, project, port, _root: root };
        let mut lay = Command::new(repository.join("tests/stack/boutique.sh"));
        lay.arg(&shop.directory)
            .args([&shop.project, &port.to_string(), &side_door.to_string()])
            .arg(shop.directory.with_file_name("state"));
        measure::must(&mut lay)?;
        Ok(shop)
    }

    fn git(&self, arguments: &[&str]) -> Outcome<String> {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Boutique", "-c", "user.email=boutique@example.org"]);
        measure::must(git.args(arguments).current_dir(&self.directory))
    }

    fn compose(&self, tag: &str, arguments: &[&str]) -> Outcome<String> {
        let mut compose = Command::new("docker");
        compose
            .args(["compose", "--ansi", "never", "-p", &self.project, "-f", "docker-compose.prod.yml"])
            .args(["--env-file", ".env.production"])
            .args(arguments)
            .env("BOUTIQUE_TAG", format!("{}-{tag}", self.project))
            .current_dir(&self.directory);
        measure::must(&mut compose)
    }

    /// Further releases after v5, in pairs: one with a migration, one without.
    fn add_versions(&self, pairs: usize) -> Outcome<()> {
        self.git(&["checkout", "--quiet", "v5"])?;
        let list = self.git(&["ls-tree", "--name-only", "v5", "sales/migrations/"])?;
        let mut last = list
            .lines()
            .filter_map(|path| path.strip_prefix("sales/migrations/")?.strip_suffix(".py"))
            .filter(|name| name.starts_with('0'))
            .max()
            .ok_or("the boutique has no migrations")?
            .to_owned();
        for number in 0..pairs {
            let name = format!("{:04}_bench_{number}", 20 + number);
            let text = format!(
                "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [(\"sales\", \"{last}\")]\n\
                 \x20   operations = [migrations.RunSQL(\"ALTER TABLE sales_sale ADD COLUMN bench_{number} integer\", \"ALTER TABLE sales_sale DROP COLUMN bench_{number}\")]\n"
            );
            std::fs::write(self.directory.join(format!("sales/migrations/{name}.py")), text)?;
            self.commit(&format!("s{number}"))?;
            self.commit(&format!("c{number}"))?;
            last = name;
        }
        self.git(&["checkout", "--quiet", "v1"]).map(drop)
    }

    fn commit(&self, tag: &str) -> Outcome<()> {
        let version = self.directory.join("boutique/version.py");
        let text = std::fs::read_to_string(&version)?;
        let lines: Vec<String> =
            text.lines()
                .map(|line| {
                    if line.starts_with("VERSION") { format!("VERSION = \"{tag}\"") } else { line.to_owned() }
                })
                .collect();
        std::fs::write(&version, lines.join("\n") + "\n")?;
        self.git(&["add", "boutique", "sales"])?;
        self.git(&["commit", "--quiet", "--message", tag])?;
        self.git(&["tag", tag]).map(drop)
    }

    /// Under traffic, with some seconds of it before and after.
    fn under_traffic(&self, how: &Release, work: impl FnOnce() -> Outcome<()>) -> Outcome<(Traffic, f64)> {
        let customers =
            Customers::come(self.port, "localhost", PATH, how.customers, Duration::from_millis(how.pause));
        std::thread::sleep(Duration::from_secs(3));
        let began = Instant::now();
        let worked = work();
        let seconds = began.elapsed().as_secs_f64();
        std::thread::sleep(Duration::from_secs(3));
        let traffic = customers.leave();
        worked.map(|()| (traffic, seconds))
    }

    /// What people do today.
    fn plain_release(&self, tag: &str) -> Outcome<()> {
        self.git(&["checkout", "--quiet", tag])?;
        self.compose(tag, &["build", "--quiet"])?;
        self.compose(tag, &["run", "--rm", "web", "python", "manage.py", "migrate", "--noinput"])?;
        self.compose(tag, &["run", "--rm", "web", "python", "manage.py", "collectstatic", "--noinput"])?;
        self.compose(tag, &["up", "-d", "--wait"]).map(drop)
    }

    fn must_run(&self, tag: &str) -> Outcome<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--include", &format!("http://127.0.0.1:{}/api/v1/version/", self.port)]);
        loop {
            let text = String::from_utf8_lossy(&curl.output()?.stdout).to_lowercase();
            if text.contains(&format!("x-boutique-version: {tag}\r")) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{tag} does not answer: {text}").into());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        stack::remove_project(&self.project);
        let reference = format!("reference=boutique:{}-*", self.project);
        for image in stack::docker(&["images", "-q", "--filter", &reference]).split_whitespace() {
            stack::docker(&["rmi", "-f", image]);
        }
    }
}

/// One way of releasing one kind of change.
struct Way {
    name: &'static str,
    rounds: Vec<(Traffic, f64)>,
}

#[allow(clippy::cast_precision_loss)]
impl Way {
    fn row(&self) -> Vec<String> {
        let of = |what: &dyn Fn(&Traffic) -> f64| {
            median(&self.rounds.iter().map(|(traffic, _)| what(traffic)).collect::<Vec<_>>())
        };
        vec![
            self.name.to_owned(),
            format!("{:.0}", of(&|traffic| traffic.requests as f64)),
            format!("{:.0}", of(&|traffic| traffic.failed as f64)),
            format!("{:.0}", of(&|traffic| traffic.told as f64)),
            format!("{:.1}", of(&|traffic| traffic.closed)),
            format!("{:.1}", of(&|traffic| traffic.longest)),
            format!("{:.0}", median(&self.rounds.iter().map(|(_, seconds)| *seconds).collect::<Vec<_>>())),
        ]
    }
}

impl Release {
    pub fn run(self, common: &Common) -> Outcome<()> {
        measure::adopt_orphans()?;
        let rounds = common.rounds(3);
        let ours = Shop::lay(common, &self.repository, "eclusa")?;
        let plain = Shop::lay(common, &self.repository, "plain")?;
        for shop in [&ours, &plain] {
            shop.add_versions(rounds.saturating_sub(1))?;
        }
        let eclusa = |arguments: &[&str]| {
            measure::must(&mut stack::command(&common.eclusa, &ours.directory, arguments)).map(drop)
        };
        // The runbook that is compared runs no tests; Eclusa runs them before it closes anything.
        let file = ours.directory.join("eclusa.toml");
        let text: Vec<String> = std::fs::read_to_string(&file)?
            .lines()
            .filter(|line| !line.starts_with("tests = "))
            .map(str::to_owned)
            .collect();
        std::fs::write(&file, text.join("\n") + "\n")?;
        eclusa(&["edge", "install", "--yes"])?;
        eclusa(&["backup", "--prove"])?;
        let mut ways =
            ["schema change: Eclusa", "schema change: runbook", "code only: Eclusa", "code only: runbook"]
                .map(|name| Way { name, rounds: Vec::new() });
        for round in 0..rounds {
            let (schema, code) = match round {
                0 => ("v2".to_owned(), "v5".to_owned()),
                later => (format!("s{}", later - 1), format!("c{}", later - 1)),
            };
            let [schema_ours, schema_plain, code_ours, code_plain] = &mut ways;
            for (tag, by_us, by_hand) in
                [(&schema, schema_ours, schema_plain), (&code, code_ours, code_plain)]
            {
                by_us.rounds.push(ours.under_traffic(&self, || eclusa(&["release", tag, "--yes"]))?);
                ours.must_run(tag)?;
                by_hand.rounds.push(plain.under_traffic(&self, || plain.plain_release(tag))?);
                plain.must_run(tag)?;
                eprintln!("{tag}: {:?} | {:?}", by_us.rounds.last(), by_hand.rounds.last());
            }
        }
        println!(
            "{} customers, {} ms between requests, medians of {rounds} rounds",
            self.customers, self.pause
        );
        let head = [
            "",
            "requests",
            "failed",
            "of those: maintenance page",
            "closed, s",
            "longest answer, s",
            "whole command, s",
        ];
        print("Releases under traffic", &head, &ways.iter().map(Way::row).collect::<Vec<_>>());
        Ok(())
    }
}
