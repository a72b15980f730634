//! Whether a stack is as it must be after a run: the data, who serves, the gates, the lease, the journal, and what lies
//! about.

use std::process::Command;

use eclusa_shop::Census;
use serde_json::Value;

use super::{Shop, TENANTS};

/// What must be there.
pub struct Wanted<'a> {
    /// The release that runs.
    pub release: &'a str,
    /// What each tenant has.
    pub data: &'a [Census],
    /// Whether the times at which migrations ran may differ.
    pub migrated: bool,
    /// Whether a restore that was asked for has kept what it swapped out.
    pub kept: bool,
}

/// The part of a tenant's data that says which release it is of, without the times at which migrations ran.
pub fn substance(census: &Census) -> Census {
    let mut census = census.clone();
    if let Some(log) = census.tables.get_mut("shop_migrations") {
        log.checksum.clear();
    }
    census
}

/// What is not as it must be.
pub fn unsound(shop: &Shop, wanted: &Wanted<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |good: bool, what: String| {
        if !good {
            wrong.push(what);
        }
    };
    let release = wanted.release;
    let verified = shop.run(&["history", "--verify"]);
    check(verified.code == 0, format!("the journal: {}", verified.err));
    for (tenant, data) in TENANTS.iter().zip(wanted.data) {
        let found = shop.census(tenant);
        let same = if wanted.migrated { substance(&found) == substance(data) } else { found == *data };
        check(same, format!("{tenant} has {found:?}, not {data:?}"));
        let (status, said, _) = shop.public(tenant, "/api/products");
        check(
            status == 200 && said.as_deref() == Some(release),
            format!("{tenant}'s public gets {status} of {said:?}"),
        );
    }
    // Read where they lie: `status` opens every vault, and that takes its time.
    let own = shop.state().join("process/shop");
    check(!own.join("lease.json").exists(), "the lease is held".to_owned());
    let state = std::fs::read(own.join("stack.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    check(state["pinned"]["name"] == release, format!("pinned: {}", state["pinned"]));
    for line in shop.run(&["edge", "status", "--json"]).out.lines() {
        let gate: Value = serde_json::from_str(line).unwrap_or_default();
        check(gate["gate"].is_null() || gate["gate"] == "open", format!("a gate: {line}"));
    }
    let processes = shop.processes();
    let serving: Vec<&str> = processes
        .iter()
        .map(|process| process.command.as_str())
        .filter(|command| command.contains(" serve --release"))
        .collect();
    let right = serving.iter().all(|command| command.contains(&format!("/releases/{release} ")));
    check(serving.len() == 1 && right, format!("serving: {serving:?}"));
    for process in processes {
        // A step's mark is on its own commands; a service that a step started has none.
        check(!process.is_of_a_step() && !process.is_runner(), format!("left running: {}", process.command));
    }
    wrong.extend(left_behind(shop, wanted.kept));
    wrong
}

/// Files that no ended run should leave; `kept` when a restore that was asked for keeps what it swapped out.
pub fn left_behind(shop: &Shop, kept: bool) -> Vec<String> {
    let mut found = Vec::new();
    for place in ["data", "state/vault", "state/scratch", "state/process"] {
        let listed = Command::new("find").arg(shop.directory.join(place)).output().unwrap();
        for path in String::from_utf8(listed.stdout).unwrap().lines() {
            let name = path.rsplit('/').next().unwrap_or_default();
            let old = name.ends_with(".old") || name.ends_with("-old") || path.contains("-old/");
            if kept && old && path.contains("/data/") {
                continue;
            }
            let unfinished = [".old", ".new", ".part"].iter().any(|ending| name.ends_with(ending));
            let scratch = path.contains("/state/scratch/shop/") || path.contains("eclusa_scratch");
            if unfinished || scratch || name.starts_with(".eclusa-") || path.contains(".sqlite.") {
                found.push(format!("left behind: {path}"));
            }
        }
    }
    found
}
