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
use eclusa_model::AppKind;

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

#[test]
fn a_bench_whose_cache_is_its_queue_is_refused_and_so_is_one_with_a_database_elsewhere() {
    let project = Project::empty("erp");
    let one = OFFICIAL.replace("redis-queue:6379", "redis-cache:6379");
    project.write("compose.yml", &one).write(".env", "ERPNEXT_VERSION=v15.1.0\nDB_PASSWORD=hunter2\n");
    let fault = project.look(&project.wanted("compose.yml")).unwrap_err();
    assert_eq!(fault.code, Code::AdoptUnknown);
    assert!(fault.headline(&Language::default()).contains("which would lose jobs"));

    project.write("compose.yml", &OFFICIAL.replace("DB_HOST: db,", "DB_HOST: db.example.org,"));
    let fault = project.look(&project.wanted("compose.yml")).unwrap_err();
    assert_eq!(fault.code, Code::DatabaseUnsupported);
    assert!(fault.headline(&Language::default()).contains("db.example.org"));
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
