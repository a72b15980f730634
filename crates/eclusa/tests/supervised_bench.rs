//! A bench of twelve sites on this host, whose processes supervisor runs: what adopt makes of it, a release of all
//! sites, one in which a patch of one site dies, runners that are killed while the release is moved, and a rollback. The
//! testbench stands in for Frappe; supervisor, nginx, the databases, the queues and git are real.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use bench::{stacks, text};

const SITES: usize = 12;

/// How many ports a bench takes, one after the other.
const PORTS: u16 = 8;

fn site(number: usize) -> String {
    format!("s{number:02}.localhost")
}

fn free_ports() -> u16 {
    loop {
        let first = eclusa_testkit::free_port();
        if (first..first + PORTS).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
}

fn script() -> PathBuf {
    stacks().join("bench_host.sh")
}

struct Bench {
    directory: PathBuf,
    port: u16,
    _root: tempfile::TempDir,
}

impl Bench {
    fn start(sites: usize) -> Self {
        let root = tempfile::Builder::new().prefix("ecl").tempdir_in("/tmp").unwrap();
        let port = free_ports();
        let directory = root.path().join("host");
        let bench = Self { directory, port, _root: root };
        let mut up = Command::new(script());
        up.arg(&bench.directory).arg(port.to_string()).arg(sites.to_string());
        let output = up.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let configuration = std::fs::read_to_string(script().with_extension("toml")).unwrap();
        let words = [
            ("@STATE@", bench._root.path().join("state").display().to_string()),
            ("@DIR@", bench.directory.display().to_string()),
            ("@PATH@", std::env::var("PATH").unwrap()),
            ("@PUBLIC@", port.to_string()),
            ("@WEB@", (port + 1).to_string()),
            ("@SOCKET@", (port + 2).to_string()),
            ("@CACHE@", (port + 3).to_string()),
            ("@QUEUE@", (port + 4).to_string()),
            ("@DATABASE@", (port + 5).to_string()),
            ("@EDGE@", (port + 6).to_string()),
            ("@SIDE_DOOR@", (port + 7).to_string()),
        ];
        // To be watched, each of many sites would have to be asked more often than two processors answer.
        let configuration = match sites {
            SITES => configuration.replace("for = \"10s\"", "for = \"0s\""),
            _ => configuration,
        };
        let configuration = words.iter().fold(configuration, |text, (word, value)| text.replace(word, value));
        std::fs::write(bench.directory.join("eclusa.toml"), configuration).unwrap();
        bench
    }

    fn command(&self, arguments: &[&str]) -> Command {
        bench::eclusa(&self.directory, arguments)
    }

    fn eclusa(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn must(&self, arguments: &[&str]) -> String {
        let output = self.eclusa(arguments);
        assert!(output.status.success(), "eclusa {}: {}", arguments.join(" "), text(&output));
        text(&output)
    }

    fn inside(&self, argv: &[&str]) -> String {
        let path = format!("{}/bin:{}", self.directory.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("env");
        command.arg(format!("PATH={path}")).args(argv).current_dir(self.directory.join("bench"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{argv:?}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn bench(&self, site: &str, arguments: &[&str]) -> String {
        self.inside(&[&["bench", "--site", site], arguments].concat())
    }

    fn version(&self) -> String {
        self.inside(&["bench", "version"])
    }

    fn config(&self, site: &str) -> serde_json::Value {
        let path = self.directory.join("bench/sites").join(site).join("site_config.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn sql(&self, site: &str, sql: &str) -> String {
        let mut command = Command::new("mariadb");
        let socket = format!("--socket={}/mariadb.sock", self.directory.display());
        let password = std::fs::read_to_string(self.directory.join("root-password")).unwrap();
        command.args(["--no-defaults", &socket, "--user=root", "-N", "-B", "-D"]);
        command.arg(self.config(site)["db_name"].as_str().unwrap()).args(["-e", sql]);
        let output = command.env("MYSQL_PWD", password.trim()).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn status(&self, site: &str, path: &str) -> u16 {
        bench::status(self.port, site, path)
    }

    /// What must be as before after a release that went back: what each site has of what its people wrote.
    fn books(&self, sites: usize) -> BTreeMap<String, String> {
        let sql = "SELECT GROUP_CONCAT(CONCAT(TABLE_NAME, '.', COLUMN_NAME) ORDER BY 1) FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = DATABASE(); CHECKSUM TABLE `tabCustomer`, `tabSales Invoice`, `tabSales Invoice Item`, \
                 `tabUser`, `tabCustom Field`";
        let files = |site: &str| self.inside(&["sh", "-c", "cat sites/$0/*/files/*", site]);
        (1..=sites).map(site).map(|site| (site.clone(), self.sql(&site, sql) + &files(&site))).collect()
    }

    /// Nobody is left closed, nothing is left behind, and everything that runs is of the bench as it lies there.
    fn at_rest(&self, sites: usize, version: &str) {
        assert_eq!(self.version(), format!("erpshop {version}\nfrappe {version}\n"));
        for number in 1..=sites {
            let site = site(number);
            assert_eq!(self.status(&site, "/login"), 200, "{site}");
            let config = self.config(&site);
            assert_ne!(config["maintenance_mode"], 1, "{site}");
            assert_ne!(config["pause_scheduler"], true, "{site}");
        }
        let left = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '%eclusa%new'";
        assert_eq!(self.sql(&site(1), left), "0");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.bench(&site(1), &["doctor"]).contains("Workers online: 2") {
            assert!(Instant::now() < deadline, "{}", self.bench(&site(1), &["doctor"]));
            std::thread::sleep(Duration::from_millis(200));
        }
        // What is moved is told its new place, and what a release's own bench was is gone from it.
        let script = std::fs::read_to_string(self.directory.join("bench/env/bin/gunicorn")).unwrap();
        let python = format!("#!{}/bench/env/bin/python", self.directory.display());
        assert!(script.starts_with(&python), "{script}");
        assert_eq!(
            self.inside(&["sh", "-c", "grep -rlF .eclusa env/bin env/lib/*/site-packages/*.pth || true"]),
            ""
        );
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.eclusa(&["edge", "remove", "--yes"]);
        let _ = Command::new(script()).arg("stop").arg(&self.directory).output();
    }
}

#[test]
fn twelve_sites_go_through_the_lock_and_one_that_fails_takes_all_back() {
    let bench = Bench::start(SITES);
    let found: serde_json::Value = serde_json::from_str(&bench.must(&["tenants", "--json"])).unwrap();
    assert_eq!(found["tenants"].as_array().unwrap().len(), SITES);
    assert_eq!(found["tenants"][0]["apps"], serde_json::json!(["frappe 15.1.0", "erpshop 15.1.0"]));
    // What adopt writes for it finds the same, and knows all but the administrator's password.
    bench.must(&["adopt", "bench", "--output", "adopted.toml"]);
    let adopted = std::fs::read_to_string(bench.directory.join("adopted.toml")).unwrap();
    let password = format!("\npassword = \"file:{}/root-password\"\n", bench.directory.display());
    let adopted = adopted.replace("\n# password = \"file:/etc/eclusa/mariadb-password\"\n", &password);
    let control = format!("\"supervisorctl\", \"-c\", \"{}/supervisord.conf\"", bench.directory.display());
    std::fs::write(bench.directory.join("adopted.toml"), adopted.replace("\"supervisorctl\"", &control))
        .unwrap();
    let path = format!("{}/bin:{}", bench.directory.display(), std::env::var("PATH").unwrap());
    let mut command = bench.command(&["--config", "adopted.toml", "tenants", "--json"]);
    let output = command.env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let adopted: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let lasting = |listed: &serde_json::Value| -> Vec<serde_json::Value> {
        let tenants = listed["tenants"].as_array().unwrap().iter();
        tenants
            .map(|one| serde_json::json!([one["tenant"], one["apps"], one["site"], one["database_version"]]))
            .collect()
    };
    assert_eq!(lasting(&adopted), lasting(&found));

    bench.must(&["backup"]);

    // Nobody is without an answer while the edge is put in front.
    let (port, stop) = (bench.port, std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let asking = {
        let stop = stop.clone();
        std::thread::spawn(move || {
            let (mut asked, mut bad) = (0, 0);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let answered = TcpStream::connect(("127.0.0.1", port)).is_ok_and(|mut stream| {
                    let request = "GET /login HTTP/1.1\r\nHost: s01.localhost\r\nConnection: close\r\n\r\n";
                    let mut bytes = Vec::new();
                    stream.write_all(request.as_bytes()).is_ok()
                        && stream.read_to_end(&mut bytes).is_ok()
                        && bytes.starts_with(b"HTTP/1.1 200")
                });
                asked += 1;
                bad += i32::from(!answered);
            }
            (asked, bad)
        })
    };
    bench.must(&["edge", "install", "--yes"]);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (asked, bad) = asking.join().unwrap();
    assert!(asked > 20 && bad == 0, "{bad} of {asked} requests were not answered");

    bench.sql(&site(3), "UPDATE tabCustomer SET customer_name = 'Größe 3' WHERE name = 'CUST-00003'");
    let output = bench.must(&["release", "v15.2", "--yes"]);
    assert!(output.contains("GO. Run"), "{output}");
    for number in [1, SITES] {
        let site = site(number);
        assert_eq!(bench.bench(&site, &["list-apps"]).matches("15.2.0").count(), 2, "{site}");
    }
    for number in 1..=SITES {
        let site = site(number);
        let points = "SELECT COUNT(*) FROM tabCustomer WHERE loyalty_points > 0";
        assert_eq!(bench.sql(&site, points), "200", "{site}");
    }
    let name = "SELECT customer_name FROM tabCustomer WHERE name = 'CUST-00003'";
    assert_eq!(bench.sql(&site(3), name), "Größe 3");
    bench.at_rest(SITES, "15.2.0");

    // A patch of one site dies halfway. All sites go back, each from its own point, and so do apps, environment, assets.
    bench.bench(&site(7), &["set-config", "testbench_fail", "patch"]);
    let (before, assets) = (bench.books(SITES), bench.inside(&["cat", "sites/assets/assets.json"]));
    let output = bench.eclusa(&["release", "v15.3", "--yes"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let failing = "“Executing erpshop.patches.v15_3.split_totals in s07.localhost";
    assert!(said.contains(failing), "the failing patch is named: {said}");
    assert!(said.contains("WENT BACK. Run"), "{said}");
    let after = bench.books(SITES);
    for (site, books) in &before {
        assert_eq!(after.get(site), Some(books), "{site} is as it was before");
    }
    assert_eq!(bench.inside(&["cat", "sites/assets/assets.json"]), assets);
    bench.at_rest(SITES, "15.2.0");

    // Back to the release before, with the data of before; what was written since is kept.
    bench.bench(&site(7), &["set-config", "testbench_fail", "None"]);
    bench.must(&["rollback", "--yes"]);
    assert!(bench.must(&["backups"]).contains("salvage"));
    bench.at_rest(SITES, "15.1.0");
}

#[test]
fn a_runner_that_is_killed_while_a_release_is_moved_is_finished_or_taken_back() {
    let bench = Bench::start(2);
    bench.must(&["edge", "install", "--yes"]);
    let before = bench.books(2);
    // Every place where a move can stop is tried in the module's own tests; here three, through the whole program: one
    // is taken back, one is finished, and so is the way back, in which the runner dies as well.
    for (moment, word, version) in [
        ("change.pin/bench.part.out#2", "abort", "15.1.0"),
        ("change.pin/bench.part.in#3", "resume", "15.2.0"),
    ] {
        let mut killed = bench.command(&["release", "v15.2", "--yes"]);
        let output = killed.env("ECLUSA_CRASH_AT", moment).output().unwrap();
        assert!(!output.status.success(), "{moment}: {}", text(&output));
        let output = bench.eclusa(&[word]);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{moment} {word}: {}", text(&output));
        bench.at_rest(2, version);
    }
    let mut killed = bench.command(&["rollback", "--yes"]);
    let output = killed.env("ECLUSA_CRASH_AT", "change.pin/bench.told").output().unwrap();
    assert!(!output.status.success(), "{}", text(&output));
    bench.must(&["resume"]);
    bench.at_rest(2, "15.1.0");
    assert_eq!(bench.books(2), before);

    // A site whose migration fails stays closed on request, with an owner, while the other one opens.
    bench.bench(&site(2), &["set-config", "testbench_fail", "patch"]);
    // The runner dies while the tables that the patch touched change places. Which step it was seen to begin last does not
    // matter: the other site's may go on beside.
    let steps =
        ["undo migrate.s02.localhost", "migrate.s02.localhost", "migrate.s01.localhost", "migrate.remaining"];
    let points: String = steps.map(|step| format!("{step}/mariadb.swap.out#1\n")).concat();
    std::fs::write(bench._root.path().join("points"), points).unwrap();
    let mut killed = bench.command(&["release", "v15.3", "--on-failure", "keep-closed", "--yes"]);
    let at = format!("@{}", bench._root.path().join("points").display());
    let killed = killed.env("ECLUSA_CRASH_AT", at).output().unwrap();
    assert!(!matches!(killed.status.code(), Some(0 | 3)), "{}", text(&killed));
    let output = bench.eclusa(&["resume"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("PARTLY. Run") && said.contains("s02.localhost stays closed"), "{said}");
    assert_eq!([1, 2].map(|number| bench.status(&site(number), "/login")), [200, 503]);
    assert_eq!(bench.books(2)[&site(2)], before[&site(2)], "it is as it was before");
    let said = text(&bench.eclusa(&["maintenance", "off", &site(2), "--yes"]));
    assert!(said.contains("open.patches.s02.localhost"), "it does not open before it is migrated: {said}");
    bench.bench(&site(2), &["set-config", "testbench_fail", "None"]);
    bench.must(&["migrate", &site(2), "--yes"]);
    bench.must(&["maintenance", "off", &site(2), "--yes"]);
    bench.at_rest(2, "15.3.0");
}
