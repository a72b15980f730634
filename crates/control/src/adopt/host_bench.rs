//! Adopting a bench on the host: what `bench setup production` wrote for supervisor and nginx, and what the bench's own
//! configuration says, become an `eclusa.toml`. Nothing is asked but whether ports are free.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eclusa_audit::supervisor::{Section, read as read_supervisor};
use eclusa_audit::{Library, MemoryTree};
use eclusa_fault::{Code, Fault, Message, Result};

use super::bench::{Cache, number, write_cache, write_queue};
use super::document::{Certainty, Document, Guess, Note, list, text, why};
use super::{Surroundings, Wanted};

/// What supervisor and nginx are told, below the bench.
const SUPERVISOR: &str = "config/supervisor.conf";
const NGINX: &str = "config/nginx.conf";

/// Where the search for a free port for the edge begins.
const EDGE_PORT: u16 = 18_000;
const SIDE_DOOR: u16 = 18_080;

/// Whether a path is a bench.
pub(crate) fn is_bench(path: &Path) -> bool {
    path.join("apps").is_dir() && path.join("sites").is_dir()
}

/// What a program of the bench does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Web,
    Websocket,
    Worker,
    Scheduler,
    Redis,
}

/// A program of the bench.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    /// What it is called as a service.
    service: String,
    /// As `supervisorctl` names it.
    name: String,
    part: Part,
    /// Where the web server listens.
    bind: Option<String>,
    logs: Vec<String>,
}

fn part_of(command: &str) -> Option<Part> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    let named = |part: &str| words.iter().any(|found| found.contains(part));
    if named("gunicorn") || (has("bench") && has("serve")) {
        Some(Part::Web)
    } else if named("socketio") || has("websocket") {
        Some(Part::Websocket)
    } else if has("schedule") {
        Some(Part::Scheduler)
    } else if has("worker") || has("worker-pool") {
        Some(Part::Worker)
    } else if named("redis-server") {
        Some(Part::Redis)
    } else {
        None
    }
}

/// The address after `-b` or `--bind`.
fn bind_of(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let joined =
        words.iter().find_map(|word| word.strip_prefix("--bind=").or_else(|| word.strip_prefix("-b=")));
    let after = words.iter().zip(words.iter().skip(1)).find(|(word, _)| ["-b", "--bind"].contains(word));
    let address = joined.or(after.map(|(_, address)| *address))?;
    address.contains(':').then(|| address.replace("0.0.0.0", "127.0.0.1"))
}

/// What the names of all programs begin with: `frappe-bench-`.
fn common_beginning(names: &[&str]) -> usize {
    let Some(first) = names.first() else { return 0 };
    let same =
        |end: usize| first.get(..end).is_some_and(|begin| names.iter().all(|name| name.starts_with(begin)));
    let dashes = first.match_indices('-').map(|(at, _)| at + 1);
    dashes.filter(|end| same(*end) && names.len() > 1).max().unwrap_or(0)
}

fn programs(text: &str, bench: &Path) -> Vec<Program> {
    let tree = MemoryTree::new([(SUPERVISOR.to_owned(), text.to_owned())]);
    let library = Library::new(&tree);
    let Some(file) = library.open(SUPERVISOR) else { return Vec::new() };
    let sections = read_supervisor(&library, file);
    let mut groups: BTreeMap<String, String> = BTreeMap::new();
    for section in &sections {
        let Some(group) = section.title.strip_prefix("group:") else { continue };
        for program in section.value("programs").split(',') {
            groups.insert(program.trim().to_owned(), group.trim().to_owned());
        }
    }
    let known: Vec<(&Section, &str, Part)> = sections
        .iter()
        .filter_map(|section| Some((section, section.program()?, part_of(section.value("command"))?)))
        .collect();
    let begin = common_beginning(&known.iter().map(|(_, name, _)| *name).collect::<Vec<_>>());
    known
        .into_iter()
        .map(|(section, name, part)| {
            let short = name.get(begin..).unwrap_or(name);
            let group = groups.get(name).map_or(name, String::as_str);
            let several = section.value("process_name").contains("process_num");
            let logs = ["stdout_logfile", "stderr_logfile"].iter().filter_map(|key| {
                let path = Path::new(section.value(key));
                Some(path.strip_prefix(bench).ok()?.display().to_string())
            });
            Program {
                service: short.strip_prefix("frappe-").unwrap_or(short).to_owned(),
                name: format!("{group}:{name}{}", if several { "*" } else { "" }),
                part,
                bind: bind_of(section.value("command")),
                logs: logs.collect(),
            }
        })
        .collect()
}

