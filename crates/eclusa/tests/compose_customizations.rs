//! A bench of two sites on Compose: what people have made of a site is exported, compared and recorded by a release, and
//! files of `bench backup` go in both directions. The testbench stands in for Frappe; databases, gpg and the engine are
//! real.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bench::{ComposeBench, text};

const ONE: &str = "s01.localhost";
const TWO: &str = "s02.localhost";

const SCENE: &str = r#"
INSERT INTO `tabCustom Field` (name, dt, fieldname, fieldtype, modified_by) VALUES
  ('Customer-vat_id', 'Customer', 'vat_id', 'Data', 'anna@example.org'), ('Customer-größe', 'Customer', 'größe', 'Int', 'anna@example.org');
INSERT INTO `tabCustom Field` (name, dt, fieldname, is_system_generated) VALUES ('Customer-made', 'Customer', 'made', 1);
INSERT INTO `tabProperty Setter` (name, doc_type, field_name, property, value) VALUES ('Customer-territory-bold', 'Customer', 'territory', 'bold', '1');
INSERT INTO `tabClient Script` (name, dt, enabled, script) VALUES ('Tell "them"', 'Customer', 1, 'a(1);\n\tb("naïve 🚢 \\d+");');
INSERT INTO `tabPrint Format` (name, doc_type, standard, html) VALUES ('Own', 'Sales Invoice', 'No', '<b>'), ('Shipped', 'Sales Invoice', 'Yes', '<i>');
INSERT INTO tabWorkflow (name, document_type, is_active) VALUES ('Approval', 'Sales Invoice', 1);
INSERT INTO `tabWorkflow Document State` (name, parent, parenttype, parentfield, idx, state, allow_edit) VALUES
  ('h2', 'Approval', 'Workflow', 'states', 2, 'Approved', 'Manager'), ('h1', 'Approval', 'Workflow', 'states', 1, 'Draft', 'All');
INSERT INTO tabWebhook (name, webhook_doctype, request_url, webhook_secret) VALUES ('HOOK-1', 'Customer', 'https://u:canary-one@hooks.example.org/canary-two', 'canary-three');
INSERT INTO `tabWebhook Header` (name, parent, parenttype, parentfield, idx, `key`, value) VALUES ('w1', 'HOOK-1', 'Webhook', 'webhook_headers', 1, 'Authorization', 'canary-four');
CREATE DEFINER=`gone`@`10.9.9.9` VIEW v_customers AS SELECT name FROM tabCustomer;
CREATE DEFINER=`gone`@`10.9.9.9` TRIGGER t_customer BEFORE UPDATE ON tabCustomer FOR EACH ROW SET NEW.idx = NEW.idx;
INSERT INTO tabSingles VALUES ('System Settings', 'encrypt_backup', '1');
"#;

struct Bench(ComposeBench);

impl std::ops::Deref for Bench {
    type Target = ComposeBench;

    fn deref(&self) -> &ComposeBench {
        &self.0
    }
}

impl Bench {
    fn start() -> Self {
        let bench = ComposeBench::start("custom", 2);
        // The release takes the only Property Setter away, which is meant here.
        let gates = "\n[stacks.erp.frappe.gates]\nrows_ignore = [\"tabProperty Setter\"]\n\n[stacks.erp.secure]\n\
             read_ahead_from = 1\n\n[stacks.erp.release]";
        bench.configure(&bench.configuration().replace("\n[stacks.erp.release]", gates));
        Self(bench)
    }

    fn eclusa(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.0.eclusa(arguments);
        (output.status.code(), text(&output))
    }

    fn refused(&self, arguments: &[&str], because: &str) {
        let said = self.ends(1, arguments);
        assert!(said.contains(because), "{said}");
    }

    fn inside(&self, script: &str) -> String {
        self.0.inside("backend", &["sh", "-euc", script])
    }

    /// What a site has, without the names of its database and of its directory.
    fn books(&self, site: &str) -> String {
        let tables = "CHECKSUM TABLE tabCustomer, `tabSales Invoice`, tabUser, `tabCustom Field`, `tabClient Script`, tabWebhook";
        let checksums = self.sql(site, tables);
        let checksums: Vec<&str> = checksums.lines().filter_map(|line| line.split('\t').nth(1)).collect();
        format!("{checksums:?} {}", self.inside(&format!("cat sites/{site}/*/files/*")))
    }
}

