//! Any application whose commands stand in the configuration.

use std::collections::BTreeMap;

use eclusa_config::{CommandLine, Stack};
use eclusa_model::{AppKind, Release, TenantName};
use eclusa_planner::{App, NamedCommand, TestRun};
use eclusa_runbook::{EnvironmentValue, Exec, Expect, Place};

/// Any application whose commands stand in the configuration.
pub struct Generic;

/// A command in a place, with nothing else.
pub(crate) fn exec(place: &Place, argv: Vec<String>) -> Exec {
    Exec {
        place: place.clone(),
        argv,
        environment: BTreeMap::new(),
        directory: None,
        expect: Expect::default(),
        unblock: None,
        stdin: None,
    }
}

pub(crate) fn filled(command: &CommandLine, tenant: &str, release: &str) -> Vec<String> {
    command.filled(&[("tenant", tenant), ("release", release)])
}

/// The configured commands of a list, numbered from 1.
pub(crate) fn numbered(commands: &[CommandLine], place: &Place, timeout: u64) -> Vec<NamedCommand> {
    commands
        .iter()
        .enumerate()
        .map(|(number, command)| NamedCommand {
            name: (number + 1).to_string(),
            exec: exec(place, command.argv().to_vec()),
            timeout,
        })
        .collect()
}

/// The configured tests with the scratch database in their environment.
pub(crate) fn tests(stack: &Stack, candidate: &Place, scratch: &str) -> Option<TestRun> {
    let tests = stack.commands.tests.as_ref()?;
    let mut exec = exec(candidate, tests.command.argv().to_vec());
    for (name, value) in &tests.environment {
        let value = if value.is_reference() {
            EnvironmentValue::Secret(value.as_str().to_owned())
        } else {
            EnvironmentValue::Plain(value.as_str().to_owned())
        };
        exec.environment.insert(name.clone(), value);
    }
    if let Some(variable) = &tests.database_variable {
        exec.environment.insert(variable.clone(), EnvironmentValue::Plain(scratch.to_owned()));
    }
    let timeout = tests.timeout.unwrap_or(stack.limits.tests).as_seconds();
    Some(TestRun { exec, scratch: tests.database_variable.is_some(), timeout })
}

impl App for Generic {
    fn kind(&self) -> AppKind {
        AppKind::Generic
    }

    fn checks(&self, stack: &Stack, candidate: &Place) -> Vec<NamedCommand> {
        numbered(stack.commands.check.as_deref().unwrap_or_default(), candidate, 300)
    }

    fn tests(&self, stack: &Stack, candidate: &Place, scratch: &str) -> Option<TestRun> {
        tests(stack, candidate, scratch)
    }

    fn pending(&self, stack: &Stack, tenant: &TenantName, release: &Release, place: &Place) -> Option<Exec> {
        let command = stack.commands.pending.as_ref()?;
        Some(exec(place, filled(command, tenant.as_str(), &release.name)))
    }

    fn migrate(&self, stack: &Stack, tenant: &TenantName, release: &Release, place: &Place) -> Option<Exec> {
        let command = stack.commands.migrate.as_ref()?;
        Some(exec(place, filled(command, tenant.as_str(), &release.name)))
    }

    fn collect_static(&self, stack: &Stack, place: &Place) -> Option<Exec> {
        stack.commands.static_files.as_ref().map(|command| exec(place, command.argv().to_vec()))
    }

    fn seed(&self, stack: &Stack, place: &Place) -> Vec<NamedCommand> {
        numbered(&stack.commands.seed, place, 1800)
    }
}
