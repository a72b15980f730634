//! The edge of a bench stands between nginx and the web server: nginx, which has the certificates and the files, asks
//! the edge, and the edge asks the web server. To install it is to write another address into nginx's `upstream` and to
//! let nginx read it again, so that nothing is ever without an answer.
//!
//! The side door is a server of nginx's own that asks the web server directly; it answers as the public one does,
//! assets and the websocket included, on 127.0.0.1 only.

use std::fmt::Write;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::ServiceRole;
use eclusa_ports::{NoOutput, OutputSink};
use eclusa_runbook::Outputs;

use super::runtime::SupervisorRuntime;
use super::stack::BenchNginx;
use crate::exec::{self, Prepared};
use crate::release::file_fault;
use crate::runtime::{edge_name, say};
use crate::state::write_durably;

/// How long nginx may take to look at its configuration.
const NGINX_WITHIN: Duration = Duration::from_secs(30);

/// How long the edge may take to end: it lets requests in flight finish.
const EDGE_ENDS_WITHIN: Duration = Duration::from_secs(15);

/// How long nginx's workers of before may go on sending requests to where they did: those that serve none end at once.
const OLD_WORKERS: Duration = Duration::from_secs(1);

impl SupervisorRuntime {
    fn nginx(&self) -> Result<(&BenchNginx, String)> {
        let missing = || Fault::new(Code::EdgeState).with("problem", "No edge is configured for this stack");
        let nginx = self.stack.nginx.as_ref().ok_or_else(missing)?;
        let (_, edge) = self.edge.edge_unit()?;
        Ok((nginx, format!("127.0.0.1:{}", edge.public_port)))
    }

    pub(crate) async fn start_edge_if_wanted(&self) -> Result<()> {
        if self.state()?.edge_installed { self.edge.start_edge().await } else { Ok(()) }
    }

    /// Whether nginx sends requests to the edge, and whether the edge answers.
    pub(crate) async fn edge_stands(&self) -> Result<(bool, bool)> {
        let (nginx, edge) = self.nginx()?;
        let text = std::fs::read_to_string(&nginx.file)
            .map_err(|error| file_fault(&nginx.file, "read").because(error))?;
        let (unit, _) = self.edge.edge_unit()?;
        Ok((sends_to(&text, &edge), self.edge.services.healthy(&unit).await))
    }

    pub(crate) async fn edge_install(&self, output: &dyn OutputSink) -> Result<Outputs> {
        let (nginx, edge) = self.nginx()?;
        let web = self.stack.web_address()?.to_owned();
        let text = std::fs::read_to_string(&nginx.file)
            .map_err(|error| file_fault(&nginx.file, "read").because(error))?;
        if !sends_to(&text, &web) && !sends_to(&text, &edge) {
            return Err(Fault::new(Code::EdgeState)
                .with("problem", format!("{} has no upstream with server {web}", nginx.file.display()))
                .state(Message::verbatim("Nothing was changed."))
                .hint(Message::verbatim(
                    "Set supervisor.nginx.file and the address of the web service in eclusa.toml.",
                )));
        }
        let mut state = self.state()?;
        state.edge_installed = true;
        // First the intent: a crash from here on is finished by doing this again, or by taking the edge away.
        self.write_state(&state)?;
        self.edge.start_edge().await?;
        let side_door = self.side_door_text(nginx, &web);
        write_durably(&nginx.side_door_file, side_door.as_bytes(), 0o644)
            .map_err(|error| file_fault(&nginx.side_door_file, "written").because(error))?;
        eclusa_crash::point("bench.edge.started");
        self.rewrite(nginx, &text, &web, &edge).await?;
        say(output, &format!("nginx sends requests to the edge on {edge}"));
        Ok(gap())
    }

