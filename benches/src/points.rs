//! What many restore points of a tenant cost: looking at the stack, listing them, planning which go, throwing most of them
//! away, and taking one more. How the points are made stands in [`crate::made_points`].

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::made_points::REPOSITORY;
use crate::measure::Cost;
use crate::stack::SmallStack;
use crate::table::{mebibytes, median, print};
use crate::ways::size_of;
use crate::{Common, Outcome, made_points, measure};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Points {
    /// How many restore points there are; can be given several times.
    #[arg(long, value_name = "NUMBER", default_values_t = [100_usize, 1_000, 10_000])]
    points: Vec<usize>,
}

/// Of points an hour apart these keep some seventy, whatever their number.
const KEEP: &str = "\n[stacks.bench.keep]\nlast = 24\ndaily = 30\nweekly = 8\nmonthly = 12\nyearly = 3\n";

/// What is asked of each stack, in turns. None of it changes anything.
const LOOKS: [&[&str]; 3] = [&["status"], &["backups"], &["plan", "prune"]];

/// A stack whose tenant has so many points.
struct Laid {
    stack: SmallStack,
    points: usize,
    /// The vault as it was before anything was thrown away.
    aside: PathBuf,
}

impl Laid {
    fn lay(common: &Common, points: usize) -> Outcome<Self> {
        let stack = SmallStack::lay(common, 1, KEEP)?;
        made_points::fill(&stack)?;
        stack.must(&["release", "r1", "--yes"])?;
        stack.must(&["backup"])?;
        let there = snapshots(&stack);
        let seconds = made_points::make(&stack, points.saturating_sub(there))?;
        let found = snapshots(&stack);
        if found != points {
            return Err(format!("{points} points were to be there, and {found} are").into());
        }
        let vault = vault(&stack);
        println!(
            "{points} points: made in {seconds:.1} s; {} files, {} MiB, of them {} files of the index",
            count(&vault),
            mebibytes(size_of(&vault)),
            count(&stack.directory.join(REPOSITORY).join("index")),
        );
        let aside = stack.directory.join("vault-aside");
        let laid = Self { stack, points, aside };
        copy(&vault, &laid.aside)?;
        Ok(laid)
    }

    /// The vault as it was when all points had been made.
    fn bring_back(&self) -> Outcome<()> {
        let vault = vault(&self.stack);
        fs::remove_dir_all(&vault)?;
        copy(&self.aside, &vault)
    }

    fn cost(&self, arguments: &[&str]) -> Outcome<Cost> {
        let (cost, _) = measure::run(&mut self.stack.command(arguments), &[], true)?;
        eprintln!(
            "{} points, eclusa {}: {:.2} s, {:.2} CPU s, {} MiB",
            self.points,
            arguments.join(" "),
            cost.wall,
            cost.cpu,
            mebibytes(cost.peak)
        );
        Ok(cost)
    }
}

fn vault(stack: &SmallStack) -> PathBuf {
    stack.directory.join("state/vault")
}

fn snapshots(stack: &SmallStack) -> usize {
    count(&stack.directory.join(REPOSITORY).join("snapshots"))
}

/// The files in a directory and below.
fn count(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
}

/// A copy with files of its own: removing one that has a second name would not free its blocks.
fn copy(from: &Path, to: &Path) -> Outcome<()> {
    measure::must(Command::new("cp").arg("-a").arg(from).arg(to))?;
    measure::must(Command::new("sync").arg("--file-system").arg(to)).map(drop)
}

/// A row of the table: `there` points are there when it begins, and it has to do with `points`.
fn row(name: &str, there: usize, points: usize, costs: &[Cost]) -> Vec<String> {
    let wall = median(&costs.iter().map(|cost| cost.wall).collect::<Vec<_>>());
    let cpu = median(&costs.iter().map(|cost| cost.cpu).collect::<Vec<_>>());
    #[allow(clippy::cast_precision_loss)]
    let rate = if wall > 0.0 { points as f64 / wall } else { 0.0 };
    vec![
        name.to_owned(),
        there.to_string(),
        format!("{wall:.3}"),
        format!("{cpu:.2}"),
        mebibytes(costs.iter().map(|cost| cost.peak).max().unwrap_or(0)),
        if rate < 10.0 { format!("{rate:.2}") } else { format!("{rate:.0}") },
    ]
}

/// Throws most points away, as often as there are rounds; the costs, and how many went each time.
fn prunes(laid: &Laid, rounds: usize) -> Outcome<(Vec<Cost>, usize)> {
    let (mut costs, mut gone) = (Vec::new(), 0);
    for round in 0..rounds {
        if round > 0 {
            laid.bring_back()?;
        }
        let before = snapshots(&laid.stack);
        costs.push(laid.cost(&["prune", "--yes"])?);
        gone = before.saturating_sub(snapshots(&laid.stack));
    }
    Ok((costs, gone))
}

impl Points {
    pub fn run(self, common: &Common) -> Outcome<()> {
        measure::adopt_orphans()?;
        let sizes = if common.small { vec![50, 100] } else { self.points };
        let rounds = common.rounds(3);
        println!("on {}", measure::file_system(&common.scratch));
        let stacks: Vec<Laid> =
            sizes.iter().map(|points| Laid::lay(common, *points)).collect::<Outcome<_>>()?;
        let mut table = Vec::new();
        for arguments in LOOKS {
            let mut costs = vec![Vec::new(); stacks.len()];
            for _ in 0..rounds {
                for (laid, costs) in stacks.iter().zip(&mut costs) {
                    costs.push(laid.cost(arguments)?);
                }
            }
            let name = format!("eclusa {}", arguments.join(" "));
            table.extend(
                stacks.iter().zip(&costs).map(|(laid, costs)| row(&name, laid.points, laid.points, costs)),
            );
        }
        for laid in &stacks {
            let costs = (0..rounds).map(|_| laid.cost(&["backup"])).collect::<Outcome<Vec<_>>>()?;
            table.push(row("eclusa backup, one more", laid.points, 1, &costs));
            laid.bring_back()?;
        }
        for laid in &stacks {
            let (costs, gone) = prunes(laid, rounds)?;
            let left = snapshots(&laid.stack);
            table.push(row(
                &format!("eclusa prune --yes: {gone} go, {left} stay"),
                laid.points,
                gone,
                &costs,
            ));
            let cost = laid.cost(&["status"])?;
            table.push(row("eclusa status afterwards", left, left, &[cost]));
        }
        print("Restore points", &["", "points", "wall, s", "CPU, s", "peak, MiB", "points a second"], &table);
        Ok(())
    }
}
