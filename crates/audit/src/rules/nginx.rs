//! nginx on a host: a public port without TLS, and what has no login of its own handed to everyone.

use std::collections::{BTreeMap, BTreeSet};

use super::support::has;
use crate::context::Context;
use crate::discovery::{Stage, is_nginx, stage_of_path};
use crate::finding::Findings;
use crate::library::{Span, directory_of, name_of};
use crate::nginx::{self, Directive};

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    for (path, file) in context.texts(is_nginx) {
        let text = &context.library.file(file).text;
        // What is still to be rendered by another program has braces of its own.
        if stage_of_path(&path) == Some(Stage::Development) || has(text, &["{{", "{%", "<%"]) {
            continue;
        }
        let top = nginx::read(context.library, file);
        let inside = in_a_container(context, &path);
        let all = Configuration::of(&top);
        for (server, above) in servers(&top) {
            if !inside {
                without_tls(context, server, text, out);
            }
            let guarded = above.iter().any(|block| is_guarded(block)) || is_guarded(server);
            if !guarded && !is_local(server) {
                administration(context, server, &all, &path, out);
            }
        }
        streams(&top, &all, inside, &path, out);
    }
}

/// What a configuration says outside of its servers.
struct Configuration<'d> {
    upstreams: BTreeMap<&'d str, Vec<&'d str>>,
}

impl<'d> Configuration<'d> {
    fn of(top: &'d [Directive]) -> Self {
        let blocks = top.iter().chain(top.iter().flat_map(|one| &one.block));
        let upstreams = blocks
            .filter(|one| one.name() == "upstream")
            .map(|one| (one.first(), one.all("server").map(Directive::first).collect()))
            .collect();
        Self { upstreams }
    }

    /// The addresses behind a `proxy_pass`, the written one first.
    fn behind(&self, target: &'d str) -> Vec<&'d str> {
        let address = target.split_once("://").map_or(target, |(_, rest)| rest);
        let address = address.split(['/', '$']).next().unwrap_or(address);
        let more = self.upstreams.get(address).map(Vec::as_slice).unwrap_or_default();
        std::iter::once(address).chain(more.iter().copied()).collect()
    }
}

/// The servers for HTTP, each with the blocks that it stands in.
fn servers(top: &[Directive]) -> Vec<(&Directive, Vec<&Directive>)> {
    let bare = top.iter().filter(|one| one.name() == "server").map(|one| (one, Vec::new()));
    let in_http = top
        .iter()
        .filter(|one| one.name() == "http")
        .flat_map(|http| http.all("server").map(move |server| (server, vec![http])));
    bare.chain(in_http).collect()
}

/// Whether the configuration is one of a container: there, what Compose publishes is looked at instead.
fn in_a_container(context: &Context<'_>, path: &str) -> bool {
    let mounted = context.projects.iter().flat_map(|project| &project.services).any(|known| {
        known
            .service
            .mounts()
            .iter()
            .filter_map(|mount| mount.tree_path())
            .any(|source| path == source || source.is_empty() || path.starts_with(&format!("{source}/")))
    });
    let name = name_of(path);
    let directory = name_of(directory_of(path));
    let copied = context.dockerfiles.iter().any(|(_, dockerfile)| {
        dockerfile.stages.iter().flat_map(|stage| &stage.instructions).any(|one| {
            matches!(one.keyword.as_str(), "COPY" | "ADD")
                && (one.rest.contains(name)
                    || (!directory.is_empty()
                        && one
                            .rest
                            .split_whitespace()
                            .any(|word| name_of(word.trim_end_matches('/')) == directory)))
        })
    });
    // An image of nginx that is built beside its configuration takes it in one way or another.
    let beside = context.dockerfiles.iter().any(|(dockerfile, read)| {
        directory_of(dockerfile) == directory_of(path)
            && read.stages.iter().any(|stage| stage.base.contains("nginx"))
    });
    mounted || copied || beside
}

fn is_loopback(listen: &str) -> bool {
    listen.starts_with("127.")
        || listen.starts_with("[::1]")
        || listen.starts_with("localhost")
        || listen.starts_with("unix:")
}

/// Whether a server listens for its own machine only.
fn is_local(server: &Directive) -> bool {
    let mut listens = server.all("listen").peekable();
    listens.peek().is_some() && listens.all(|listen| is_loopback(listen.first()))
}

/// Whether a block asks who comes: a password, a certificate, an address.
fn is_guarded(block: &Directive) -> bool {
    block.block.iter().any(|one| match one.name() {
        "auth_basic" => one.first() != "off",
        "auth_request" | "auth_jwt" | "internal" => true,
        "ssl_verify_client" => one.first() == "on",
        "deny" => one.first() == "all",
        "include" => has(one.first(), &["auth", "allow", "authelia", "oauth", "whitelist"]),
        _ => false,
    })
}

/// The `listen` of port 80 that everyone reaches; a server without one has it by default.
fn public_port(server: &Directive) -> Option<Span> {
    let mut listens = server.all("listen").peekable();
    if listens.peek().is_none() {
        return server.words.first().map(|word| word.span);
    }
    listens
        .find(|listen| {
            let address = listen.first();
            !is_loopback(address)
                && (address == "80"
                    || address.ends_with(":80")
                    || !address.contains(|c: char| c.is_ascii_digit()) && address.ends_with('*'))
        })
        .and_then(Directive::span)
}

fn without_tls(context: &Context<'_>, server: &Directive, text: &str, out: &mut Findings) {
    let Some(span) = public_port(server) else { return };
    let encrypts = server.any(&|one| match one.name() {
        "listen" => one.arguments().any(|word| word == "ssl" || word.ends_with("443")),
        "ssl_certificate" => true,
        "include" => has(one.first(), &["ssl", "tls", "letsencrypt", "https", "certbot"]),
        _ => false,
    });
    let redirects = server.any(&|one| {
        matches!(one.name(), "return" | "rewrite" | "error_page")
            && one.arguments().any(|word| word.starts_with("https://") || word == "https://$host$request_uri")
    });
    // Something before it ends TLS and says so.
    let behind = has(
        text,
        &[
            "real_ip_header",
            "set_real_ip_from",
            "$http_x_forwarded_proto",
            "proxy_protocol",
            "X-Forwarded-Proto https",
        ],
    );
    let serves = server.any(&|one| {
        matches!(
            one.name(),
            "proxy_pass" | "uwsgi_pass" | "fastcgi_pass" | "root" | "alias" | "try_files" | "include"
        ) && !one.first().contains("letsencrypt")
    });
    let names: Vec<&str> = server.all("server_name").flat_map(Directive::arguments).collect();
    let nobody = !names.is_empty()
        && names
            .iter()
            .all(|name| *name == "localhost" || has(name, &[".local", ".test", ".localhost", "127.0.0.1"]));
    if encrypts || redirects || behind || nobody || !serves || is_guarded(server) {
        return;
    }
    let name = names.iter().find(|name| **name != "_" && !name.is_empty()).copied();
    let subject = name.map_or_else(|| context.library.file(span.file).path.clone(), str::to_owned);
    out.add("A307", span, subject);
}

/// User interfaces of databases and queues that ask nobody, or only for the password of the database.
const OPEN: [&str; 14] = [
    "phpmyadmin",
    "adminer",
    "flower",
    "rq-dashboard",
    "rqdashboard",
    "rq_dashboard",
    "redis-commander",
    "rediscommander",
    "mongo-express",
    "pgweb",
    "phppgadmin",
    "dozzle",
    "mailhog",
    "phpredisadmin",
];
/// Ports of data stores.
const STORES: [&str; 9] = ["5432", "3306", "6379", "27017", "9200", "5672", "11211", "1433", "9042"];

/// The interface that a location leads to.
fn interface<'d>(location: &'d Directive, all: &Configuration<'d>) -> Option<(&'static str, Span)> {
    let path = location
        .arguments()
        .find(|word| !matches!(*word, "=" | "~" | "~*" | "^~"))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let in_path = OPEN
        .iter()
        .find(|name| path.split(['/', '^', '(', ')', '|', '$', '\\', '?', '.']).any(|part| part == **name));
    let serves = |one: &Directive| {
        matches!(one.name(), "proxy_pass" | "fastcgi_pass" | "uwsgi_pass" | "alias" | "root")
    };
    if let Some(name) = in_path.filter(|_| location.any(&serves)) {
        let span = location
            .words
            .iter()
            .skip(1)
            .find(|word| !matches!(word.text.as_str(), "=" | "~" | "~*" | "^~"))?
            .span;
        return Some((name, span));
    }
    location.all("proxy_pass").find_map(|pass| {
        let name = all.behind(pass.first()).into_iter().find_map(|address| {
            let host = address.split(':').next().unwrap_or(address).to_ascii_lowercase();
            OPEN.iter().find(|name| host == **name || host.split(['.', '_', '-']).any(|part| part == **name))
        })?;
        Some((*name, pass.span()?))
    })
}

