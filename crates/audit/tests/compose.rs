//! The merged model against what Compose itself makes of the same files. Needs the `docker compose` command and no
//! engine; `bin/test --quick` leaves it out by the name of this file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use eclusa_audit::compose::{Loading, Model, Service, Setting, Variables};
use eclusa_audit::fixing;
use eclusa_audit::library::Span;
use eclusa_audit::rules::RULES;
use eclusa_audit::{Folder, Library, Request};
use jiff::civil::date;
use serde_json::Value;

/// Files that use every rule of merging, each beside what it is merged with.
const BASE: &str = r#"
x-common: &common
  restart: always
  environment: &env
    A: base
    KEEP: "1"
services:
  web:
    <<: *common
    image: shop:${TAG:-1.0}
    command: ["gunicorn", "shop.wsgi"]
    ports: ["8000:8000", "127.0.0.1:9000:9000"]
    volumes: ["data:/data", "./conf:/conf:ro"]
    depends_on: [db]
    env_file: one.env
    labels: ["a=1", "b=2"]
    expose: ["1", "2"]
    cap_add: [NET_ADMIN]
    logging: {driver: json-file, options: {max-size: 1m}}
    healthcheck: {test: ["CMD", "true"], interval: 5s}
    deploy: {resources: {limits: {memory: 100M}}}
    build: .
  db:
    image: postgres:16
    environment: ["POSTGRES_PASSWORD=${PASSWORD:?}", "X=$$HOME"]
    ports: ["5432:5432"]
    profiles: [never]
  gone:
    image: gone:1
volumes:
  data:
"#;
const OVER: &str = r#"
services:
  web:
    environment: ["A=over", "NEW=${UNSET-}x"]
    command: sh -c 'echo $$PATH'
    ports: ["8000:8000", "8001:8001"]
    volumes: ["other:/data", "more:/more"]
    depends_on: {cache: {condition: service_healthy}}
    env_file: [two.env]
    labels: {b: "3", c: "4"}
    expose: ["2", "3"]
    logging: {options: {max-file: "3"}}
    healthcheck: {test: "exit 1"}
    deploy: {resources: {limits: {cpus: "1"}}}
    build: {context: ., dockerfile: Other}
  db:
    ports: !reset []
    profiles: !reset []
    environment: !override
      ONLY: this
  gone: !reset null
  cache:
    extends: {file: extra/base.yaml, service: redis}
    command: redis-server
volumes:
  other:
  more:
"#;
const EXTENDED: &str = r#"
services:
  root:
    image: redis:7
    volumes: ["./here:/here"]
    environment: {FROM: root}
  redis:
    extends: root
    ports: ["6379:6379"]
    environment: {AND: redis}
"#;

fn configured(directory: &Path, files: &[&str]) -> Value {
    let mut command = Command::new("docker");
    command.arg("compose");
    for file in files {
        command.args(["-f", file]);
    }
    let command = command.args(["config", "--format", "json", "--no-path-resolution"]).current_dir(directory);
    let output = command.output().expect("docker compose");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn modelled(directory: &Path, files: &[&str], variables: &[(&str, &str)]) -> Model {
    let folder = Folder::open(directory).unwrap();
    let library = Library::new(&folder);
    let id = library.open(files[0]).unwrap();
    let mut known = Variables::default();
    for (name, value) in variables {
        known.0.insert((*name).to_owned(), Setting { value: (*value).to_owned(), span: Span::begin(id) });
    }
    let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
    Loading::new(&library, &known).project(&files).unwrap().model
}

/// What the rules look at of a service, from our model.
fn ours(service: &Service) -> BTreeMap<&'static str, Vec<String>> {
    let text = |path: &[&str]| {
        service.node.at(path).and_then(|node| node.as_str().map(str::to_owned)).into_iter().collect()
    };
    let mut found: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    found.insert("image", text(&["image"]));
    found.insert("restart", text(&["restart"]));
    found.insert("driver", text(&["logging", "driver"]));
    found.insert("max-size", text(&["logging", "options", "max-size"]));
    found.insert("max-file", text(&["logging", "options", "max-file"]));
    found.insert("dockerfile", text(&["build", "dockerfile"]));
    let argv = service.command().map(|argv| argv.words.into_iter().map(|word| word.text).collect());
    found.insert("command", argv.unwrap_or_default());
    let ports = service.ports();
    let ports = ports.iter().map(|port| {
        format!(
            "{}:{}:{}",
            port.host.as_deref().unwrap_or(""),
            port.published.as_deref().unwrap_or(""),
            port.target
        )
    });
    found.insert("ports", sorted(ports));
    let mounts = service.mounts();
    found.insert(
        "mounts",
        sorted(mounts.iter().map(|one| format!("{} {} {}", one.kind, one.target, one.read_only))),
    );
    let depends = service.get("depends_on").map(|node| node.entries().to_vec()).unwrap_or_default();
    let depends = depends.iter().map(|entry| {
        format!(
            "{} {}",
            entry.key,
            entry.value.get("condition").and_then(|node| node.as_str()).unwrap_or("service_started")
        )
    });
    found.insert("depends", sorted(depends));
    found.insert("labels", sorted(service.labels().into_iter()));
    let test = service.node.at(&["healthcheck", "test"]);
    found.insert(
        "test",
        test.map(|node| match node.items() {
            [] => vec!["CMD-SHELL".to_owned(), node.as_str().unwrap_or_default().to_owned()],
            items => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        })
        .unwrap_or_default(),
    );
    found.insert(
        "expose",
        sorted(
            service
                .get("expose")
                .map(|node| node.items().to_vec())
                .unwrap_or_default()
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned)),
        ),
    );
    found
}

