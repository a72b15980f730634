//! The commands: how `manage.py` is called, static files, tests, demo data, functional checks.

use eclusa_fault::Message;
use eclusa_model::AppKind;

use super::Certainty;
use super::document::{Document, list, lists, text, why};
use super::facts::Facts;
use super::python::commands::{ManagementCommand, TestsFound, management, tests};
use super::python::settings::{DatabaseHints, Settings};

/// What begins the name of a command that makes demo data, and of one that checks the application.
const SEEDS: [&str; 7] =
    ["seed", "load_demo", "demo", "populate", "create_demo", "generate_demo", "load_sample"];
const CHECKS: [&str; 4] = ["check_", "smoke", "verify_", "selfcheck"];

/// How `manage.py` is called in the image: from its working directory, under the same launcher as the server.
fn manage(facts: &Facts) -> (Vec<String>, Certainty, Message) {
    let python = facts.python.as_ref();
    let web = facts.web().unwrap_or_default();
    let place = python
        .zip(facts.images.dockerfile(web))
        .and_then(|(python, image)| super::dockerfile::inside(&image.copies, &python.root.join("manage.py")));
    let directory = facts.images.working_directory(web).trim_end_matches('/').to_owned();
    let launcher: Vec<String> = match facts.images.words(web).as_slice() {
        [tool, run, ..] if run == "run" && ["uv", "poetry", "pipenv", "pdm"].contains(&tool.as_str()) => {
            vec![tool.clone(), run.clone()]
        }
        _ => Vec::new(),
    };
    let (file, certainty, reason) = match place {
        Some(path) => {
            let below = path.strip_prefix(&format!("{directory}/")).map(str::to_owned);
            let reason = why("manage-image")
                .with("path", &path)
                .with("directory", if directory.is_empty() { "/" } else { &directory });
            (below.unwrap_or(path), Certainty::Found, reason)
        }
        None => ("manage.py".to_owned(), Certainty::Check, why("manage-unknown")),
    };
    let words = launcher.into_iter().chain(["python".to_owned(), file]).collect();
    (words, certainty, reason)
}

/// The command lines of `manage.py`.
pub(crate) struct Manage(Vec<String>);

impl Manage {
    fn with(&self, words: &[&str]) -> Vec<String> {
        self.0.iter().cloned().chain(words.iter().map(|word| (*word).to_owned())).collect()
    }
}

/// Writes `[commands]` and `[commands.tests]`; gives back how `manage.py` is called, and the management commands.
pub(crate) fn write(
    document: &mut Document,
    facts: &Facts,
    settings: Option<&Settings<'_>>,
    hints: &DatabaseHints,
) -> (Manage, Vec<ManagementCommand>) {
    document.table("commands");
    if facts.app.value != AppKind::Django {
        generic(document);
        return (Manage(Vec::new()), Vec::new());
    }
    let (words, certainty, reason) = manage(facts);
    document.set("manage", &list(&words), certainty, &reason);
    let manage = Manage(words);
    document.remark(&why("commands-defaults"));
    document.line(&format!("# migrate = {}", list(&manage.with(&["migrate", "--noinput"]))));
    document.line(&format!("# pending = {}", list(&manage.with(&["showmigrations", "--plan"]))));
    if let Some(service) = &facts.roles.migrates_itself {
        document.warn("migrate", &why("migrates-itself").with("service", service));
    }
    let collect = list(&manage.with(&["collectstatic", "--noinput"]));
    match settings.and_then(|settings| settings.assigned("STATIC_ROOT")) {
        Some((root, _)) if root != "None" => {
            document.set("static", &collect, Certainty::Found, &why("static-root").with("value", root));
        }
        _ => document.missing("static", &collect, &why("static-none")),
    }
    deploy_check(document, settings, &manage);
    let known = facts.python.as_ref().map(management).unwrap_or_default();
    let seeds: Vec<Vec<String>> = known
        .iter()
        .filter(|command| {
            SEEDS.iter().any(|word| command.name.starts_with(word)) || command.name.contains("demo_data")
        })
        .map(|command| manage.with(&[&command.name]))
        .collect();
    if seeds.is_empty() {
        document.missing("seed", &lists(&[manage.with(&["seed_demo_data"])]), &why("seed-none"));
    } else {
        document.set("seed", &lists(&seeds), Certainty::Found, &why("seed"));
    }
    write_tests(document, facts, hints, &manage);
    (manage, known)
}

