//! Processes under supervisor: started again, logs with an end, who they are, their secrets and queues.

use std::collections::{BTreeMap, BTreeSet};

use super::frappe::{absent_queues, custom_queues, migrates, unknown_queues};
use super::secret::literal;
use super::support::has;
use crate::context::Context;
use crate::discovery::{self, Stage, stage_of_path};
use crate::finding::Findings;
use crate::library::{Span, directory_of};
use crate::roles::App;
use crate::secrets::{could_be_secret, is_secret_name};
use crate::shell::{Command, commands_of_scalar};
use crate::supervisor::{self, Section};

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    let mut together: BTreeMap<String, Vec<Section>> = BTreeMap::new();
    let files = context.texts(discovery::is_supervisor);
    let mut seen = BTreeSet::new();
    let custom = custom_queues(context);
    for (path, file) in files {
        if stage_of_path(&path) == Some(Stage::Development) {
            continue;
        }
        let sections = supervisor::read(context.library, file);
        for section in &sections {
            logs(section, out);
            if let Some(name) = section.program() {
                program((context, &custom), section, name, &mut seen, out);
            }
        }
        together.entry(directory_of(&path).to_owned()).or_default().extend(sections);
    }
    // Where containers do it, what is missing is said of them.
    if !context.projects.iter().any(|project| project.app == App::Frappe) {
        together.values().for_each(|sections| missing(sections, out));
    }
}

/// What a section runs.
fn commands(section: &Section) -> Vec<Command> {
    let setting = section.get("command");
    setting.map(|setting| commands_of_scalar(&setting.value, setting.span)).unwrap_or_default()
}

fn program(
    (context, custom): (&Context<'_>, &BTreeSet<String>),
    section: &Section,
    name: &str,
    seen: &mut BTreeSet<Span>,
    out: &mut Findings,
) {
    let text = section.value("command").to_owned();
    let commands = commands(section);
    let application = has(
        &text,
        &["gunicorn", "uwsgi", "uvicorn", "daphne", "celery", "bench ", "manage.py", "socketio", "frappe."],
    ) && !commands.iter().any(migrates)
        && !has(&text, &["collectstatic"]);
    let once = section.value("autostart") == "false" || section.value("startsecs") == "0";
    if let Some(setting) = section.get("autorestart").filter(|setting| setting.value == "false")
        && (application || has(&text, &["redis-server", "nginx"]))
        && !once
    {
        out.add("A409", setting.span, name);
    }
    if let Some(setting) = section.get("user").filter(|setting| setting.value == "root" && application) {
        out.add("A411", setting.span, name);
    }
    for command in &commands {
        literal(context, name, command, "command", seen, out);
        if has(&text, &["bench worker"]) {
            unknown_queues(context, custom, name, command, out);
        }
    }
    let Some(environment) = section.get("environment") else { return };
    for (variable, value) in section.environment() {
        if is_secret_name(&variable) && could_be_secret(&value) && !value.starts_with("%(") {
            let span = context.library.within(environment.span, &variable);
            out.add("A209", span, name).with("variable", &variable);
            out.secrets.push(value);
        }
    }
}

fn logs(section: &Section, out: &mut Findings) {
    let name = match (section.program(), section.title.as_str()) {
        (Some(name), _) => name,
        (None, "supervisord") => "supervisord",
        _ => return,
    };
    for file in ["logfile", "stdout_logfile", "stderr_logfile"] {
        let path = section.value(file);
        let on_disk = path.contains('/') && !path.starts_with("/dev/") && !path.starts_with("/proc/");
        let limit = section.get(&format!("{file}_maxbytes"));
        let endless = |value: &str| value.trim_end_matches(char::is_alphabetic) == "0";
        if let Some(limit) = limit.filter(|limit| on_disk && endless(&limit.value)) {
            out.add("A410", limit.span, name).with("what", path);
        }
    }
}

/// What a bench has besides its web server, in the files of a directory together.
fn missing(sections: &[Section], out: &mut Findings) {
    let programs: Vec<&Section> = sections.iter().filter(|section| section.program().is_some()).collect();
    let says = |words: &[&str]| programs.iter().any(|section| has(section.value("command"), words));
    let Some(web) = programs.iter().find(|section| has(section.value("command"), &["frappe.app"])) else {
        return;
    };
    let all: Vec<Command> = programs.iter().flat_map(|section| commands(section)).collect();
    let mut say = |what: &str| {
        out.add("A603", web.span, web.program().unwrap_or_default()).with("what", what);
    };
    if !says(&["bench schedule", "frappe.utils.scheduler"]) {
        say("scheduler beside it");
    }
    if !says(&["socketio"]) {
        say("websocket server beside it");
    }
    let absent = absent_queues(&all.iter().collect::<Vec<_>>());
    if !absent.is_empty() {
        say(&format!("worker beside it for the queue {}", absent.join(", ")));
    }
}
