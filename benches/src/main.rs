//! What Eclusa costs, each figure a ratio to what people use without it, both measured in one run, in turns.
//!
//! `benches/run` builds what this needs and calls it. Nothing here is a test: a time is reported and never asserted.
//! What is done is checked all the same: a backup that fails is no fast backup.

mod database_stack;
mod days;
mod growth;
mod installed;
mod made_points;
mod mariadb;
mod measure;
mod overhead;
mod points;
mod postgresql;
mod release;
mod restic;
mod rows;
mod stack;
mod startup;
mod table;
mod tenants;
mod traffic;
mod ways;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a measurement comes to, or why it could not be made.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What every measurement needs.
#[derive(Debug, clap::Args)]
pub(crate) struct Common {
    /// The binary that is measured.
    #[arg(long, global = true, default_value = "eclusa")]
    eclusa: PathBuf,
    /// How often each side is measured, in turns.
    #[arg(long, global = true)]
    rounds: Option<usize>,
    /// Small data, for seeing that the measurement itself works: its figures mean nothing.
    #[arg(long, global = true)]
    small: bool,
    /// Where data is laid, on the disk that is to be measured.
    #[arg(long, global = true, default_value = "/var/tmp")]
    scratch: PathBuf,
}

impl Common {
    fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(if self.small { 1 } else { usual }).max(1)
    }
}

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A step of a run against the same command in a shell script and in ansible.
    Overhead(overhead::Overhead),
    /// Releases of the boutique against the plain runbook, under the same traffic.
    Release(release::Release),
    /// A release of a bench with many sites against the runbook's script, under the same traffic.
    Tenants(tenants::Tenants),
    /// Backup and restore of a database against mariadb-dump, gzip, mydumper and restic, and seven days of changes.
    Mariadb(mariadb::Mariadb),
    /// Backup and restore of a database against pg_dump, gzip, psql and restic, and seven days of changes.
    Postgresql(postgresql::Postgresql),
    /// `eclusa status`, the binary, the journal of a run.
    Startup(startup::Startup),
    /// Planning and history with many tenants and many runs.
    Growth(growth::Growth),
    /// What many restore points of a tenant cost.
    Points(points::Points),
    /// One plan of the given size, in a process of its own, so that its memory is its own.
    #[command(hide = true)]
    PlanOnce(growth::PlanOnce),
}

fn main() -> ExitCode {
    let Arguments { common, what } = Arguments::parse();
    let outcome = match what {
        What::Overhead(overhead) => overhead.run(&common),
        What::Release(release) => release.run(&common),
        What::Tenants(tenants) => tenants.run(&common),
        What::Mariadb(mariadb) => mariadb.run(&common),
        What::Postgresql(postgresql) => postgresql.run(&common),
        What::Startup(startup) => startup.run(&common),
        What::Growth(growth) => growth.run(&common),
        What::Points(points) => points.run(&common),
        What::PlanOnce(once) => once.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches: {error}");
            ExitCode::FAILURE
        }
    }
}
