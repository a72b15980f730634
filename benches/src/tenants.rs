//! A release of a bench with many sites under traffic: by Eclusa, and by the script of the runbook that it replaces.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::table::{median, print};
use crate::traffic::{Customers, Traffic};
use crate::{Common, Outcome, measure, stack};

/// A page that each site makes from its database.
const PATH: &str = "/login";
/// The releases after the one that the benches begin with, in order.
const RELEASES: [&str; 2] = ["v15.2", "v15.3"];
/// Tables of a site.
const TABLES: usize = 10;
/// The bytes of a row in a dump: names and dates that repeat, digits, and text that does not repeat.
const ROW: usize = 420;

/// The script of the runbook: for each site its backup and its migration with the new image, while it is in maintenance;
/// then everything is made anew with that image.
const RUNBOOK: &str = r#"
compose() { docker compose --ansi never -p "$PROJECT" --env-file .env "$@"; }
for site in $SITES; do
    compose exec -T backend bench --site "$site" set-maintenance-mode on
    compose exec -T backend bench --site "$site" backup --with-files
    TESTBENCH_VERSION=$VERSION compose run --rm -T --no-deps backend bench --site "$site" migrate
    compose exec -T backend bench --site "$site" set-maintenance-mode off
done
sed -i "s/^TESTBENCH_VERSION=.*/TESTBENCH_VERSION=$VERSION/" .env
compose up -d --wait
"#;

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Tenants {
    /// The repository, for the script that brings a bench up.
    #[arg(long, default_value = ".")]
    repository: PathBuf,
    /// How many sites.
    #[arg(long, default_value = "12")]
    sites: usize,
    /// The megabytes of a site's dump.
    #[arg(long, default_value = "100")]
    megabytes: usize,
    /// The milliseconds between two requests to one site.
    #[arg(long, default_value = "250")]
    pause: u64,
}

/// A bench that runs at v15.1. Everything of it is removed when it is dropped.
struct Bench {
    directory: PathBuf,
    project: String,
    port: u16,
    sites: Vec<String>,
    _root: tempfile::TempDir,
}

impl Bench {
    fn lay(common: &Common, how: &Tenants, name: &str) -> Outcome<Self> {
        let root = tempfile::Builder::new().prefix("eclusa-benches-").tempdir_in(&common.scratch)?;
        let directory = root.path().join("bench");
        let project = format!("eclusa-benches-{name}-{}", std::process::id());
        let port = stack::free_port()?;
        let count = if common.small { 2 } else { how.sites };
        let sites = (1..=count).map(|number| format!("s{number:02}.localhost")).collect();
        let bench = Self { directory, project, port, sites, _root: root };
        let mut lay = Command::new(how.repository.join("tests/stack/bench.sh"));
        lay.arg(&bench.directory).args([&bench.project, &port.to_string(), &count.to_string()]);
        measure::must(&mut lay)?;
        bench.fill(if common.small { 1 } else { how.megabytes })?;
        Ok(bench)
    }

    /// Gives each site tables of a business application: rows that resemble each other, with numbers and texts of
    /// their own.
    fn fill(&self, megabytes: usize) -> Outcome<()> {
        let rows = (megabytes * 1_000_000 / TABLES / ROW).max(1);
        let mut sql = String::new();
        for (number, site) in self.sites.iter().enumerate() {
            let database = self.backend(site, &["show-config", "--format", "json"])?;
            let database: serde_json::Value = serde_json::from_str(&database)?;
            let database = database[site]["db_name"].as_str().ok_or("a site without a database")?;
            for table in 0..TABLES {
                sql.push_str(&format!(
                    "CREATE TABLE `{database}`.`tabBench {table}` (name VARCHAR(140) PRIMARY KEY, creation DATETIME(6), modified DATETIME(6), \
                     owner VARCHAR(140), docstatus INT, customer VARCHAR(140), item_code VARCHAR(140), qty DECIMAL(21,9), amount DECIMAL(21,9), \
                     remarks LONGTEXT, KEY modified (modified)) AS SELECT CONCAT('BENCH-{table}-', LPAD(seq, 8, '0')) AS name, \
                     '2026-01-01' + INTERVAL seq SECOND AS creation, '2026-02-01' + INTERVAL seq SECOND AS modified, 'sales@example.org' AS owner, \
                     seq % 3 AS docstatus, CONCAT('Customer ', seq % 997) AS customer, CONCAT('ITEM-', seq % 4999) AS item_code, \
                     seq % 17 AS qty, (seq * 7919 % 100000) / 100 AS amount, \
                     CONCAT(MD5(seq + {number} * 1000003), MD5(seq * 31 + {number}), ' delivered in full to the customer, see the note of ', \
                     MD5(seq * 37 + {number}), MD5(seq * 41 + {number})) AS remarks FROM seq_1_to_{rows};\n"
                ));
            }
        }
        let mut client = self.compose(&[
            "exec",
            "-T",
            "db",
            "sh",
            "-c",
            "MYSQL_PWD=$MARIADB_ROOT_PASSWORD exec mariadb -uroot",
        ]);
        let file = self.directory.join("fill.sql");
        std::fs::write(&file, sql)?;
        measure::must(client.stdin(Stdio::from(std::fs::File::open(file)?))).map(drop)
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["compose", "--ansi", "never", "-p", &self.project, "--env-file", ".env"]);
        command.args(arguments).current_dir(&self.directory);
        command
    }

    fn backend(&self, site: &str, arguments: &[&str]) -> Outcome<String> {
        measure::must(
            &mut self.compose(&[&["exec", "-T", "backend", "bench", "--site", site], arguments].concat()),
        )
    }

    fn configure(&self, repository: &Path) -> Outcome<()> {
        let text = std::fs::read_to_string(repository.join("tests/stack/bench.toml"))?
            .replace("@PROJECT@", &self.project)
            .replace("@SIDE_DOOR@", &stack::free_port()?.to_string())
            .replace("@STATE@", &self.directory.with_file_name("state").display().to_string());
        Ok(std::fs::write(self.directory.join("eclusa.toml"), text)?)
    }

    fn runbook(&self, version: &str) -> Outcome<()> {
        let mut script = Command::new("bash");
        script.args(["-euc", RUNBOOK]).current_dir(&self.directory);
        script.env("PROJECT", &self.project).env("SITES", self.sites.join(" ")).env("VERSION", version);
        measure::must(&mut script).map(drop)
    }

    /// Works under traffic to every site, with some seconds of it before and after.
    fn under_traffic(&self, pause: u64, work: impl FnOnce() -> Outcome<()>) -> Outcome<Release> {
        let come = |site: &String| Customers::come(self.port, site, PATH, 1, Duration::from_millis(pause));
        let customers: Vec<Customers> = self.sites.iter().map(come).collect();
        std::thread::sleep(Duration::from_secs(3));
        let began = Instant::now();
        let worked = work();
        let seconds = began.elapsed().as_secs_f64();
        std::thread::sleep(Duration::from_secs(5));
        let sites = customers.into_iter().map(Customers::leave).collect();
        worked.map(|()| Release { sites, seconds })
    }

    fn must_run(&self, version: &str) -> Outcome<()> {
        for site in &self.sites {
            let apps = self.backend(site, &["list-apps"])?;
            if !apps.contains(version.trim_start_matches('v')) {
                return Err(format!("{site} is not at {version}: {apps}").into());
            }
        }
        Ok(())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        stack::remove_project(&self.project);
    }
}

