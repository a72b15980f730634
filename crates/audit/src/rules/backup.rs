//! Backups: whether there are any, where they go, what they hold, whether one was ever restored.

use super::support::has;
use crate::context::Context;
use crate::discovery;
use crate::finding::Findings;
use crate::library::{FileId, Span, name_of};
use crate::roles::{App, Role};
use crate::shell::{self, Command};

/// Where a backup is taken.
struct Taken {
    span: Span,
    subject: String,
    /// The text in which a destination, files, a restore would be named.
    text: String,
}

const TAKES: [&str; 14] = [
    "pg_dump",
    "pg_dumpall",
    "mysqldump",
    "mariadb-dump",
    "mariabackup",
    "mongodump",
    "pg_basebackup",
    "pgbackrest",
    "wal-g",
    "restic backup",
    "borg create",
    "borgmatic",
    "kopia snapshot",
    "eclusa backup",
];

pub(super) fn takes_backup(command: &Command) -> bool {
    let text = command.text();
    let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
    let bench = words.iter().position(|word| name_of(word) == "bench").is_some_and(|at| {
        words.iter().skip(at + 1).any(|word| matches!(*word, "backup" | "backup-all-sites"))
    });
    // A script of that name that is started, perhaps by a shell; not a variable or an argument.
    let started = command.program().iter().take(2).filter(|word| !word.text.contains('='));
    let own = started.clone().any(|word| {
        let name = name_of(&word.text).to_ascii_lowercase();
        name.contains("backup")
            && (name.ends_with(".sh") || word.text.starts_with("./") || word.text.contains("/bin/"))
    }) || words.contains(&"dbbackup");
    has(&text, &TAKES) || bench || own
}

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    let taken = taken(context);
    for project in context.production().filter(|project| project.whole) {
        let databases: Vec<_> = project.of(Role::is_database).filter(|known| !known.development).collect();
        let Some(database) = databases.first() else { continue };
        let mentioned = project.of(|role| role == Role::Backup).next().is_some()
            || project
                .services
                .iter()
                .any(|known| has(&known.service.labels().join(" "), &["ofelia", "backup", "chadburn"]));
        if taken.is_empty() && !mentioned && !mentioned_elsewhere(context) {
            out.add("A506", database.service.name_span, database.name());
        }
    }
    same_host(context, &taken, out);
    without_files(context, &taken, out);
    never_restored(context, &taken, out);
}

fn text(context: &Context<'_>, file: FileId) -> String {
    context.library.file(file).text.clone()
}

