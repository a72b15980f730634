//! What the network reaches, and what a container reaches of its host.

use super::support::{has, listed, production};
use crate::compose::Port;
use crate::context::{Context, Known, Project};
use crate::discovery::is_nginx;
use crate::finding::{Findings, Raw};
use crate::library::{FileId, Span, join};
use crate::roles::Role;

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    for (_, known) in production(context) {
        published(context, known, out);
        host_access(known, out);
    }
    for project in context.production() {
        without_tls(context, project, out);
    }
}

fn open_ports(known: &Known) -> Vec<Port> {
    known.service.ports().into_iter().filter(|port| !port.is_loopback() && !port.target.is_empty()).collect()
}

/// Puts the loopback address before a port that is written in the short form.
fn keep_local(context: &Context<'_>, port: &Port, raw: &mut Raw) {
    let text = context.library.text_of(port.span);
    let bare = text.trim_matches(['"', '\'']);
    let short = port.host.is_none() && port.published.is_some() && bare.contains(':') && !bare.contains('\n');
    if short {
        raw.edit(port.span, format!("\"127.0.0.1:{bare}\""));
    }
}

fn published(context: &Context<'_>, known: &Known, out: &mut Findings) {
    let store = known.role.is_database() || matches!(known.role, Role::Redis | Role::Store);
    for port in open_ports(known) {
        let administrative = known.role == Role::AdminUi
            || (known.role == Role::Store && matches!(port.target.as_str(), "15672" | "9001" | "5601"))
            || (known.service.image_name() == "traefik"
                && port.target == "8080"
                && known.service.command_text().contains("--api.insecure=true"));
        let code = if administrative {
            "A302"
        } else if store {
            "A301"
        } else {
            continue;
        };
        let shown = port
            .published
            .clone()
            .filter(|published| !published.is_empty())
            .unwrap_or_else(|| port.target.clone());
        let raw = out.add(code, port.span, known.name());
        raw.with("port", shown);
        keep_local(context, &port, raw);
    }
}

fn host_access(known: &Known, out: &mut Findings) {
    let proxy_of_socket = known.service.image_text().contains("socket-proxy");
    for mount in known.service.mounts() {
        let socket = mount.source.as_deref().is_some_and(|source| source.ends_with("docker.sock"));
        if socket && !proxy_of_socket {
            out.add("A304", mount.span, known.name());
        }
    }
    if let Some(node) = known.service.get("privileged").filter(|node| node.is_true()) {
        out.add("A305", node.span, known.name()).with("what", "privileged: true");
    }
    let capabilities = known.service.get("cap_add").map(|node| node.items()).unwrap_or_default();
    for item in capabilities {
        let name = item.as_str().unwrap_or_default().to_ascii_uppercase();
        if matches!(name.trim_start_matches("CAP_"), "ALL" | "SYS_ADMIN") {
            out.add("A305", item.span, known.name()).with("what", format!("cap_add: {name}"));
        }
    }
    if let Some(node) = known.service.get("network_mode").filter(|node| node.as_str() == Some("host")) {
        out.add("A306", node.span, known.name());
    }
}

/// Whether anything of the project ends TLS, or hands its traffic to something that does.
fn has_tls(context: &Context<'_>, project: &Project) -> bool {
    let external_network = project.model.root.get("networks").is_some_and(|networks| {
        networks.entries().iter().any(|entry| {
            entry.value.get("external").is_some_and(|node| node.is_true() || !node.entries().is_empty())
                && has(
                    &entry.key.to_ascii_lowercase(),
                    &["proxy", "traefik", "web", "nginx", "caddy", "ingress", "edge", "frontend", "public"],
                )
        })
    });
    let service = project.services.iter().any(|known| {
        let labels = known.service.labels().join("\n");
        let name = known.service.image_name();
        let text = format!("{} {}", known.service.command_text(), labels);
        known.service.ports().iter().any(|port| {
            (port.target == "443" || port.published.as_deref() == Some("443"))
                && !speaks_plainly(context, known)
        }) || has(&text, &["certresolver", "websecure", "traefik.http.routers", ".tls=", "caddy="])
            || known
                .service
                .environment()
                .iter()
                .any(|entry| has(&entry.key, &["VIRTUAL_HOST", "LETSENCRYPT", "ACME"]))
            || has(&name, &["cloudflared", "tailscale", "swag", "certbot", "acme", "ngrok", "letsencrypt"])
    });
    external_network || service || nginx_ends_tls(context, project)
}

