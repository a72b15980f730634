//! The data beside the database: sets of files in volumes, files of the host that belong into a restore point, and
//! the names under which the public reaches the stack.

use std::path::{Path, PathBuf};

use super::document::{Guess, why};
use super::facts::Facts;
use super::python::read;
use super::roles::Role;

/// A set of files.
#[derive(Debug)]
pub(crate) struct FilesFound {
    pub(crate) name: String,
    pub(crate) place: FilesAt,
}

/// Where a set of files is.
#[derive(Debug)]
pub(crate) enum FilesAt {
    Service { service: String, path: String },
    Directory(PathBuf),
}

/// Words in a name or path of what can be made again.
const MADE_AGAIN: [&str; 14] = [
    "static",
    "assets",
    "cache",
    "log",
    "logs",
    "tmp",
    "sock",
    "socket",
    "sockets",
    "run",
    "venv",
    "node_modules",
    "locale",
    "beat",
];
/// Words of what people bring.
const BROUGHT: [&str; 7] = ["media", "upload", "uploads", "files", "documents", "attachments", "private"];

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn has(words: &[String], list: &[&str]) -> bool {
    words.iter().any(|word| list.contains(&word.as_str()))
}

/// The sets of files, and what is odd about the mounts.
pub(crate) fn files(
    facts: &Facts,
    media: Option<&str>,
    fixed: Option<&str>,
) -> (Vec<Guess<FilesFound>>, Vec<eclusa_fault::Message>) {
    let mut found: Vec<Guess<FilesFound>> = Vec::new();
    let mut odd = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    let mut services = facts.roles.names(Role::Web);
    services.extend(facts.roles.names(Role::Worker));
    services.extend(facts.roles.names(Role::Scheduler));
    for service in &services {
        let Some(model) = facts.project.services.get(service) else { continue };
        for mount in model.mounts.iter().filter(|mount| !mount.read_only && !mount.source.is_empty()) {
            if seen.contains(&mount.source) || !matches!(mount.kind.as_str(), "volume" | "bind") {
                continue;
            }
            seen.push(mount.source.clone());
            let target = Path::new(&mount.target);
            let source = Path::new(&mount.source);
            let bind = mount.kind == "bind";
            if bind && !source.is_dir() {
                continue;
            }
            if bind && facts.images.context(service).is_some_and(|context| context.starts_with(source)) {
                odd.push(why("code-mounted").with("service", service).with("path", &mount.target));
                continue;
            }
            let near = |root: &str| target.starts_with(root) || Path::new(root).starts_with(target);
            let name = short_name(&mount.source);
            let mut about = words(&name);
            about.extend(words(mount.target.rsplit('/').next().unwrap_or_default()));
            let is_media = media.is_some_and(near);
            if !is_media && (fixed.is_some_and(near) || has(&about, &MADE_AGAIN)) {
                continue;
            }
            let name = unique(&found, &name);
            let place = if bind {
                FilesAt::Directory(source.to_owned())
            } else {
                FilesAt::Service { service: service.clone(), path: mount.target.clone() }
            };
            let set = FilesFound { name, place };
            let reason = |id: &str| {
                why(id).with("mount", &mount.source).with("service", service).with("path", &mount.target)
            };
            found.push(if is_media {
                Guess::found(set, reason("files-media"))
            } else if has(&about, &BROUGHT) {
                Guess::found(set, reason("files-name"))
            } else {
                Guess::check(set, reason("files-other"))
            });
        }
    }
    (found, odd)
}

fn short_name(source: &str) -> String {
    let last = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name: String =
        last.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' }).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "files".to_owned() } else { name }
}

fn unique(found: &[Guess<FilesFound>], name: &str) -> String {
    let taken = |name: &str| found.iter().any(|guess| guess.value.name == name);
    let mut wanted = name.to_owned();
    let mut number = 2;
    while taken(&wanted) {
        wanted = format!("{name}-{number}");
        number += 1;
    }
    wanted
}

