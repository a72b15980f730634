//! Where data is kept: volumes of databases, files, queues and caches; the character set.

use super::support::has;
use super::versions;
use crate::compose::Mount;
use crate::context::{Context, Known, Project};
use crate::finding::Findings;
use crate::library::{Span, name_of};
use crate::roles::{App, Role};

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    for project in context.production() {
        for known in project.services.iter().filter(|known| !known.development) {
            database(known, out);
            character_set(context, project, known, out);
        }
        files(context, project, out);
        redis(project, out);
        shared_redis(project, out);
    }
}

fn covers(mount: &Mount, directory: &str) -> bool {
    let target = mount.target.as_str();
    mount.kind != "tmpfs"
        && mount.source.as_deref().is_some_and(|source| !source.is_empty())
        && (directory == target || directory.strip_prefix(target).is_some_and(|rest| rest.starts_with('/')))
}

/// Where a database keeps its data.
fn data_directories(known: &Known) -> Vec<String> {
    let bitnami = known.service.image_text().contains("bitnami");
    let text = |directory: &str| directory.to_owned();
    match known.role {
        Role::Postgres => {
            let own = known.variable("PGDATA").map(str::to_owned);
            let version = known.service.image_tag().and_then(|tag| versions::version(&tag));
            let newer = version.is_none_or(|(major, _)| major >= 18);
            let mut found = vec![own.unwrap_or_else(|| text("/var/lib/postgresql/data"))];
            if bitnami {
                found.push(text("/bitnami/postgresql"));
            }
            // Before 18 the image itself declares a volume at data, which lies over a mount of the directory above.
            if newer {
                found.push(text("/var/lib/postgresql"));
            }
            found
        }
        Role::MariaDb => vec![text("/var/lib/mysql"), text("/bitnami/mariadb")],
        Role::MySql => vec![text("/var/lib/mysql"), text("/bitnami/mysql")],
        Role::Mongo => vec![text("/data/db"), text("/bitnami/mongodb")],
        _ => Vec::new(),
    }
}

fn database(known: &Known, out: &mut Findings) {
    let directories = data_directories(known);
    let Some(first) = directories.first() else { return };
    if known.service.get("volumes_from").is_some() {
        return;
    }
    let mounts = known.service.mounts();
    let own_data_volume = known.role == Role::Postgres && known.variable("PGDATA").is_none();
    let kept = mounts.iter().any(|mount| {
        // A mount of /var/lib/postgresql does not reach into the image's own volume below it.
        let above = own_data_volume
            && mount.target == "/var/lib/postgresql"
            && !directories.iter().any(|one| one == &mount.target);
        // Images of others keep a directory for each version there: /var/lib/postgresql/16/main.
        let versioned = known.role == Role::Postgres
            && mount.target.starts_with("/var/lib/postgresql/")
            && mount.source.is_some();
        versioned || !above && directories.iter().any(|directory| covers(mount, directory))
    });
    if !kept {
        let near = mounts
            .iter()
            .find(|mount| directories.iter().any(|directory| directory.starts_with(&mount.target)));
        let span = near.map_or(known.service.name_span, |mount| mount.span);
        out.add("A501", span, known.name()).with("directory", first);
    }
}

fn files(context: &Context<'_>, project: &Project, out: &mut Findings) {
    if !project.whole {
        return;
    }
    match project.app {
        App::Frappe => {
            for known in project.of(|role| role == Role::Web) {
                let bench = has(&known.service.image_text(), &["frappe", "erpnext"])
                    || has(known.name(), &["backend", "frappe", "erpnext"]);
                if !bench || known.development {
                    continue;
                }
                let kept = known.service.mounts().iter().any(|mount| {
                    mount.target.ends_with("/sites")
                        || mount.target.ends_with("/frappe-bench")
                        || has(&mount.target, &["/sites/"])
                });
                if !kept && !mounts_anything_above(known, "frappe-bench/sites") {
                    out.add("A502", known.service.name_span, known.name()).with("what", "sites");
                }
            }
        }
        App::Django => {
            let Some(media) = media_root(context, project) else { return };
            let holders: Vec<&Known> =
                project.of(|role| role == Role::Web).filter(|known| !known.development).collect();
            let kept = holders.iter().any(|known| {
                known.service.mounts().iter().any(|mount| {
                    has(&mount.target, &["media", "upload", "storage", "files", "/data"])
                        || mount.kind == "bind"
                            && mount.tree_path().is_some()
                            && !name_of(&mount.target).contains('.')
                        || is_workdir(known, mount)
                })
            });
            if let Some(first) = holders.first().filter(|_| !kept) {
                out.add("A502", first.service.name_span, first.name()).with("what", "media").related(media);
            }
        }
        App::Other => {}
    }
}

fn is_workdir(known: &Known, mount: &Mount) -> bool {
    known
        .dockerfile
        .as_ref()
        .and_then(|file| file.last(known.target.as_deref(), "WORKDIR"))
        .is_some_and(|one| one.rest.trim_end_matches('/').starts_with(&mount.target))
}

fn mounts_anything_above(known: &Known, directory: &str) -> bool {
    known
        .service
        .mounts()
        .iter()
        .any(|mount| has(directory, &[mount.target.trim_start_matches('/')]) && !mount.target.is_empty())
}

