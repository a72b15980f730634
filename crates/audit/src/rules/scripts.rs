//! Deploy and rollback scripts, and workflows.

use std::rc::Rc;

use super::backup::takes_backup;
use super::frappe::migrates;
use super::support::has;
use crate::context::{Context, Script};
use crate::discovery::{Stage, is_workflow, stage_of_path};
use crate::finding::Findings;
use crate::library::{Span, name_of};
use crate::shell::{self, Command, Then};
use crate::yaml::{self, Node};

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    for script in &context.scripts {
        if stage_of_path(name_of(&script.path)) == Some(Stage::Development) {
            continue;
        }
        let name = name_of(&script.path).to_ascii_lowercase();
        if is_deploy(&name) && !has(&name, &["rollback", "entrypoint", "undeploy"]) {
            deploys(context, script, out);
        }
        if has(&name, &["rollback", "roll_back", "roll-back", "revert", "downgrade"]) {
            goes_back(script, out);
        }
    }
    for (path, file) in context.texts(is_workflow) {
        if let Ok(root) = yaml::read(context.library, file) {
            workflow(context, &path, &root, out);
        }
    }
}

fn is_deploy(name: &str) -> bool {
    has(name, &["deploy", "upgrade", "release", "migrate_all", "migrate-all", "redeploy"])
        || name == "update.sh"
        || (name.starts_with("update") && has(name, &["prod", "server", "live"]))
}

/// What changes something that a failed step before it should have kept from changing.
fn changes(command: &Command) -> bool {
    let text = command.text();
    migrates(command)
        || has(
            &text,
            &[
                "docker compose up",
                "docker-compose up",
                "docker stack deploy",
                "systemctl restart",
                "supervisorctl restart",
            ],
        )
}

/// Whether a command is a migration that is given to another machine or container as one text.
fn inner(command: &Command) -> Vec<Command> {
    let mut found = vec![command.clone()];
    for word in command.words.iter().filter(|word| word.quoted && word.text.contains(' ')) {
        found.extend(shell::commands_of_scalar(&word.text, word.span));
    }
    found
}

fn deploys(context: &Context<'_>, script: &Script, out: &mut Findings) {
    let commands: Vec<Command> = script.commands.iter().flat_map(inner).collect();
    let first = commands.iter().position(migrates);
    if let Some(at) = first {
        let before = commands.get(..at).unwrap_or_default();
        let saved = before.iter().any(|command| {
            takes_backup(command) || has(&command.text().to_ascii_lowercase(), &["backup", "snapshot"])
        });
        if let (false, Some(span)) = (saved, commands.get(at).and_then(Command::span)) {
            out.add("A801", context.library.within(span, "migrate"), script.path.clone());
        }
    }
    let text = context.library.file(script.file).text.clone();
    let stops =
        script.commands.iter().any(|command| {
            command.name() == "set"
                && command.words.iter().skip(1).any(|word| {
                    word.text.starts_with('-') && word.text.contains('e') || word.text == "errexit"
                })
        }) || text.lines().next().is_some_and(|line| line.starts_with("#!") && line.contains(" -e"));
    let ignored = script.commands.iter().enumerate().find(|(at, command)| {
        let next = script.commands.get(at + 1);
        command.then == Then::Or
            && (changes(command) || takes_backup(command))
            && next.is_some_and(|next| matches!(next.name(), "true" | ":" | "echo"))
            && script.commands.get(at + 2).is_none_or(|after| after.name() != "exit")
    });
    if let Some(span) = ignored.and_then(|(_, command)| command.span()) {
        out.add("A802", span, script.path.clone()).with("why", "its failure is swallowed");
        return;
    }
    if stops {
        return;
    }
    // Without `set -e`, a step whose failure nothing looks at, followed by one that changes something.
    let steps: Vec<(usize, &Command)> = script
        .commands
        .iter()
        .enumerate()
        .filter(|(_, command)| {
            matches!(
                command.name(),
                "git"
                    | "docker"
                    | "docker-compose"
                    | "bench"
                    | "python"
                    | "python3"
                    | "pip"
                    | "npm"
                    | "pg_dump"
                    | "mysqldump"
            ) || changes(command)
        })
        .collect();
    let unguarded = steps.iter().find(|(at, command)| {
        command.then == Then::Next
            && !command.condition
            && script.commands.iter().skip(at + 1).any(changes)
            && !script.commands.get(at + 1).is_some_and(|next| has(&next.text(), &["$?"]))
    });
    if let Some(span) = unguarded.and_then(|(_, command)| command.span()) {
        out.add("A802", span, script.path.clone())
            .with("why", "the script goes on when it fails: there is no set -e");
    }
}

