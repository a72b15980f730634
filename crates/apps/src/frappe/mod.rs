//! Frappe under the bench command line: many sites on one stack. Commands, exit codes and outputs are those of Frappe 15
//! as they were observed, traps included: every command names one site, since `--site all` stops at the first failure
//! or looks at the first site only.

pub mod backup_files;
mod clone;
pub mod customizations;
mod gates;
mod logs;
mod settings;
mod site;
mod trial;

use eclusa_config::Stack;
use eclusa_fault::Message;
use eclusa_model::{AppKind, Release, ServiceName, Tenant, TenantName, TenantObservation};
use eclusa_planner::{
    App, Back, CloneShape, LogFiles, NamedCommand, NamedGate, Reversible, Setting, TestRun, TrialShape,
};
use eclusa_runbook::{
    Effect, Exec, Expect, GateKind, Listing, OnNoGo, PageProbe, Place, PointReference, ProbeRoute,
    SettingsOperation,
};

use crate::generic::{exec, filled, numbered, tests};

pub use site::{CommonConfig, SiteConfig, parse_common_config, parse_site_config};

/// How long a command of bench may take that only writes a setting or reads something, in seconds. A cold start takes
/// two seconds on a busy host; a minute is a host that is in trouble.
const SHORT: u64 = 60;

/// What `bench migrate` says before each patch.
const PATCH: &str = "Executing ";

/// Sites of a bench.
pub struct Frappe;

fn in_bench(stack: &Stack, place: &Place, argv: Vec<String>) -> Exec {
    Exec { directory: Some(stack.bench().bench), ..exec(place, argv) }
}

/// `bench --site SITE …`, where commands of the running release run.
fn on_site(stack: &Stack, place: &Place, site: &TenantName, arguments: &[&str]) -> Exec {
    let bench = ["bench", "--site", site.as_str()];
    let argv = bench.iter().chain(arguments).map(|word| (*word).to_owned()).collect();
    in_bench(stack, place, argv)
}

fn running(stack: &Stack) -> Option<Place> {
    Frappe.command_service(stack).map(|service| Place::Service { service })
}

/// A site's own maintenance mode, in its file as `bench set-maintenance-mode` writes it. A start of bench for each site,
/// twice in the time that it is closed, would be seconds of it; and bench empties the file before it writes it, which a full
/// disk turns into a lost configuration.
fn set_maintenance(tenant: &Tenant, on: bool) -> Option<Effect> {
    let values = [("maintenance_mode".to_owned(), Some(serde_json::Value::from(u8::from(on))))].into();
    let file = settings::own_file(tenant)?;
    Some(Effect::Settings(SettingsOperation::Set { tenant: tenant.name.clone(), file, values }))
}

/// Whether Eclusa sets a site's maintenance mode: not where its owner had it on already.
fn sets_maintenance(stack: &Stack, tenant: &TenantObservation) -> bool {
    stack.bench().maintenance && tenant.site.as_ref().is_none_or(|site| !site.maintenance)
}

impl App for Frappe {
    fn kind(&self) -> AppKind {
        AppKind::Frappe
    }

    /// Without `--site` bench takes a site by itself, or none.
    fn command(&self, stack: &Stack, tenant: &TenantName, argv: &[String]) -> Option<Exec> {
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        Some(on_site(stack, &running(stack)?, tenant, &words))
    }

    /// The image must be able to say what is in it at all.
    fn checks(&self, stack: &Stack, candidate: &Place) -> Vec<NamedCommand> {
        if let Some(commands) = &stack.commands.check {
            return numbered(commands, candidate, 300);
        }
        let argv = ["bench", "version"].map(String::from).to_vec();
        vec![NamedCommand {
            name: "version".to_owned(),
            exec: in_bench(stack, candidate, argv),
            timeout: 2 * SHORT,
        }]
    }

    fn tests(&self, stack: &Stack, candidate: &Place, scratch: &str) -> Option<TestRun> {
        tests(stack, candidate, scratch)
    }

    /// Frappe has no command that says what a migration would do: besides patches it brings every DocType to what its
    /// file says. So nothing is known beforehand, unless the stack has a command of its own.
    fn pending(&self, stack: &Stack, tenant: &TenantName, release: &Release, place: &Place) -> Option<Exec> {
        let command = stack.commands.pending.as_ref()?;
        Some(in_bench(stack, place, filled(command, tenant.as_str(), &release.name)))
    }

    /// `migrate` sets no maintenance mode and pauses no scheduler by itself. `--skip-failing` is never used: it ends
    /// with 0 whatever failed, and prints the database's password.
    fn migrate(&self, stack: &Stack, tenant: &TenantName, release: &Release, place: &Place) -> Option<Exec> {
        let mut exec = match &stack.commands.migrate {
            Some(command) => in_bench(stack, place, filled(command, tenant.as_str(), &release.name)),
            None => on_site(stack, place, tenant, &["migrate"]),
        };
        exec.expect.progress = Some(PATCH.to_owned());
        Some(exec)
    }