/// Whether the service of that name asks for a password by itself.
fn asks_by_itself(context: &Context<'_>, name: &str) -> bool {
    context.projects.iter().flat_map(|project| &project.services).any(|known| {
        let named = known.name().contains(name)
            || known.service.image_name().contains(name)
            || known.service.command_text().contains(name);
        let runs = || known.runs.iter().map(crate::shell::Command::text).collect::<Vec<_>>().join(" ");
        named
            && (has(&known.service.command_text(), &["basic_auth", "basic-auth", "--auth"])
                || has(&runs(), &["basic_auth", "basic-auth", "--auth"])
                || known
                    .service
                    .environment()
                    .iter()
                    .any(|entry| has(&entry.key, &["BASIC_AUTH", "BASICAUTH", "HTTP_USER", "AUTH_USER"])))
    })
}

fn administration(
    context: &Context<'_>,
    server: &Directive,
    all: &Configuration<'_>,
    path: &str,
    out: &mut Findings,
) {
    let mut said: BTreeSet<&str> = BTreeSet::new();
    for location in server.all("location").filter(|location| !is_guarded(location)) {
        let inner = location.all("location").filter(|inner| !is_guarded(inner));
        for (name, span) in std::iter::once(location).chain(inner).filter_map(|one| interface(one, all)) {
            if said.insert(name) && !asks_by_itself(context, name) {
                out.add("A308", span, path).with("what", name);
            }
        }
    }
}

/// Data stores that `stream` hands on.
fn streams(top: &[Directive], all: &Configuration<'_>, inside: bool, path: &str, out: &mut Findings) {
    let found = top.iter().filter(|one| one.name() == "stream").flat_map(|stream| stream.all("server"));
    for server in found.filter(|server| !inside && !is_guarded(server) && !is_local(server)) {
        let store = server.all("proxy_pass").find(|pass| {
            all.behind(pass.first())
                .iter()
                .any(|address| STORES.iter().any(|port| address.ends_with(&format!(":{port}"))))
        });
        let place = server.all("listen").next().and_then(Directive::span);
        if let (Some(store), Some(span)) = (store, place) {
            out.add("A308", span, path).with("what", store.first());
        }
    }
}
