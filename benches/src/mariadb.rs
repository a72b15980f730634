//! Backup and restore of a MariaDB database through a stack, against `mariadb-dump | gzip`, `gunzip | mariadb`, mydumper
//! and restic, and what seven days of changes come to.
//!
//! The server is a private one with its usual durability. The stack's runtime is the embedded one, whose commands run on
//! this machine with the server's own tools, so no side pays for containers. What changes in a day stands in
//! [`crate::days`].

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::database_stack::{DatabaseStack, Served, Server as _};
use crate::days::{Model, measure_days};
use crate::installed::{describe, is_installed};
use crate::table::{mebibytes, print};
use crate::ways::{HEAD, Way, rows_of, size_of};
use crate::{Common, Outcome, measure, restic, rows};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Mariadb {
    /// The size of the database with its indexes, in MiB.
    #[arg(long, default_value = "2048")]
    mebibytes: u32,
    /// How many days of changes are backed up.
    #[arg(long, default_value = "7")]
    days: u32,
}

/// What all rows come to with their indexes in MariaDB, for one unit of scale, in bytes (measured).
const BYTES_PER_SCALE: f64 = 1_460.0 * 1_048_576.0;
/// Tables beside the big ones, as an ERP has them.
const SMALL_TABLES: u32 = 295;

const SCHEMA: &str = "
CREATE TABLE `tabledger` (name VARCHAR(140) PRIMARY KEY, creation DATETIME(6), owner VARCHAR(140), posted DATE, account VARCHAR(140),
  party VARCHAR(140), debit DECIMAL(21,9), credit DECIMAL(21,9), against TEXT, kind VARCHAR(140), voucher VARCHAR(140), remarks TEXT,
  company VARCHAR(140), KEY creation (creation), KEY posted (posted), KEY account (account), KEY voucher (voucher), KEY party (party), KEY company (company));
CREATE TABLE `tabstock` (name VARCHAR(140) PRIMARY KEY, creation DATETIME(6), owner VARCHAR(140), item VARCHAR(140), warehouse VARCHAR(140),
  quantity DECIMAL(21,9), after DECIMAL(21,9), rate DECIMAL(21,9), value DECIMAL(21,9), queue LONGTEXT, kind VARCHAR(140), voucher VARCHAR(140),
  KEY creation (creation), KEY item (item), KEY voucher (voucher), KEY warehouse (warehouse));
CREATE TABLE `tabline` (name VARCHAR(140) PRIMARY KEY, creation DATETIME(6), owner VARCHAR(140), parent VARCHAR(140), item VARCHAR(140), title VARCHAR(140),
  description LONGTEXT, quantity DECIMAL(21,9), rate DECIMAL(21,9), amount DECIMAL(21,9), account VARCHAR(140), warehouse VARCHAR(140),
  KEY creation (creation), KEY parent (parent), KEY item (item));
CREATE TABLE `tabcomment` (name VARCHAR(140) PRIMARY KEY, creation DATETIME(6), owner VARCHAR(140), kind VARCHAR(140), reference VARCHAR(140), content LONGTEXT,
  KEY creation (creation), KEY reference (reference));
CREATE TABLE `tabversion` (name VARCHAR(140) PRIMARY KEY, creation DATETIME(6), owner VARCHAR(140), kind VARCHAR(140), reference VARCHAR(140), data LONGTEXT,
  KEY creation (creation), KEY reference (reference));
";

/// A private server; it ends when this is dropped.
struct Server {
    process: Child,
    socket: PathBuf,
    /// Where the clients find, after the machine's own settings, where the server is.
    home: PathBuf,
}

