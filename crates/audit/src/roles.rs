//! What a service is: told from its image, its command, its name, in this order.

use crate::compose::Service;
use crate::shell::Command;

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
    /// MySQL.
    MySql,
    /// MongoDB.
    Mongo,
    /// Redis, Valkey, KeyDB.
    Redis,
    /// Another store or broker.
    Store,
    /// A reverse proxy or web server.
    Proxy,
    /// A user interface for administrators.
    AdminUi,
    /// Something that updates containers by itself.
    Updater,
    /// Takes backups.
    Backup,
    /// Runs once and ends.
    Once,
    /// Does work from a queue.
    Worker,
    /// Starts work by the clock.
    Scheduler,
    /// The application's websocket server.
    Websocket,
    /// Serves the application.
    Web,
    /// Anything else.
    Other,
}

impl Role {
    /// Whether it keeps the data of the application in tables or documents.
    #[must_use]
    pub fn is_database(self) -> bool {
        matches!(self, Self::Postgres | Self::MariaDb | Self::MySql | Self::Mongo)
    }

    /// Whether it runs the application's own code.
    #[must_use]
    pub fn is_application(self) -> bool {
        matches!(self, Self::Worker | Self::Scheduler | Self::Websocket | Self::Web)
    }
}

/// The application of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    /// Frappe, ERPNext.
    Frappe,
    /// Django.
    Django,
    /// Something else.
    Other,
}

const ADMIN: [&str; 22] = [
    "pgadmin",
    "pgadmin4",
    "adminer",
    "phpmyadmin",
    "phpmyadmin-arm64",
    "flower",
    "redis-commander",
    "redisinsight",
    "mongo-express",
    "portainer",
    "portainer-ce",
    "mailhog",
    "mailpit",
    "rediscommander",
    "dozzle",
    "pgweb",
    "rq-dashboard",
    "maildev",
    "cloudbeaver",
    "kibana",
    "opensearch-dashboards",
    "phppgadmin",
];
const PROXIES: [&str; 13] = [
    "nginx",
    "traefik",
    "caddy",
    "haproxy",
    "nginx-proxy",
    "nginx-proxy-manager",
    "envoy",
    "httpd",
    "swag",
    "openresty",
    "nginx-unprivileged",
    "apache",
    "caddy-docker-proxy",
];
const STORES: [&str; 12] = [
    "rabbitmq",
    "elasticsearch",
    "opensearch",
    "memcached",
    "minio",
    "kafka",
    "zookeeper",
    "etcd",
    "influxdb",
    "clickhouse-server",
    "cassandra",
    "couchdb",
];
const UPDATERS: [&str; 3] = ["watchtower", "ouroboros", "shepherd"];

