//! A small stack whose one tenant is in the database of a private server.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::days::Model;
use crate::ways::{Way, size_of};
use crate::{Common, Outcome, measure, stack};

/// How the clients find the server, and what the tenant's database is called in the configuration.
pub(crate) struct Served<'a> {
    /// `engine`, and the user.
    pub(crate) engine: &'a str,
    pub(crate) user: &'a str,
    /// A variable and its value, by which the server's clients find it.
    pub(crate) variable: (&'a str, &'a Path),
    /// Where the server's clients are, when they are not in `PATH`.
    pub(crate) programs: Option<&'a Path>,
}

/// A private server with the database `shop`, whose clients find it.
pub(crate) trait Server {
    /// The command that writes the database as text, as a line of the shell.
    const DUMP: &'static str;

    /// Its first process.
    fn process(&self) -> u32;

    /// A line of the shell; a pipe fails when any command of it does.
    fn pipe(&self, text: &str) -> Command;

    /// Changes the rows as they change from one day to the next.
    fn change(&self, model: Model, day: u32) -> Outcome<()>;
}

/// A stack that is up. It is stopped when this is dropped.
pub(crate) struct DatabaseStack {
    pub(crate) directory: PathBuf,
    eclusa: PathBuf,
    programs: Option<PathBuf>,
}

impl DatabaseStack {
    /// Lays the stack in a directory and brings it up.
    pub(crate) fn lay(common: &Common, directory: PathBuf, served: &Served<'_>) -> Outcome<Self> {
        std::fs::create_dir_all(directory.join("releases/r1"))?;
        std::fs::write(directory.join("releases/r1/VERSION"), "r1\n")?;
        rusqlite::Connection::open(directory.join("shop.db"))?.execute_batch("CREATE TABLE sale (id)")?;
        let laid = Self {
            directory,
            eclusa: common.eclusa.clone(),
            programs: served.programs.map(Path::to_path_buf),
        };
        let port = stack::free_port()?;
        // Once with a small file in the place of the database: commands run in the service of a release, and the first
        // one has none yet.
        let file = laid.directory.join("eclusa.toml");
        std::fs::write(&file, configuration(served, port, "engine = \"sqlite\", path = \"shop.db\""))?;
        measure::must(&mut laid.eclusa(&["release", "r1", "--yes"]))?;
        let Served { engine, user, .. } = served;
        let database = format!("engine = \"{engine}\", service = \"db\", name = \"shop\", user = \"{user}\"");
        std::fs::write(&file, configuration(served, port, &database))?;
        measure::must(&mut laid.eclusa(&["start", "--yes"]))?;
        Ok(laid)
    }

    /// The binary in the stack's directory.
    pub(crate) fn eclusa(&self, arguments: &[&str]) -> Command {
        let mut command = stack::command(&self.eclusa, &self.directory, arguments);
        if let Some(programs) = &self.programs {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", programs.display()));
        }
        command
    }

    /// Where restore points are.
    pub(crate) fn vault(&self) -> PathBuf {
        self.directory.join("state/vault")
    }

    /// Measures a backup, the server's share with it, and what the vault holds afterwards.
    pub(crate) fn back_up(&self, way: &mut Way, server: u32) -> Outcome<()> {
        way.measure(&mut self.eclusa(&["backup"]), &[server])?;
        way.stored = size_of(&self.vault());
        Ok(())
    }

    /// Removes all restore points.
    pub(crate) fn forget_points(&self) -> Outcome<()> {
        self.forget(&["state/vault", "state/keys"])
    }

    /// Removes directories of the stack, those that are there.
    pub(crate) fn forget(&self, names: &[&str]) -> Outcome<()> {
        for name in names {
            let path = self.directory.join(name);
            if path.exists() {
                std::fs::remove_dir_all(path)?;
            }
        }
        Ok(())
    }
}

impl Drop for DatabaseStack {
    fn drop(&mut self) {
        let _ = self.eclusa(&["stop", "--yes"]).output();
    }
}

fn configuration(served: &Served<'_>, port: u16, database: &str) -> String {
    let (name, value) = served.variable;
    format!(
        "{}\n[stacks.bench.process.services.db]\ncommand = [\"sleep\", \"1000000\"]\nenvironment = {{ {name} = \"{}\" }}\n\n\
         [stacks.bench.tenants.shop]\ndomains = [\"shop.example.org\"]\ndatabase = {{ {database} }}\n",
        stack::configuration(port, "database = \"db\""),
        value.display()
    )
}