/// `check --deploy` refuses over warnings; settings that leave its switches out would never pass it.
fn deploy_check(document: &mut Document, settings: Option<&Settings<'_>>, manage: &Manage) {
    let Some(settings) = settings.filter(|settings| settings.mentions("SecurityMiddleware")) else { return };
    let lacking: Vec<&str> = ["SECURE_HSTS_SECONDS", "SECURE_SSL_REDIRECT"]
        .into_iter()
        .filter(|name| settings.assigned(name).is_none())
        .collect();
    if lacking.is_empty() {
        return;
    }
    let commands = [
        manage.with(&["check", "--deploy", "--fail-level", "ERROR"]),
        manage.with(&["makemigrations", "--check", "--dry-run"]),
    ];
    let reason = why("check-relaxed").with("lacking", lacking.join(", ")).with("module", &settings.module);
    document.set("check", &lists(&commands), Certainty::Check, &reason);
}

fn write_tests(document: &mut Document, facts: &Facts, hints: &DatabaseHints, manage: &Manage) {
    let Some(python) = &facts.python else { return };
    let web = facts.web().unwrap_or_default();
    let context = facts.images.context(web).unwrap_or(&facts.directory);
    let recipe = facts.images.dockerfile(web).map_or("", |dockerfile| dockerfile.text.as_str());
    let pytest = vec!["pytest".to_owned(), "-q".to_owned()];
    let (command, reason) = match tests(python, context, recipe) {
        Some(TestsFound::Pytest(file)) => (pytest, why("tests-pytest").with("file", file)),
        Some(TestsFound::Django(file)) => {
            (manage.with(&["test", "--noinput"]), why("tests-django").with("file", file))
        }
        other => {
            let reason = match other {
                Some(TestsFound::PytestOutside(file)) => why("tests-outside").with("file", file),
                _ => why("tests-none"),
            };
            document.line("");
            document.missing("tests", &format!("{{ command = {} }}", list(&pytest)), &reason);
            return;
        }
    };
    document.table("commands.tests");
    document.set("command", &list(&command), Certainty::Found, &reason);
    match &hints.name_variable {
        Some(variable) => {
            document.set("database_variable", &text(variable), Certainty::Found, &why("tests-variable"))
        }
        None => {
            let variable = hints.url_variable.as_deref().unwrap_or("DATABASE_URL");
            document.missing(
                "database_variable",
                &text("DATABASE_NAME"),
                &why("tests-no-variable").with("variable", variable),
            );
        }
    }
}

fn generic(document: &mut Document) {
    document.missing("migrate", &list(&["./migrate", "{tenant}"]), &why("generic-migrate"));
    document.missing("pending", &list(&["./migrate", "--list-pending"]), &why("generic-pending"));
    document.missing("tests", "{ command = [\"./test\"] }", &why("generic-tests"));
}

/// Writes the functional checks that the project has commands for, commented out: what they do is not known.
pub(crate) fn write_checks(document: &mut Document, manage: &Manage, known: &[ManagementCommand]) {
    let found: Vec<&ManagementCommand> =
        known.iter().filter(|command| CHECKS.iter().any(|word| command.name.starts_with(word))).collect();
    if found.is_empty() {
        document.commented_entry(
            "checks",
            "functional",
            &why("checks-none"),
            &[("name", text("sale")), ("command", list(&["./check", "sale"]))],
        );
        return;
    }
    for command in found {
        let reason = why("checks-command").with("command", &command.name).with(
            "help",
            command
                .help
                .as_deref()
                .map(|help| format!(" ({})", help.trim().trim_end_matches([':', '.'])))
                .unwrap_or_default(),
        );
        let choices: Vec<&String> = command.choices.iter().filter(|choice| *choice != "all").collect();
        let mut entries: Vec<(String, Vec<String>)> =
            choices.iter().map(|choice| ((*choice).clone(), manage.with(&[&command.name, choice]))).collect();
        if entries.is_empty() {
            entries.push((command.name.replace('_', "-"), manage.with(&[&command.name])));
        }
        let mut first = true;
        for (name, words) in entries {
            let lines = [("name", text(&name)), ("command", list(&words))];
            if first {
                document.commented_entry("checks", &command.name, &reason, &lines);
                first = false;
            } else {
                document.commented_again("checks", &lines);
            }
        }
    }
}