/// What a service is. `once` says whether something waits for it to end.
#[must_use]
pub fn role(service: &Service, base: Option<&str>, once: bool, app: App) -> Role {
    let image = service.image_name();
    let name = service.name.to_ascii_lowercase();
    let text = service.command_text();
    let full = service.image_text();
    let is = |list: &[&str]| list.contains(&image.as_str());
    if is(&UPDATERS) {
        return Role::Updater;
    }
    if is(&ADMIN) || name.contains("flower") || full.contains("mher/flower") || text.contains(" flower") {
        return Role::AdminUi;
    }
    if text.contains("pg_dump")
        || text.contains("mysqldump")
        || text.contains("mariadb-dump")
        || image.contains("backup")
        || name.contains("backup")
        || text.contains(" backup")
    {
        return Role::Backup;
    }
    if let Some(engine) = engine_of(&image, base) {
        // The client tools of an image that ends are no database.
        let client = ["psql", "mysql ", "mysqladmin", "mongosh", "redis-cli", "createdb"];
        if once || client.iter().any(|tool| text.trim_start().starts_with(tool)) {
            return Role::Once;
        }
        return engine;
    }
    if is(&STORES) {
        return Role::Store;
    }
    // `cp -r /app/build/. /static/`: what was built is handed over, and that is all.
    let first = service.command().and_then(|argv| argv.words.first().map(|word| word.text.clone()));
    if first.is_some_and(|first| matches!(first.as_str(), "cp" | "mv" | "chown" | "chmod" | "mkdir" | "true"))
        && !text.contains("&&")
    {
        return Role::Once;
    }
    let shell_less = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| shell_less.contains(word));
    if once
        || says(&["bench new-site", "certbot certonly", "createsuperuser --"])
            && !says(&["gunicorn", "runserver", "uwsgi", "uvicorn", "daphne", "bench start", "bench serve"])
    {
        return Role::Once;
    }
    if says(&["celery"]) && says(&["beat"]) && !says(&["worker"])
        || says(&[
            "bench schedule",
            "frappe.utils.scheduler",
            "celerybeat",
            "rqscheduler",
            "crond",
            "cron -f",
            "supercronic",
        ])
    {
        return Role::Scheduler;
    }
    if says(&[
        "bench worker",
        "celery",
        "rqworker",
        "qcluster",
        "dramatiq",
        "run_huey",
        "rq worker",
        "process_tasks",
        "db_worker",
    ]) {
        return Role::Worker;
    }
    if says(&["socketio"]) {
        return Role::Websocket;
    }
    if is(&PROXIES)
        || base.is_some_and(|base| PROXIES.contains(&bare(base).as_str()))
        || says(&["nginx-entrypoint"])
    {
        return Role::Proxy;
    }
    if ["configurator", "create-site", "migration", "migrate", "migrator", "init", "setup", "certbot"]
        .iter()
        .any(|word| {
            name == *word
                || name.starts_with(&format!("{word}-"))
                || name.ends_with(&format!("-{word}"))
                || name.ends_with(&format!("_{word}"))
        })
    {
        return Role::Once;
    }
    if says(&["gunicorn", "runserver", "uwsgi", "uvicorn", "daphne", "hypercorn", "granian", "waitress"])
        || says(&["bench start", "bench serve"])
    {
        return Role::Web;
    }
    if app == App::Frappe && (name.contains("backend") || name == "frappe" || name == "erpnext") {
        return Role::Web;
    }
    let serves = ["ports", "expose", "depends_on"].iter().any(|key| service.get(key).is_some());
    if app == App::Django && service.get("build").is_some() && serves {
        return Role::Web;
    }
    Role::Other
}

/// The role by what the scripts of a service run, where its own command does not say it.
#[must_use]
pub fn by_what_runs(role: Role, runs: &[Command]) -> Role {
    let says = |words: &[&str]| {
        runs.iter().any(|command| {
            let text = command.text();
            words.iter().any(|word| text.contains(word))
        })
    };
    if says(&["gunicorn", "runserver", "uwsgi", "uvicorn", "daphne", "bench serve", "hypercorn", "granian"]) {
        Role::Web
    } else if says(&["celery"]) && says(&["worker"]) || says(&["bench worker", "rqworker", "qcluster"]) {
        Role::Worker
    } else if says(&["celery"]) && says(&["beat"]) || says(&["bench schedule"]) {
        Role::Scheduler
    } else {
        role
    }
}

fn bare(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split([':', '@']).next().unwrap_or(last).to_ascii_lowercase()
}

fn engine_of(image: &str, base: Option<&str>) -> Option<Role> {
    let of = |name: &str| match name {
        "postgres" | "postgis" | "postgresql" | "timescaledb" | "pgvector" | "timescaledb-ha"
        | "supabase-postgres" => Some(Role::Postgres),
        "mariadb" => Some(Role::MariaDb),
        "mysql" | "mysql-server" | "percona" | "percona-server" => Some(Role::MySql),
        "mongo" | "mongodb" => Some(Role::Mongo),
        "redis" | "valkey" | "keydb" | "redis-stack" | "redis-stack-server" | "dragonfly" => {
            Some(Role::Redis)
        }
        _ => None,
    };
    of(image).or_else(|| of(&bare(base?)))
}
