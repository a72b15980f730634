//! What supervisor says and is told. Facts of supervisorctl 4: `status` gives a line for each process, `NAME STATE
//! DESCRIPTION`; it ends with 3 when one does not run, and with 4 when supervisor cannot be reached.

use std::collections::BTreeMap;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{ServiceName, ServiceState};
use eclusa_ports::NoOutput;

use super::stack::BenchProgram;
use crate::exec::{self, Prepared};

/// How long supervisor may take to answer. To stop takes as long as the program's `stopwaitsecs`.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// A process of supervisor's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Supervised {
    /// `GROUP:NAME`, or `NAME` alone.
    pub name: String,
    /// Such as `RUNNING`.
    pub state: String,
    /// Its process id, while it runs.
    pub pid: Option<u32>,
    /// What supervisor says of it.
    pub description: String,
}

/// Reads what `supervisorctl status` printed.
pub(crate) fn parse_status(text: &str) -> Vec<Supervised> {
    const STATES: [&str; 8] =
        ["STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"];
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, state) = (words.next()?, words.next()?);
            let description = words.collect::<Vec<_>>().join(" ");
            let pid = description.strip_prefix("pid ").and_then(|rest| rest.split(',').next()?.parse().ok());
            STATES.contains(&state).then(|| Supervised {
                name: name.to_owned(),
                state: state.to_owned(),
                pid,
                description,
            })
        })
        .collect()
}

/// The processes of a program: those that its name or pattern means.
pub(crate) fn of_program<'a>(all: &'a [Supervised], program: &str) -> Vec<&'a Supervised> {
    let meant = |one: &&Supervised| match program.strip_suffix('*') {
        Some(begin) => one.name.starts_with(begin),
        None => one.name == program || one.name == format!("{program}:{program}"),
    };
    all.iter().filter(meant).collect()
}

/// The state of a service by its processes: it runs when all of them do.
pub(crate) fn state_of(processes: &[&Supervised]) -> ServiceState {
    let every = |states: &[&str]| processes.iter().all(|one| states.contains(&one.state.as_str()));
    if processes.is_empty() {
        ServiceState::Absent
    } else if every(&["RUNNING"]) {
        ServiceState::Running
    } else if every(&["RUNNING", "STARTING", "BACKOFF"]) {
        ServiceState::Restarting
    } else {
        ServiceState::Exited
    }
}

/// Talks to supervisor.
pub(crate) struct Control<'a> {
    pub argv: &'a [String],
    pub environment: BTreeMap<String, String>,
}

impl Control<'_> {
    async fn run(&self, words: &[String], within: Duration) -> Result<(i32, String)> {
        let mut argv = self.argv.to_vec();
        argv.extend(words.iter().cloned());
        let prepared = Prepared {
            argv,
            environment: self.environment.clone(),
            directory: std::path::PathBuf::from("/"),
            stdin: None,
            timeout: within,
            mark: None,
        };
        let result = exec::run(prepared, &NoOutput).await?;
        let text = if result.stdout.trim().is_empty() { result.tail.join("\n") } else { result.stdout };
        Ok((result.code, text))
    }

    /// Every process.
    ///
    /// # Errors
    /// `ServiceControl` when supervisor cannot be asked.
    pub async fn status(&self) -> Result<Vec<Supervised>> {
        let (code, text) = self.run(&["status".to_owned()], ANSWERS_WITHIN).await?;
        // 3: one of them does not run.
        if matches!(code, 0 | 3) {
            return Ok(parse_status(&text));
        }
        Err(Fault::new(Code::ServiceControl)
            .with("service", "supervisor")
            .with("operation", "asked")
            .because(text.lines().last().unwrap_or_default())
            .because(format!("{} status ended with {code}", self.argv.join(" "))))
    }

    /// Tells supervisor to start or stop processes. What it says of those that are so already is no failure.
    ///
    /// # Errors
    /// `ServiceControl` with what supervisor says.
    pub async fn tell(
        &self,
        word: &str,
        service: &ServiceName,
        names: &[String],
        within: Duration,
    ) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let mut words = vec![word.to_owned()];
        words.extend(names.iter().cloned());
        let (_, text) = self.run(&words, within).await?;
        let failed = |line: &&str| {
            line.contains("ERROR") && !["already started", "not running"].iter().any(|so| line.contains(so))
        };
        match text.lines().find(failed) {
            None => Ok(()),
            Some(line) => Err(Fault::new(Code::ServiceControl)
                .with("service", service)
                .with("operation", if word == "start" { "started" } else { "stopped" })
                .because(line)),
        }
    }
}

/// The processes of a service, by its program.
pub(crate) fn processes<'a>(all: &'a [Supervised], program: &BenchProgram) -> Vec<&'a Supervised> {
    program.program.as_deref().map(|name| of_program(all, name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const STATUS: &str = "\
frappe-bench-web:frappe-bench-frappe-web                       RUNNING   pid 4711, uptime 1 day, 2:03:04
frappe-bench-web:frappe-bench-node-socketio                    BACKOFF   Exited too quickly (process log may have details)
frappe-bench-workers:frappe-bench-frappe-long-worker-0         RUNNING   pid 4713, uptime 0:00:05
frappe-bench-workers:frappe-bench-frappe-long-worker-1         STOPPED   Nov 25 08:00 PM
mailer                                                         FATAL     can't find command '/x'
";

    #[test]
    fn a_status_is_read_process_by_process() {
        let all = parse_status(STATUS);
        assert_eq!(all.len(), 5);
        assert_eq!(all[0].pid, Some(4711));
        assert_eq!(all[3].pid, None);
        assert_eq!(all[4].description, "can't find command '/x'");
        assert!(parse_status("unix:///run/supervisor.sock no such file\n").is_empty());
    }

    #[test]
    fn a_service_runs_when_all_its_processes_do() {
        let all = parse_status(STATUS);
        let state = |program: &str| state_of(&of_program(&all, program));
        assert_eq!(state("frappe-bench-web:frappe-bench-frappe-web"), ServiceState::Running);
        assert_eq!(state("frappe-bench-web:*"), ServiceState::Restarting);
        assert_eq!(state("frappe-bench-workers:frappe-bench-frappe-long-worker-*"), ServiceState::Exited);
        assert_eq!(state("mailer"), ServiceState::Exited);
        assert_eq!(state("nobody"), ServiceState::Absent);
        assert_eq!(state("frappe-bench-web:frappe-bench-frappe"), ServiceState::Absent);
    }
}