/// The first port that nginx listens on.
fn listens(text: &str) -> Option<u16> {
    let lines = text.lines().map(str::trim).filter_map(|line| line.strip_prefix("listen"));
    lines
        .filter_map(|rest| rest.trim().split([';', ' ']).next())
        .find_map(|address| address.rsplit(':').next().and_then(|port| port.parse().ok()))
}

/// The host and port of `redis://HOST:PORT`.
fn redis_address(url: &str) -> Option<String> {
    let rest = url.rsplit("://").next()?.rsplit('@').next()?.split('/').next()?;
    rest.contains(':').then(|| rest.replace("localhost", "127.0.0.1"))
}

/// What was read of a bench.
struct Bench {
    directory: PathBuf,
    programs: Vec<Program>,
    common: serde_json::Value,
    nginx: Option<String>,
}

impl Bench {
    fn read(path: &Path) -> Result<Self> {
        let directory = std::fs::canonicalize(path).map_err(|error| {
            Fault::new(Code::ConfigUnreadable).with("path", path.display()).because(error)
        })?;
        let file = directory.join(SUPERVISOR);
        let supervisor = std::fs::read_to_string(&file).map_err(|error| {
            Fault::new(Code::ConfigUnreadable)
                .with("path", file.display())
                .because(error)
                .hint(Message::new("adopt-no-supervisor-hint"))
        })?;
        let programs = programs(&supervisor, &directory);
        let web = programs.iter().any(|program| program.part == Part::Web && program.bind.is_some());
        if !web {
            let problem = Message::new("adopt-host-no-web").render(&eclusa_fault::Language::default());
            return Err(Fault::new(Code::AdoptUnknown).with("path", file.display()).with("problem", problem));
        }
        let common = std::fs::read_to_string(directory.join("sites/common_site_config.json"))
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or(serde_json::Value::Null);
        let nginx = std::fs::read_to_string(directory.join(NGINX)).ok();
        Ok(Self { directory, programs, common, nginx })
    }

    fn of(&self, part: Part) -> Vec<&Program> {
        self.programs.iter().filter(|program| program.part == part).collect()
    }

    fn names(&self, part: Part) -> Vec<String> {
        self.of(part).iter().map(|program| program.service.clone()).collect()
    }

