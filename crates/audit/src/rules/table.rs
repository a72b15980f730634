//! The list of rules. `cargo run -p xtask -- rules-pages` reads it as text, one rule a line.

use crate::finding::Severity::{self, Critical, High, Info, Low, Medium};

/// A rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its code, such as `A101`.
    pub code: &'static str,
    /// Its name, for programs and people who do not know codes by heart.
    pub name: &'static str,
    /// How bad what it finds is.
    pub severity: Severity,
    /// Whether `--fix` can mend it.
    pub fix: bool,
}

const fn of(code: &'static str, name: &'static str, severity: Severity, fix: bool) -> Rule {
    Rule { code, name, severity, fix }
}

/// Every rule, by code.
pub static RULES: &[Rule] = &[
    of("A001", "unreadable-file", High, false),
    of("A002", "suppression-without-reason", Medium, false),
    of("A003", "suppression-without-effect", Info, false),
    of("A101", "packages-installed-at-start", High, false),
    of("A102", "code-bind-mounted", High, false),
    of("A103", "code-in-a-volume", High, false),
    of("A104", "setup-state-in-sites", Medium, false),
    of("A105", "image-tag-moves", Medium, false),
    of("A106", "image-without-digest", Info, false),
    of("A107", "end-of-life-image", Medium, false),
    of("A108", "automatic-updates-of-containers", High, false),
    of("A109", "app-branch-moves", Medium, false),
    of("A110", "app-over-plain-http", High, false),
    of("A201", "secret-hard-coded", High, false),
    of("A202", "weak-default-for-a-secret", High, false),
    of("A203", "placeholder-in-effect", Critical, false),
    of("A204", "secret-in-a-command", Medium, false),
    of("A205", "secret-in-a-tracked-env-file", High, false),
    of("A206", "secret-in-an-image-layer", High, false),
    of("A207", "application-is-database-root", Medium, false),
    of("A208", "same-secret-in-two-environments", High, false),
    of("A209", "secret-in-a-supervisor-file", High, false),
    of("A210", "token-in-an-address-of-an-app", High, false),
    of("A301", "data-store-published", High, true),
    of("A302", "admin-interface-published", High, true),
    of("A303", "no-tls", Medium, false),
    of("A304", "docker-socket-mounted", High, false),
    of("A305", "privileged-container", High, false),
    of("A306", "host-network", Medium, false),
    of("A307", "nginx-without-tls", Medium, false),
    of("A308", "nginx-opens-administration", High, false),
    of("A401", "no-memory-limit", Low, false),
    of("A402", "no-log-rotation", Low, true),
    of("A403", "no-healthcheck", Low, true),
    of("A404", "healthcheck-cannot-fail", Medium, false),
    of("A405", "database-not-waited-for", Medium, true),
    of("A406", "no-restart", Medium, true),
    of("A407", "restart-on-failure-only", Medium, true),
    of("A408", "restart-overridden-by-deploy", Medium, false),
    of("A409", "supervised-process-not-restarted", Medium, false),
    of("A410", "supervised-log-without-limit", Low, false),
    of("A411", "supervised-process-is-root", Medium, false),
    of("A412", "no-cpu-limit", Info, false),
    of("A501", "database-without-volume", Critical, false),
    of("A502", "files-without-volume", High, false),
    of("A503", "queue-without-persistence", Medium, false),
    of("A504", "cache-survives-releases", Low, false),
    of("A505", "cache-and-queue-in-one-database", Medium, false),
    of("A506", "no-backup", High, false),
    of("A507", "backup-on-the-same-host", Medium, false),
    of("A508", "backup-without-files", Medium, true),
    of("A509", "backup-never-restored", Medium, false),
    of("A510", "database-character-set", Medium, false),
    of("A601", "migration-at-every-start", Medium, false),
    of("A602", "migration-in-several-replicas", High, false),
    of("A603", "background-service-missing", High, false),
    of("A604", "unknown-worker-queue", High, false),
    of("A605", "new-site-without-check", Medium, false),
    of("A606", "developer-mode", High, true),
    of("A607", "tests-allowed", Medium, true),
    of("A701", "debug-on", High, false),
    of("A702", "any-host-allowed", Medium, false),
    of("A703", "development-server", High, false),
    of("A704", "security-settings-missing", Low, false),
    of("A801", "migration-before-backup", High, false),
    of("A802", "failed-step-ignored", Medium, false),
    of("A803", "rollback-without-schema", High, false),
    of("A804", "moving-tag-deployed", Medium, false),
    of("A901", "no-firewall", Medium, false),
    of("A902", "no-unattended-upgrades", Medium, false),
    of("A903", "docker-api-on-the-network", Critical, false),
    of("A904", "docker-daemon-settings", Low, false),
    of("A905", "disk-nearly-full", High, false),
    of("A906", "clock-not-synchronised", Medium, false),
    of("A907", "certificate-expires", High, false),
    of("A908", "container-restarts-over-and-over", High, false),
];

/// A rule by its code. A code that is in no table is a mistake of this crate, which a test finds.
#[must_use]
pub fn rule(code: &str) -> &'static Rule {
    const UNKNOWN: &Rule = &of("A000", "unknown-rule", Info, false);
    RULES.iter().find(|rule| rule.code == code).unwrap_or(UNKNOWN)
}
