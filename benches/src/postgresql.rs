//! Backup and restore of a PostgreSQL database through a stack, against `pg_dump | gzip`, `gunzip | psql` and restic, and
//! what seven days of changes come to.
//!
//! The server is a private cluster with its usual durability. The stack's runtime is the embedded one, whose commands
//! run on this machine with the server's own tools, so both sides pay for no container. What changes in a day stands in
//! [`crate::days`].

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::database_stack::{DatabaseStack, Served, Server as _};
use crate::days::{Model, measure_days};
use crate::installed::{describe, is_installed};
use crate::table::{mebibytes, print};
use crate::ways::{HEAD, Way, rows_of};
use crate::{Common, Outcome, measure, restic, rows};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Postgresql {
    /// The size of the database with its indexes, in MiB.
    #[arg(long, default_value = "1024")]
    mebibytes: u32,
    /// How many days of changes are backed up.
    #[arg(long, default_value = "7")]
    days: u32,
}

/// A private server; it ends when this is dropped.
struct Server {
    process: Child,
    sockets: PathBuf,
    programs: PathBuf,
}

/// The newest installed server's programs.
fn programs() -> Outcome<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map_err(|error| format!("PostgreSQL is not installed: {error}"))?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|path| path.join("initdb").is_file())
        .collect();
    found.sort();
    found.pop().ok_or_else(|| "PostgreSQL is not installed".into())
}

