//! Images and the code in them: what is installed, mounted, pinned, out of support.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::support::{has, listed, production};
use super::versions;
use crate::compose::Mount;
use crate::context::{Context, Known, Project};
use crate::discovery::{Stage, stage_of_path};
use crate::dockerfile::Dockerfile;
use crate::finding::Findings;
use crate::library::{Span, name_of};
use crate::roles::{App, Role};
use crate::shell::Command;

pub(super) fn check(context: &Context<'_>, today: Date, out: &mut Findings) {
    let mut installs = BTreeSet::new();
    for (project, known) in production(context) {
        installed(context, known, &mut installs, out);
        mounted(context, project, known, out);
        if known.role == Role::Updater {
            out.add("A108", image_span(known), known.name());
        }
        moving(known, out);
        ended(known, today, out);
    }
    for project in context.production() {
        undigested(project, out);
    }
    for (path, dockerfile) in in_use(context) {
        bases(&path, dockerfile, today, out);
    }
}

fn image_span(known: &Known) -> Span {
    known.service.image().map_or(known.service.name_span, |node| node.span)
}

/// What installs packages, as the words that say so.
pub(super) fn install(command: &Command) -> Option<String> {
    let words: Vec<&str> = command.program().iter().map(|word| word.text.as_str()).collect();
    let name = command.name();
    let second = words.iter().skip(1).find(|word| !word.starts_with('-')).copied().unwrap_or_default();
    let said = |text: String| Some(text);
    match (name, second) {
        (
            "pip" | "pip3" | "poetry" | "pipenv" | "npm" | "pnpm" | "apt-get" | "apt" | "yum" | "dnf" | "gem"
            | "bundle" | "composer" | "conda",
            "install",
        )
        | ("npm", "ci" | "i")
        | ("yarn", "install" | "add")
        | ("apk", "add")
        | ("uv", "sync")
        | ("bench", "get-app") => said(format!("{name} {second}")),
        ("yarn", "") if words.len() == 1 => said("yarn".to_owned()),
        ("uv" | "bench", "pip") if words.contains(&"install") => said(format!("{name} pip install")),
        ("bench", "setup") if words.contains(&"requirements") => said("bench setup requirements".to_owned()),
        ("python" | "python3", "pip") if words.contains(&"install") => said("pip install".to_owned()),
        _ => words
            .windows(2)
            .find(|pair| name_of(pair[0]) == "pip" && pair[1] == "install")
            .map(|_| "pip install".to_owned()),
    }
}

fn installed(context: &Context<'_>, known: &Known, seen: &mut BTreeSet<Span>, out: &mut Findings) {
    for command in &known.runs {
        let (Some(what), Some(span)) = (install(command), command.span()) else { continue };
        let span = context.library.within(span, &what);
        if seen.insert(span) {
            out.add("A101", span, known.name()).with("what", what);
        }
    }
}

const CODE: [&str; 9] = [".py", ".js", ".ts", ".jsx", ".tsx", ".rb", ".php", ".vue", ".java"];

fn is_code(path: &str) -> bool {
    let name = name_of(path);
    let configuration = ["gunicorn", "config", "conf.", ".config.", "settings.local", "celeryconfig"];
    CODE.iter().any(|ending| name.ends_with(ending)) && !has(name, &configuration)
}

fn mounted(context: &Context<'_>, project: &Project, known: &Known, out: &mut Findings) {
    let application =
        known.role.is_application() || matches!(known.role, Role::Once | Role::Other | Role::Proxy);
    for mount in known.service.mounts() {
        if has(&mount.target, &["/sites/"]) && mount.kind == "bind" && has(&mount.target, &[".sh", ".py"]) {
            out.add("A104", mount.span, known.name()).with("what", &mount.target);
            continue;
        }
        if !application
            || has(&mount.target, &["initdb.d", "/etc/", "/usr/share/nginx", "/var/www/html", "/docs"])
        {
            continue;
        }
        if mount.kind == "volume" && mount.source.is_some() && holds_code(project, known, &mount) {
            out.add("A103", mount.span, known.name()).with("target", &mount.target);
        }
        let Some(source) = mount.tree_path() else { continue };
        let prefix = if source.is_empty() { String::new() } else { format!("{source}/") };
        let paths = context.library.tree().paths();
        let is_file = paths.binary_search_by(|path| path.as_str().cmp(source)).is_ok();
        let code = if is_file {
            is_code(source)
        } else {
            let inside: Vec<&String> = paths.iter().filter(|path| path.starts_with(&prefix)).collect();
            // The apps of a bench lie beside the repository.
            let apps = project.app == App::Frappe && name_of(source) == "apps";
            let is_context = known.service.build_context().is_some_and(|context| context == source);
            let static_files =
                ["static", "media", "assets", "dist", "public", "templates", "data", "backup", "backups"];
            let only_static = static_files.contains(&name_of(source));
            let served = known.role == Role::Proxy && inside.iter().all(|path| !path.ends_with(".py"));
            apps || !only_static && !served && (is_context || inside.iter().any(|path| is_code(path)))
        };
        if code {
            out.add("A102", mount.span, known.name())
                .with("source", if source.is_empty() { "the whole directory" } else { source })
                .with("target", &mount.target);
        }
    }
    for command in &known.runs {
        let marker = command.name() == "touch"
            && command.words.iter().any(|word| {
                has(&word.text, &["sites/."])
                    || (has(&word.text, &["sites/"])
                        && has(&word.text, &["done", "init", "setup", "flag", "marker", "complete"]))
            });
        let script = command.program().iter().take(2).find(|word| {
            has(&word.text, &["/sites/"]) && (word.text.ends_with(".sh") || word.text.ends_with(".py"))
        });
        if let (true, Some(span)) = (marker || script.is_some(), command.span()) {
            let span = context.library.within(span, command.name());
            out.add("A104", span, known.name())
                .with("what", command.text().chars().take(60).collect::<String>());
        }
    }
}

