//! Backup and restore of a PostgreSQL database through a stack, against `pg_dump | gzip` and `gunzip | psql`.
//!
//! The server is a private cluster with its usual durability. The stack's runtime is the embedded one, whose commands
//! run on this machine with the server's own tools, so both sides pay for no container.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::database_stack::{DatabaseStack, Served};
use crate::measure;
use crate::table::{mebibytes, print};
use crate::ways::{HEAD, Way};
use crate::{Common, Outcome, rows};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Postgresql {
    /// The size of the database with its indexes, in MiB.
    #[arg(long, default_value = "1024")]
    mebibytes: u32,
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

    /// A pipe of the shell.
    fn pipe(&self, text: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", text]).env("PGHOST", &self.sockets).env("PGUSER", "shop");
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.programs.display()));
        command
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
        way.measure(command, &[self.server.process.id()])
    }

    fn backups(&self, plain: &mut Way, first: &mut Way, again: &mut Way) -> Outcome<()> {
        let file = self.stack.directory.join("shop.sql.gz");
        self.measured(plain, &mut self.server.pipe(&format!("pg_dump shop | gzip >{}", file.display())))?;
        plain.stored = std::fs::metadata(&file)?.len();
        self.stack.forget_points(&[])?;
        for way in [first, again] {
            self.stack.back_up(way, self.server.process.id())?;
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
        let served = Served {
            engine: "postgresql",
            user: "shop",
            variable: ("PGHOST", &server.sockets),
            programs: Some(&server.programs),
        };
        let bench = Bench { stack: DatabaseStack::lay(common, directory, &served)?, server };
        let mut ways = [
            "pg_dump \\| gzip",
            "eclusa backup, the first",
            "eclusa backup, the second, nothing changed",
            "gunzip \\| psql",
            "eclusa restore --check",
            "eclusa restore (with a salvage point)",
        ]
        .map(Way::new);
        for round in 0..common.rounds(3) {
            eprintln!("round {}", round + 1);
            let [dump, first, again, load, check, whole] = &mut ways;
            bench.backups(dump, first, again)?;
            bench.restores(load, check, whole)?;
        }
        let [dump, first, again, load, check, whole] = &ways;
        print("Backup", &HEAD, &[dump.row(dump), first.row(dump), again.row(dump)]);
        print("Restore", &HEAD, &[load.row(load), check.row(load), whole.row(load)]);
        Ok(())
    }
}
