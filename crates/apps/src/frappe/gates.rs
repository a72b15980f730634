//! What is asked of a site under the new release: everything that a person would look at, and what nobody does.

use std::collections::BTreeMap;

use eclusa_config::{Console, Jobs, Login, SiteTests, Stack};
use eclusa_fault::Message;
use eclusa_model::{ServiceName, Tenant, TenantName};
use eclusa_planner::NamedGate;
use eclusa_runbook::{
    AssetSource, EnvironmentValue, Exec, Expect, GateKind, HttpProbe, Listing, OnNoGo, Place, PointReference,
    ProbeRoute, Query, RowRule, SignIn, Visit,
};

use super::{SHORT, on_site, redis, running};
use crate::generic::exec;

/// Tables whose rows come and go by themselves: sessions, logs, queues, and what a migration writes anew.
const LIVELY: &[&str] = &[
    "tabSessions",
    "tab* Log",
    "tab*Log",
    "tab* Queue",
    "tabEmail Queue Recipient",
    "tabRoute History",
    "tabPrepared Report",
    "tabError Snapshot",
    "tabScheduler Event",
    "tabInstalled Application",
    "tabDeleted Document",
    "tabVersion",
    "__global_search",
    "__UserSettings",
];

fn host(tenant: &Tenant) -> String {
    tenant.domains.first().cloned().unwrap_or_else(|| tenant.name.to_string())
}

fn gate(name: &str, title: &str, tenant: &TenantName, kind: GateKind) -> NamedGate {
    NamedGate {
        name: name.to_owned(),
        title: Message::new(title).with("tenant", tenant),
        kind,
        on_no_go: OnNoGo::Back,
        timeout: 5 * SHORT,
    }
}

/// Who knows which files there are: a page takes their names from a map that is kept in the cache, which is made of
/// `assets.json`, and the frontend answers from its own disk. After an update any of these can be that of before.
pub(super) fn asset_sources(stack: &Stack) -> Vec<AssetSource> {
    let bench = stack.bench();
    let mut sources = Vec::new();
    let mut add = |name: String, service: &ServiceName, argv: Vec<String>, listed: bool| {
        let exec = exec(&Place::Service { service: service.clone() }, argv);
        sources.push(AssetSource { name, exec, listed });
    };
    if let Some(cache) = &bench.cache {
        add(
            format!("{cache}: assets_json"),
            cache,
            redis(stack, cache, bench.cache_database, &["--raw", "get", "assets_json"]),
            true,
        );
    }
    let sites = bench.sites();
    let backend = stack.services.migrate_in.as_ref().or_else(|| stack.services.web.first());
    if let Some(backend) = backend {
        let map = format!("{sites}/assets/assets.json");
        add(format!("{backend}: assets.json"), backend, vec!["cat".to_owned(), map], true);
    }
    for service in backend.into_iter().chain(&stack.services.frontend) {
        let file = format!("{sites}{{path}}");
        add(format!("{service}: disk"), service, vec!["test".to_owned(), "-e".to_owned(), file], false);
    }
    sources
}

/// Asked while the site is closed and nothing works in the background.
pub(super) fn served(stack: &Stack, tenant: &Tenant) -> Vec<NamedGate> {
    let gates = stack.bench().gates;
    let name = &tenant.name;
    let mut found = Vec::new();
    if asks_websocket(stack, gates.websocket) {
        let probe = HttpProbe {
            name: "websocket".to_owned(),
            tenant: name.clone(),
            host: host(tenant),
            method: "GET".to_owned(),
            path: WEBSOCKET.to_owned(),
            status: 200,
            headers: BTreeMap::new(),
            json: BTreeMap::new(),
            contains: Some("\"sid\"".to_owned()),
            maximum_milliseconds: 10_000,
        };
        let kind = GateKind::Probes { probes: vec![probe], route: ProbeRoute::SideDoor, attempts: 5 };
        found.push(gate("websocket", "step-websocket", name, kind));
    }
    if gates.patches
        && let Some(place) = running(stack)
    {
        found.push(migrated(stack, name, &place));
    }
    let logins = gates.login.iter().filter(|login| login.tenant.as_ref().is_none_or(|own| own == name));
    for (number, login) in logins.enumerate() {
        let word = if number == 0 { "login".to_owned() } else { format!("login-{}", number + 1) };
        found.push(gate(&word, "step-login", name, session(tenant, login)));
    }
    if let Some(place) = running(stack) {
        for console in gates.console.iter().filter(|one| one.tenant.as_ref().is_none_or(|own| own == name)) {
            found.push(in_console(stack, name, &place, console));
        }
        for tests in gates.tests.iter().filter(|one| one.tenant.as_ref().is_none_or(|own| own == name)) {
            found.push(site_tests(stack, name, &place, tests));
        }
    }
    found
}