/// What became of the traffic to each site during one release.
struct Release {
    sites: Vec<Traffic>,
    seconds: f64,
}

/// One way of releasing.
struct Way {
    name: &'static str,
    releases: Vec<Release>,
}

#[allow(clippy::cast_precision_loss)]
impl Way {
    fn closed(&self) -> Vec<f64> {
        self.releases.iter().flat_map(|release| release.sites.iter().map(|site| site.closed)).collect()
    }

    fn row(&self) -> Vec<String> {
        let closed = self.closed();
        let sum = |what: &dyn Fn(&Traffic) -> usize| -> usize {
            self.releases.iter().flat_map(|release| release.sites.iter().map(what)).sum()
        };
        let failed = sum(&|site| site.failed);
        let told = sum(&|site| site.told);
        vec![
            self.name.to_owned(),
            format!("{:.1}", median(&closed)),
            format!("{:.1}", closed.iter().copied().fold(0.0, f64::max)),
            format!("{:.0}", closed.iter().sum::<f64>() / self.releases.len().max(1) as f64),
            format!("{}", sum(&|site| site.requests)),
            format!("{failed}"),
            format!("{}", failed - told),
            format!(
                "{:.0}",
                median(&self.releases.iter().map(|release| release.seconds).collect::<Vec<_>>())
            ),
        ]
    }
}

impl Tenants {
    pub fn run(self, common: &Common) -> Outcome<()> {
        measure::adopt_orphans()?;
        let ours = Bench::lay(common, &self, "eclusa")?;
        let plain = Bench::lay(common, &self, "plain")?;
        let eclusa = |arguments: &[&str]| {
            measure::must(&mut stack::command(&common.eclusa, &ours.directory, arguments)).map(drop)
        };
        ours.configure(&self.repository)?;
        eclusa(&["edge", "install", "--yes"])?;
        // As on every night before: the runbook has its files of yesterday, Eclusa its points.
        eclusa(&["backup"])?;
        let mut ways = ["Eclusa", "runbook"].map(|name| Way { name, releases: Vec::new() });
        let rounds = common.rounds(RELEASES.len()).min(RELEASES.len());
        for version in &RELEASES[..rounds] {
            let [by_us, by_hand] = &mut ways;
            by_us.releases.push(ours.under_traffic(self.pause, || eclusa(&["release", version, "--yes"]))?);
            ours.must_run(version)?;
            by_hand.releases.push(plain.under_traffic(self.pause, || plain.runbook(version))?);
            plain.must_run(version)?;
            for way in &ways {
                let last = way.releases.last().map(|release| &release.sites);
                eprintln!("{version}, {}: {last:?}", way.name);
            }
        }
        println!(
            "{} sites of about {} MB, a request to each every {} ms, {rounds} releases",
            ours.sites.len(),
            if common.small { 1 } else { self.megabytes },
            self.pause
        );
        let head = [
            "",
            "closed, s: median site",
            "worst site",
            "all sites added up",
            "requests",
            "failed",
            "of those: without the maintenance page",
            "whole command, s",
        ];
        print("Sites closed by a release", &head, &ways.iter().map(Way::row).collect::<Vec<_>>());
        Ok(())
    }
}