/// A program of the server, as the user that the server needs: it refuses to be root.
fn unprivileged(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

impl Server {
    fn start(directory: &Path) -> Outcome<Self> {
        let programs = programs()?;
        let (data, sockets) = (directory.join("data"), directory.join("sockets"));
        for path in [&data, &sockets] {
            std::fs::create_dir_all(path)?;
            if rustix::process::geteuid().is_root() {
                measure::must(Command::new("chown").arg("postgres:postgres").arg(path))?;
            }
        }
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb.arg("-D").arg(&data).args([
            "-U",
            "shop",
            "-A",
            "trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]);
        measure::must(&mut initdb)?;
        let mut postgres = unprivileged(&programs.join("postgres"));
        postgres.arg("-D").arg(&data).arg("-k").arg(&sockets);
        for setting in
            ["listen_addresses=", "shared_buffers=256MB", "max_wal_size=4GB", "maintenance_work_mem=128MB"]
        {
            postgres.arg("-c").arg(setting);
        }
        let log = std::fs::File::create(directory.join("postgres.log"))?;
        let process = postgres.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let server = Self { process, sockets, programs };
        for _ in 0..200 {
            let mut ready = server.client("pg_isready");
            if ready.arg("-q").status().is_ok_and(|status| status.success()) {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("the server does not start".into())
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env("PGHOST", &self.sockets).env("PGUSER", "shop").env("PGDATABASE", "postgres");
        command
    }

    fn sql(&self, database: &str, sql: &str) -> Outcome<String> {
        let mut psql = self.client("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
        Ok(measure::must(&mut psql)?.trim().to_owned())
    }

    fn fill(&self, scale: f64) -> Outcome<()> {
        self.sql("postgres", "CREATE DATABASE shop")?;
        self.sql("shop", rows::SCHEMA)?;
        for (table, count) in rows::TABLES {
            let mut psql = self.client("psql");
            let copy = format!("COPY {table} FROM STDIN");
            psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "shop", "-c", &copy]);
            let mut psql = psql.stdin(Stdio::piped()).spawn()?;
            let stdin = psql.stdin.take().ok_or("psql has no input")?;
            let mut stdin = BufWriter::with_capacity(1 << 20, stdin);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            rows::write(table, (f64::from(*count) * scale) as u32, &mut stdin)?;
            stdin.flush()?;
            drop(stdin);
            if !psql.wait()?.success() {
                return Err(format!("{table} could not be filled").into());
            }
        }
        self.sql("shop", rows::INDEXES)?;
        for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
            self.sql("shop", statement)?;
        }
        Ok(())
    }
}

/// Whether a row is one of so many in ten thousand; `salt` chooses others.
fn chosen(salt: &str, of_ten_thousand: u32) -> String {
    format!("('x' || substr(md5(name || '{salt}'), 1, 7))::bit(28)::int % 10000 < {of_ten_thousand}")
}

/// The business of a day in one table; see [`Model`].
fn business(table: &str, day: u32) -> String {
    let [recent, any, new] = [("a", 320), ("b", 8), ("c", 60)]
        .map(|(salt, of_ten_thousand)| chosen(&format!("{salt}{day}"), of_ten_thousand));
    format!(
        "CREATE TEMPORARY TABLE span AS SELECT max(created) AS newest, max(created) - (max(created) - min(created)) / 10 AS recent FROM {table}; \
         UPDATE {table} SET owner = 'bob.khan@example.com' WHERE created >= (SELECT recent FROM span) AND {recent}; \
         UPDATE {table} SET owner = 'day{day}' WHERE {any}; \
         CREATE TEMPORARY TABLE fresh AS SELECT * FROM {table} WHERE {new}; \
         UPDATE fresh SET name = left(md5(name || {day}), 10), \
           created = (SELECT newest FROM span) + ('x' || substr(md5(name), 1, 4))::bit(16)::int * interval '1 second'; \
         INSERT INTO {table} SELECT * FROM fresh ORDER BY created ON CONFLICT DO NOTHING; \
         DROP TABLE fresh, span;"
    )
}

/// The hundredth part of a table's rows, wherever they lie.
fn uniform(table: &str, day: u32) -> String {
    let one = chosen(&format!("{table} {day}"), 100);
    format!("UPDATE {table} SET owner = 'anna.smith.{day}@example.com' WHERE {one};")
}

impl crate::database_stack::Server for Server {
    const DUMP: &'static str = "pg_dump shop";

    fn process(&self) -> u32 {
        self.process.id()
    }

    fn pipe(&self, text: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", text]).env("PGHOST", &self.sockets).env("PGUSER", "shop");
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.programs.display()));
        command
    }

    fn change(&self, model: Model, day: u32) -> Outcome<()> {
        let of = |table: &str| match model {
            Model::Business => business(table, day),
            Model::Uniform => uniform(table, day),
        };
        let statements: String = rows::TABLES.iter().map(|(table, _)| of(table)).collect();
        self.sql("shop", &statements)?;
        // The server would do it by itself in the middle of a measurement.
        for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
            self.sql("shop", statement)?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.process.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
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

    fn backups(&self, [plain, first, again, restic, restic_again]: [&mut Way; 5]) -> Outcome<()> {
        let file = self.stack.directory.join("shop.sql.gz");
        let text = format!("{} | gzip >{}", Server::DUMP, file.display());
        self.measured(plain, &mut self.server.pipe(&text))?;
        plain.stored = std::fs::metadata(&file)?.len();
        self.stack.forget_points()?;
        for way in [first, again] {
            self.stack.back_up(way, self.server.process())?;
        }
        if is_installed("restic") {
            restic::back_up(&self.stack, &self.server, [restic, restic_again])?;
        }
        Ok(())
    }

    fn restores(&self, plain: &mut Way, check: &mut Way, whole: &mut Way) -> Outcome<()> {
        let file = self.stack.directory.join("shop.sql.gz");
        self.server.sql("postgres", "CREATE DATABASE plain")?;
        let pipe =
            format!("gunzip -c {} | psql -X -q -v ON_ERROR_STOP=1 -d plain >/dev/null", file.display());
        self.measured(plain, &mut self.server.pipe(&pipe))?;
        self.server.sql("postgres", "DROP DATABASE plain")?;
        self.measured(check, &mut self.stack.eclusa(&["restore", "shop", "--check"]))?;
        self.measured(whole, &mut self.stack.eclusa(&["restore", "shop", "--yes"]))?;
        let rows = self.server.sql("shop", "SELECT count(*) FROM ledger")?;
        if rows == "0" {
            return Err("the restored database is empty".into());
        }
        for name in self
            .server
            .sql("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'shop\\_%'")?
            .lines()
        {
            self.server.sql("postgres", &format!("DROP DATABASE \"{name}\""))?;
        }
        Ok(())
    }
}

impl Postgresql {
    pub fn run(self, common: &Common) -> Outcome<()> {
        measure::adopt_orphans()?;
        let size = if common.small { 40 } else { self.mebibytes };
        let root = tempfile::Builder::new().prefix("eclusa-benches-").tempdir_in(&common.scratch)?;
        std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let directory = root.path().join("stack");
        let server = Server::start(&root.path().join("server"))?;
        #[allow(clippy::cast_precision_loss)]
        let scale = f64::from(size) * f64::from(1 << 20) / rows::BYTES_PER_SCALE as f64;
        server.fill(scale)?;
        let bytes: u64 = server.sql("shop", "SELECT pg_database_size('shop')")?.parse()?;
        let version = server.sql("shop", "SHOW server_version")?;
        println!(
            "PostgreSQL {version}, {} MiB with indexes, on {}",
            mebibytes(bytes),
            measure::file_system(root.path())
        );
        describe(&["restic"]);
        let served = Served {
            engine: "postgresql",
            user: "shop",
            variable: ("PGHOST", &server.sockets),
            programs: Some(&server.programs),
        };
        let bench = Bench { stack: DatabaseStack::lay(common, directory, &served)?, server };
        let mut backups = [
            "pg_dump \\| gzip",
            "eclusa backup, the first",
            "eclusa backup, the second, nothing changed",
            "pg_dump \\| restic, the first",
            "pg_dump \\| restic, the second, nothing changed",
        ]
        .map(Way::new);
        let mut restores =
            ["gunzip \\| psql", "eclusa restore --check", "eclusa restore (with a salvage point)"]
                .map(Way::new);
        for round in 0..common.rounds(3) {
            eprintln!("round {}", round + 1);
            bench.backups(backups.each_mut())?;
            let [load, check, whole] = &mut restores;
            bench.restores(load, check, whole)?;
        }
        print("Backup", &HEAD, &rows_of(&backups));
        print("Restore", &HEAD, &rows_of(&restores));
        for model in Model::ALL {
            measure_days(&bench.stack, &bench.server, model, if common.small { 3 } else { self.days })?;
        }
        Ok(())
    }
}
