//! What a step costs beyond the command that it runs: against a shell script and an ansible playbook of the same commands.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::stack::SmallStack;
use crate::table::{median, median_ratio, milliseconds, print};
use crate::{Common, Outcome, measure};

/// The command of every step: it exists everywhere and does nothing.
const COMMAND: &str = "/bin/true";

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Overhead {
    /// How many steps.
    #[arg(long, default_value = "50")]
    steps: usize,
    /// `ansible-playbook`; left out when it is not given.
    #[arg(long)]
    ansible: Option<PathBuf>,
}

/// What one side came to, one value a round, in seconds a step.
#[derive(Default)]
struct Side {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Side {
    /// The cost of the steps alone: with them, less without them.
    fn take(
        &mut self,
        steps: f64,
        with: &mut Command,
        without: &mut Command,
    ) -> Outcome<std::process::Output> {
        let (empty, _) = measure::run(without, &[], false)?;
        let (full, output) = measure::run(with, &[], false)?;
        self.wall.push((full.wall - empty.wall) / steps);
        self.cpu.push((full.cpu - empty.cpu) / steps);
        Ok(output)
    }
}

fn hooks(count: usize) -> String {
    (0..count)
        .map(|number| {
            format!(
                "\n[[stacks.bench.hooks]]\nname = \"h{number}\"\nat = \"before.secure\"\ncommand = [\"{COMMAND}\"]\n"
            )
        })
        .collect()
}

fn script(directory: &Path, name: &str, count: usize) -> Outcome<Command> {
    let path = directory.join(name);
    std::fs::write(&path, format!("set -e\n{}", format!("{COMMAND}\n").repeat(count)))?;
    let mut command = Command::new("bash");
    command.arg(path);
    Ok(command)
}

fn playbook(ansible: &Path, directory: &Path, name: &str, count: usize) -> Outcome<Command> {
    let path = directory.join(name);
    let tasks: String = (0..count)
        .map(|number| format!("    - name: h{number}\n      ansible.builtin.command: {COMMAND}\n"))
        .collect();
    let tasks = if tasks.is_empty() { " []\n".to_owned() } else { format!("\n{tasks}") };
    let text = format!("- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:{tasks}");
    std::fs::write(&path, text)?;
    let mut command = Command::new(ansible);
    command.arg("-i").arg("localhost,").arg(path).env("ANSIBLE_LOCALHOST_WARNING", "false");
    // Its own Python, which surely runs; it would search for one, and add that to the first task.
    command.env("ANSIBLE_PYTHON_INTERPRETER", ansible.with_file_name("python"));
    Ok(command)
}

/// The seconds from the intent of the first hook to the outcome of the last, as the journal has them.
fn journaled(stack: &SmallStack) -> Outcome<f64> {
    let run = newest_run(stack)?;
    let (mut first, mut last): (Option<jiff::Timestamp>, Option<jiff::Timestamp>) = (None, None);
    for line in stack.must(&["history", &run, "--json"])?.lines() {
        let event: Value = serde_json::from_str(line)?;
        if event.to_string().contains("secure.hook.") {
            let at: jiff::Timestamp = event.get("at").and_then(Value::as_str).unwrap_or_default().parse()?;
            // The first event of a run holds the plan, and with it the names of all steps.
            if event.get("sequence").and_then(Value::as_u64) != Some(1) {
                first = first.or(Some(at));
                last = Some(at);
            }
        }
    }
    let (first, last) = first.zip(last).ok_or("the journal has no hook")?;
    Ok(last.duration_since(first).as_secs_f64())
}

/// The newest run of a stack.
pub(crate) fn newest_run(stack: &SmallStack) -> Outcome<String> {
    let text = stack.must(&["history", "--json"])?;
    let value: Value = serde_json::from_str(&text)?;
    let run = value.pointer("/runs/0/run").and_then(Value::as_str).ok_or("there is no run")?;
    Ok(run.to_owned())
}

#[allow(clippy::cast_precision_loss)]
impl Overhead {
    pub fn run(self, common: &Common) -> Outcome<()> {
        measure::adopt_orphans()?;
        let steps = if common.small { self.steps.min(5) } else { self.steps };
        let count = steps as f64;
        let scripts = tempfile::tempdir_in(&common.scratch)?;
        let (plain, hooked) = (SmallStack::lay(common, 1, "")?, SmallStack::lay(common, 1, &hooks(steps))?);
        // The first backup makes the repository.
        plain.must(&["backup"])?;
        hooked.must(&["backup"])?;
        let (mut eclusa, mut shell, mut ansible) = (Side::default(), Side::default(), Side::default());
        let mut in_journal = Vec::new();
        for _ in 0..common.rounds(9) {
            shell.take(
                count,
                &mut script(scripts.path(), "with.sh", steps)?,
                &mut script(scripts.path(), "without.sh", 0)?,
            )?;
            eclusa.take(count, &mut hooked.command(&["backup"]), &mut plain.command(&["backup"]))?;
            in_journal.push(journaled(&hooked)? / count);
            if let Some(program) = &self.ansible {
                let output = ansible.take(
                    count,
                    &mut playbook(program, scripts.path(), "with.yml", steps)?,
                    &mut playbook(program, scripts.path(), "without.yml", 0)?,
                )?;
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                if !text.contains(&format!("ok={steps}")) {
                    return Err(format!("ansible did not run {steps} tasks:\n{text}").into());
                }
            }
        }
        println!(
            "journal on {}, {steps} steps, medians of {} rounds",
            measure::file_system(&hooked.directory),
            in_journal.len()
        );
        let over: Vec<f64> = eclusa.wall.iter().zip(&shell.wall).map(|(own, shell)| own - shell).collect();
        let row = |name: &str, side: &Side, wall: &[f64]| {
            vec![name.to_owned(), milliseconds(median(wall)), milliseconds(median(&side.cpu))]
        };
        let mut rows = vec![
            row("shell script", &shell, &shell.wall),
            row("Eclusa, the whole command", &eclusa, &eclusa.wall),
            row("Eclusa, first intent to last outcome in the journal", &eclusa, &in_journal),
        ];
        if self.ansible.is_some() {
            rows.push(row("ansible-playbook", &ansible, &ansible.wall));
        }
        print("A step", &["", "wall, ms a step", "CPU, ms a step"], &rows);
        println!("\nover the shell script: {} ms a step", milliseconds(median(&over)));
        if self.ansible.is_some() {
            let beyond: Vec<f64> =
                ansible.wall.iter().zip(&shell.wall).map(|(own, shell)| own - shell).collect();
            println!("ansible's overhead / Eclusa's: {:.1}", median_ratio(&beyond, &over));
            println!(
                "ansible's step / Eclusa's step: {:.1} (wall), {:.1} (CPU)",
                median_ratio(&ansible.wall, &eclusa.wall),
                median_ratio(&ansible.cpu, &eclusa.cpu)
            );
        } else {
            println!("NOT RUN: ansible-playbook was not given");
        }
        Ok(())
    }
}