/// Whether a named volume lies over the code that the image brings.
fn holds_code(project: &Project, known: &Known, mount: &Mount) -> bool {
    let target = mount.target.as_str();
    if project.app == App::Frappe {
        return target.ends_with("frappe-bench/apps")
            || target.ends_with("/frappe-bench")
            || target.ends_with("frappe-bench/env");
    }
    let workdir = known.dockerfile.as_ref().and_then(|file| {
        file.last(known.target.as_deref(), "WORKDIR").map(|one| one.rest.trim_matches('"').to_owned())
    });
    let bound = project
        .services
        .iter()
        .any(|other| other.service.mounts().iter().any(|one| one.kind == "bind" && one.target == target));
    known.role.is_application()
        && !bound
        && workdir.is_some_and(|workdir| workdir.trim_end_matches('/') == target)
}

/// Names of releases of Debian and Ubuntu, which stand for a version.
const RELEASES: [&str; 11] = [
    "stretch", "buster", "bullseye", "bookworm", "trixie", "forky", "xenial", "bionic", "focal", "jammy",
    "noble",
];

/// Whether an image moves: no tag, `latest`, and no digest.
fn moves(image: &str) -> Option<&'static str> {
    if image.contains('@') || image.is_empty() || image == "scratch" {
        return None;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        None => Some("no tag"),
        Some((_, "latest")) => Some("the tag latest"),
        Some((_, "")) => None,
        // `debian:bookworm-slim` is a version under its name.
        Some((_, tag)) if RELEASES.contains(&tag.split('-').next().unwrap_or(tag)) => None,
        // `version-15`: a branch of Frappe.
        Some((_, tag)) if tag.starts_with("version-") => Some("the name of a branch"),
        // `alpine`, `stable`, `main`: the next version has the same name.
        Some((_, tag)) if !tag.contains(|c: char| c.is_ascii_digit() || c == '$') => {
            Some("a tag without a version")
        }
        Some(_) => None,
    }
}

fn moving(known: &Known, out: &mut Findings) {
    let Some(node) = known.service.image() else { return };
    let unknown = node.scalar().is_none_or(|scalar| scalar.is_unknown());
    if unknown || known.service.get("build").is_some() || known.role == Role::Updater {
        return;
    }
    let image = node.as_str().unwrap_or_default();
    if let Some(what) = moves(image) {
        out.add("A105", node.span, known.name()).with("image", image).with("what", what);
    }
}

fn undigested(project: &Project, out: &mut Findings) {
    let open: Vec<&Known> = project
        .services
        .iter()
        .filter(|known| !known.development && known.service.get("build").is_none())
        .filter(|known| {
            known.service.image().and_then(|node| node.scalar()).is_some_and(|image| {
                !image.text.contains('@')
                    && !image.is_unknown()
                    && moves(&image.text).is_none()
                    && !image.text.is_empty()
            })
        })
        .collect();
    let Some(first) = open.first() else { return };
    let names: Vec<&str> = open.iter().map(|known| known.name()).collect();
    let raw = out.add("A106", image_span(first), listed(&names));
    raw.with("count", open.len());
    for known in open.iter().skip(1) {
        raw.related(image_span(known));
    }
}

fn ended(known: &Known, today: Date, out: &mut Findings) {
    let (Some(node), Some(tag)) = (known.service.image(), known.service.image_tag()) else { return };
    if known.service.get("build").is_some() {
        return;
    }
    if let Some(end) = versions::end_of_life(&known.service.image_name(), &tag).filter(|end| *end < today) {
        let image = node.as_str().unwrap_or_default();
        out.add("A107", node.span, known.name()).with("image", image).with("date", end);
    }
}

/// The Dockerfiles of production, and those that no project uses and that are not called as the developers'.
fn in_use<'c>(context: &'c Context<'_>) -> Vec<(String, &'c Dockerfile)> {
    let used = |stage: Stage| {
        context
            .projects
            .iter()
            .filter(move |project| project.stage == stage)
            .flat_map(|project| project.services.iter())
            .filter_map(|known| known.dockerfile.as_ref().map(|file| file.file))
    };
    context
        .dockerfiles
        .iter()
        .filter(|(path, dockerfile)| {
            used(Stage::Production).any(|file| file == dockerfile.file)
                || (!used(Stage::Development).any(|file| file == dockerfile.file)
                    && stage_of_path(path) != Some(Stage::Development))
        })
        .map(|(path, dockerfile)| (path.clone(), dockerfile.as_ref()))
        .collect()
}

fn bases(path: &str, dockerfile: &Dockerfile, today: Date, out: &mut Findings) {
    for stage in &dockerfile.stages {
        if stage.base.contains(['$', '{']) || !dockerfile.is_image(&stage.base) {
            continue;
        }
        if let Some(what) = moves(&stage.base) {
            out.add("A105", stage.base_span, path).with("image", &stage.base).with("what", what);
        }
        let bare = stage.base.split('@').next().unwrap_or_default();
        let last = bare.rsplit('/').next().unwrap_or(bare);
        let Some((name, tag)) = last.split_once(':') else { continue };
        if let Some(end) = versions::end_of_life(name, tag).filter(|end| *end < today) {
            out.add("A107", stage.base_span, path).with("image", &stage.base).with("date", end);
        }
    }
}