/// Everything below a directory that holds one of these words.
fn holding(directory: &Path, words: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, words, found);
        } else {
            let content = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            if words.iter().any(|word| content.contains(word)) {
                found.push(path);
            }
        }
    }
}

#[test]
fn customizations_and_backup_files_of_a_bench() {
    let bench = Bench::start();
    bench.sql(ONE, SCENE);
    compared(&bench);
    files_in_both_directions(&bench);
    let _second = a_site_on_a_server_of_its_own(&bench);
    released(&bench);
}

/// A second server, which is no service of the stack. It goes before the stack's network does.
struct SecondServer(String);

impl Drop for SecondServer {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.0]).output();
    }
}

impl SecondServer {
    fn start(bench: &Bench) -> Self {
        let name = format!("{}-second", bench.project);
        let server = Self(name);
        let network = format!("{}_default", bench.project);
        let options = ["--network", &network, "--network-alias", "db2", "-e", "MARIADB_ROOT_PASSWORD=second"];
        let mut run = Command::new("docker");
        run.args(["run", "-d", "--name", &server.0]).args(options).arg("mariadb:10.11-bookworm");
        run.args(["mariadbd", "--log-bin=bin", "--server-id=2", "--binlog-format=MIXED"]);
        let output = run.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let reached = || server.client("SELECT 1", "mysql").is_some();
        assert!((0..100).any(|_| reached() || {
            std::thread::sleep(Duration::from_millis(300));
            false
        }));
        server
    }