impl Server {
    fn start(directory: &Path) -> Outcome<Self> {
        let (data, socket) = (directory.join("data"), directory.join("s"));
        std::fs::create_dir_all(directory)?;
        let mut install = Command::new("mariadb-install-db");
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--user=root"]);
        measure::must(install.arg(format!("--datadir={}", data.display())))?;
        let log = std::fs::File::create(directory.join("mariadb.log"))?;
        let mut mariadbd = Command::new("mariadbd");
        mariadbd.args(["--no-defaults", "--user=root", "--skip-networking", "--innodb-buffer-pool-size=1G"]);
        mariadbd.args(["--innodb-log-file-size=512M", "--max-allowed-packet=256M", "--local-infile=1"]);
        mariadbd.args([format!("--datadir={}", data.display()), format!("--socket={}", socket.display())]);
        let process = mariadbd.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        std::fs::write(directory.join("my.cnf"), format!("[client]\nsocket={}\n", socket.display()))?;
        let server = Self { process, socket, home: directory.to_path_buf() };
        for _ in 0..300 {
            if server.sql("mysql", "SELECT 1").is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("the server does not start".into())
    }

    fn client(&self, database: &str) -> Command {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "--user=root", "--local-infile=1", "--batch", "--skip-column-names"]);
        command.arg(format!("--socket={}", self.socket.display())).arg(database);
        command
    }

    fn sql(&self, database: &str, sql: &str) -> Outcome<String> {
        Ok(measure::must(self.client(database).args(["-e", sql]))?.trim().to_owned())
    }

    fn fill(&self, scale: f64) -> Outcome<()> {
        self.sql("mysql", "CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")?;
        self.sql("shop", SCHEMA)?;
        for (table, count) in rows::TABLES {
            let load = format!(
                "SET sql_mode = '', unique_checks = 0; LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE `tab{table}` CHARACTER SET utf8mb4"
            );
            let mut client = self.client("shop").args(["-e", &load]).stdin(Stdio::piped()).spawn()?;
            let stdin = client.stdin.take().ok_or("the client has no input")?;
            let mut stdin = BufWriter::with_capacity(1 << 20, stdin);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            rows::write(table, (f64::from(*count) * scale) as u32, &mut stdin)?;
            stdin.flush()?;
            drop(stdin);
            if !client.wait()?.success() {
                return Err(format!("{table} could not be filled").into());
            }
        }
        let small: String = (0..SMALL_TABLES)
            .map(|number| {
                format!(
                    "CREATE TABLE `tabSmall {number}` LIKE `tabcomment`; \
                     INSERT INTO `tabSmall {number}` SELECT * FROM `tabcomment` LIMIT 40;"
                )
            })
            .collect();
        self.sql("shop", &small)?;
        Ok(())
    }
}

/// The business of a day in one table; see [`Model`].
fn business(table: &str, day: u32) -> String {
    format!(
        "SET @newest = (SELECT MAX(creation) FROM `tab{table}`), @first = (SELECT MIN(creation) FROM `tab{table}`); \
         SET @recent = @newest - INTERVAL (TIMESTAMPDIFF(SECOND, @first, @newest) DIV 10) SECOND; \
         UPDATE `tab{table}` SET owner = 'bob.khan@example.com' WHERE creation >= @recent AND CRC32(CONCAT(name, 'a{day}')) % 1000 < 32; \
         UPDATE `tab{table}` SET owner = 'day{day}' WHERE CRC32(CONCAT(name, 'b{day}')) % 10000 < 8; \
         CREATE TEMPORARY TABLE fresh AS SELECT * FROM `tab{table}` WHERE CRC32(CONCAT(name, 'c{day}')) % 1000 < 6; \
         UPDATE fresh SET name = LEFT(MD5(CONCAT(name, {day})), 10), creation = @newest + INTERVAL CRC32(name) % 40000 SECOND; \
         INSERT IGNORE INTO `tab{table}` SELECT * FROM fresh; DROP TEMPORARY TABLE fresh;"
    )
}

/// The hundredth part of a table's rows, wherever they lie. The small tables hold the same rows, so the table's name takes
/// part in the choice.
fn uniform(table: &str, day: u32) -> String {
    format!(
        "UPDATE `{table}` SET owner = 'anna.smith.{day}@example.com' WHERE CRC32(CONCAT(name, '{table} {day}')) % 100 = 0;"
    )
}

impl crate::database_stack::Server for Server {
    const DUMP: &'static str = "mariadb-dump -uroot --single-transaction --quick shop";

    fn process(&self) -> u32 {
        self.process.id()
    }

    fn pipe(&self, text: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", text]).env("MYSQL_HOME", &self.home);
        command
    }