    fn common(&self, key: &str) -> Option<String> {
        match self.common.get(key)? {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Where the cache listens.
    fn cache(&self) -> Option<String> {
        redis_address(&self.common("redis_cache")?)
    }

    /// Where the queues are.
    fn queue(&self) -> Option<String> {
        redis_address(&self.common("redis_queue")?)
    }

    /// The program of the cache: its name says so, or it is the only one.
    fn cache_program(&self) -> Option<&Program> {
        let programs = self.of(Part::Redis);
        let only = (programs.len() == 1 && self.queue() == self.cache()).then(|| programs.first().copied());
        programs.into_iter().find(|program| program.service.contains("cache")).or(only.flatten())
    }

    /// Where the queues are, when they are not where the cache is and no program's name says that it holds them.
    fn queue_outside(&self) -> Option<String> {
        let named = self.of(Part::Redis).iter().any(|program| program.service.contains("queue"));
        self.queue().filter(|queue| !named && self.cache().as_ref() != Some(queue))
    }

    /// What of the cache's Redis is emptied.
    fn cache_of(&self, service: String) -> Cache {
        let of = |key: &str| self.common(key).map_or(0, |url| number(&url));
        let (own, queue) = (of("redis_cache"), of("redis_queue"));
        let shared = (self.queue().is_some() && self.queue() == self.cache()).then_some((own, queue));
        let queue = (queue != 0).then_some(queue);
        Cache { service: Guess::found(service, why("host-cache")), shared, queue }
    }
}

/// Looks at a bench and gives the text of the file with its notes, and the stack's name.
///
/// # Errors
/// `ConfigUnreadable`, `AdoptUnknown` when there is no web server or no cache.
pub(crate) fn write(
    wanted: &Wanted,
    path: &Path,
    surroundings: &Surroundings,
) -> Result<(String, Vec<Note>, String)> {
    let bench = Bench::read(path)?;
    let stack = wanted.stack.clone().unwrap_or_else(|| {
        bench.directory.file_name().unwrap_or_default().to_string_lossy().chars().take(40).collect()
    });
    let mut document = Document::new(&stack, &wanted.language);
    let shown = bench.directory.display().to_string();
    document.remark(&Message::new("adopt-head").with("files", &shown));
    document.remark(&Message::new("adopt-head-labels"));
    document.remark(&Message::new("adopt-head-keys"));
    document.line("version = 1");
    document.table("");
    document.set("app", &text("frappe"), Certainty::Found, &why("host-bench").with("path", &shown));
    document.plain("runtime", &text("supervisor"));
    services(&mut document, &bench)?;
    roles(&mut document, &bench);
    document.table("frappe");
    document.set("bench", &text(&shown), Certainty::Found, &why("host-directory"));
    let cache =
        bench.cache_program().map_or_else(|| "redis-cache".to_owned(), |program| program.service.clone());
    let cache = bench.cache_of(cache);
    write_cache(&mut document, &cache);
    write_queue(&mut document, &cache);
    document.table("release");
    document.set("source", &text("bench"), Certainty::Found, &why("host-release"));
    document.table("database");
    document.plain("engine", &text("mariadb"));
    document.missing("password", "\"file:/etc/eclusa/mariadb-password\"", &why("host-password"));
    edge(&mut document, &bench, &stack, surroundings);
    document.entry("probes", "login", Certainty::Found, &why("bench-probe"));
    document.plain("name", &text("login"));
    document.plain("path", &text("/login"));
    let (text, notes) = document.finish();
    Ok((text, notes, stack))
}

fn services(document: &mut Document, bench: &Bench) -> Result<()> {
    document.table("supervisor");
    document.set("control", &list(&["supervisorctl"]), Certainty::Check, &why("host-control"));
    let socket = bench.common("socketio_port").map(|port| format!("127.0.0.1:{port}"));
    let cache = bench.cache().ok_or_else(|| {
        let problem = why("bench-cache-none").render(&eclusa_fault::Language::default());
        Fault::new(Code::AdoptUnknown)
            .with("path", bench.directory.join("sites/common_site_config.json").display())
            .with("problem", problem)
            .hint(Message::new("adopt-host-cache-hint"))
    })?;
    for program in &bench.programs {
        document.table(&format!("supervisor.services.{}", program.service));
        let reason = why("host-program").with("file", SUPERVISOR);
        document.set("program", &text(&program.name), Certainty::Found, &reason);
        let address = match program.part {
            Part::Web => program.bind.clone(),
            Part::Websocket => socket.clone(),
            Part::Redis if bench.cache_program() == Some(program) => Some(cache.clone()),
            Part::Redis if program.service.contains("queue") => {
                bench.common("redis_queue").as_deref().and_then(redis_address)
            }
            _ => None,
        };
        if let Some(address) = address {
            document.plain("address", &text(address));
        }
        if !program.logs.is_empty() {
            document.plain("logs", &list(&program.logs));
        }
    }
    if bench.cache_program().is_none() {
        document.table("supervisor.services.redis-cache");
        document.set("address", &text(&cache), Certainty::Found, &why("host-outside"));
    }
    if let Some(address) = bench.queue_outside() {
        document.table("supervisor.services.redis-queue");
        document.set("address", &text(address), Certainty::Found, &why("host-outside-queue"));
    }
    document.table("supervisor.services.database");
    let host = bench.common("db_host").unwrap_or_else(|| "127.0.0.1".to_owned());
    let host = if host == "localhost" { "127.0.0.1".to_owned() } else { host };
    let port = bench.common("db_port").unwrap_or_else(|| "3306".to_owned());
    document.set("address", &text(format!("{host}:{port}")), Certainty::Found, &why("host-database"));
    if let Some(port) = bench.nginx.as_deref().and_then(listens) {
        document.table("supervisor.services.nginx");
        document.set("address", &text(format!("127.0.0.1:{port}")), Certainty::Found, &why("host-nginx"));
    }
    Ok(())
}

fn roles(document: &mut Document, bench: &Bench) {
    document.table("services");
    if bench.nginx.as_deref().and_then(listens).is_some() {
        document.plain("frontend", &text("nginx"));
    }
    let mut web = bench.names(Part::Web);
    web.extend(bench.names(Part::Websocket));
    document.set("web", &list(&web), Certainty::Found, &why("host-roles").with("file", SUPERVISOR));
    document.plain("workers", &list(&bench.names(Part::Worker)));
    document.plain("schedulers", &list(&bench.names(Part::Scheduler)));
    document.plain("database", &text("database"));
    let mut caches = bench.names(Part::Redis);
    if bench.cache_program().is_none() {
        caches.push("redis-cache".to_owned());
    }
    if bench.queue_outside().is_some() {
        caches.push("redis-queue".to_owned());
    }
    document.plain("caches", &list(&caches));
}

fn edge(document: &mut Document, bench: &Bench, stack: &str, surroundings: &Surroundings) {
    let web = bench.of(Part::Web).first().and_then(|program| program.bind.clone()).unwrap_or_default();
    let passes = bench.nginx.as_deref().is_some_and(|text| text.contains(&format!("server {web}")));
    if !passes {
        document.table("edge");
        document.set("enabled", "false", Certainty::Check, &why("host-no-nginx").with("file", NGINX));
        return;
    }
    document.table("supervisor.nginx");
    let file = bench.directory.join(NGINX).display().to_string();
    document.set("file", &text(file), Certainty::Found, &why("host-upstream").with("address", &web));
    let side = format!("/etc/nginx/conf.d/eclusa-{stack}.conf");
    document.set("side_door_file", &text(side), Certainty::Check, &why("host-side-door"));
    document.table("edge");
    let free = |first: u16| (first..first.saturating_add(60)).find(|port| (surroundings.port_is_free)(*port));
    let port = free(EDGE_PORT).unwrap_or(EDGE_PORT).to_string();
    document.set("public_port", &port, Certainty::Found, &why("host-edge-port"));
    let port = free(SIDE_DOOR).unwrap_or(SIDE_DOOR).to_string();
    document.set("side_door", &port, Certainty::Found, &why("host-side-port"));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    const FILE: &str = "\
[program:frappe-bench-frappe-web]
command=/srv/frappe-bench/env/bin/gunicorn -b 127.0.0.1:8000 -w 9 frappe.app:application --preload
stdout_logfile=/srv/frappe-bench/logs/web.log
stderr_logfile=/srv/frappe-bench/logs/web.error.log

[program:frappe-bench-frappe-schedule]
command=/usr/local/bin/bench schedule

[program:frappe-bench-frappe-long-worker]
command=/usr/local/bin/bench worker --queue long,default,short
process_name=%(program_name)s-%(process_num)d
numprocs=2

[program:frappe-bench-redis-cache]
command=/usr/bin/redis-server /srv/frappe-bench/config/redis_cache.conf

[program:frappe-bench-node-socketio]
command=/usr/bin/node /srv/frappe-bench/apps/frappe/socketio.js

[group:frappe-bench-web]
programs=frappe-bench-frappe-web,frappe-bench-node-socketio

[group:frappe-bench-workers]
programs=frappe-bench-frappe-schedule,frappe-bench-frappe-long-worker
";

    #[test]
    fn what_bench_wrote_for_supervisor_becomes_services() {
        let found = programs(FILE, Path::new("/srv/frappe-bench"));
        let shown: Vec<(&str, &str, Part)> =
            found.iter().map(|one| (one.service.as_str(), one.name.as_str(), one.part)).collect();
        assert_eq!(
            shown,
            [
                ("web", "frappe-bench-web:frappe-bench-frappe-web", Part::Web),
                ("schedule", "frappe-bench-workers:frappe-bench-frappe-schedule", Part::Scheduler),
                ("long-worker", "frappe-bench-workers:frappe-bench-frappe-long-worker*", Part::Worker),
                ("redis-cache", "frappe-bench-redis-cache:frappe-bench-redis-cache", Part::Redis),
                ("node-socketio", "frappe-bench-web:frappe-bench-node-socketio", Part::Websocket),
            ]
        );
        assert_eq!(found[0].bind.as_deref(), Some("127.0.0.1:8000"));
        assert_eq!(found[0].logs, ["logs/web.log", "logs/web.error.log"]);
    }

    #[test]
    fn addresses_are_read_from_nginx_and_the_bench() {
        assert_eq!(listens("upstream x {\n server 127.0.0.1:8000;\n}\nserver {\n\tlisten 80;\n"), Some(80));
        assert_eq!(listens("\tlisten 127.0.0.1:8080 ssl;"), Some(8080));
        assert_eq!(redis_address("redis://localhost:13000").as_deref(), Some("127.0.0.1:13000"));
        assert_eq!(redis_address("redis://"), None);
    }
}