/// What stands before the last line that a script printed. In the code that prints it, it is in two parts, so that a trace
/// which shows the code does not have it.
const PRINTED: &str = "eclusa-gate: ";

/// The console prints prompts between what a script prints, goes on after an error, and ends with 0. So the script runs as
/// one statement, and only when it ends well is its last line printed behind a mark.
fn in_console(stack: &Stack, tenant: &TenantName, place: &Place, console: &Console) -> NamedGate {
    let code = format!(
        "import contextlib, io\n\
         _printed = io.StringIO()\n\
         with contextlib.redirect_stdout(_printed):\n    \
             exec({}, {{'frappe': frappe}})\n\
         print('eclusa' + '-gate: ' + ([''] + _printed.getvalue().split('\\n'))[-1 if not _printed.getvalue().endswith('\\n') else -2])",
        literal(&console.script)
    );
    let mut exec = on_site(stack, place, tenant, &["console"]);
    exec.stdin = Some(format!("exec({}, {{'frappe': frappe}})\n", literal(&code)));
    exec.expect.contains = vec![format!("{PRINTED}{}", console.last_line)];
    NamedGate {
        name: format!("console-{}", console.name),
        title: Message::new("step-console").with("tenant", tenant).with("name", &console.name),
        kind: GateKind::Command { exec },
        on_no_go: OnNoGo::Back,
        timeout: console.timeout.as_seconds().max(1),
    }
}

