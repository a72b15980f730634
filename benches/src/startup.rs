//! What `eclusa status` takes to start and look, how large the binary is, and how much of the journal a run takes.

use std::fs;

use crate::stack::SmallStack;
use crate::table::{mebibytes, median, milliseconds, print};
use crate::{Common, Outcome, measure};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Startup {}

/// One command with what each call of it took.
struct Call {
    name: String,
    arguments: Vec<&'static str>,
    stack: usize,
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Startup {
    #[allow(clippy::cast_precision_loss)]
    pub fn run(self, common: &Common) -> Outcome<()> {
        measure::adopt_orphans()?;
        let sizes: &[usize] = if common.small { &[1, 2] } else { &[1, 10, 50] };
        let stacks: Vec<SmallStack> =
            sizes.iter().map(|size| SmallStack::lay(common, *size, "")).collect::<Outcome<_>>()?;
        for stack in &stacks {
            stack.must(&["release", "r1", "--yes"])?;
            stack.must(&["backup", "--prove"])?;
        }
        let call = |name: &str, arguments: Vec<&'static str>, stack| Call {
            name: name.to_owned(),
            arguments,
            stack,
            wall: Vec::new(),
            cpu: Vec::new(),
        };
        let mut calls = vec![call("eclusa --version", vec!["--version"], 0)];
        for (index, size) in sizes.iter().enumerate() {
            calls.push(call(&format!("eclusa status, {size} tenant(s)"), vec!["status"], index));
        }
        // Ten calls a sample: the kernel counts processor time in hundredths of a second.
        let repeat = if common.small { 1 } else { 10 };
        for _ in 0..common.rounds(9) {
            for call in &mut calls {
                let stack = stacks.get(call.stack).ok_or("no such stack")?;
                let (mut wall, mut cpu) = (0.0, 0.0);
                for _ in 0..repeat {
                    let (cost, _) = measure::run(&mut stack.command(&call.arguments), &[], false)?;
                    wall += cost.wall;
                    cpu += cost.cpu;
                }
                call.wall.push(wall / f64::from(repeat));
                call.cpu.push(cpu / f64::from(repeat));
            }
        }
        let rows: Vec<Vec<String>> = calls
            .iter()
            .map(|call| {
                vec![call.name.clone(), milliseconds(median(&call.wall)), milliseconds(median(&call.cpu))]
            })
            .collect();
        print("Start-up", &["", "wall, ms", "CPU, ms"], &rows);
        let binary = fs::metadata(&common.eclusa)?.len();
        let stack = stacks.first().ok_or("no stack")?;
        let journal = stack.directory.join("state/journal.db");
        let size = |path: &std::path::Path| fs::metadata(path).map(|found| found.len()).unwrap_or(0);
        let runs = if common.small { 3 } else { 30 };
        let before = size(&journal);
        for _ in 0..runs {
            stack.must(&["backup"])?;
        }
        let grown = size(&journal).saturating_sub(before) / runs;
        print(
            "Sizes",
            &["", ""],
            &[
                vec!["the binary, stripped, static".to_owned(), format!("{} MiB", mebibytes(binary))],
                vec![
                    "the journal, for each backup of one tenant".to_owned(),
                    format!("{:.1} KiB", grown as f64 / 1024.0),
                ],
            ],
        );
        Ok(())
    }
}
