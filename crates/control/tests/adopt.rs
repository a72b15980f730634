//! `adopt` on whole projects, without an engine: the file that it would write, and what it refuses. Needs the
//! `docker compose` command, which resolves the files; no daemon is asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use eclusa_config::{Configuration, ReleaseKind};
use eclusa_control::adopt::{self, Adopted, Certainty, Surroundings, Wanted};
use eclusa_fault::{Code, Fault, Language};
use eclusa_host::LocalHost;
use eclusa_model::{AppKind, ServiceName};

/// A project in a directory of its own; its name decides that of the Compose project.
struct Project {
    _top: tempfile::TempDir,
    directory: PathBuf,
}

impl Project {
    fn empty(name: &str) -> Self {
        let top = tempfile::tempdir().unwrap();
        let directory = top.path().join(name);
        std::fs::create_dir(&directory).unwrap();
        Self { _top: top, directory }
    }

    fn example(path: &str, name: &str) -> Self {
        let project = Self::empty(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(path);
        for entry in walkdir::WalkDir::new(&source).into_iter().flatten() {
            let target = project.directory.join(entry.path().strip_prefix(&source).unwrap());
            if entry.file_type().is_dir() {
                std::fs::create_dir_all(target).unwrap();
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
        project
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Makes an env file from its example, with nothing left to fill in.
    fn filled(&self, example: &str, file: &str) -> &Self {
        let text = std::fs::read_to_string(self.directory.join(example)).unwrap();
        self.write(
            file,
            &text.replace("CHANGE_ME_DOMAIN", "shop.example.org").replace("CHANGE_ME", "hunter2"),
        )
    }

    fn in_git(&self) -> &Self {
        let status =
            Command::new("git").args(["init", "--quiet"]).current_dir(&self.directory).status().unwrap();
        assert!(status.success());
        self
    }

    fn wanted(&self, file: &str) -> Wanted {
        Wanted {
            files: vec![self.directory.join(file)],
            app: None,
            env_files: Vec::new(),
            project: None,
            stack: None,
            output: self.directory.join("eclusa.toml"),
            language: Language::default(),
        }
    }

    fn look(&self, wanted: &Wanted) -> Result<Adopted, Fault> {
        let surroundings =
            Surroundings { host: Arc::new(LocalHost::new()), ask: false, port_is_free: |_| true };
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(adopt::look(wanted, &surroundings))
    }

    fn adopted(&self, file: &str) -> Adopted {
        self.look(&self.wanted(file)).unwrap()
    }
}

/// The text, after it was read as a configuration, and without a secret in it.
fn golden(adopted: &Adopted) -> &str {
    Configuration::parse(&adopted.text, &adopted.output).unwrap();
    assert!(!adopted.text.contains("hunter2"), "{}", adopted.text);
    &adopted.text
}

#[test]
fn the_boutique() {
    let project = Project::example("boutique/app", "boutique");
    project.filled(".env.production.example", ".env.production").in_git();
    insta::assert_snapshot!(golden(&project.adopted("docker-compose.prod.yml")));
}

#[test]
fn the_clinic() {
    let project = Project::example("others/clinic", "clinic");
    project.filled(".env.example", ".env").in_git();
    insta::assert_snapshot!(golden(&project.adopted("docker-compose.yml")));
}

#[test]
fn the_library() {
    let project = Project::example("others/library", "library");
    project.filled("production.env.example", "production.env");
    insta::assert_snapshot!(golden(&project.adopted("compose.prod.yaml")));
}

const GENERIC: &str = "services:\n  api:\n    image: api:${API_TAG:-1}\n    ports: ['8088:3000']\n  db:\n    image: postgres:16\n    \
                       environment:\n      POSTGRES_PASSWORD: written-out\n";

#[test]
fn no_application_is_no_guess() {
    let project = Project::empty("plain");
    project.write("compose.yml", GENERIC).write(".env", "API_TAG=7\n");
    let mut wanted = project.wanted("compose.yml");
    let fault = project.look(&wanted).unwrap_err();
    assert_eq!(fault.code, Code::AdoptUnknown);
    assert!(fault.hint_text(&Language::default()).unwrap().contains("--app generic"));

    wanted.app = Some(AppKind::Generic);
    let adopted = project.look(&wanted).unwrap();
    let configuration = Configuration::parse(&adopted.text, &adopted.output).unwrap();
    let (_, stack) = configuration.stack(None).unwrap();
    assert_eq!(stack.app, AppKind::Generic);
    assert_eq!(stack.services.web.iter().map(ToString::to_string).collect::<Vec<_>>(), ["api"]);
    assert_eq!(stack.release.source, ReleaseKind::Image);
    assert_eq!(stack.release.variable.as_deref(), Some("API_TAG"));
    // A password that is written into the Compose file is not written down a second time.
    assert!(!adopted.text.contains("written-out"), "{}", adopted.text);
    let password = adopted.notes.iter().find(|note| note.key == "database.password").unwrap();
    assert_eq!(password.certainty, Certainty::Missing);
}

#[test]
fn an_env_file_of_the_database_alone_is_named() {
    let project = Project::empty("split");
    project
        .write("compose.yml", "services:\n  web:\n    build: .\n    env_file: [env/web]\n    command: /start\n    ports: ['80:8000']\n  db:\n    image: postgis/postgis:15-3.4\n    env_file: [env/db]\n")
        .write("env/web", "DJANGO_ENV=staging\nDJANGO_ALLOWED_HOSTS=web,.shop.example.org\n")
        .write("env/db", "POSTGRES_DB=shop\nPOSTGRES_USER=owner\nPOSTGRES_PASSWORD=hunter2\n")
        .write("manage.py", "import django\nx('DJANGO_SETTINGS_MODULE', 'shop.settings')\n")
        .write("shop/settings.py", "import environ\nenv = environ.Env()\nROOT = environ.Path(__file__) - 2\nALLOWED_HOSTS = env.list('DJANGO_ALLOWED_HOSTS')\nDATABASES = {'default': env.db('DATABASE_URL')}\n")
        .write("compose/start", "#!/bin/sh\npython manage.py migrate\nexec gunicorn shop.wsgi\n")
        .write("Dockerfile", "FROM python:3\nWORKDIR /app\nCOPY compose/start /start\nCOPY . .\n");
    let adopted = project.adopted("compose.yml");
    let configuration = Configuration::parse(golden(&adopted), &adopted.output).unwrap();
    let (_, stack) = configuration.stack(None).unwrap();
    assert_eq!(stack.compose.as_ref().unwrap().env_files, [PathBuf::from("env/db")]);
    let environment = stack.environment_files().unwrap();
    let tenants = stack.tenants(&environment).unwrap();
    assert!(format!("{:?}", tenants[0].database).contains("owner"));
    assert_eq!(stack.domains, ["shop.example.org"]);
    assert_eq!(stack.environment, eclusa_model::Environment::Staging);
    // Its start script migrates, which Eclusa should do.
    assert!(adopted.text.contains("web migrates when it starts"), "{}", adopted.text);
}

/// The official layout, with what people change in it: a worker for each queue, three Redis, a `migrator`, a network that
/// it shares with a proxy, the old name of the password's variable.
const OFFICIAL: &str = r#"
x-bench: &bench
  image: ${CUSTOM_IMAGE:-frappe/erpnext}:${CUSTOM_TAG:-$ERPNEXT_VERSION}
  restart: ${RESTART_POLICY:-unless-stopped}
  volumes: [sites:/home/frappe/frappe-bench/sites, logs:/home/frappe/frappe-bench/logs]
services:
  configurator:
    <<: *bench
    restart: "no"
    entrypoint: [bash, -c]
    command:
      - >
        ls -1 apps > sites/apps.txt;
        bench set-config -g db_host $$DB_HOST;
        bench set-config -g redis_cache "redis://$$REDIS_CACHE";
    environment: { DB_HOST: db, DB_PORT: "3306", REDIS_CACHE: "redis-cache:6379", REDIS_QUEUE: "redis-queue:6379" }
  backend: { <<: *bench }
  frontend:
    <<: *bench
    command: [nginx-entrypoint.sh]
    environment: { BACKEND: "backend:8000", SOCKETIO: "websocket:9000" }
    ports: ["8080:8080"]
    networks: [default, proxy]
  websocket: { <<: *bench, command: [node, /home/frappe/frappe-bench/apps/frappe/socketio.js] }
  queue-default: { <<: *bench, command: bench worker --queue default }
  queue-short: { <<: *bench, command: bench worker --queue short }
  queue-long: { <<: *bench, command: bench worker --queue long }
  scheduler: { <<: *bench, command: bench schedule }
  migrator: { <<: *bench, restart: "no", profiles: [migrate], command: bench --site all migrate }
  db:
    image: mariadb:10.6
    environment: { MYSQL_ROOT_PASSWORD: "${DB_PASSWORD:?}" }
    volumes: [db-data:/var/lib/mysql]
  redis-cache: { image: "redis:6.2-alpine" }
  redis-queue: { image: "redis:6.2-alpine" }
  redis-socketio: { image: "redis:6.2-alpine" }
volumes: { sites: {}, logs: {}, db-data: {} }
networks: { proxy: { external: true } }
"#;

#[test]
fn the_testbench() {
    let project = Project::empty("bench");
    let compose = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbench/compose.yml");
    project.write("compose.yml", &std::fs::read_to_string(compose).unwrap());
    project.write(".env", "TESTBENCH_VERSION=v15.1\nTESTBENCH_PORT=8080\nDB_ROOT_PASSWORD=hunter2\n");
    insta::assert_snapshot!(golden(&project.adopted("compose.yml")));
}

#[test]
fn the_official_layout_of_a_bench() {
    let project = Project::empty("erp");
    project.write("compose.yml", OFFICIAL).write(".env", "ERPNEXT_VERSION=v15.1.0\nDB_PASSWORD=hunter2\n");
    insta::assert_snapshot!(golden(&project.adopted("compose.yml")));
}

/// The official layout with other words in it.
fn official(change: impl Fn(String) -> String) -> Project {
    let project = Project::empty("erp");
    project.write("compose.yml", &change(OFFICIAL.to_owned()));
    project.write(".env", "ERPNEXT_VERSION=v15.1.0\nDB_PASSWORD=hunter2\nDB_ROOT_PASSWORD=hunter2\n");
    project
}

fn stack_of(adopted: &Adopted) -> eclusa_config::Stack {
    Configuration::parse(golden(adopted), &adopted.output).unwrap().stack(None).unwrap().1.clone()
}

#[test]
fn one_redis_for_cache_and_queues_is_emptied_of_the_cache_alone() {
    let one = |cache: &str, queue: &str| {
        let (cache, queue) = (cache.to_owned(), queue.to_owned());
        let project = official(move |text| {
            text.replace("redis-cache:6379", &cache).replace("redis-queue:6379", &queue)
        });
        stack_of(&project.adopted("compose.yml")).bench()
    };
    let separate = one("redis-cache:6379", "redis-queue:6379");
    assert_eq!((separate.cache_keeps_queue, separate.cache_database), (false, None));
    assert_eq!((separate.gates.queue, separate.gates.queue_database), (None, None));

    let same = one("redis-cache:6379", "redis-cache:6379");
    assert_eq!((same.cache_keeps_queue, same.cache_database), (true, None));
    let same = one("redis-cache:6379/3", "redis://redis-cache:6379/3");
    assert_eq!((same.cache_keeps_queue, same.cache_database), (true, Some(3)));

    let two = one("redis-cache:6379/1", "redis-cache:6379/2");
    assert_eq!((two.cache_keeps_queue, two.cache_database), (false, Some(1)));
    assert_eq!((two.gates.queue.unwrap().as_str(), two.gates.queue_database), ("redis-cache", Some(2)));
    // Database 0 is one like the others.
    assert_eq!(one("redis-cache:6379", "redis-cache:6379/1").cache_database, Some(0));
}

#[test]
fn a_bench_on_a_host_may_have_one_redis() {
    let one = |cache: &str, queue_at: &str| {
        let project = Project::empty("bench");
        project.write("apps/frappe/setup.py", "").write("sites/apps.txt", "frappe\n").write(
            "config/supervisor.conf",
            "[program:bench-frappe-web]\ncommand=/b/env/bin/gunicorn -b 127.0.0.1:8000 frappe.app:application\n\n\
             [program:bench-frappe-schedule]\ncommand=bench schedule\n\n\
             [program:bench-redis]\ncommand=redis-server /b/config/redis.conf\n",
        );
        let common = format!(
            "{{\"redis_cache\": \"redis://{cache}\", \"redis_queue\": \"redis://{queue_at}\", \"db_port\": 3306}}"
        );
        project.write("sites/common_site_config.json", &common);
        let stack = stack_of(&project.adopted("."));
        let cache = stack.bench().cache.clone().unwrap();
        assert_eq!(stack.supervised_address(&cache), Some("127.0.0.1:13000"));
        let queue = ServiceName::new("redis-queue").unwrap();
        let expected = (!queue_at.starts_with("127.0.0.1:13000")).then_some("127.0.0.1:11000");
        assert_eq!(stack.supervised_address(&queue), expected);
        stack.bench()
    };
    let same = one("localhost:13000", "127.0.0.1:13000");
    assert_eq!((same.cache.unwrap().as_str(), same.cache_keeps_queue), ("redis", true));
    assert_eq!(same.cache_database, None);

    let two = one("127.0.0.1:13000/1", "127.0.0.1:13000");
    assert_eq!((two.cache_keeps_queue, two.cache_database), (false, Some(1)));
    assert_eq!((two.gates.queue.unwrap().as_str(), two.gates.queue_database), ("redis", Some(0)));

    // Another one, which supervisor does not start, holds the queues.
    let apart = one("127.0.0.1:13000", "127.0.0.1:11000/4");
    assert_eq!((apart.cache_keeps_queue, apart.cache_database), (false, None));
    assert_eq!(apart.gates.queue_database, Some(4));
}

#[test]
fn a_bench_whose_database_is_elsewhere_needs_a_service_with_the_client_programs() {
    let elsewhere =
        |text: String| text.replace("DB_HOST: db, DB_PORT: \"3306\"", "DB_HOST: 10.0.0.7, DB_PORT: \"3307\"");
    let (from, to) = (OFFICIAL.find("  db:\n").unwrap(), OFFICIAL.find("  redis-cache: {").unwrap());
    let without = |text: String| elsewhere(text.replace(&OFFICIAL[from..to], ""));
    let project = official(without);
    let fault = project.look(&project.wanted("compose.yml")).unwrap_err();
    assert_eq!(fault.code, Code::DatabaseUnsupported);
    assert!(fault.headline(&Language::default()).contains("10.0.0.7"), "{fault}");
    assert!(fault.hint_text(&Language::default()).unwrap().contains("sleep, infinity"));

    let client = "  db-client: { image: \"mariadb:10.11\", command: [sleep, infinity] }\n";
    let project =
        official(|text| without(text).replace("  redis-cache: {", &format!("{client}  redis-cache: {{")));
    let adopted = project.adopted("compose.yml");
    let table = stack_of(&adopted).database.unwrap();
    assert_eq!(table.service.unwrap().as_str(), "db-client");
    assert_eq!((table.host.as_deref(), table.port), (Some("10.0.0.7"), Some(3307)));
    assert_eq!(table.password.unwrap().as_str(), "env:DB_ROOT_PASSWORD");
    assert!(!adopted.text.contains("leaves these services alone"), "{}", adopted.text);
}

#[test]
fn a_migrator_that_runs_at_every_up_is_told() {
    let told = |adopted: &Adopted| adopted.notes.iter().any(|note| note.key == "services.once");
    assert!(
        !told(&official(|text| text).adopted("compose.yml")),
        "with a profile it runs only when it is asked for"
    );
    let project = official(|text| text.replace("profiles: [migrate], ", ""));
    let adopted = project.adopted("compose.yml");
    assert!(told(&adopted));
    assert!(adopted.text.contains("migrator migrates whenever somebody"), "{}", adopted.text);
    let services = stack_of(&adopted).services;
    assert_eq!(services.once.iter().map(ToString::to_string).collect::<Vec<_>>(), ["migrator"]);
}

#[test]
fn one_worker_for_all_queues_is_the_worker() {
    let project = official(|text| {
        text.replace("  queue-default: { <<: *bench, command: bench worker --queue default }\n", "")
            .replace("  queue-short: { <<: *bench, command: bench worker --queue short }\n", "")
            .replace("bench worker --queue long", "\"bench worker --queue long,default,short\"")
            .replace("queue-long:", "worker:")
    });
    let services = stack_of(&project.adopted("compose.yml")).services;
    assert_eq!(services.workers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["worker"]);
}

#[test]
fn another_database_is_refused() {
    let project = Project::empty("other");
    project.write("compose.yml", "services:\n  web:\n    image: x\n  db:\n    image: mariadb:11\n");
    let mut wanted = project.wanted("compose.yml");
    wanted.app = Some(AppKind::Generic);
    let fault = project.look(&wanted).unwrap_err();
    assert_eq!(fault.code, Code::DatabaseUnsupported);
    assert!(fault.headline(&Language::default()).contains("mariadb:11"));
}

#[test]
fn a_broken_or_absent_compose_file_is_told() {
    let project = Project::empty("broken");
    assert_eq!(project.look(&project.wanted("compose.yml")).unwrap_err().code, Code::ConfigUnreadable);
    project.write("compose.yml", "services: [\n");
    assert_eq!(project.look(&project.wanted("compose.yml")).unwrap_err().code, Code::ComposeInvalid);

    // A missing env file is the commonest reason, and has a way out of its own.
    let project = Project::example("boutique/app", "boutique");
    let fault = project.look(&project.wanted("docker-compose.prod.yml")).unwrap_err();
    assert_eq!(fault.code, Code::ComposeInvalid);
    assert!(fault.hint_text(&Language::default()).unwrap().contains("--env-file"));
}

#[test]
fn a_file_that_is_there_is_left_as_it_is() {
    let project = Project::example("others/clinic", "clinic");
    project.filled(".env.example", ".env").write("eclusa.toml", "mine");
    let adopted = project.adopted("docker-compose.yml");
    let save = |force| {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(adopt::save(
            &adopted,
            force,
            &LocalHost::new(),
        ))
    };
    let text = || std::fs::read_to_string(project.directory.join("eclusa.toml")).unwrap();
    assert_eq!(save(false).unwrap_err().code, Code::ConfigExists);
    assert_eq!(text(), "mine");
    save(true).unwrap();
    assert_eq!(text(), adopted.text);
}

#[test]
fn looking_changes_nothing() {
    let project = Project::example("others/library", "library");
    project.filled("production.env.example", "production.env");
    let listing = || {
        let entries = walkdir::WalkDir::new(&project.directory).sort_by_file_name().into_iter().flatten();
        entries
            .map(|entry| (entry.path().to_owned(), entry.metadata().unwrap().modified().unwrap()))
            .collect::<Vec<_>>()
    };
    let before = listing();
    project.adopted("compose.prod.yaml");
    assert_eq!(listing(), before);
}
