//! Checks of what is asked of a release: probes, checks, logs, the watch, preflight, and the window.

use eclusa_model::TenantName;

use super::Findings;
use super::services::known_service;
use crate::model::{CheckPlace, Stack};
use crate::nearest::nearest;
use crate::source::{KeyPath, Mistake, Part};

/// More synthetic requests a second than this would be a load test, not a watch.
const MOST_SYNTHETIC: f64 = 1000.0;

pub(super) fn check(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    probes(findings, &path.key("probes"), stack);
    checks(findings, &path.key("checks"), stack);
    logs(findings, &path.key("logs"), stack);
    watch(findings, &path.key("watch"), stack);
    preflight(findings, &path.key("preflight"), stack);
    window(findings, &path.key("window"), stack);
    schedule(findings, path, stack);
    super::mirrors::check(findings, &path.key("mirrors"), stack);
    let of_tenants = stack.tenants.iter().map(|(name, tenant)| (path.key("tenants").key(name), tenant.keep));
    let of_mirrors = stack.mirrors.iter().enumerate();
    let of_mirrors = of_mirrors.map(|(index, mirror)| (path.key("mirrors").index(index), mirror.keep));
    for (place, keep) in of_tenants.chain(of_mirrors).chain([(path.clone(), stack.keep)]) {
        if keep.is_some_and(|keep| !keep.keeps_something()) {
            findings.add_on_key(place.key("keep"), Mistake::new("config-keep-nothing"));
        }
    }
}

fn known_tenant(findings: &mut Findings, path: KeyPath, tenant: Option<&TenantName>, stack: &Stack) {
    let Some(tenant) = tenant else { return };
    // The one tenant of a plain stack has the stack's name.
    let known: Vec<&str> = match path.0.get(1) {
        Some(Part::Key(name)) if stack.tenants.is_empty() => vec![name],
        _ => stack.tenants.keys().map(TenantName::as_str).collect(),
    };
    if known.contains(&tenant.as_str()) {
        return;
    }
    let mistake = match nearest(tenant.as_str(), known.iter().copied()) {
        Some(meant) => Mistake::new("config-unknown-tenant-near").with("meant", meant),
        None => Mistake::new("config-unknown-tenant"),
    };
    let mistake = mistake.with("tenant", tenant).with("known", known.join(", "));
    findings.add(path, mistake);
}

fn probes(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    findings.unique(path, stack.probes.iter().map(|probe| probe.name.as_str()));
    for (index, probe) in stack.probes.iter().enumerate() {
        let here = path.index(index);
        if !probe.path.starts_with('/') || probe.path.chars().any(|c| c.is_whitespace() || c.is_control()) {
            findings.add(here.key("path"), Mistake::new("config-path-slash"));
        }
        if !(100..=599).contains(&probe.status) {
            findings.add(here.key("status"), Mistake::new("config-status"));
        }
        for name in probe.headers.keys() {
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
                findings.add_on_key(here.key("headers").key(name), Mistake::new("config-header"));
            }
        }
        for pointer in probe.json.keys() {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                let mistake = Mistake::new("config-json-pointer").with("pointer", pointer);
                findings.add_on_key(here.key("json").key(pointer), mistake);
            }
        }
        findings.positive(here.key("maximum"), probe.maximum);
        known_tenant(findings, here.key("tenant"), probe.tenant.as_ref(), stack);
    }
}

fn checks(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    findings.unique(path, stack.checks.iter().map(|check| check.name.as_str()));
    for (index, check) in stack.checks.iter().enumerate() {
        let here = path.index(index);
        findings.positive(here.key("timeout"), check.timeout);
        known_tenant(findings, here.key("tenant"), check.tenant.as_ref(), stack);
        match (&check.service, check.place) {
            (Some(_), CheckPlace::Host) => {
                findings.add_on_key(here.key("service"), Mistake::new("config-host-service"));
            }
            (Some(service), _) => {
                known_service(findings, here.key("service"), service, stack);
            }
            (None, CheckPlace::Service | CheckPlace::Candidate) if stack.services.web.is_empty() => {
                findings.add(here, Mistake::new("config-check-service"));
            }
            (None, _) => {}
        }
    }
}

fn logs(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    for (index, service) in stack.logs.services.iter().enumerate() {
        known_service(findings, path.key("services").index(index), service, stack);
    }
    // An empty pattern is in every line.
    for (key, list) in [("patterns", &stack.logs.patterns), ("ignore", &stack.logs.ignore)] {
        if let Some(index) = list.iter().position(String::is_empty) {
            findings.add(path.key(key).index(index), Mistake::new("config-empty-text"));
        }
    }
}