    /// Assets are part of the image.
    fn collect_static(&self, stack: &Stack, place: &Place) -> Option<Exec> {
        stack.commands.static_files.as_ref().map(|command| in_bench(stack, place, command.argv().to_vec()))
    }

    fn seed(&self, stack: &Stack, place: &Place) -> Vec<NamedCommand> {
        numbered(&stack.commands.seed, place, 1800)
    }

    /// A release that lacks an app which a site has installed cannot serve the site, and says so only afterwards.
    fn candidate_gates(&self, stack: &Stack, tenant: &TenantName, candidate: &Place) -> Vec<NamedGate> {
        let Some(place) = running(stack) else { return Vec::new() };
        let needed = Listing {
            exec: on_site(stack, &place, tenant, &["list-apps", "--format", "json"]),
            pointer: format!("/{}", tenant.as_str()),
            member: None,
        };
        let version = ["bench", "version", "--format", "json"].map(String::from).to_vec();
        let offered = Listing {
            exec: in_bench(stack, candidate, version),
            pointer: String::new(),
            member: Some("app".to_owned()),
        };
        vec![NamedGate {
            name: "apps".to_owned(),
            title: Message::new("step-apps").with("tenant", tenant),
            kind: GateKind::Contained { needed, offered },
            on_no_go: OnNoGo::Back,
            timeout: 4 * SHORT,
        }]
    }

    /// `ready-for-migration` stops nothing; it ends with 1 while a job of the site waits or runs. Where the queues themselves
    /// say that there is none, bench is not started for each site.
    fn idle(&self, stack: &Stack, tenant: &TenantName) -> Option<NamedGate> {
        let place = running(stack)?;
        let within = stack.limits.drain.as_seconds();
        Some(NamedGate {
            name: "jobs".to_owned(),
            title: Message::new("step-jobs").with("tenant", tenant),
            kind: GateKind::Eventually {
                exec: on_site(stack, &place, tenant, &["ready-for-migration"]),
                within,
                sooner: gates::no_job(stack, tenant),
            },
            on_no_go: OnNoGo::Ask,
            timeout: within + SHORT,
        })
    }

    fn closing(&self, stack: &Stack, tenant: &TenantObservation) -> Vec<Reversible> {
        let set = |on| set_maintenance(&tenant.tenant, on).filter(|_| sets_maintenance(stack, tenant));
        let (Some(on), Some(off)) = (set(true), set(false)) else { return Vec::new() };
        vec![Reversible {
            name: "maintenance".to_owned(),
            title: Message::new("step-maintenance-on").with("tenant", &tenant.tenant.name),
            change: on,
            back: Back::By(off),
            timeout: SHORT,
        }]
    }

    fn reopening(&self, stack: &Stack, tenant: &TenantObservation) -> Vec<Reversible> {
        let off = set_maintenance(&tenant.tenant, false).filter(|_| sets_maintenance(stack, tenant));
        let Some(off) = off else { return Vec::new() };
        vec![Reversible {
            name: "maintenance".to_owned(),
            title: Message::new("step-maintenance-off").with("tenant", &tenant.tenant.name),
            change: off,
            // What is undone next ends with the release before, for which it is off as well.
            back: Back::Nothing(Message::new("undo-nothing-maintenance")),
            timeout: SHORT,
        }]
    }

    /// The cache holds objects as the code of one release writes them: another release answers 500 until it is emptied
    /// whole (`clear-cache` ends with 0 and does not help). What runs once on every start, such as the configurator,
    /// writes the list of apps.
    fn after_pin(&self, stack: &Stack, to: &Release, from: Option<&Release>) -> Vec<Reversible> {
        let bench = stack.bench();
        let mut found = Vec::new();
        if let Some(service) = &bench.configurator {
            let once = |release: &Release| {
                exec(&Place::Candidate { service: service.clone(), release: release.clone() }, Vec::new())
            };
            found.push(Reversible {
                name: "configurator".to_owned(),
                title: Message::new("step-configurator").with("service", service),
                change: Effect::Exec(once(to)),
                back: from.map_or_else(
                    || Back::Nothing(Message::new("undo-nothing-first")),
                    |from| Back::By(Effect::Exec(once(from))),
                ),
                timeout: 5 * SHORT,
            });
        }
        if let Some(service) = &bench.cache {
            let flush = Effect::Exec(flush(stack, service));
            found.push(Reversible {
                name: "cache".to_owned(),
                title: Message::new("step-cache").with("service", service),
                change: flush.clone(),
                back: Back::By(flush),
                timeout: SHORT,
            });
        }
        found
    }