/// Every place in scripts, services, cron files and workflows that takes a backup.
fn taken(context: &Context<'_>) -> Vec<Taken> {
    let mut found = Vec::new();
    for script in &context.scripts {
        // `backup_local.sh` beside `backup_production.sh` is about the developers' own database.
        if discovery::stage_of_path(name_of(&script.path)) == Some(discovery::Stage::Development) {
            continue;
        }
        if let Some(command) = script.commands.iter().find(|command| takes_backup(command))
            && let Some(span) = command.span()
        {
            found.push(Taken { span, subject: script.path.clone(), text: text(context, script.file) });
        }
    }
    for project in context.production() {
        for known in &project.services {
            let Some(command) = known.runs.iter().find(|command| takes_backup(command)) else { continue };
            let Some(span) = command.span() else { continue };
            let settings: Vec<String> = known
                .service
                .environment()
                .iter()
                .map(|entry| format!("{}={}", entry.key, entry.value.as_str().unwrap_or_default()))
                .collect();
            let text = format!("{}\n{}", known.service.command_text(), settings.join("\n"));
            found.push(Taken { span, subject: known.name().to_owned(), text });
        }
    }
    for (path, file) in context.texts(discovery::is_cron) {
        for command in cron_commands(context, file) {
            if takes_backup(&command)
                && let Some(span) = command.span()
            {
                found.push(Taken { span, subject: path.clone(), text: text(context, file) });
                break;
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|one| seen.insert(one.span));
    found
}

/// The commands of a crontab, after their five fields (and the user).
pub(super) fn cron_commands(context: &Context<'_>, file: FileId) -> Vec<Command> {
    let opened = context.library.file(file);
    let mut found = Vec::new();
    for number in 1..=opened.line_count() {
        let line = opened.line(number);
        let trimmed = line.trim_start();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let fields = if trimmed.starts_with('@') { 1 } else { 5 };
        let first = trimmed.chars().next().unwrap_or(' ');
        if !(first.is_ascii_digit() || first == '*' || first == '@') {
            continue;
        }
        let mut at = line.len() - trimmed.len();
        for _ in 0..fields {
            let rest = line.get(at..).unwrap_or("");
            let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let space = rest.get(word..).map_or(0, |tail| tail.len() - tail.trim_start().len());
            at += word + space;
        }
        let start = opened.line_start(number) + at;
        let place = Span { file, start, end: opened.line_start(number) + line.len() };
        found.extend(shell::commands_of_scalar(line.get(at..).unwrap_or(""), place));
    }
    found
}

/// Words about backups in files that are not taken apart: another tool may take them.
fn mentioned_elsewhere(context: &Context<'_>) -> bool {
    context.library.tree().paths().iter().any(|path| {
        let name = name_of(path).to_ascii_lowercase();
        let code = [".py", ".js", ".ts", ".vue", ".html", ".md", ".json", ".po", ".css", ".svg"]
            .iter()
            .any(|ending| name.ends_with(ending));
        has(&name, &["backup", "borgmatic", "pgbackrest", "restic"]) && !code
    }) || context
        .texts(|path| discovery::is_workflow(path) || name_of(path) == "Makefile" || path.ends_with(".tf"))
        .values()
        .any(|file| has(&text(context, *file), &TAKES))
}

const AWAY: [&str; 24] = [
    "aws s3",
    "s3cmd",
    "rclone",
    "rsync",
    "scp ",
    "sftp:",
    "s3:",
    "s3://",
    "b2:",
    "gsutil",
    "azcopy",
    "az storage",
    "gs://",
    "mc cp",
    "mc mirror",
    "rest:http",
    "AWS_",
    "S3_",
    "BORG_REPO=ssh",
    "ssh://",
    "curl -T",
    "push-backup",
    "backblaze",
    "RESTIC_REPOSITORY",
];

fn same_host(context: &Context<'_>, taken: &[Taken], out: &mut Findings) {
    let Some(first) = taken.first() else { return };
    if context.production().next().is_none() {
        return;
    }
    // A copy may be made by another script than the one that takes the backup.
    let elsewhere = context.scripts.iter().any(|script| has(&text(context, script.file), &AWAY))
        || taken.iter().any(|one| has(&one.text, &AWAY))
        || context.projects.iter().flat_map(|project| &project.services).any(|known| {
            has(
                &known.service.image_text(),
                &["s3", "restic", "rclone", "offen/docker-volume-backup", "borgmatic", "duplicati"],
            )
        });
    if !elsewhere {
        out.add("A507", first.span, first.subject.clone());
    }
}

fn without_files(context: &Context<'_>, taken: &[Taken], out: &mut Findings) {
    let mut seen = std::collections::BTreeSet::new();
    let crons = context.texts(discovery::is_cron);
    let from_cron = crons.values().flat_map(|file| cron_commands(context, *file));
    let commands = context
        .scripts
        .iter()
        .filter(|script| {
            discovery::stage_of_path(name_of(&script.path)) != Some(discovery::Stage::Development)
        })
        .flat_map(|script| script.commands.iter().cloned())
        .chain(
            context.production().flat_map(|project| &project.services).flat_map(|known| known.runs.clone()),
        )
        .chain(from_cron);
    for command in commands {
        let Some(bench) =
            command.words.iter().position(|word| word.text == "bench" || word.text.ends_with("/bench"))
        else {
            continue;
        };
        let words = command.words.get(bench..).unwrap_or_default();
        let backup = words.iter().find(|word| word.text == "backup");
        let (Some(backup), Some(span)) = (backup, command.span()) else { continue };
        if words.iter().any(|word| word.text.starts_with("--with-files") || word.text.starts_with('$'))
            || !seen.insert(span)
        {
            continue;
        }
        let span = context.library.within(span, "backup");
        let exact = if backup.span.end - backup.span.start == 6 { backup.span } else { span };
        let subject = context.library.file(span.file).path.clone();
        let raw = out.add("A508", exact, subject);
        if context.library.text_of(exact) == "backup" {
            raw.edit(exact, "backup --with-files");
        }
    }
    let Some(first) = taken.first() else { return };
    let files = taken.iter().any(|one| {
        has(
            &one.text,
            &["media", "upload", "files", "sites", "tar ", "restic backup", "borg create", "rsync", "VOLUME"],
        )
    }) || context.scripts.iter().any(|script| {
        script.path.contains("backup") && has(&text(context, script.file), &["media", "upload", "tar "])
    });
    let keeps = context.production().any(|project| {
        project.app == App::Django
            && project.of(|role| role == Role::Web).any(|known| {
                known.service.mounts().iter().any(|mount| has(&mount.target, &["media", "upload"]))
            })
    });
    if keeps && !files {
        out.add("A508", first.span, first.subject.clone());
    }
}

fn never_restored(context: &Context<'_>, taken: &[Taken], out: &mut Findings) {
    let Some(first) = taken.first() else { return };
    if context.production().next().is_none() {
        return;
    }
    let words = ["restore", "pg_restore", "restic check", "eclusa", "drill"];
    let restored = context.scripts.iter().any(|script| {
        has(&script.path.to_ascii_lowercase(), &["restore", "drill"])
            || has(&text(context, script.file).to_ascii_lowercase(), &words)
    }) || context
        .texts(|path| discovery::is_workflow(path) || discovery::is_cron(path) || name_of(path) == "Makefile")
        .values()
        .any(|file| has(&text(context, *file).to_ascii_lowercase(), &words));
    if !restored {
        out.add("A509", first.span, first.subject.clone());
    }
}