/// Where `MEDIA_ROOT` stands, when files of users are kept on this host.
fn media_root(context: &Context<'_>, project: &Project) -> Option<Span> {
    let directory = project.directory();
    let inside = |path: &str| directory.is_empty() || path.starts_with(&format!("{directory}/"));
    let stores_files = context
        .texts(|path| {
            inside(path)
                && (path.ends_with("models.py") || path.contains("/models/"))
                && path.ends_with(".py")
        })
        .values()
        .any(|file| has(&context.library.file(*file).text, &["FileField(", "ImageField("]));
    if !stores_files {
        return None;
    }
    let mut found = None;
    for file in context.texts(|path| inside(path) && crate::discovery::is_settings(path)).values() {
        let opened = context.library.file(*file);
        if has(
            &opened.text,
            &["storages.backends", "S3Boto3", "AzureStorage", "GoogleCloudStorage", "cloudinary"],
        ) {
            return None;
        }
        if let Some(at) = opened.text.find("\nMEDIA_ROOT") {
            found = Some(Span { file: *file, start: at + 1, end: at + 11 });
        }
    }
    found
}

/// What a Redis service is used for, by its name and by the variables that point to it.
fn uses_of(project: &Project, redis: &Known) -> (bool, bool) {
    let name = redis.name().to_ascii_lowercase();
    let mut queue = has(&name, &["queue", "broker", "celery", "rq"]);
    let mut cache = has(&name, &["cache"]);
    for known in &project.services {
        for (key, value) in variables(known) {
            if url(&value).is_some_and(|(host, _)| host == redis.name())
                || value.starts_with(&format!("{}:", redis.name()))
            {
                let key = key.to_ascii_uppercase();
                queue |= has(&key, &["QUEUE", "BROKER", "CELERY", "RQ_"]);
                cache |= has(&key, &["CACHE"]);
            }
        }
    }
    // One Redis for everything, beside workers, is also their queue.
    let only = project.of(|role| role == Role::Redis).count() == 1;
    let workers = project.of(|role| role == Role::Worker).any(|known| {
        known.runs.iter().any(|command| has(&command.text(), &["celery", "rqworker", "dramatiq"]))
    });
    let broker_elsewhere =
        project.of(|role| role == Role::Store).any(|known| known.service.image_name() == "rabbitmq");
    (queue || (only && workers && !broker_elsewhere), cache)
}

fn variables(known: &Known) -> Vec<(String, String)> {
    let own = known
        .service
        .environment()
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), entry.value.as_str()?.to_owned())));
    own.chain(known.from_files.iter().map(|one| (one.name.clone(), one.value.clone()))).collect()
}

/// Host and database of `redis://user:password@host:port/database`.
fn url(value: &str) -> Option<(String, String)> {
    let rest = value.strip_prefix("redis://").or_else(|| value.strip_prefix("rediss://"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.split(':').next().unwrap_or(host);
    let database = path.split('?').next().unwrap_or_default();
    Some((host.to_owned(), if database.is_empty() { "0".to_owned() } else { database.to_owned() }))
}

fn redis(project: &Project, out: &mut Findings) {
    for known in project.of(|role| role == Role::Redis).filter(|known| !known.development) {
        let (queue, cache) = uses_of(project, known);
        let text = known.service.command_text();
        let mount = known.service.mounts().into_iter().find(|mount| {
            covers(mount, "/data")
                || mount.target.contains("bitnami")
                || mount.target.ends_with("/var/lib/redis")
        });
        let unsaved =
            has(&text, &["--save \"\"", "--save ''", "--save  --"]) && !text.contains("appendonly yes");
        if queue && (mount.is_none() || unsaved) {
            out.add("A503", known.service.name_span, known.name());
        }
        if let (true, false, Some(mount)) = (cache, queue, mount) {
            out.add("A504", mount.span, known.name());
        }
    }
}

/// A cache and a queue in the same database of the same Redis.
fn shared_redis(project: &Project, out: &mut Findings) {
    for known in
        project.services.iter().filter(|known| known.role.is_application() || known.role == Role::Once)
    {
        let all = known.service.environment();
        let of = |words: &[&str]| {
            all.iter().find_map(|entry| {
                let key = entry.key.to_ascii_uppercase();
                let target = has(&key, words).then(|| url(entry.value.as_str()?)).flatten()?;
                Some((entry, target))
            })
        };
        let cache = of(&["CACHE"]);
        let queue = of(&["BROKER", "QUEUE"]);
        if let (Some((cache, one)), Some((queue, other))) = (cache, queue)
            && one == other
        {
            let raw = out.add("A505", queue.value.span, known.name());
            raw.with("cache", &cache.key).with("queue", &queue.key).related(cache.value.span);
            return;
        }
    }
}

fn character_set(context: &Context<'_>, project: &Project, known: &Known, out: &mut Findings) {
    if !matches!(known.role, Role::MariaDb | Role::MySql) || project.app == App::Other {
        return;
    }
    let Some((major, minor)) = known.service.image_tag().and_then(|tag| versions::version(&tag)) else {
        return;
    };
    let latin = match known.role {
        // 11.6 made utf8mb4 the default.
        Role::MariaDb => major < 11 || (major == 11 && minor.is_some_and(|minor| minor < 6)),
        _ => major < 8,
    };
    let said = has(&known.service.command_text(), &["character-set-server", "character_set_server"])
        || variables(known).iter().any(|(name, _)| has(name, &["CHARACTER_SET"]));
    let in_file = known.service.mounts().iter().any(|mount| {
        let Some(source) = mount.tree_path() else {
            return has(&mount.target, &["/etc/mysql", "/etc/my.cnf"]);
        };
        context.library.tree().paths().iter().any(|path| {
            (path == source || path.starts_with(&format!("{source}/")))
                && context.library.open(path).is_some_and(|file| {
                    has(&context.library.file(file).text, &["character-set-server", "character_set_server"])
                })
        })
    });
    if latin && !said && !in_file {
        let span = known.service.image().map_or(known.service.name_span, |node| node.span);
        let image = known.service.image().and_then(|node| node.as_str()).unwrap_or_default();
        out.add("A510", span, known.name()).with("image", image);
    }
}