    fn maintenance(&self, stack: &Stack, tenant: &Tenant, on: bool) -> Option<Reversible> {
        let set = |on| set_maintenance(tenant, on).filter(|_| stack.bench().maintenance);
        let title = Message::new(if on { "step-maintenance-on" } else { "step-maintenance-off" });
        Some(Reversible {
            name: "maintenance".to_owned(),
            title: title.with("tenant", &tenant.name),
            change: set(on)?,
            back: Back::By(set(!on)?),
            timeout: SHORT,
        })
    }

    /// `migrate` clears what it knows of; the cache of a site whose data went back holds what is no longer there.
    fn caches(&self, stack: &Stack, tenant: &TenantName) -> Vec<Reversible> {
        let Some(service) = stack.bench().cache else { return Vec::new() };
        let flush = Effect::Exec(flush(stack, &service));
        vec![Reversible {
            name: "cache".to_owned(),
            title: Message::new("step-cache-tenant").with("service", &service).with("tenant", tenant),
            back: Back::By(flush.clone()),
            change: flush,
            timeout: SHORT,
        }]
    }

    fn offered(&self, stack: &Stack, app: &str) -> Option<Exec> {
        let argv = ["bench", "version"].map(String::from).to_vec();
        let mut exec = in_bench(stack, &running(stack)?, argv);
        exec.expect.contains = vec![format!("{app} ")];
        Some(exec)
    }

    fn has_app(&self, stack: &Stack, tenant: &TenantName, app: &str, place: &Place) -> Option<Exec> {
        let mut exec = on_site(stack, place, tenant, &["list-apps"]);
        exec.expect.contains = vec![format!("{app} ")];
        Some(exec)
    }

    fn install_app(&self, stack: &Stack, tenant: &TenantName, app: &str, place: &Place) -> Option<Exec> {
        Some(on_site(stack, place, tenant, &["install-app", app]))
    }

    /// `ping` proves nothing: it answers 200 when nine tenths of the tables are gone.
    fn served_gates(&self, stack: &Stack, tenant: &Tenant) -> Vec<NamedGate> {
        let pages: Vec<PageProbe> = stack
            .bench()
            .pages
            .iter()
            .map(|path| PageProbe {
                tenant: tenant.name.clone(),
                host: tenant.domains.first().cloned().unwrap_or_else(|| tenant.name.to_string()),
                path: path.clone(),
                asset_prefix: "/assets/".to_owned(),
            })
            .collect();
        let mut found = gates::served(stack, tenant);
        if !pages.is_empty() {
            let sources = gates::asset_sources(stack);
            found.insert(
                0,
                NamedGate {
                    name: "pages".to_owned(),
                    title: Message::new("step-pages").with("tenant", &tenant.name),
                    kind: GateKind::Pages { pages, route: ProbeRoute::SideDoor, attempts: 3, sources },
                    on_no_go: OnNoGo::Back,
                    timeout: 5 * SHORT,
                },
            );
        }
        found
    }

    fn settings(&self, stack: &Stack, tenants: &[Tenant]) -> Vec<Setting> {
        settings::settings(stack, tenants)
    }

    fn settled_gates(&self, stack: &Stack, tenant: &TenantName, point: &PointReference) -> Vec<NamedGate> {
        gates::settled(stack, tenant, point)
    }

    fn migrated(
        &self,
        stack: &Stack,
        tenant: &TenantName,
        _release: &Release,
        place: &Place,
    ) -> Option<NamedGate> {
        Some(gates::migrated(stack, tenant, place))
    }

    fn queue_gates(&self, stack: &Stack, tenants: &[Tenant], mark: &str) -> Vec<(TenantName, NamedGate)> {
        gates::queues(stack, tenants, mark)
    }

    fn queue_gates_before(
        &self,
        stack: &Stack,
        tenants: &[Tenant],
        mark: &str,
    ) -> Vec<(TenantName, NamedGate)> {
        gates::queues_before(stack, tenants, mark)
    }

    fn ticking_gates(&self, stack: &Stack, tenant: &TenantName) -> Vec<NamedGate> {
        gates::ticking(stack, tenant)
    }

    fn log_files(&self, stack: &Stack, tenant: &Tenant) -> Option<LogFiles> {
        logs::files(stack, tenant)
    }

    fn clone_shape(&self, stack: &Stack, from: &Tenant, to: &TenantName) -> Option<CloneShape> {
        clone::shape(stack, from, to, running(stack)?)
    }

    fn trial_shape(&self, stack: &Stack, tenant: &Tenant) -> Option<TrialShape> {
        trial::shape(stack, tenant)
    }

