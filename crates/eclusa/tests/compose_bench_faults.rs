//! A bench of three sites on which tenants are migrated, given an app and kept closed without another release, and what goes
//! wrong meanwhile: each fault has a clear outcome, nothing is lost, and nobody is left closed without an owner.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bench::{ComposeBench, text};

const ONE: &str = "s01.localhost";
const TWO: &str = "s02.localhost";
const THREE: &str = "s03.localhost";
const SITES: [&str; 3] = [ONE, TWO, THREE];

struct Bench(ComposeBench);

impl std::ops::Deref for Bench {
    type Target = ComposeBench;

    fn deref(&self) -> &ComposeBench {
        &self.0
    }
}

impl Bench {
    /// A bench whose image carries one more app than its sites have.
    fn start() -> Self {
        let bench = ComposeBench::start("benchfaults", SITES.len());
        let path = bench.directory.join(".env");
        let environment = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, environment.replace("=v15.1\n", "=v15.1-loyalty\n")).unwrap();
        bench.compose(&["up", "-d", "--wait"]);
        // As Frappe makes it: in no snapshot.
        let search = "CREATE TABLE __global_search (doctype VARCHAR(100), name VARCHAR(140), content TEXT, \
             FULLTEXT(content), UNIQUE doctype_name (doctype, name)) ENGINE = MyISAM; \
             INSERT INTO __global_search VALUES ('Customer', 'CUST-00001', 'a few words')";
        for site in SITES {
            bench.sql(site, search);
        }
        Self(bench)
    }

    fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn status(&self, site: &str) -> u16 {
        self.0.status(site, "/login")
    }

    /// What a site has of what its people wrote, and which tables and files.
    fn books(&self, site: &str) -> String {
        let tables = "SELECT GROUP_CONCAT(TABLE_NAME ORDER BY TABLE_NAME) FROM information_schema.TABLES WHERE \
             TABLE_SCHEMA = DATABASE(); CHECKSUM TABLE __global_search, `tabCustomer`, `tabSales Invoice`, `tabUser`";
        let files = self.inside("backend", &["sh", "-c", "cat sites/$0/*/files/*", site]);
        format!("{}\n{files}", self.sql(site, tables))
    }

    /// Whether a command with these words runs in the backend.
    fn runs(&self, words: &str) -> bool {
        let listed = self.inside("backend", &["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]);
        listed.contains(words)
    }

    /// Everybody is served, nothing is left behind.
    #[track_caller]
    fn at_rest(&self) {
        for site in SITES {
            assert_eq!(self.status(site), 200, "{site}");
            assert_ne!(self.config(site)["maintenance_mode"], 1, "{site}");
        }
        assert_eq!(self.half_restored(), "0");
        // A busy machine takes its time to start them.
        let began = Instant::now();
        loop {
            let said = self.bench(ONE, &["doctor"]);
            if said.contains("Workers online: 2") {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{said}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

#[test]
fn tenants_of_a_bench_fail_alone_and_are_closed_by_somebody_or_not_at_all() {
    let bench = Bench::start();
    bench.ends(0, &["edge", "install", "--yes"]);
    an_app_is_installed_tenant_by_tenant(&bench);
    a_closed_tenant_has_an_owner_whatever_is_killed(&bench);
    what_is_refused_before_anything_changes(&bench);
    a_wrong_password_fails_alone(&bench);
    the_containers_go_away_during_a_migration(&bench);
    what_a_restore_keeps_is_the_sites(&bench);
    the_cache_goes_away_during_a_migration(&bench);
    what_went_wrong_for_a_tenant_is_found(&bench);
    let _mounted = the_disk_of_the_sites_is_full(&bench);
    // Last: a job whose worker died counts as running until a worker looks after it, minutes later.
    a_worker_dies_in_a_job(&bench);
}

fn an_app_is_installed_tenant_by_tenant(bench: &Bench) {
    let said = bench.ends(1, &["apps", "install", "nosuch", ONE, "--yes"]);
    assert!(said.contains("E0316") && said.contains("erpshop, frappe, loyalty"), "{said}");
    // Half a site: without this table neither the app nor its migration comes to an end.
    bench.sql(TWO, "RENAME TABLE `tabPatch Log` TO `tabPatch Gone`");
    let before = bench.books(TWO);
    let said = bench.ends(3, &["apps", "install", "loyalty", ONE, TWO, "--yes"]);
    assert!(said.contains("s02.localhost goes back alone, the others go on"), "{said}");
    assert!(said.contains("PARTLY. Run"), "{said}");
    assert_eq!(bench.books(TWO), before, "it is as it was before");
    assert!(bench.bench(ONE, &["list-apps"]).contains("loyalty"));
    assert!(!bench.bench(TWO, &["list-apps"]).contains("loyalty"));
    bench.at_rest();

    bench.sql(TWO, "RENAME TABLE `tabPatch Gone` TO `tabPatch Log`");
    let said = bench.ends(0, &["apps", "install", "loyalty", ONE, TWO, "--yes"]);
    assert!(said.contains("s01.localhost has the app loyalty already"), "{said}");
    assert!(bench.bench(TWO, &["list-apps"]).contains("loyalty"));
    let said = bench.ends(1, &["apps", "install", "loyalty", ONE, TWO, "--yes"]);
    assert!(said.contains("E0305"), "{said}");
    bench.at_rest();
}

fn a_closed_tenant_has_an_owner_whatever_is_killed(bench: &Bench) {
    let on = ["maintenance", "on", THREE, "--reason", "stocktaking", "--for", "1s", "--yes"];
    bench.ends(0, &on);
    assert_eq!((bench.status(THREE), bench.status(ONE)), (503, 200));
    let said = bench.ends(1, &["edge", "open", THREE]);
    assert!(said.contains("tester") && said.contains("eclusa maintenance off s03.localhost"), "{said}");
    std::thread::sleep(Duration::from_secs(1));
    let said = bench.ends(1, &["status"]);
    assert!(said.contains("STILL kept closed") && said.contains(": stocktaking"), "{said}");
    assert!(bench.ends(0, &["tenants"]).contains("BY tester since"), "the list says who");
    // A run for everyone does not open it.
    let said = bench.ends(0, &["migrate", "--yes"]);
    assert!(
        said.contains("GO. Run") && said.contains("s03.localhost stays closed, whatever this run does"),
        "{said}"
    );
    assert_eq!((bench.status(THREE), bench.status(ONE)), (503, 200));
    assert_eq!(bench.config(THREE)["maintenance_mode"], 1);
    bench.ends(0, &["maintenance", "off", "--yes"]);
    bench.at_rest();
    let said = bench.ends(1, &["maintenance", "off", "--yes"]);
    assert!(said.contains("E0305"), "{said}");

    for (point, owned) in [
        ("close.owner.s03.localhost/maintenance.owner.before", false),
        ("close.gate.s03.localhost/edge.closed", true),
    ] {
        let killed =
            bench.command(&["maintenance", "on", THREE, "--yes"]).env("ECLUSA_CRASH_AT", point).output();
        assert!(!killed.unwrap().status.success(), "{point}");
        let shut = bench.status(THREE) != 200;
        let said = bench.ends(1, &["status"]);
        assert_eq!(said.contains("is kept closed by tester"), owned, "{point}: {said}");
        assert!(owned || !shut, "{point}: closed without an owner");
        bench.ends(0, &["resume"]);
        assert_eq!(bench.status(THREE), 503, "{point}");
        bench.ends(0, &["maintenance", "off", THREE, "--yes"]);
        bench.at_rest();
    }
    // Killed while it opens: it is open, or somebody still keeps it closed.
    bench.ends(0, &["maintenance", "on", THREE, "--yes"]);
    let point = "open.owner.s03.localhost/maintenance.owner.before";
    let killed =
        bench.command(&["maintenance", "off", THREE, "--yes"]).env("ECLUSA_CRASH_AT", point).output();
    assert!(!killed.unwrap().status.success());
    let said = bench.ends(1, &["status"]);
    assert!(said.contains("is kept closed by tester"), "{said}");
    bench.ends(0, &["resume"]);
    bench.at_rest();
}

fn what_is_refused_before_anything_changes(bench: &Bench) {
    // A site that goes between the plan and the run.
    bench.ends(0, &["plan", "migrate", "--out", "plan.json"]);
    bench.inside("backend", &["mv", "sites/s03.localhost", "/tmp/s03.localhost"]);
    let output = bench.command(&["migrate", "--plan", "plan.json", "--yes"]).output().unwrap();
    assert!(!output.status.success(), "{}", text(&output));
    // Its database without its folder is nobody's, and stays.
    assert!(!bench.ends(0, &["tenants"]).contains(THREE));
    bench.inside("backend", &["mv", "/tmp/s03.localhost", "sites/s03.localhost"]);
    bench.at_rest();

    // A folder whose database is not there.
    bench.inside("backend", &["mkdir", "-p", "sites/hollow.localhost/locks"]);
    let config = "{\"db_name\": \"_0123456789abcdef\", \"db_password\": \"x\"}";
    let path = "sites/hollow.localhost/site_config.json";
    bench.inside("backend", &["sh", "-c", "printf %s \"$1\" >\"$0\"", path, config]);
    let said = bench.ends(3, &["backup"]);
    assert!(
        said.contains("took no restore point of hollow.localhost. Those that it took of the others are good"),
        "{said}"
    );
    let said = bench.ends(3, &["migrate", "--yes"]);
    assert!(
        said.contains("preflight.database.hollow.localhost") && said.contains("before anything was changed"),
        "{said}"
    );
    bench.inside("backend", &["rm", "-r", "sites/hollow.localhost"]);
    bench.at_rest();

    // Redis gone: what could not be emptied on the way back either is not begun.
    bench.compose(&["stop", "redis-cache"]);
    let said = bench.ends(3, &["migrate", ONE, "--yes"]);
    assert!(said.contains("preflight.services") && said.contains("before anything was changed"), "{said}");
    bench.compose(&["start", "redis-cache"]);
    bench.at_rest();
}

fn a_wrong_password_fails_alone(bench: &Bench) {
    let before = bench.books(ONE);
    let right = bench.config(ONE)["db_password"].as_str().unwrap().to_owned();
    bench.bench(TWO, &["set-config", "marker", "kept"]);
    let replace = "sed -i \"s/$1/$2/\" \"$0\"";
    let path = "sites/s01.localhost/site_config.json";
    bench.inside("backend", &["sh", "-c", replace, path, &right, "wrong"]);
    let said = bench.ends(3, &["migrate", "--yes"]);
    assert!(said.contains("s01.localhost goes back alone, the others go on"), "{said}");
    assert!(said.contains("PARTLY. Run") && !said.contains("s02.localhost goes back"), "{said}");
    assert!(!said.contains(&right), "the password is not said");
    assert_eq!(bench.config(ONE)["db_password"], "wrong", "the owner's file is as it was");
    assert_ne!(bench.config(ONE)["maintenance_mode"], 1);
    bench.inside("backend", &["sh", "-c", replace, path, "wrong", &right]);
    assert_eq!(bench.books(ONE), before);
    bench.at_rest();
}

/// Waits until a run has come to what is wanted.
fn until(what: &str, reached: impl Fn() -> bool) {
    let began = Instant::now();
    while !reached() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn the_containers_go_away_during_a_migration(bench: &Bench) {
    let before: Vec<String> = SITES.iter().map(|site| bench.books(site)).collect();
    bench.bench(ONE, &["set-config", "testbench_fail", "migrate-hangs"]);
    let migrating = bench.begin(&["migrate", ONE, "--yes"]);
    until("the migration", || bench.runs("--site s01.localhost migrate"));
    // MariaDB dies, and somebody makes the container anew in which the migration runs.
    bench.compose(&["kill", "db"]);
    bench.compose(&["up", "-d", "--no-deps", "--force-recreate", "--wait", "backend"]);
    std::thread::sleep(Duration::from_secs(3));
    bench.compose(&["up", "-d", "--no-deps", "--wait", "db"]);
    let output = migrating.wait_with_output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("s01.localhost goes back alone"), "{said}");
    bench.bench(ONE, &["set-config", "testbench_fail", "None"]);
    for (site, books) in SITES.iter().zip(&before) {
        assert_eq!(bench.books(site), *books, "{site}");
    }
    bench.at_rest();
}

/// bench reads all of a site's files, also what lies there until the restore is accepted.
fn what_a_restore_keeps_is_the_sites(bench: &Bench) {
    // So big that the dump is several streams.
    bench.sql(
        TWO,
        "CREATE TABLE tabBig (name VARCHAR(140) PRIMARY KEY, creation DATETIME(6), x TEXT, KEY creation (creation)); \
         INSERT INTO tabBig SELECT MD5(seq), '2024-01-01' + INTERVAL seq SECOND, REPEAT(MD5(seq), 60) FROM seq_1_to_20000; \
         ANALYZE TABLE tabBig",
    );
    let before = bench.books(TWO);
    bench.ends(0, &["backup", TWO]);
    let points = bench.eclusa(&["backups", TWO, "--json"]);
    assert!(text(&points).contains("database/2-rows-1.sql"), "{}", text(&points));
    bench.sql(TWO, "DELETE FROM tabBig WHERE x LIKE '%0'");
    bench.ends(0, &["restore", TWO, "--yes"]);
    let big = "SELECT COUNT(*), COUNT(DISTINCT x), (SELECT COUNT(*) FROM information_schema.STATISTICS \
        WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'tabBig') FROM tabBig";
    assert_eq!(bench.sql(TWO, big), "20000\t20000\t2");
    let kept = bench.inside("backend", &["sh", "-c", "ls -A sites/s02.localhost/*/files"]);
    assert_eq!(kept.matches("-old").count(), 2, "{kept}");
    bench.bench(TWO, &["backup", "--with-files", "--backup-path", "/tmp/taken"]);
    assert_eq!(bench.books(TWO), before);
    bench.at_rest();
}

/// The cache dies once it is too late to stop before anything is changed.
fn the_cache_goes_away_during_a_migration(bench: &Bench) {
    let before = bench.books(ONE);
    bench.bench(ONE, &["set-config", "testbench_fail", "migrate-hangs"]);
    let migrating = bench.begin(&["migrate", ONE, "--yes"]);
    until("the migration", || bench.runs("--site s01.localhost migrate"));
    bench.compose(&["kill", "redis-cache"]);
    // It may have needed the cache, and be gone.
    bench.inside("backend", &["sh", "-c", "pkill -f '[s]ite s01.localhost migrate' || true"]);
    let output = migrating.wait_with_output().unwrap();
    let said = text(&output);
    // Its cache cannot be emptied, so the site is not opened: the run still owns it, and says what is to be done.
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert_eq!(bench.config(ONE)["maintenance_mode"], 1, "{said}");
    bench.compose(&["up", "-d", "--no-deps", "--wait", "redis-cache"]);
    assert_eq!((bench.status(TWO), bench.status(THREE)), (200, 200));
    bench.bench(ONE, &["set-config", "testbench_fail", "None"]);
    bench.eclusa(&["resume"]);
    assert_eq!(bench.books(ONE), before);
    bench.at_rest();
}

fn what_went_wrong_for_a_tenant_is_found(bench: &Bench) {
    bench.sql(ONE, "RENAME TABLE `tabUser` TO `tabUser Gone`");
    assert_eq!(bench.status(ONE), 500);
    bench.sql(ONE, "RENAME TABLE `tabUser Gone` TO `tabUser`");
    let said = bench.ends(0, &["logs", "--tenant", ONE, "--errors", "--since", "1m"]);
    assert!(said.contains(" frappe.log ERROR frappe Could not take error snapshot"), "{said}");
    assert!(said.contains("\nTraceback (most recent call last):\n"), "with what belongs to it: {said}");
    let said = bench.ends(0, &["logs", "--tenant", TWO, "--errors", "--since", "1m"]);
    assert!(said.contains("Nothing was said about s02.localhost in the last 1m"), "{said}");
    // A line of a service that names it.
    let said = bench.ends(0, &["logs", "--tenant", TWO, "--since", "10m"]);
    assert!(said.contains("(s02.localhost::") && !said.contains("s01.localhost"), "{said}");
}

/// Its worker was killed, so nobody ends the job, and for a while nobody says that it is over.
fn a_worker_dies_in_a_job(bench: &Bench) {
    let configuration = bench.configuration();
    bench.configure(&format!("{configuration}\n[stacks.erp.limits]\ndrain = \"5s\"\n"));
    let method = "frappe.utils.background_jobs.enqueue_sleep";
    bench.bench(ONE, &["execute", method, "--kwargs", "{\"seconds\": 120}"]);
    let idle = || {
        let ready =
            ["exec", &format!("{}-backend-1", bench.project), "bench", "--site", ONE, "ready-for-migration"];
        Command::new("docker").args(ready).output().unwrap().status.success()
    };
    until("the job", || !idle());
    let migrating = bench.begin(&["migrate", ONE, "--yes"]);
    until("a closed gate", || bench.status(ONE) == 503);
    let name = format!("{}-queue-short-1", bench.project);
    let process =
        Command::new("docker").args(["inspect", "--format", "{{.State.Pid}}", &name]).output().unwrap();
    let process = String::from_utf8(process.stdout).unwrap();
    assert!(Command::new("kill").args(["-9", process.trim()]).status().unwrap().success());
    let status =
        || serde_json::from_slice::<serde_json::Value>(&bench.eclusa(&["status", "--json"]).stdout).unwrap();
    until("the question", || status()["open_run"]["asking"] == "close.jobs.s01.localhost");
    let said = bench.ends(1, &["status"]);
    let run = status()["open_run"]["run"].as_str().unwrap().to_owned();
    assert!(said.contains(&format!("Next:  eclusa answer {run} go --reason TEXT, or no-go")), "{said}");
    assert!(!said.contains("eclusa start"), "what the run stopped is its own: {said}");
    bench.ends(0, &["answer", &run, "go", "--reason", "its worker is dead"]);
    let output = migrating.wait_with_output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("GO. Run"), "{said}");
    bench.configure(&configuration);
    // The one that died is counted until it has been silent for long enough.
    assert!(bench.bench(ONE, &["doctor"]).contains("Workers online"));
    assert_eq!(bench.status(ONE), 200);
}

/// A small file system on top of a directory: with room for a restore beside of what the sites have.
struct Mounted(String);

impl Mounted {
    fn over(directory: &str) -> Self {
        let arguments = ["-t", "tmpfs", "-o", "size=256m,mode=755", "none", directory];
        assert!(Command::new("mount").args(arguments).status().unwrap().success(), "{directory}");
        Self(directory.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy", &self.0]).status();
    }
}

/// It fills up once it is too late to stop before anything is changed, and it is full from the beginning.
fn the_disk_of_the_sites_is_full(bench: &Bench) -> Mounted {
    let volume = format!("{}_sites", bench.project);
    let found =
        Command::new("docker").args(["volume", "inspect", "--format", "{{.Mountpoint}}", &volume]).output();
    let directory = String::from_utf8(found.unwrap().stdout).unwrap().trim().to_owned();
    let aside = bench.root.path().join("sites");
    let copy = |from: &Path, to: &Path| {
        let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status();
        assert!(copied.unwrap().success());
    };
    // A worker that is killed counts as online for minutes, and Redis keeps that in its volume.
    bench.compose(&["stop", "queue-short", "queue-long"]);
    bench.compose(&["stop", "--timeout", "1"]);
    std::fs::create_dir(&aside).unwrap();
    copy(Path::new(&directory), &aside);
    let mounted = Mounted::over(&directory);
    copy(&aside, Path::new(&directory));
    bench.compose(&["up", "-d", "--wait", "--force-recreate", "--renew-anon-volumes"]);
    let before = bench.books(ONE);
    let fill = || bench.inside("backend", &["sh", "-c", "dd if=/dev/zero of=sites/filler bs=1M || true"]);

    bench.bench(ONE, &["set-config", "testbench_fail", "migrate-hangs"]);
    let migrating = bench.begin(&["migrate", ONE, "--yes"]);
    until("the migration", || bench.runs("--site s01.localhost migrate"));
    fill();
    bench.inside("backend", &["pkill", "-f", "site s01.localhost migrate"]);
    let output = migrating.wait_with_output().unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("No space left on device") && said.contains("type: eclusa resume"), "{said}");
    // It is closed, with an owner, and nothing of it is lost.
    assert_eq!((bench.status(ONE), bench.status(TWO)), (503, 200));
    assert_eq!(bench.config(ONE)["maintenance_mode"], 1);
    assert!(bench.ends(1, &["status"]).contains("has not ended and nobody owns it"));

    bench.inside("backend", &["rm", "sites/filler"]);
    bench.bench(ONE, &["set-config", "testbench_fail", "None"]);
    bench.ends(3, &["resume"]);
    assert_eq!(bench.books(ONE), before);
    assert_eq!(bench.status(ONE), 200);

    fill();
    let said = bench.ends(3, &["migrate", ONE, "--yes"]);
    assert!(said.contains("preflight.disk.data") && said.contains("before anything was changed"), "{said}");
    bench.inside("backend", &["rm", "sites/filler"]);
    bench.at_rest();
    mounted
}
