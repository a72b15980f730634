//! Ways of backing up and restoring, measured in turns and set beside each other.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::measure::{self, Cost};
use crate::table::{mebibytes, median, median_ratio};

/// The head of a table of ways.
pub(crate) const HEAD: [&str; 7] =
    ["", "wall, s", "CPU, s: client + server", "peak, MiB", "stored, MiB", "wall ratio", "CPU ratio"];

/// What lies in a directory, in bytes.
pub(crate) fn size_of(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size_of(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// One way of doing something, with what each round of it cost.
#[derive(Default)]
pub(crate) struct Way {
    name: &'static str,
    costs: Vec<Cost>,
    /// What it keeps on the disk, in bytes.
    pub(crate) stored: u64,
}

impl Way {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    fn of(&self, what: impl Fn(&Cost) -> f64) -> Vec<f64> {
        self.costs.iter().map(what).collect()
    }

    fn was_measured(&self) -> bool {
        !self.costs.is_empty()
    }

    pub(crate) fn row(&self, base: &Self) -> Vec<String> {
        let wall = self.of(|cost| cost.wall);
        let all = self.of(Cost::all_cpu);
        let peak = self.costs.iter().map(|cost| cost.peak).max().unwrap_or(0);
        vec![
            self.name.to_owned(),
            format!("{:.1}", median(&wall)),
            format!("{:.1} + {:.1}", median(&self.of(|cost| cost.cpu)), median(&self.of(|cost| cost.server))),
            mebibytes(peak),
            if self.stored > 0 { mebibytes(self.stored) } else { "–".to_owned() },
            format!("{:.2}", median_ratio(&wall, &base.of(|cost| cost.wall))),
            format!("{:.2}", median_ratio(&all, &base.of(Cost::all_cpu))),
        ]
    }

    /// Measures another round of it.
    pub(crate) fn measure(&mut self, command: &mut Command, servers: &[u32]) -> Outcome<()> {
        let (cost, _) = measure::run(command, servers, true)?;
        eprintln!(
            "{}: {:.1} s, {:.1} + {:.1} CPU s, {} MiB",
            self.name,
            cost.wall,
            cost.cpu,
            cost.server,
            mebibytes(cost.peak)
        );
        self.costs.push(cost);
        Ok(())
    }
}

/// The rows of those ways that were measured, set beside the first.
pub(crate) fn rows_of(ways: &[Way]) -> Vec<Vec<String>> {
    let Some(base) = ways.first() else { return Vec::new() };
    ways.iter().filter(|way| way.was_measured()).map(|way| way.row(base)).collect()
}