/// Whether a proxy's configuration is known and has no certificate: then its port 443 does not speak TLS.
fn speaks_plainly(context: &Context<'_>, known: &Known) -> bool {
    let build = known.service.build_context().unwrap_or_default();
    let copied = known.dockerfile.iter().flat_map(|dockerfile| dockerfile.lineage(known.target.as_deref()));
    let copied = copied
        .flat_map(|stage| &stage.instructions)
        .filter(|one| one.keyword == "COPY" && !one.rest.contains("--from"))
        .flat_map(|one| one.rest.split_whitespace())
        .filter_map(|word| join(&build, word));
    let mounted = known.service.mounts().into_iter().filter_map(|mount| mount.tree_path().map(str::to_owned));
    let files: Vec<FileId> = copied
        .chain(mounted)
        .filter(|path| is_nginx(path))
        .filter_map(|path| context.library.open(&path))
        .collect();
    known.role == Role::Proxy
        && !files.is_empty()
        && files.iter().all(|file| {
            // What is included or rendered is not seen here.
            !has(&context.library.file(*file).text, &["ssl", "include ", "{{"])
        })
}

fn nginx_ends_tls(context: &Context<'_>, project: &Project) -> bool {
    let sources: Vec<String> = project
        .of(|role| role == Role::Proxy)
        .flat_map(|known| known.service.mounts())
        .filter_map(|mount| mount.tree_path().map(str::to_owned))
        .collect();
    context.library.tree().paths().iter().any(|path| {
        sources.iter().any(|source| path == source || path.starts_with(&format!("{source}/")))
            && context.library.open(path).is_some_and(|file| {
                let text = &context.library.file(file).text;
                text.lines().any(|line| {
                    let line = line.trim();
                    line.starts_with("ssl_certificate ")
                        || (line.starts_with("listen") && line.contains(" ssl"))
                })
            })
    })
}

/// Ports on which web servers listen inside of their containers.
const WEB_PORTS: [&str; 12] =
    ["80", "8000", "8080", "8001", "8888", "3000", "5000", "9000", "9090", "8081", "8069", "8443"];

fn without_tls(context: &Context<'_>, project: &Project, out: &mut Findings) {
    let open: Vec<(&Known, Span)> = project
        .services
        .iter()
        .filter(|known| {
            !known.development
                && (known.role == Role::Proxy || known.role == Role::Web || known.role == Role::Other)
        })
        .filter_map(|known| {
            let ports = open_ports(known);
            let port = ports
                .iter()
                .find(|port| WEB_PORTS.contains(&port.target.as_str()) && port.target != "8443")?;
            Some((known, port.span))
        })
        .collect();
    // The proxy's own port is the public one, where there is a proxy.
    let chosen: Vec<&(&Known, Span)> = if open.iter().any(|(known, _)| known.role == Role::Proxy) {
        open.iter().filter(|(known, _)| known.role == Role::Proxy).collect()
    } else {
        open.iter().collect()
    };
    let Some((_, span)) = chosen.first() else { return };
    if has_tls(context, project) {
        return;
    }
    let names: Vec<&str> = chosen.iter().map(|(known, _)| known.name()).collect();
    let raw = out.add("A303", *span, listed(&names));
    for (_, span) in chosen.iter().skip(1) {
        raw.related(*span);
    }
}