/// A text as Python writes it in one line: JSON is that too, but for characters outside its first plane.
fn literal(text: &str) -> String {
    let mut written = String::from("'");
    for c in text.chars() {
        match c {
            ' '..='~' if c != '\'' && c != '\\' => written.push(c),
            _ => written.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    written.push('\'');
    written
}

/// `run-tests` ends with 0 whatever failed, also where the site allows no tests; what was found stands on standard error.
/// No test at all, or none that was not skipped, is none that passed.
fn site_tests(stack: &Stack, tenant: &TenantName, place: &Place, tests: &SiteTests) -> NamedGate {
    let mut exec = on_site(stack, place, tenant, &["run-tests", "--module", &tests.module]);
    exec.expect = tests_passed();
    NamedGate {
        name: format!("tests-{}", tests.module),
        title: Message::new("step-site-tests").with("tenant", tenant).with("module", &tests.module),
        kind: GateKind::Command { exec },
        on_no_go: OnNoGo::Back,
        timeout: tests.timeout.as_seconds().max(1),
    }
}

fn tests_passed() -> Expect {
    Expect {
        like: ["Ran * test* in *s", "OK*"].map(String::from).to_vec(),
        lacks: ["Ran 0 tests", "FAILED (", "Testing is disabled"].map(String::from).to_vec(),
        tests_ran: true,
        ..Expect::default()
    }
}

const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=polling";

fn asks_websocket(stack: &Stack, wanted: Option<bool>) -> bool {
    let is_one = |service: &ServiceName| ["websocket", "socketio"].contains(&service.as_str());
    let asked = stack.probes.iter().any(|probe| probe.path.starts_with("/socket.io"));
    wanted.unwrap_or_else(|| !asked && stack.services.web.iter().any(is_one))
}

/// No command of bench says what is left over; the running code lists its patches, and what was done stands in the
/// database. A patch that was skipped after a failure stands there too, and is none that was done.
fn patches(stack: &Stack, tenant: &TenantName, place: &Place) -> GateKind {
    let all = ["execute", "frappe.modules.patch_handler.get_all_patches"];
    GateKind::Recorded {
        needed: Listing { exec: on_site(stack, place, tenant, &all), pointer: String::new(), member: None },
        recorded: Query {
            tenant: tenant.clone(),
            sql: "SELECT patch FROM `tabPatch Log` WHERE IFNULL(skipped, 0) = 0 AND patch IS NOT NULL"
                .to_owned(),
        },
        // The patches of a site are those of its apps, and bench takes seconds to start.
        alike: Some(Query {
            tenant: tenant.clone(),
            sql: "SELECT defvalue FROM tabDefaultValue WHERE defkey = 'installed_apps' AND defvalue IS NOT NULL"
                .to_owned(),
        }),
    }
}

/// Whether every patch of the code that runs is done.
pub(super) fn migrated(stack: &Stack, tenant: &TenantName, place: &Place) -> NamedGate {
    gate("patches", "step-patches", tenant, patches(stack, tenant, place))
}

fn session(tenant: &Tenant, login: &Login) -> GateKind {
    let password = login.password.as_str().replace("{tenant}", tenant.name.as_str());
    let visits = login.open.iter().map(|doctype| {
        let path = format!("/api/resource/{}", doctype.replace('%', "%25").replace(' ', "%20"));
        Visit {
            name: doctype.clone(),
            list: format!("{path}?limit_page_length=1"),
            pointer: "/data/0/name".to_owned(),
            open: format!("{path}/"),
        }
    });
    GateKind::Session {
        tenant: tenant.name.clone(),
        host: host(tenant),
        sign_in: SignIn {
            path: "/api/method/login".to_owned(),
            form: [
                ("usr".to_owned(), EnvironmentValue::Plain(login.user.clone())),
                ("pwd".to_owned(), EnvironmentValue::Secret(password)),
            ]
            .into(),
            // By GET: a POST would need the token of a page.
            out: "/api/method/logout".to_owned(),
        },
        visits: visits.collect(),
        route: ProbeRoute::SideDoor,
    }
}

/// Asked once everything else was, of what the migration and the gates left behind.
pub(super) fn settled(stack: &Stack, tenant: &TenantName, point: &PointReference) -> Vec<NamedGate> {
    let gates = stack.bench().gates;
    let mut found = Vec::new();
    if gates.rows {
        let lively = LIVELY.iter().map(|name| (*name).to_owned());
        let rule = RowRule {
            ignore: lively.chain(gates.rows_ignore).collect(),
            fewer_percent: gates.rows_fewer_percent,
        };
        let kind = GateKind::Rows { tenant: tenant.clone(), point: point.clone(), rule };
        found.push(gate("rows", "step-rows", tenant, kind));
    }
    if gates.errors {
        let query = |sql: &str| Query { tenant: tenant.clone(), sql: sql.to_owned() };
        let kind = GateKind::NewRows {
            tenant: tenant.clone(),
            point: point.clone(),
            table: "tabError Log".to_owned(),
            rows: query("SELECT COUNT(*) FROM `tabError Log`"),
            newest: query(
                "SELECT LEFT(IFNULL(NULLIF(method, ''), error), 140) FROM `tabError Log` \
                 ORDER BY creation DESC, name DESC LIMIT {count}",
            ),
            ignore: gates.errors_ignore,
            most: gates.errors_most,
        };
        found.push(gate("errors", "step-errors", tenant, kind));
    }
    found
}

/// A job that does nothing goes through each queue. `frappe.enqueue` gives the job, which `execute` cannot print, unless
/// it is to be queued after the commit.
pub(super) fn queues(stack: &Stack, tenants: &[Tenant], mark: &str) -> Vec<(TenantName, NamedGate)> {
    let gates = stack.bench().gates;
    let most = match gates.jobs {
        Jobs::Off => 0,
        Jobs::Once => 1,
        Jobs::EachSite => tenants.len(),
    };
    let tenants = tenants.get(..most.min(tenants.len())).unwrap_or_default();
    through(stack, tenants, &gates.all_queues(), mark)
}

/// Of the queues that only the bench's configuration names: whether workers serve them as it is. One that nobody serves
/// would make a release go back for what is none of its faults.
pub(super) fn queues_before(stack: &Stack, tenants: &[Tenant], mark: &str) -> Vec<(TenantName, NamedGate)> {
    let gates = stack.bench().gates;
    let tenants = if gates.jobs == Jobs::Off { &[] } else { tenants.get(..1).unwrap_or_default() };
    let mut found = through(stack, tenants, gates.unasked_queues(), &format!("{mark}-before"));
    for (_, gate) in &mut found {
        gate.on_no_go = OnNoGo::Ask;
    }
    found
}

fn through(stack: &Stack, tenants: &[Tenant], queues: &[String], mark: &str) -> Vec<(TenantName, NamedGate)> {
    let gates = stack.bench().gates;
    let (Some(place), Some(server)) = (running(stack), queue_service(stack)) else { return Vec::new() };
    if stack.services.workers.is_empty() {
        return Vec::new();
    }
    let database = queue_database(stack);
    let mut found = Vec::new();
    for tenant in tenants {
        for queue in queues {
            let id = format!("eclusa-{mark}-{queue}");
            let arguments = format!(
                "{{'method': 'frappe.ping', 'queue': '{queue}', 'job_id': '{id}', 'enqueue_after_commit': True}}"
            );
            let begin =
                on_site(stack, &place, &tenant.name, &["execute", "frappe.enqueue", "--kwargs", &arguments]);
            let key = format!("rq:job:{}::{id}", tenant.name);
            let argv = redis(stack, &server, database, &["--raw", "hget", &key, "status"]);
            let state = Exec {
                expect: Expect {
                    last_line_contains: Some("finished".to_owned()),
                    lacks: vec!["failed".to_owned()],
                    ..Expect::default()
                },
                ..exec(&Place::Service { service: server.clone() }, argv)
            };
            let within = gates.jobs_within.as_seconds();
            let what = format!("{}, {queue}", tenant.name);
            let title = Message::new("step-job").with("tenant", &tenant.name).with("queue", queue);
            let named = NamedGate {
                name: format!("job-{queue}"),
                title,
                kind: GateKind::Completes { what, begin, state, within },
                on_no_go: OnNoGo::Back,
                timeout: within + 2 * SHORT,
            };
            found.push((tenant.name.clone(), named));
        }
    }
    found
}

/// Counts the jobs that wait or run of a site, whose ids begin with its name, and those whose site their ids do not tell, as
/// those of older releases. Without a worker that is known, it is not the Redis of the queues, and says nothing.
const NO_JOB: &str = "if redis.call('SCARD', 'rq:workers') == 0 then return 'unknown' end \
     local count = 0 \
     local site = ARGV[1] .. '::' \
     local function look(ids) for _, id in ipairs(ids) do \
     if string.sub(id, 1, #site) == site or not string.find(id, '::', 1, true) then count = count + 1 end end end \
     for _, key in ipairs(redis.call('SMEMBERS', 'rq:queues')) do \
     look(redis.call('LRANGE', key, 0, -1)) \
     look(redis.call('ZRANGE', 'rq:wip:' .. string.sub(key, 10), 0, -1)) end \
     if count == 0 then return 'no job' end return tostring(count)";

/// Succeeds where the queues hold no job of a site; otherwise it says nothing.
pub(super) fn no_job(stack: &Stack, tenant: &TenantName) -> Option<Exec> {
    let server = queue_service(stack).filter(|_| !stack.services.workers.is_empty())?;
    if stack.supervisor.is_some() && stack.supervised_address(&server).is_none() {
        // Whatever listens where Redis listens by default may be that of another bench.
        return None;
    }
    let words = ["--raw", "eval", NO_JOB, "0", tenant.as_str()];
    let argv = redis(stack, &server, queue_database(stack), &words);
    let expect = Expect { last_line_contains: Some("no job".to_owned()), ..Expect::default() };
    Some(Exec { expect, ..exec(&Place::Service { service: server }, argv) })
}

pub(super) fn queue_service(stack: &Stack) -> Option<ServiceName> {
    let bench = stack.bench();
    let called = |service: &&ServiceName| service.as_str().contains("queue");
    bench.gates.queue.clone().or_else(|| {
        let others = || stack.services.caches.iter().filter(|service| bench.cache.as_ref() != Some(*service));
        let shared = bench.cache_keeps_queue || bench.cache_database.is_some();
        let own = || bench.cache.as_ref().filter(|_| shared);
        others().find(called).or_else(|| others().next()).or_else(own).cloned()
    })
}

fn queue_database(stack: &Stack) -> Option<u16> {
    let bench = stack.bench();
    bench.gates.queue_database.or(bench.cache_database.filter(|_| bench.cache_keeps_queue))
}

/// After the scheduler was started: one that lives and does nothing shows itself only by jobs that do not come.
pub(super) fn ticking(stack: &Stack, tenant: &TenantName) -> Vec<NamedGate> {
    let Some(within) = stack.bench().gates.scheduler_within.map(eclusa_config::Period::as_seconds) else {
        return Vec::new();
    };
    if stack.services.schedulers.is_empty() || within == 0 {
        return Vec::new();
    }
    let query = |sql: &str| Query { tenant: tenant.clone(), sql: sql.to_owned() };
    let kind = GateKind::Advances {
        applies: query(
            "SELECT IFNULL(MAX(value), 0) FROM tabSingles \
             WHERE doctype = 'System Settings' AND field = 'enable_scheduler'",
        ),
        value: query(
            "SELECT CONCAT(IFNULL(MAX(last_execution), ''), ' ', COUNT(last_execution)) FROM `tabScheduled Job Type`",
        ),
        within,
    };
    vec![NamedGate {
        on_no_go: OnNoGo::Ask,
        timeout: within + SHORT,
        ..gate("tick", "step-tick", tenant, kind)
    }]
}

#[cfg(test)]
mod tests {
    use eclusa_runbook::unmet;

    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn tests_pass_only_where_some_ran_and_none_failed() {
        let expect = tests_passed();
        let judged = |code: i32, text: &str| unmet(&expect, code, &lines(text));
        assert_eq!(judged(0, ".\n-----\nRan 1 test in 0.071s\n\nOK"), None);
        assert_eq!(judged(0, "..\n-----\nRan 12 tests in 10.1s\n\nOK (skipped=2)\n"), None);
        assert_eq!(judged(0, ".x\nRan 2 tests in 0.1s\n\nOK (skipped=1, expected failures=1)\n"), None);
        let skipped = judged(0, "sssss\n-----\nRan 5 tests in 0.001s\n\nOK (skipped=5)\n");
        assert_eq!(skipped.as_deref(), Some("no test that ran: 5 of 5 were skipped"));
        assert!(judged(0, "s\nRan 1 test in 0.001s\n\nOK (expected failures=0, skipped=1)\n").is_some());
        assert!(judged(0, "F\nRan 3 tests in 0.008s\n\nFAILED (failures=1, errors=1)").is_some());
        assert!(judged(0, "\nRan 0 tests in 0.000s\n\nOK").is_some());
        assert!(judged(0, "Testing is disabled for the site!\nYou can enable tests by ...").is_some());
        assert!(judged(0, "Job OK (b.localhost::1)\nRan 1 test in 0.1s").is_some());
        assert!(judged(1, "Ran 1 test in 0.071s\n\nOK").is_some());
    }

    #[test]
    fn a_script_is_one_line_of_code() {
        assert_eq!(
            literal("print('ö')\n\\"),
            "'print(\\U00000027\\U000000f6\\U00000027)\\U0000000a\\U0000005c'"
        );
        assert!(!literal("a\r\nb\u{2028}").contains(['\n', '\r', '\u{2028}']));
    }

    #[test]
    fn what_comes_and_goes_is_not_compared() {
        let rule =
            RowRule { ignore: LIVELY.iter().map(|name| (*name).to_owned()).collect(), fewer_percent: None };
        for lively in ["tabSessions", "tabError Log", "tabScheduled Job Log", "tabEmail Queue", "tabVersion"]
        {
            assert!(rule.ignores(lively), "{lively}");
        }
        for kept in ["tabCustomer", "tabSales Invoice", "tabLog Settings", "tabDocField"] {
            assert!(!rule.ignores(kept), "{kept}");
        }
    }
}