fn watch(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let watch = &stack.watch;
    // No time at all: it is not watched, and the plan says so.
    for (key, period) in [("interval", watch.interval), ("latency", watch.latency)] {
        findings.positive(path.key(key), period);
    }
    if !(0.0..=1.0).contains(&watch.error_rate) {
        findings.add(path.key("error_rate"), Mistake::new("config-error-rate"));
    }
    if !watch.slowdown.is_finite() || watch.slowdown <= 1.0 {
        findings.add(path.key("slowdown"), Mistake::new("config-slowdown"));
    }
    if !(0.0..=MOST_SYNTHETIC).contains(&watch.synthetic_per_second) {
        findings.add(path.key("synthetic_per_second"), Mistake::new("config-synthetic"));
    }
    if watch.minimum_samples == 0 {
        findings.add(path.key("minimum_samples"), Mistake::new("config-at-least-one"));
    }
    for (key, period) in [("warm_up", watch.warm_up), ("interval", watch.interval)] {
        let short = period > watch.length || (key == "warm_up" && period == watch.length);
        if short && !watch.length.is_zero() {
            // Shown where it was written; either may be the default.
            let mistake = Mistake::new("config-watch-length").with("key", key).with("period", period);
            findings.add(path.key("for"), mistake.with("length", watch.length));
        }
    }
}

fn preflight(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let preflight = &stack.preflight;
    if preflight.disk_free_percent > 99 {
        findings.add(path.key("disk_free_percent"), Mistake::new("config-percent"));
    }
    findings.positive(path.key("long_transaction"), preflight.long_transaction);
    if let Some(period) = preflight.proof_within {
        findings.positive(path.key("proof_within"), period);
    }
    if preflight.audit.is_some() && stack.compose.is_none() {
        findings.add(path.key("audit"), Mistake::new("config-audit-runtime"));
    }
    if let Some(index) = preflight.placeholders.iter().position(|text| text.trim().is_empty()) {
        findings.add(path.key("placeholders").index(index), Mistake::new("config-empty-text"));
    }
}

fn window(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let Some(window) = &stack.window else { return };
    if window.days.is_empty() {
        findings.add(path.key("days"), Mistake::new("config-empty-list").with("key", "days"));
    }
    if window.from == window.to {
        findings.add(path.key("to"), Mistake::new("config-window-empty").with("time", window.to));
    }
}

fn schedule(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let mut jobs = Vec::new();
    if let Some(schedule) = &stack.schedule {
        let path = path.key("schedule");
        hours(findings, &path, schedule.hours);
        let all = [
            ("backup", &schedule.backup),
            ("mirror", &schedule.mirror),
            ("drill", &schedule.drill),
            ("base", &schedule.base),
        ];
        jobs.extend(all.into_iter().filter_map(|(key, job)| Some((path.key(key), key, job.as_ref()?))));
        if schedule.base.is_some() && stack.base_backups.is_empty() {
            findings.add_on_key(path.key("base"), Mistake::new("config-schedule-base"));
        }
        if schedule.mirror.is_some() && stack.mirrors.is_empty() {
            findings.add_on_key(path.key("mirror"), Mistake::new("config-schedule-mirror"));
        }
    }
    for (name, tenant) in &stack.tenants {
        let Some(schedule) = &tenant.schedule else { continue };
        let path = path.key("tenants").key(name).key("schedule");
        hours(findings, &path, schedule.hours);
        jobs.extend(schedule.backup.as_ref().map(|job| (path.key("backup"), "backup", job)));
    }
    for (index, mirror) in stack.mirrors.iter().enumerate() {
        let path = path.key("mirrors").index(index).key("schedule");
        jobs.extend(mirror.schedule.as_ref().map(|job| (path, "mirror", job)));
    }
    for (path, key, job) in jobs {
        findings.positive(path.key("catch_up"), job.catch_up);
        findings.positive(path.key("again_after"), job.again_after);
        if job.prove && key != "backup" {
            findings.add_on_key(
                path.key("prove"),
                Mistake::new("config-schedule-only").with("key", "prove").with("job", "backup"),
            );
        }
        if job.sample.is_some() && key != "drill" {
            findings.add_on_key(
                path.key("sample"),
                Mistake::new("config-schedule-only").with("key", "sample").with("job", "drill"),
            );
        }
        if job.application && key != "drill" {
            findings.add_on_key(
                path.key("application"),
                Mistake::new("config-schedule-only").with("key", "application").with("job", "drill"),
            );
        }
        if job.sample == Some(0) {
            findings.add(path.key("sample"), Mistake::new("config-schedule-sample"));
        }
    }
}

fn hours(findings: &mut Findings, path: &KeyPath, hours: Option<crate::model::Hours>) {
    if let Some(hours) = hours.filter(|hours| hours.from == hours.to) {
        findings.add(path.key("hours").key("to"), Mistake::new("config-window-empty").with("time", hours.to));
    }
}
