//! `eclusa audit` through the real binary: what it prints, how it ends, what it writes and what it leaves alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const COMPOSE: &str = "\
services:
  # The warehouse's database.
  db:
    image: postgres:16   # pinned since March
    environment:
      POSTGRES_PASSWORD: tr0ub4dor-and-3
    ports:
      - \"5432:5432\"
    volumes:
      - db:/var/lib/postgresql/data

volumes:
  db:
";

fn lay() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("compose.yaml"), COMPOSE).unwrap();
    directory
}

fn audit(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eclusa"));
    command.arg("audit").args(arguments).current_dir(directory).env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME"));
    command.env("LANG", "C.UTF-8").output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn codes(output: &Output) -> Vec<String> {
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = value["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_person_reads_what_is_wrong_and_a_script_how_bad_it_is() {
    let directory = lay();
    let output = audit(directory.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = out(&output);
    assert!(text.contains("A301 high: db publishes port 5432 on every address of the host"), "{text}");
    assert!(
        text.contains("  --> compose.yaml:8:9\n    8 |       - \"5432:5432\"\n      |         ^^^^^^^^^^^"),
        "{text}"
    );
    assert!(text.contains("POSTGRES_PASSWORD: …") && !text.contains("tr0ub4dor"), "{text}");
    assert!(text.trim_end().lines().any(|line| line.contains("Files read: 1.")), "{text}");
    assert_eq!(audit(directory.path(), &["--fail-on", "critical"]).status.code(), Some(0));
    assert_eq!(audit(directory.path(), &["--fail-on", "never"]).status.code(), Some(0));
    assert_eq!(audit(directory.path(), &["nothing-here"]).status.code(), Some(1));
    assert_eq!(audit(directory.path(), &["--diff"]).status.code(), Some(2));
}

#[test]
fn named_files_are_one_project_in_their_order() {
    let directory = lay();
    fs::write(directory.path().join("over.yaml"), "services:\n  db:\n    ports: !reset []\n").unwrap();
    let both = audit(directory.path(), &["compose.yaml", "over.yaml", "--format", "json"]);
    assert!(!codes(&both).contains(&"A301".to_owned()), "{}", out(&both));
    let value: Value = serde_json::from_slice(&both.stdout).unwrap();
    assert_eq!(value["projects"][0]["files"], serde_json::json!(["compose.yaml", "over.yaml"]));
    let env = "PORT=127.0.0.1:5432\n";
    fs::write(directory.path().join("site.env"), env).unwrap();
    let text = COMPOSE.replace("5432:5432", "${PORT:-5432}:5432");
    fs::write(directory.path().join("compose.yaml"), text).unwrap();
    let plain = audit(directory.path(), &["compose.yaml", "--json"]);
    assert!(codes(&plain).contains(&"A301".to_owned()));
    let with_env = audit(directory.path(), &["compose.yaml", "--env-file", "site.env", "--json"]);
    assert!(!codes(&with_env).contains(&"A301".to_owned()), "{}", out(&with_env));
}

#[test]
fn mending_keeps_comments_and_order_and_what_is_mended_is_gone() {
    let directory = lay();
    let before = codes(&audit(directory.path(), &["--json"]));
    let patch = out(&audit(directory.path(), &["--fix", "--diff"]));
    assert!(patch.contains("+      - \"127.0.0.1:5432:5432\""), "{patch}");
    assert_eq!(
        fs::read_to_string(directory.path().join("compose.yaml")).unwrap(),
        COMPOSE,
        "--diff changes nothing"
    );
    let copy = tempfile::tempdir().unwrap();
    audit(directory.path(), &["--fix", "--fix-to", copy.path().to_str().unwrap()]);
    assert_eq!(
        fs::read_to_string(directory.path().join("compose.yaml")).unwrap(),
        COMPOSE,
        "--fix-to neither"
    );
    audit(directory.path(), &["--fix"]);
    let mended = fs::read_to_string(directory.path().join("compose.yaml")).unwrap();
    assert_eq!(mended, fs::read_to_string(copy.path().join("compose.yaml")).unwrap());
    assert!(
        mended.contains("  # The warehouse's database.\n  db:\n") && mended.contains("# pinned since March")
    );
    let after = codes(&audit(directory.path(), &["--json"]));
    for code in ["A301", "A402", "A403", "A406"] {
        assert!(before.contains(&code.to_owned()) && !after.contains(&code.to_owned()), "{code}: {mended}");
    }
    assert!(after.contains(&"A201".to_owned()), "what needs a person stays");
}

#[test]
fn a_baseline_and_comments_let_a_team_start_from_where_it_is() {
    let directory = lay();
    assert_eq!(audit(directory.path(), &["--write-baseline", "known.json"]).status.code(), Some(0));
    let known = audit(directory.path(), &["--baseline", "known.json"]);
    assert_eq!(known.status.code(), Some(0), "{}", out(&known));
    let text = COMPOSE.replace("    ports:", "    privileged: true\n    ports:");
    fs::write(directory.path().join("compose.yaml"), &text).unwrap();
    let new = audit(directory.path(), &["--baseline", "known.json", "--json"]);
    assert_eq!((codes(&new), new.status.code()), (vec!["A305".to_owned()], Some(1)));
    let allowed = text.replace("privileged: true", "privileged: true # eclusa: allow A305 it formats a tape");
    fs::write(directory.path().join("compose.yaml"), allowed).unwrap();
    let output = audit(directory.path(), &["--baseline", "known.json"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).contains("A305 compose.yaml:7:17 because it formats a tape"), "{}", out(&output));
    fs::write(directory.path().join("known.json"), "{\"format\": 9, \"findings\": {}}").unwrap();
    let wrong = audit(directory.path(), &["--baseline", "known.json"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("E0102"), "{wrong:?}");
}

#[test]
fn reports_for_programs_are_well_formed() {
    let directory = lay();
    let sarif: Value =
        serde_json::from_slice(&audit(directory.path(), &["--format", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "compose.yaml");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
    }
    let page = out(&audit(directory.path(), &["--format", "html"]));
    assert!(
        page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>") && page.contains("A301")
    );
    let table = out(&audit(directory.path(), &["--format", "md"]));
    assert!(table.contains("| Severity | Risk observed | Impact | Mitigation | Evidence |"), "{table}");
    audit(directory.path(), &["--format", "html", "--output", "risks.html"]);
    assert_eq!(fs::read_to_string(directory.path().join("risks.html")).unwrap().trim_end(), page.trim_end());
}

#[test]
fn an_env_file_in_version_control_is_found() {
    let directory = lay();
    fs::write(directory.path().join(".env.production"), "DB_PASSWORD=kR7-very-long\n").unwrap();
    let git = |arguments: &[&str]| {
        let done = Command::new("git").args(arguments).current_dir(directory.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "--quiet"]);
    assert!(!codes(&audit(directory.path(), &["--json"])).contains(&"A205".to_owned()));
    git(&["add", ".env.production"]);
    assert!(codes(&audit(directory.path(), &["--json"])).contains(&"A205".to_owned()));
}

/// Runs openssl in a directory.
fn openssl(directory: &Path, arguments: &[&str]) {
    let done = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A certificate that ends in so many days: `NAME.pem`, `NAME.der`, `NAME.pfx`, and its key.
fn certificate(directory: &Path, name: &str, days: &str) {
    let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
    let subject = ["-subj", "/CN=shop.test", "-keyout", &key, "-out", &pem, "-days", days];
    openssl(directory, &[&["req", "-x509", "-newkey", "rsa:2048", "-nodes"][..], &subject[..]].concat());
    openssl(directory, &["x509", "-in", &pem, "-outform", "DER", "-out", &format!("{name}.der")]);
    let out = format!("{name}.pfx");
    openssl(
        directory,
        &["pkcs12", "-export", "-in", &pem, "-inkey", &key, "-out", &out, "-passout", "pass:hunter2"],
    );
}

/// What `--live` says of certificates: where, and in how many days each ends.
fn ending(directory: &Path, arguments: &[&str]) -> Vec<(String, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eclusa"));
    command.args(["audit", "--live", "--json", "--fail-on", "never"]).args(arguments).current_dir(directory);
    let output = command.env("ECLUSA_CERTIFICATE_PASSWORD", "hunter2").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = value["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "A907");
    findings
        .map(|finding| {
            (finding["subject"].as_str().unwrap().to_owned(), finding["message"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn certificates_that_end_soon_are_found_in_files_and_on_servers_and_others_are_not() {
    let directory = lay();
    let path = directory.path();
    certificate(path, "near", "10");
    certificate(path, "fine", "90");
    for kind in ["pem", "der", "pfx"] {
        let (near, fine) = (format!("near.{kind}"), format!("fine.{kind}"));
        let found = ending(path, &["--certificate", &near, "--certificate", &fine]);
        assert_eq!(found.len(), 1, "{kind}: {found:?}");
        assert!(found[0].0.contains(&near) && found[0].1.contains(" ends in 9 days"), "{found:?}");
    }
    let wrong = audit(path, &["--live", "--certificate", "compose.yaml"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("E0101"), "{wrong:?}");
    for (name, expected) in [("near", 1), ("fine", 0)] {
        let server = Server::begin(path, name);
        let found = ending(path, &["--tls", &server.address]);
        assert_eq!(found.len(), expected, "{name}: {found:?}");
    }
}

/// A TLS server with one of the certificates.
struct Server {
    child: std::process::Child,
    address: String,
}

impl Server {
    fn begin(directory: &Path, name: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-accept", &address, "-key", &key, "-cert", &pem]);
        let quiet = || std::process::Stdio::null();
        command.current_dir(directory).stdin(std::process::Stdio::piped()).stdout(quiet()).stderr(quiet());
        let child = command.spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(std::time::Instant::now() < deadline, "openssl s_server does not listen");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn files_made_to_break_readers_are_refused_within_a_memory_limit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            vec![format!("*a{}", level - 1); 10].join(", ")
        ));
    }
    fs::write(path.join("compose.yaml"), format!("{bomb}services:\n  web:\n    image: x:1\n")).unwrap();
    let long = format!("A={}\n", "x".repeat(900_000));
    let services: String =
        (0..3_000).map(|n| format!("  s{n}: {{image: 'x:1', labels: {{b: $A}}}}\n")).collect();
    fs::create_dir(path.join("b")).unwrap();
    fs::write(path.join("b/.env"), long).unwrap();
    fs::write(path.join("b/compose.yaml"), format!("services:\n{services}")).unwrap();
    let deep = format!("services: {}\n", "[".repeat(500_000));
    fs::create_dir(path.join("c")).unwrap();
    fs::write(path.join("c/compose.yaml"), deep).unwrap();
    // Addresses, in KiB; what is reserved for threads counts too.
    let script = format!("ulimit -v 700000; exec '{}' audit --json", env!("CARGO_BIN_EXE_eclusa"));
    let output = Command::new("sh").args(["-c", &script]).current_dir(path).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(codes(&output).iter().filter(|code| *code == "A001").count(), 2, "{}", out(&output));
}

/// A stack of which nothing runs and whose engine is never asked: the refusal comes before anything else.
const STACK: &str = r#"version = 1
[stacks.shop]
app = "django"
runtime = "compose"
[stacks.shop.compose]
files = ["compose.yaml"]
[stacks.shop.services]
frontend = "web"
web = ["web"]
database = "db"
[stacks.shop.release]
source = "git"
[stacks.shop.database]
engine = "postgresql"
name = "shop"
user = "shop"
password = "env:POSTGRES_PASSWORD"
[stacks.shop.preflight]
audit = "high"
"#;

#[test]
fn a_release_is_refused_before_it_is_planned_where_the_configuration_says_so() {
    let directory = lay();
    let release = |configuration: &str| {
        fs::write(directory.path().join("eclusa.toml"), configuration).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_eclusa"));
        command.args(["release", "v2", "--yes"]).current_dir(directory.path());
        command.env("DOCKER_HOST", "unix:///nowhere/docker.sock").output().unwrap()
    };
    let refused = release(STACK);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("E0312") && said.contains("Nothing was changed."), "{said}");
    assert!(said.contains("eclusa audit") && said.contains("compose.yaml:"), "{said}");
    // Without the line, and at a level that nothing reaches, it is something else that stops it.
    for other in [STACK.replace("audit = \"high\"", ""), STACK.replace("\"high\"", "\"critical\"")] {
        let stopped = release(&other);
        let said = String::from_utf8_lossy(&stopped.stderr).into_owned();
        assert!(stopped.status.code() == Some(1) && !said.contains("E0312"), "{said}");
    }
}