fn sorted(items: impl Iterator<Item = String>) -> Vec<String> {
    let mut items: Vec<String> = items.collect();
    items.sort();
    items
}

/// The same from Compose's JSON, in which a dollar stands as two.
fn theirs(service: &Value) -> BTreeMap<&'static str, Vec<String>> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.replace("$$", "$"),
        other => other.to_string(),
    };
    let text = |pointer: &str| service.pointer(pointer).map(&plain).into_iter().collect::<Vec<_>>();
    let list =
        |pointer: &str| service.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let table =
        |pointer: &str| service.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default();
    let field = |value: &Value, key: &str| value.get(key).map(&plain).unwrap_or_default();
    let mut found: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    found.insert("image", text("/image"));
    found.insert("restart", text("/restart"));
    found.insert("driver", text("/logging/driver"));
    found.insert("max-size", text("/logging/options/max-size"));
    found.insert("max-file", text("/logging/options/max-file"));
    found.insert("dockerfile", text("/build/dockerfile"));
    found.insert("command", list("/command").iter().map(&plain).collect());
    let ports = list("/ports");
    found.insert(
        "ports",
        sorted(ports.iter().map(|port| {
            format!("{}:{}:{}", field(port, "host_ip"), field(port, "published"), field(port, "target"))
        })),
    );
    let mounts = list("/volumes");
    found.insert(
        "mounts",
        sorted(mounts.iter().map(|one| {
            format!("{} {} {}", field(one, "type"), field(one, "target"), one.get("read_only").is_some())
        })),
    );
    found.insert(
        "depends",
        sorted(table("/depends_on").iter().map(|(name, one)| format!("{name} {}", field(one, "condition")))),
    );
    found.insert(
        "labels",
        sorted(table("/labels").iter().map(|(name, value)| format!("{name}={}", plain(value)))),
    );
    found.insert("test", list("/healthcheck/test").iter().map(&plain).collect());
    found.insert("expose", sorted(list("/expose").iter().map(&plain)));
    found
}

fn environment(service: &Service) -> BTreeMap<String, String> {
    service
        .environment()
        .iter()
        .map(|entry| (entry.key.clone(), entry.value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn lay() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("compose.yaml", BASE);
    put("over.yaml", OVER);
    put("extra/base.yaml", EXTENDED);
    put("one.env", "ONE=1\n");
    put("two.env", "TWO=2\n");
    put(".env", "PASSWORD=p\n");
    directory
}

#[test]
fn the_merged_model_is_the_one_of_compose() {
    let directory = lay();
    let files = ["compose.yaml", "over.yaml"];
    let value = configured(directory.path(), &files);
    let model = modelled(directory.path(), &files, &[("PASSWORD", "p")]);
    let services = value["services"].as_object().unwrap();
    let mut names: Vec<String> = model.services().iter().map(|service| service.name.clone()).collect();
    names.sort();
    let mut expected: Vec<String> = services.keys().cloned().collect();
    expected.sort();
    assert_eq!(names, expected);
    for service in model.services() {
        let compose = &services[&service.name];
        let (mut mine, mut other) = (ours(&service), theirs(compose));
        // Compose writes the default out.
        if other["dockerfile"] == ["Dockerfile"] && mine["dockerfile"].is_empty() {
            other.remove("dockerfile");
            mine.remove("dockerfile");
        }
        assert_eq!(mine, other, "{}", service.name);
        // Compose adds what env files say; we keep them apart, for their places.
        let merged = compose["environment"].as_object().cloned().unwrap_or_default();
        for (name, value) in environment(&service) {
            let expected = merged[&name].as_str().unwrap_or_default().replace("$$", "$");
            assert_eq!(value, expected, "{name} of {}", service.name);
        }
    }
}

/// The projects of the corpus that are about what can be mended, and whole stacks.
fn corpus() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/audit");
    let mut found = Vec::new();
    for rule in RULES.iter().filter(|rule| rule.fix) {
        found.push(root.join("rules").join(rule.code).join("bad"));
    }
    for stack in ["clean", "bench"] {
        found.push(root.join("stacks").join(stack));
    }
    found.sort();
    found
}

#[test]
fn compose_accepts_what_was_mended() {
    let mut mended = 0;
    for path in corpus() {
        let folder = Folder::open(&path).unwrap();
        let library = Library::new(&folder);
        let report = eclusa_audit::report::report(&library, &Request::default(), date(2026, 11, 25), None);
        let fixed = fixing::fix(&library, &report.findings);
        for one in fixed.iter().filter(|one| one.path.ends_with(".yaml") || one.path.ends_with(".yml")) {
            let copy = tempfile::tempdir().unwrap();
            fs::write(copy.path().join("compose.yaml"), &one.after).unwrap();
            let mut command = Command::new("docker");
            command.args(["compose", "config", "--quiet", "--no-interpolate"]).current_dir(copy.path());
            let output = command.output().expect("docker compose");
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{}/{}: {error}\n{}", path.display(), one.path, one.after);
            mended += 1;
        }
    }
    assert!(mended >= 8, "only {mended} files were mended: the search is broken");
}
