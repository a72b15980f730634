//! Django: `manage.py` and what it prints. Commands and outputs are those of Django 4.2 and 5.2.

use eclusa_config::{CommandLine, Stack};
use eclusa_model::{AppKind, Release, Tenant, TenantName};
use eclusa_planner::{App, NamedCommand, TestRun, TrialShape};
use eclusa_runbook::{Exec, Place};

use crate::generic::{exec, numbered, tests};

mod trial;

/// A Django project.
pub struct Django;

fn manage(stack: &Stack, arguments: &[&str]) -> Vec<String> {
    stack.commands.manage.with(arguments.iter().copied()).argv().to_vec()
}

fn configured(command: Option<&CommandLine>) -> Option<Vec<String>> {
    command.map(|command| command.argv().to_vec())
}

impl App for Django {
    fn kind(&self) -> AppKind {
        AppKind::Django
    }

    fn command(&self, stack: &Stack, _: &TenantName, argv: &[String]) -> Option<Exec> {
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        let service = self.command_service(stack)?;
        Some(exec(&Place::Service { service }, manage(stack, &words)))
    }

    /// `check --deploy` fails on warnings too: each of them is a door left open. `makemigrations --check` finds
    /// models that were changed without a migration.
    fn checks(&self, stack: &Stack, candidate: &Place) -> Vec<NamedCommand> {
        if let Some(commands) = &stack.commands.check {
            return numbered(commands, candidate, 300);
        }
        let named = |name: &str, arguments: &[&str]| NamedCommand {
            name: name.to_owned(),
            exec: exec(candidate, manage(stack, arguments)),
            timeout: 300,
        };
        vec![
            named("deploy", &["check", "--deploy", "--fail-level", "WARNING"]),
            named("migrations", &["makemigrations", "--check", "--dry-run"]),
        ]
    }

    fn tests(&self, stack: &Stack, candidate: &Place, scratch: &str) -> Option<TestRun> {
        tests(stack, candidate, scratch)
    }

    /// `showmigrations --plan` prints `[X]  app.name` for what is applied and `[ ]  app.name` for what is not.
    fn pending(
        &self,
        stack: &Stack,
        _tenant: &TenantName,
        _release: &Release,
        place: &Place,
    ) -> Option<Exec> {
        let argv = configured(stack.commands.pending.as_ref())
            .unwrap_or_else(|| manage(stack, &["showmigrations", "--plan"]));
        Some(exec(place, argv))
    }

    fn migrate(
        &self,
        stack: &Stack,
        _tenant: &TenantName,
        _release: &Release,
        place: &Place,
    ) -> Option<Exec> {
        let argv = configured(stack.commands.migrate.as_ref())
            .unwrap_or_else(|| manage(stack, &["migrate", "--noinput"]));
        Some(exec(place, argv))
    }

    fn collect_static(&self, stack: &Stack, place: &Place) -> Option<Exec> {
        configured(stack.commands.static_files.as_ref()).map(|argv| exec(place, argv))
    }

    fn seed(&self, stack: &Stack, place: &Place) -> Vec<NamedCommand> {
        numbered(&stack.commands.seed, place, 1800)
    }

    fn trial_shape(&self, stack: &Stack, tenant: &Tenant) -> Option<TrialShape> {
        trial::shape(stack, tenant)
    }
}

/// The migrations that `showmigrations --plan` says are applied.
#[must_use]
pub fn parse_show_migrations(output: &str) -> Vec<String> {
    let mut applied: Vec<String> = output
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[X]"))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    applied.sort();
    applied
}

/// The migrations in a listing of a project's files: `…/sales/migrations/0002_discount.py` is
/// `sales.0002_discount`. The label is the name of the folder, which is Django's default.
#[must_use]
pub fn migrations_in<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = paths
        .into_iter()
        .filter_map(|path| {
            let (folder, file) = path.rsplit_once('/')?;
            let name = file.strip_suffix(".py")?;
            let app =
                folder.strip_suffix("/migrations").or_else(|| (folder == "migrations").then_some(""))?;
            let label = app.rsplit('/').next()?;
            let begins_with_digit = name.chars().next().is_some_and(|c| c.is_ascii_digit());
            (begins_with_digit && !label.is_empty()).then(|| format!("{label}.{name}"))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests_of_outputs {
    use super::*;

    #[test]
    fn applied_migrations_are_read() {
        let output = "[X]  contenttypes.0001_initial\n[X]  sales.0001_initial (2 squashed migrations)\n[ ]  sales.0002_discount\n";
        assert_eq!(parse_show_migrations(output), ["contenttypes.0001_initial", "sales.0001_initial"]);
        assert!(parse_show_migrations("Traceback (most recent call last):\n").is_empty());
    }

    #[test]
    fn migrations_are_found_in_a_tree() {
        let tree = [
            "app/sales/migrations/0001_initial.py",
            "app/sales/migrations/__init__.py",
            "src/migrations/notes.py",
            "x.py",
        ];
        assert_eq!(migrations_in(tree), ["sales.0001_initial"]);
    }
}