    pub(crate) async fn edge_remove(&self, output: &dyn OutputSink) -> Result<Outputs> {
        let (nginx, edge) = self.nginx()?;
        let web = self.stack.web_address()?.to_owned();
        let text = std::fs::read_to_string(&nginx.file)
            .map_err(|error| file_fault(&nginx.file, "read").because(error))?;
        match std::fs::remove_file(&nginx.side_door_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(file_fault(&nginx.side_door_file, "removed").because(error));
            }
            _ => {}
        }
        self.rewrite(nginx, &text, &edge, &web).await?;
        eclusa_crash::point("bench.edge.passed");
        tokio::time::sleep(OLD_WORKERS).await;
        let mut state = self.state()?;
        state.edge_installed = false;
        self.write_state(&state)?;
        let name = edge_name()?;
        self.edge.services.stop(&name, EDGE_ENDS_WITHIN).await?;
        self.edge.services.forget(&name);
        say(output, &format!("nginx sends requests to {web}"));
        Ok(gap())
    }

    /// Writes another address into nginx's file. What nginx does not take is taken back.
    async fn rewrite(&self, nginx: &BenchNginx, text: &str, from: &str, to: &str) -> Result<()> {
        let write = |content: &str| {
            write_durably(&nginx.file, content.as_bytes(), 0o644)
                .map_err(|error| file_fault(&nginx.file, "written").because(error))
        };
        let changed = sent_to(text, from, to);
        if changed != text {
            write(&changed)?;
        }
        if let Err(fault) = self.nginx_does(&nginx.test, "tested").await {
            write(text)?;
            return Err(fault.state(Message::verbatim(format!(
                "{} is as it was, and nginx was not told anything.",
                nginx.file.display()
            ))));
        }
        self.nginx_does(&nginx.reload, "reloaded").await
    }

    async fn nginx_does(&self, argv: &[String], what: &str) -> Result<()> {
        let prepared = Prepared {
            argv: argv.to_vec(),
            environment: exec::passed_on(),
            directory: self.stack.directory.clone(),
            stdin: None,
            timeout: NGINX_WITHIN,
            mark: None,
        };
        let result = exec::run(prepared, &NoOutput).await?;
        if result.code == 0 {
            return Ok(());
        }
        let mut fault = Fault::new(Code::ServiceControl)
            .with("service", "nginx")
            .with("operation", what)
            .because(argv.join(" "));
        fault.causes.extend(result.tail.iter().take(12).cloned());
        Err(fault)
    }

    /// A server for probes, as the template of bench makes one for the public. A host name leads to its site.
    fn side_door_text(&self, nginx: &BenchNginx, web: &str) -> String {
        let socket = self.stack.programs.iter().filter(|program| program.role == ServiceRole::Web);
        let socket = socket.filter_map(|program| program.address.as_deref()).find(|address| *address != web);
        let sites = self.stack.bench.join("sites");
        let mut text =
            String::from("# Written by Eclusa: the side door past the edge. It goes when the edge goes.\n");
        let variable = format!("$eclusa_site_{}", nginx.side_door);
        let _ = writeln!(text, "map $host {variable} {{\n  default $host;");
        for (host, site) in &nginx.sites {
            let _ = writeln!(text, "  {host} {site};");
        }
        let _ = writeln!(
            text,
            "}}\nserver {{\n  listen 127.0.0.1:{};\n  root {};",
            nginx.side_door,
            sites.display()
        );
        let headers = format!(
            "    proxy_set_header Host $host;\n    proxy_set_header X-Frappe-Site-Name {variable};\n"
        );
        let _ = writeln!(text, "  location /assets {{ try_files $uri =404; }}");
        let _ = writeln!(
            text,
            "  location ~ ^/protected/(.*) {{ internal; try_files /{variable}/$1 =404; }}\n  location ~ ^/files/ {{ try_files \
             /{variable}/public/$uri =404; }}"
        );
        if let Some(socket) = socket {
            let _ = writeln!(
                text,
                "  location /socket.io {{\n    proxy_http_version 1.1;\n    proxy_set_header Upgrade $http_upgrade;\n    \
                 proxy_set_header Connection \"upgrade\";\n{headers}    proxy_pass http://{socket};\n  }}"
            );
        }
        let _ = writeln!(
            text,
            "  location / {{\n{headers}    proxy_set_header X-Use-X-Accel-Redirect True;\n    proxy_read_timeout 120;\n    \
             proxy_pass http://{web};\n  }}\n}}"
        );
        text
    }
}

/// Nobody is without an answer while nginx reads its configuration.
fn gap() -> Outputs {
    Outputs::from([("gap-milliseconds".to_owned(), "0".to_owned())])
}

/// Whether a line of the configuration is the `server` of an upstream with this address.
fn names(line: &str, address: &str) -> bool {
    let line = line.trim_start();
    let Some(rest) = line.strip_prefix("server").filter(|rest| rest.starts_with([' ', '\t'])) else {
        return false;
    };
    let Some(rest) = rest.trim_start().strip_prefix(address) else { return false };
    rest.starts_with([';', ' ', '\t'])
}

fn sends_to(text: &str, address: &str) -> bool {
    text.lines().any(|line| names(line, address))
}

/// The configuration with one address in its upstreams made another.
fn sent_to(text: &str, from: &str, to: &str) -> String {
    let line = |line: &str| if names(line, from) { line.replacen(from, to, 1) } else { line.to_owned() };
    text.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
upstream bench-frappe {
\tserver 127.0.0.1:8000 fail_timeout=0;
}
upstream bench-socketio {
\tserver 127.0.0.1:80001;
}
# server 127.0.0.1:8000;
server {
\tlisten 80;
\tserver_name 127.0.0.1:8000;
}
";

    #[test]
    fn only_the_servers_of_upstreams_get_another_address() {
        let there = sent_to(FILE, "127.0.0.1:8000", "127.0.0.1:18000");
        assert!(sends_to(&there, "127.0.0.1:18000") && !sends_to(&there, "127.0.0.1:8000"));
        assert!(there.contains("server 127.0.0.1:80001;"));
        assert!(there.contains("server_name 127.0.0.1:8000;"));
        assert!(there.contains("# server 127.0.0.1:8000;"));
        assert_eq!(sent_to(&there, "127.0.0.1:18000", "127.0.0.1:8000"), FILE);
    }
}