/// Files of the host that a restore point keeps: env files, and single files that are mounted into services. Each is
/// kept under its file name, so of two with one name the first is taken.
pub(crate) fn configuration(facts: &Facts, further: &[PathBuf]) -> Vec<String> {
    let mut paths: Vec<PathBuf> = facts.env_files.value.iter().chain(further).cloned().collect();
    paths.extend(facts.written.services.values().flat_map(|service| service.env_files.iter().cloned()));
    for service in facts.project.services.values() {
        paths.extend(
            service
                .mounts
                .iter()
                .filter(|mount| mount.kind == "bind")
                .map(|mount| PathBuf::from(&mount.source)),
        );
    }
    let mut names: Vec<std::ffi::OsString> = Vec::new();
    let mut found = Vec::new();
    for path in paths {
        let within = path.starts_with(&facts.directory);
        let Some(name) = path.file_name().map(std::ffi::OsStr::to_owned) else { continue };
        if within && path.is_file() && !names.contains(&name) {
            names.push(name);
            found.push(facts.shown(&path));
        }
    }
    found
}

/// The public names: from the settings' allowed hosts, from the frontend's own configuration, from Traefik's labels.
pub(crate) fn domains(facts: &Facts, allowed: Option<(Vec<String>, Option<String>)>) -> Guess<Vec<String>> {
    let proxied = proxy_names(facts);
    let (hosts, variable) = allowed.unwrap_or_default();
    let public = public_names(facts, &hosts);
    if !public.is_empty() {
        let reason = match variable {
            Some(variable) => why("domains-variable").with("variable", variable),
            None => why("domains-settings"),
        };
        return Guess::found(public, reason);
    }
    let public = public_names(facts, &proxied);
    if !public.is_empty() {
        return Guess::found(public, why("domains-proxy"));
    }
    let anything = hosts.is_empty() || hosts.iter().any(|host| host == "localhost" || host == "*");
    if anything {
        return Guess::check(vec!["localhost".to_owned()], why("domains-localhost"));
    }
    let numbers: Vec<String> =
        hosts.iter().filter(|host| host.parse::<std::net::Ipv4Addr>().is_ok()).cloned().collect();
    Guess::check(numbers, why("domains-localhost"))
}

fn public_names(facts: &Facts, hosts: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for host in hosts {
        let host = host
            .trim()
            .trim_start_matches("https://")
            .trim_start_matches("http://")
            .trim_start_matches(['.', '*']);
        let host = host.trim_start_matches('.').split([':', '/']).next().unwrap_or_default().to_lowercase();
        let labels: Vec<&str> = host.split('.').collect();
        let label = |label: &&str| {
            !label.is_empty()
                && !label.starts_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        let named =
            labels.len() > 1 && labels.iter().all(label) && host.parse::<std::net::Ipv4Addr>().is_err();
        let placeholder = ["change", "replace"].iter().any(|word| host.contains(word));
        let service = facts.project.services.contains_key(&host);
        if named && !placeholder && !service && !found.contains(&host) {
            found.push(host);
        }
    }
    found
}

/// Names in nginx's `server_name`, a Caddyfile's sites, and `Host(…)` of Traefik's labels.
fn proxy_names(facts: &Facts) -> Vec<String> {
    let mut found = Vec::new();
    for (name, service) in &facts.project.services {
        let labels = facts.written.services.get(name).into_iter().flat_map(|service| &service.labels);
        for label in labels.filter(|label| label.contains("Host(")) {
            found.extend(
                label.split('`').skip(1).step_by(2).filter(|part| !part.contains('$')).map(str::to_owned),
            );
        }
        let proxy = facts.roles.frontend.as_ref().is_some_and(|guess| guess.value == *name);
        for mount in service.mounts.iter().filter(|mount| proxy && mount.kind == "bind") {
            for text in texts(Path::new(&mount.source)) {
                for line in text.lines().map(str::trim) {
                    if let Some(rest) = line.strip_prefix("server_name ") {
                        found.extend(rest.trim_end_matches(';').split_whitespace().map(str::to_owned));
                    } else if let Some(site) =
                        line.strip_suffix('{').filter(|_| mount.source.ends_with("Caddyfile"))
                    {
                        found.extend(
                            site.split([',', ' ']).filter(|word| word.contains('.')).map(str::to_owned),
                        );
                    }
                }
            }
        }
    }
    found
}

/// A file's text, or those of the files of a directory.
fn texts(path: &Path) -> Vec<String> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        return paths.iter().take(20).filter_map(|path| read(path)).collect();
    }
    read(path).into_iter().collect()
}