    fn change(&self, model: Model, day: u32) -> Outcome<()> {
        let statements: String = match model {
            Model::Business => rows::TABLES.iter().map(|(table, _)| business(table, day)).collect(),
            Model::Uniform => {
                let tables = self.sql("shop", "SHOW TABLES")?;
                tables.lines().map(|table| uniform(table, day)).collect()
            }
        };
        self.sql("shop", &statements).map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.process.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

struct Bench {
    stack: DatabaseStack,
    server: Server,
}

impl Bench {
    fn measured(&self, way: &mut Way, command: &mut Command) -> Outcome<()> {
        way.measure(command, &[self.server.process()])
    }

    fn file(&self) -> PathBuf {
        self.stack.directory.join("shop.sql.gz")
    }

    fn backups(&self, ways: &mut [Way; 6]) -> Outcome<()> {
        let [plain, first, again, mydumper, restic, restic_again] = ways;
        let text = format!("{} | gzip >{}", Server::DUMP, self.file().display());
        self.measured(plain, &mut self.server.pipe(&text))?;
        plain.stored = std::fs::metadata(self.file())?.len();
        self.stack.forget_points()?;
        for way in [first, again] {
            self.stack.back_up(way, self.server.process())?;
        }
        if is_installed("mydumper") {
            let to = self.stack.directory.join("mydumper");
            self.stack.forget(&["mydumper"])?;
            let mut command = Command::new("mydumper");
            command.args(["--user=root", "--database=shop", "--threads=2", "--compress"]);
            command.arg(format!("--socket={}", self.server.socket.display()));
            command.arg(format!("--outputdir={}", to.display()));
            self.measured(mydumper, &mut command)?;
            mydumper.stored = size_of(&to);
        }
        if is_installed("restic") {
            restic::back_up(&self.stack, &self.server, [restic, restic_again])?;
        }
        Ok(())
    }

    fn restores(&self, [plain, check, whole, myloader]: &mut [Way; 4]) -> Outcome<()> {
        self.server.sql("mysql", "CREATE DATABASE plain")?;
        let pipe = format!("gunzip -c {} | mariadb -uroot plain", self.file().display());
        self.measured(plain, &mut self.server.pipe(&pipe))?;
        self.server.sql("mysql", "DROP DATABASE plain")?;
        if is_installed("myloader") {
            let mut command = Command::new("myloader");
            command.args(["--user=root", "--database=loaded", "--threads=2", "--overwrite-tables"]);
            command.arg(format!("--socket={}", self.server.socket.display()));
            command.arg(format!("--directory={}", self.stack.directory.join("mydumper").display()));
            self.measured(myloader, &mut command)?;
            self.server.sql("mysql", "DROP DATABASE loaded")?;
        }
        self.measured(check, &mut self.stack.eclusa(&["restore", "shop", "--check"]))?;
        self.measured(whole, &mut self.stack.eclusa(&["restore", "shop", "--yes"]))?;
        if self.server.sql("shop", "SELECT COUNT(*) FROM tabledger")? == "0" {
            return Err("the restored database is empty".into());
        }
        let left = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'shop\\_%'";
        for name in self.server.sql("mysql", left)?.lines() {
            self.server.sql("mysql", &format!("DROP DATABASE `{name}`"))?;
        }
        Ok(())
    }
}

impl Mariadb {
    pub fn run(self, common: &Common) -> Outcome<()> {
        measure::adopt_orphans()?;
        let size = if common.small { 60 } else { self.mebibytes };
        let root = tempfile::Builder::new().prefix("eclusa-benches-").tempdir_in(&common.scratch)?;
        let directory = root.path().join("stack");
        let server = Server::start(&root.path().join("server"))?;
        server.fill(f64::from(size) * f64::from(1 << 20) / BYTES_PER_SCALE)?;
        let bytes = "SELECT SUM(DATA_LENGTH + INDEX_LENGTH) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'";
        server.sql("shop", "ANALYZE TABLE tabledger, tabstock, tabline, tabcomment, tabversion")?;
        let bytes: u64 = server.sql("mysql", bytes)?.parse()?;
        let version = server.sql("mysql", "SELECT VERSION()")?;
        println!(
            "MariaDB {version}, {} MiB with indexes, on {}",
            mebibytes(bytes),
            measure::file_system(root.path())
        );
        describe(&["mydumper", "restic"]);
        let served = Served {
            engine: "mariadb",
            user: "root",
            variable: ("MYSQL_HOME", &server.home),
            programs: None,
        };
        let bench = Bench { stack: DatabaseStack::lay(common, directory, &served)?, server };
        let mut backups = [
            "mariadb-dump \\| gzip",
            "eclusa backup, the first",
            "eclusa backup, the second, nothing changed",
            "mydumper, 2 threads",
            "mariadb-dump \\| restic, the first",
            "mariadb-dump \\| restic, the second, nothing changed",
        ]
        .map(Way::new);
        let mut restores = [
            "gunzip \\| mariadb",
            "eclusa restore --check",
            "eclusa restore (with a salvage point)",
            "myloader, 2 threads",
        ]
        .map(Way::new);
        for round in 0..common.rounds(3) {
            eprintln!("round {}", round + 1);
            bench.backups(&mut backups)?;
            bench.restores(&mut restores)?;
        }
        print("Backup", &HEAD, &rows_of(&backups));
        print("Restore", &HEAD, &rows_of(&restores));
        for model in Model::ALL {
            measure_days(&bench.stack, &bench.server, model, if common.small { 3 } else { self.days })?;
        }
        Ok(())
    }
}