    fn client(&self, sql: &str, database: &str) -> Option<String> {
        let client = "MYSQL_PWD=second mariadb --user=root -N -B -D \"$0\" -e \"$1\"";
        let argv = ["exec", &self.0, "sh", "-c", client, database, sql];
        let output = Command::new("docker").args(argv).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// The second server keeps a binary log: what was written between a restore point and a mistake comes back.
fn a_moment_comes_back(bench: &Bench, there: &dyn Fn() -> String, write: &dyn Fn(&str)) {
    let ago = |now: i64| jiff::Timestamp::from_second(now).unwrap().to_string();
    let second = || jiff::Timestamp::now().as_second();
    // The restore before swapped the tables: no point before it leads anywhere.
    let said = bench.ends(3, &["restore", TWO, "--at", &ago(second()), "--yes"]);
    assert!(said.contains("E0614") && said.contains("swap tables by such ones"), "{said}");
    bench.must(&["backup", TWO]);
    assert!(bench.eclusa(&["status"]).1.contains("log since"), "{}", bench.eclusa(&["status"]).1);
    write("in the afternoon");
    std::thread::sleep(Duration::from_millis(1_100));
    let moment = second();
    std::thread::sleep(Duration::from_millis(1_100));
    write("a mistake");
    let said = bench.must(&["restore", TWO, "--at", &ago(moment), "--yes"]);
    assert!(said.contains("changes replayed"), "{said}");
    assert_eq!(there(), "in the afternoon");
    let said = bench.ends(2, &["restore", TWO, "--at", "in the afternoon", "--yes"]);
    assert!(said.contains("2026-03-01T14:05"), "{said}");
    let said = bench.ends(1, &["restore", ONE, "--at", &ago(second()), "--yes"]);
    assert!(said.contains("E0614") && said.contains("the server kept none then"), "{said}");
}

/// Tables of a restore point in a database of their own, which nobody forgets.
fn tables_are_looked_at(
    bench: &Bench,
    server: &SecondServer,
    there: &dyn Fn() -> String,
    write: &dyn Fn(&str),
) {
    write("as it was");
    bench.must(&["backup", TWO]);
    write("as it is");
    let said = bench.ends(1, &["aside", "take", TWO, "Custom", "--yes"]);
    assert!(said.contains("E0615") && said.contains("tabCustomer"), "{said}");
    let said = bench.must(&["aside", "take", TWO, "Customer", "tabUser", "--yes"]);
    let listed = bench.must(&["aside", "ls", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let database = listed["asides"][0]["database"].as_str().unwrap();
    assert!(said.contains(database) && listed["asides"][0]["tenant"] == TWO, "{said}");
    assert_eq!(server.client("SHOW TABLES", database).unwrap(), "tabCustomer\ntabUser");
    let customer = "SELECT customer_name FROM tabCustomer WHERE name = 'CUST-00001'";
    assert_eq!(server.client(customer, database).unwrap(), "as it was");
    assert_eq!(there(), "as it is");
    assert!(bench.eclusa(&["status"]).1.contains("eclusa aside drop"));
    let said = bench.must(&["erase", TWO, "--still-configured", "--plan"]);
    assert!(said.contains(database), "{said}");
    bench.must(&["aside", "drop", database, "--yes"]);
    assert!(bench.must(&["aside", "ls"]).contains("There is no database"));
    bench.refused(&["aside", "drop", "mysql", "--yes"], "no such database");
}

/// A database of the site's name is left on the server of all others, and must never be taken for the site's.
fn a_site_on_a_server_of_its_own(bench: &Bench) -> SecondServer {
    let server = SecondServer::start(bench);
    let config = bench.config(TWO);
    let (name, password) = (config["db_name"].as_str().unwrap(), config["db_password"].as_str().unwrap());
    let made = format!(
        "CREATE DATABASE `{name}` CHARACTER SET utf8mb4; CREATE USER `{name}`@'%' IDENTIFIED BY '{password}'; \
         GRANT ALL ON `{name}`.* TO `{name}`@'%'"
    );
    server.client(&made, "mysql").unwrap();
    let moving = "MYSQL_PWD=$MARIADB_ROOT_PASSWORD mariadb-dump --user=root --single-transaction \"$0\" | \
                  MYSQL_PWD=second mariadb --user=root --host=db2 \"$0\"";
    bench.0.inside("db", &["sh", "-euc", moving, name]);
    bench.bench(TWO, &["set-config", "db_host", "db2"]);
    let customer = "SELECT customer_name FROM tabCustomer WHERE name = 'CUST-00001'";
    let there = || server.client(customer, name).unwrap();
    let write = |what: &str| {
        let sql = format!("UPDATE tabCustomer SET customer_name = '{what}' WHERE name = 'CUST-00001'");
        server.client(&sql, name).unwrap();
    };
    let left = bench.sql(TWO, customer);

    let said = bench.ends(1, &["tenants"]);
    assert!(said.contains("a server of its own, db2:3306"), "{said}");
    let said = bench.ends(1, &["backup", TWO]);
    assert!(said.contains("E0304") || said.contains("no tenant"), "{said}");
    let said = bench.ends(1, &["release", "v15.2", "--yes"]);
    assert!(said.contains("E0313") && said.contains("[[database.servers]]"), "{said}");

    let servers = "\n[[stacks.erp.database.servers]]\ndb_host = \"db2\"\nhost = \"db2\"\npassword = \"file:second\"\n\
                   \n[stacks.erp.edge]";
    bench.configure(&bench.configuration().replace("\n[stacks.erp.edge]", servers));
    std::fs::write(bench.directory.join("second"), "second\n").unwrap();
    write("on its own server");
    bench.must(&["backup", "--prove", TWO]);
    write("later");
    bench.must(&["restore", TWO, "--yes"]);
    assert_eq!(there(), "on its own server");
    assert_eq!(bench.sql(TWO, customer), left, "what lies on the other server is not the site's");
    // A statement that is replayed fires triggers, whose definer has no rights on the copy.
    server.client("DROP TRIGGER IF EXISTS t_customer; DROP VIEW IF EXISTS v_customers", name).unwrap();
    a_moment_comes_back(bench, &there, &write);
    tables_are_looked_at(bench, &server, &there, &write);
    let said = bench.must(&["clone", TWO, "copy.localhost", "--yes"]);
    assert_eq!(bench.config("copy.localhost")["db_host"], "db2", "{said}");
    bench.inside("rm -r sites/copy.localhost");
    server
}

fn compared(bench: &Bench) {
    let said = bench.must(&["customizations", "export"]);
    assert!(
        said.contains("s01.localhost: 7 documents") && said.contains("s02.localhost: 0 documents"),
        "{said}"
    );
    assert!(said.contains("no such DocType: ") && said.contains("Web Form"), "{said}");
    let mut found = Vec::new();
    holding(&bench.state(), &["canary-"], &mut found);
    assert_eq!(found, Vec::<PathBuf>::new(), "no secret is kept");
    let said = bench.must(&["customizations", "diff", TWO, ONE]);
    for line in
        ["+ Customer-größe", "+ Tell \"them\"", "+ Own", "+ Approval", "7 added, 0 changed, 0 removed."]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("Shipped") && !said.contains("Customer-made"), "{said}");
    // Nothing changed since it was kept; then something does.
    assert_eq!(
        bench.eclusa(&["customizations", "diff", ONE, "--exit-code"]),
        (Some(0), "Both have the same.\n".to_owned())
    );
    bench.sql(
        ONE,
        "UPDATE `tabClient Script` SET script = REPLACE(script, 'naïve', 'x'), modified = NOW(6); \
         UPDATE tabWebhook SET webhook_secret = 'canary-five'; UPDATE tabWorkflow SET modified = NOW(6)",
    );
    let (code, said) = bench.eclusa(&["customizations", "diff", ONE, "--exit-code"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("line 2: \"\\tb(\\\"naïve 🚢 \\\\d+\\\");\" → \"\\tb(\\\"x 🚢"), "{said}");
    assert!(
        said.contains("webhook_secret: \"redacted:") && said.contains("0 added, 2 changed, 0 removed."),
        "{said}"
    );
    // The fixtures of an app in the running service, and those that are written.
    let said = bench.must(&["customizations", "diff", "app:erpshop", ONE]);
    assert!(said.contains("+ Customer-größe") && said.contains("1 added, 0 changed, 0 removed."), "{said}");
    let directory = bench.root.path().join("fixtures");
    let directory = directory.to_str().unwrap();
    let said =
        bench.must(&["customizations", "export", ONE, "--fixtures", directory, "--doctype", "Custom Field"]);
    assert!(said.contains("{\"dt\": \"Custom Field\", \"filters\": [[\"name\", \"in\", ["), "{said}");
    let said = bench.must(&["customizations", "diff", directory, ONE]);
    assert!(said.contains("Both have the same."), "{said}");
    let said = bench.must(&["customizations", "report", ONE]);
    assert!(said.contains("| Customer-vat_id | Customer | anna@example.org |"), "{said}");
    bench.refused(&["customizations", "diff", "s01.localhost@2020-01-01"], "E0608");
    bench.refused(&["customizations", "diff", "app:nope", ONE], "E0901");
}

fn files_in_both_directions(bench: &Bench) {
    // With the sandbox line, a definer that does not exist, encrypted.
    bench.inside(&format!("bench --site {ONE} backup --with-files --backup-path /tmp/taken"));
    let before = bench.books(ONE);
    let taken = bench.root.path().join("taken");
    bench.compose(&["cp", "backend:/tmp/taken", taken.to_str().unwrap()]);
    let file = |ending: &str| {
        let mut names: Vec<PathBuf> =
            std::fs::read_dir(&taken).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|path| path.to_str().unwrap().ends_with(ending));
        names.sort();
        names.into_iter().next_back().unwrap().to_str().unwrap().to_owned()
    };
    let (dump, private) = (file("-database-enc.sql.gz"), file("-private-files-enc.tar"));
    let public = private.replace("-private-files-", "-files-");
    let config = bench.root.path().join("config.json");
    std::fs::write(&config, r#"{"db_name": "x", "db_password": "y", "encryption_key": "THE-KEY"}"#).unwrap();
    let wrong = bench.root.path().join("wrong");
    std::fs::write(&wrong, "no key").unwrap();
    let wrong = format!("file:{}", wrong.display());
    let from = ["restore", ONE, "--from-files", &dump, &public, &private];
    bench.refused(&[&from[..], &["--encryption-key-from", &wrong, "--check"]].concat(), "E0609");
    bench.refused(&["restore", ONE, "--from-files", &dump, &private, "--check"], "public-files are wanted");
    // Spoiled, and back.
    bench.sql(ONE, "DROP TRIGGER t_customer; UPDATE tabCustomer SET customer_name = 'spoiled'; DELETE FROM `tabClient Script`");
    bench.inside(&format!("echo spoiled >sites/{ONE}/public/files/logo.txt"));
    let take_key = ["--site-config", config.to_str().unwrap(), "--take-encryption-key", "--yes"];
    let said = bench.must(&[&from[..], &take_key].concat());
    assert!(said.contains("sandbox mode") && said.contains("`gone`@`10.9.9.9` are defined by"), "{said}");
    assert_eq!(bench.books(ONE), before);
    let definers = "SELECT COUNT(*), MAX(DEFINER = CONCAT(DATABASE(), '@%')) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()";
    assert_eq!(bench.sql(ONE, definers), "1\t1");
    // What another definer would forbid.
    bench.sql(
        ONE,
        "UPDATE tabCustomer SET idx = 1 WHERE name = 'CUST-00001'; SELECT COUNT(*) FROM v_customers",
    );
    bench.sql(ONE, "UPDATE tabCustomer SET idx = 0 WHERE name = 'CUST-00001'");
    let own: serde_json::Value =
        serde_json::from_str(&bench.inside(&format!("cat sites/{ONE}/site_config.json"))).unwrap();
    assert_eq!(own["encryption_key"], "THE-KEY");
    assert!(own["db_name"] != "x" && own["db_password"] != "y", "the database stays the site's own");
    bench.inside(&format!("bench --site {ONE} list-apps && test -w sites/{ONE}/site_config.json"));
    let points = bench.must(&["backups", ONE]);
    assert!(points.contains("imported") && points.contains("salvage"), "{points}");

    // Dumps that are refused before anything is touched.
    bench.must(&["backup", ONE]);
    let points: serde_json::Value = serde_json::from_str(&bench.must(&["--json", "backups", ONE])).unwrap();
    let point = points["tenants"][0]["points"][0]["id"].as_str().unwrap().to_owned();
    let out = bench.root.path().join("out");
    bench.must(&["backups", "export", &point, "--to", out.to_str().unwrap()]);
    bench.refused(&["backups", "export", &point, "--to", out.to_str().unwrap()], "File exists");
    let mut names: Vec<String> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() == 4 && names[0].ends_with("-s01_localhost-database.sql.gz"), "{names:?}");
    let dump = out.join(&names[0]);
    let cut = bench.root.path().join("cut.sql.gz");
    let bytes = std::fs::read(&dump).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 100]).unwrap();
    bench.refused(&["restore", ONE, "--from-files", cut.to_str().unwrap(), "--check"], "E0609");
    let unpacked = Command::new("gzip").arg("-dc").arg(&dump).output().unwrap().stdout;
    let unpacked = String::from_utf8_lossy(&unpacked).into_owned();
    assert!(
        unpacked.starts_with("-- begin frappe metadata\n") && !unpacked.contains("DEFINER="),
        "as bench wants it"
    );
    for (name, version, because) in [("old", "14.9.9", "--migrate"), ("new", "16.0.0", "--newer")] {
        let path = bench.root.path().join(format!("{name}.sql"));
        std::fs::write(&path, unpacked.replace("-- version = 15.1.0", &format!("-- version = {version}")))
            .unwrap();
        bench.refused(&["restore", ONE, "--from-files", path.to_str().unwrap(), "--check"], because);
    }

    // What was written is what bench restore takes; another site has the same afterwards.
    bench.compose(&["cp", out.to_str().unwrap(), "backend:/tmp/out"]);
    bench.compose(&["exec", "-T", "-u", "root", "backend", "chown", "-R", "frappe", "/tmp/out"]);
    let password = std::fs::read_to_string(bench.directory.join(".env")).unwrap();
    let password = password.lines().find_map(|line| line.strip_prefix("DB_ROOT_PASSWORD=")).unwrap();
    bench.inside(&format!(
        "bench --site {TWO} restore /tmp/out/{} --db-root-password {password} --with-public-files /tmp/out/{} --with-private-files /tmp/out/{}",
        names[0], names[1], names[2]
    ));
    assert_eq!(bench.books(TWO), bench.books(ONE));
    let paths = Command::new("tar").arg("-tf").arg(out.join(&names[1])).output().unwrap().stdout;
    assert!(
        String::from_utf8_lossy(&paths).lines().all(|path| path.starts_with("./s01.localhost/public/files/"))
    );
}

fn released(bench: &Bench) {
    // A record that cannot be taken is said and stops nothing.
    let kept = bench.state().join("customizations/erp").join(TWO);
    std::fs::remove_dir_all(&kept).unwrap();
    std::fs::write(&kept, "in the way").unwrap();
    let said = bench.must(&["release", "v15.2", "--yes"]);
    assert!(said.contains("GO. Run"), "{said}");
    assert!(said.contains("secure.customizations.s02.localhost  failed: E0002"), "{said}");
    // Its files were read before the gate closed.
    assert!(said.contains("preflight.files.s02.localhost"), "{said}");
    let report = bench.must(&["report", "--format", "md"]);
    let section = report.split("## What people have made themselves").nth(1).unwrap();
    let section = section.split("## What was kept").next().unwrap();
    assert!(section.contains("- Property Setter Customer-territory-bold"), "{section}");
    // The release saved the script again, and that is no change of it.
    assert!(!section.contains("Client Script"), "{section}");
    let said = bench.must(&["customizations", "diff", ONE]);
    assert!(said.contains("Both have the same."), "{said}");
}