fn goes_back(script: &Script, out: &mut Findings) {
    let commands: Vec<Command> = script.commands.iter().flat_map(inner).collect();
    let acts = commands.iter().find(|command| {
        has(
            &command.text(),
            &["docker", "git checkout", "git reset", "git revert", "bench", "systemctl", "kubectl"],
        )
    });
    let schema = commands.iter().any(|command| {
        migrates(command)
            || has(
                &command.text().to_ascii_lowercase(),
                &["restore", "psql", "mysql", "mariadb", "loaddata", "alembic downgrade", "dump", "sqlite3"],
            )
    });
    if let (Some(span), false) = (acts.and_then(Command::span), schema) {
        out.add("A803", span, script.path.clone());
    }
}

fn scalars<'n>(node: &'n Rc<Node>, key: &str, found: &mut Vec<&'n Rc<Node>>) {
    for entry in node.entries() {
        if entry.key == key && entry.value.as_str().is_some() {
            found.push(&entry.value);
        }
        scalars(&entry.value, key, found);
    }
    node.items().iter().for_each(|item| scalars(item, key, found));
}

/// The scripts that an action runs on another machine: `uses: …/ssh-action` with a `script`.
fn steps(node: &Rc<Node>, found: &mut Vec<Rc<Node>>) {
    let by_ssh = node.get("uses").and_then(|uses| uses.as_str()).is_some_and(|uses| uses.contains("ssh"));
    if let Some(script) = node.at(&["with", "script"]).filter(|_| by_ssh) {
        found.push(Rc::clone(script));
    }
    node.entries().iter().for_each(|entry| steps(&entry.value, found));
    node.items().iter().for_each(|item| steps(item, found));
}

/// Images that a workflow pushes by a command, when all of their tags move.
fn pushed(context: &Context<'_>, path: &str, runs: &[&Rc<Node>], out: &mut Findings) {
    let all =
        runs.iter().flat_map(|run| shell::commands_of_scalar(run.as_str().unwrap_or_default(), run.span));
    let pushes: Vec<(String, Span)> = all
        .filter(|command| command.name() == "docker" && command.words.iter().any(|word| word.text == "push"))
        .filter_map(|command| {
            let image = command.words.last()?.text.clone();
            Some((image, command.span()?)).filter(|(image, _)| image.contains('/'))
        })
        .collect();
    let moving = |(image, _): &(String, Span)| {
        [":latest", ":main", ":master", ":prod"].iter().any(|tag| image.ends_with(tag))
    };
    if let Some((image, span)) = pushes.first().filter(|_| pushes.iter().all(moving)) {
        out.add("A804", context.library.within(*span, image), path).with("tag", image);
    }
}

fn workflow(context: &Context<'_>, path: &str, root: &Rc<Node>, out: &mut Findings) {
    let mut runs = Vec::new();
    scalars(root, "run", &mut runs);
    let mut over_ssh = Vec::new();
    steps(root, &mut over_ssh);
    scalars(root, "script", &mut runs);
    for run in &runs {
        let text = run.as_str().unwrap_or_default();
        let commands: Vec<Command> =
            shell::commands_of_scalar(text, run.span).iter().flat_map(inner).collect();
        // In a container that is running, or on another machine: a test job migrates its own empty database.
        let on_server = |command: &Command| {
            let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
            let docker = words.iter().any(|word| matches!(*word, "docker" | "docker-compose"));
            (docker && (words.contains(&"exec") || words.contains(&"run"))) || words.contains(&"ssh")
        };
        let by_action = over_ssh.iter().any(|node| Rc::ptr_eq(node, run));
        let remote = by_action || text.contains("ssh ") || has(path, &["deploy", "release", "cd.y", "prod"]);
        let Some(at) = commands.iter().position(|command| {
            migrates(command) && remote && (by_action || on_server(command) || text.contains("ssh "))
        }) else {
            continue;
        };
        let saved =
            commands.get(..at).unwrap_or_default().iter().any(|command| {
                takes_backup(command) || command.text().to_ascii_lowercase().contains("backup")
            });
        let saved_elsewhere = runs
            .iter()
            .take_while(|other| !std::ptr::eq(**other, *run))
            .any(|other| other.as_str().unwrap_or_default().to_ascii_lowercase().contains("backup"));
        if !saved && !saved_elsewhere {
            out.add("A801", run.span, path);
        }
    }
    // What is built for developers may move.
    if stage_of_path(name_of(path)) != Some(Stage::Development) {
        pushed(context, path, &runs, out);
    }
    let mut tags = Vec::new();
    scalars(root, "tags", &mut tags);
    for node in tags {
        let text = node.as_str().unwrap_or_default();
        let named: Vec<&str> =
            text.split([',', '\n']).map(str::trim).filter(|tag| tag.contains(':')).collect();
        let moving = |tag: &&str| {
            tag.ends_with(":latest")
                || tag.ends_with(":main")
                || tag.ends_with(":master")
                || tag.ends_with(":prod")
        };
        if !named.is_empty() && named.iter().all(moving) {
            let span =
                Span { end: node.span.start + text.len().min(node.span.end - node.span.start), ..node.span };
            out.add("A804", span, path).with("tag", named.join(", "));
        }
    }
}