    fn has_customizations(&self) -> bool {
        true
    }

    /// Empty until the first `migrate` of a new site.
    fn apps(&self, stack: &Stack, tenant: &TenantName) -> Option<Exec> {
        running(stack).map(|place| on_site(stack, &place, tenant, &["list-apps"]))
    }

    /// `doctor` ends with 0 even where no worker runs; what it prints says so.
    fn working_gates(&self, stack: &Stack, tenant: &Tenant) -> Vec<NamedGate> {
        let Some(place) = running(stack).filter(|_| !stack.services.workers.is_empty()) else {
            return Vec::new();
        };
        let mut exec = on_site(stack, &place, &tenant.name, &["doctor"]);
        exec.expect = Expect {
            contains: vec!["Workers online: ".to_owned()],
            lacks: vec!["Workers online: 0".to_owned()],
            ..Expect::default()
        };
        vec![NamedGate {
            name: "workers".to_owned(),
            title: Message::new("step-workers-online").with("tenant", &tenant.name),
            kind: GateKind::Eventually { exec, within: SHORT, sooner: None },
            on_no_go: OnNoGo::Back,
            timeout: 2 * SHORT,
        }]
    }
}

/// A command for the Redis of a service, and a database of it. In a container there is one server; on a host there are
/// several, and another one holds the queues.
fn redis(stack: &Stack, service: &ServiceName, database: Option<u16>, words: &[&str]) -> Vec<String> {
    let mut argv = vec!["redis-cli".to_owned()];
    match (stack.supervised_address(service), database) {
        (Some(address), Some(number)) => {
            argv.extend(["-u".to_owned(), format!("redis://{address}/{number}")]);
        }
        (Some(address), None) => argv.extend(["-u".to_owned(), format!("redis://{address}")]),
        (None, Some(number)) => argv.extend(["-n".to_owned(), number.to_string()]),
        (None, None) => {}
    }
    argv.extend(words.iter().map(|word| (*word).to_owned()));
    argv
}

/// Deletes all but the queues' keys, which RQ begins with its name, at one stroke: a job that is queued meanwhile is
/// queued before or after.
const ALL_BUT_QUEUES: &str = "for _, key in ipairs(redis.call('KEYS', '*')) do \
     if string.sub(key, 1, 3) ~= 'rq:' then redis.call('DEL', key) end end \
     return redis.status_reply('OK')";

fn flush(stack: &Stack, service: &ServiceName) -> Exec {
    let bench = stack.bench();
    let words: &[&str] = match (bench.cache_keeps_queue, bench.cache_database) {
        (true, _) => &["eval", ALL_BUT_QUEUES, "0"],
        (false, Some(_)) => &["flushdb"],
        (false, None) => &["flushall"],
    };
    let argv = redis(stack, service, bench.cache_database, words);
    let expect = Expect { last_line_contains: Some("OK".to_owned()), ..Expect::default() };
    Exec { expect, ..exec(&Place::Service { service: service.clone() }, argv) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use eclusa_config::FrappeTable;

    use super::*;

    #[test]
    fn only_the_cache_is_emptied_of_a_redis_that_it_shares() {
        let emptied = |cache_database, cache_keeps_queue| {
            let text = "version = 1\n[stacks.erp]\napp = \"frappe\"\nruntime = \"compose\"\n\
                [stacks.erp.compose]\nfiles = [\"c.yml\"]\n[stacks.erp.services]\nfrontend = \"frontend\"\n\
                web = [\"backend\"]\ndatabase = \"db\"\ncaches = [\"redis\"]\n[stacks.erp.frappe]\n\
                cache = \"redis\"\n[stacks.erp.release]\nsource = \"image\"\nvariable = \"V\"\nenv_file = \".env\"\n\
                [stacks.erp.database]\nengine = \"mariadb\"\n";
            let configuration = eclusa_config::Configuration::parse(text, std::path::Path::new("/x.toml"));
            let mut stack = configuration.unwrap().stack(None).unwrap().1.clone();
            let service = stack.bench().cache.unwrap();
            let table = FrappeTable { cache_database, cache_keeps_queue, ..stack.bench() };
            stack.frappe = Some(table);
            flush(&stack, &service).argv
        };
        assert_eq!(emptied(None, false), ["redis-cli", "flushall"]);
        assert_eq!(emptied(Some(1), false), ["redis-cli", "-n", "1", "flushdb"]);
        let argv = emptied(None, true);
        assert_eq!((argv[1].as_str(), argv[3].as_str()), ("eval", "0"));
        assert_eq!(emptied(Some(2), true)[..4], ["redis-cli", "-n", "2", "eval"]);
    }
}
