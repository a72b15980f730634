//! Checks of what is there: files, disks, databases, commands, services.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{Health, ServiceName, ServiceState, TenantName};
use eclusa_ports::clean_line;
use eclusa_runbook::{Evidence, Exec, Fact, Listing, Place, VerdictKind, unmet};

use super::fact;
use crate::context::Context;
use crate::effects::{end_leftover, run_command};

fn one(fact: Fact) -> Evidence {
    Evidence { facts: vec![fact], ..Evidence::default() }
}

pub(super) async fn unmoved(context: &Context) -> Result<Evidence> {
    let now = context.ports.observer.fingerprint().await?;
    let text = Message::new("fact-fingerprint")
        .with("now", now.short())
        .with("then", context.plan.observation.short());
    Ok(one(fact(now == context.plan.observation, text)))
}

/// Whether the images that this run prepared are those of a rehearsal.
pub(super) fn rehearsed(context: &Context, images: &BTreeMap<String, String>) -> Evidence {
    let prepared = context.images();
    let now = |service: &String| prepared.get(&format!("image.{service}"));
    let others: Vec<&str> = images
        .iter()
        .filter(|(service, id)| now(service) != Some(id))
        .map(|(service, _)| service.as_str())
        .collect();
    let text = Message::new(if others.is_empty() { "fact-rehearsed" } else { "fact-not-rehearsed" })
        .with("count", images.len())
        .with("services", others.join(", "));
    one(fact(others.is_empty(), text))
}

pub(super) async fn placeholders(
    context: &Context,
    files: &[String],
    prefixes: &[String],
) -> Result<Evidence> {
    let mut facts = Vec::new();
    for file in files {
        let bytes = context.ports.host.read(Path::new(file), 4 * 1024 * 1024).await?;
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in text.lines().enumerate() {
            let Some((name, value)) = line.split_once('=') else { continue };
            if name.trim_start().starts_with('#') {
                continue;
            }
            if prefixes.iter().any(|prefix| value.contains(prefix.as_str())) {
                let name = name.trim().trim_start_matches("export ").trim();
                let text = Message::new("fact-placeholder")
                    .with("file", file)
                    .with("line", number + 1)
                    .with("name", name);
                facts.push(fact(false, text));
            }
        }
    }
    if facts.is_empty() {
        facts.push(fact(true, Message::new("fact-no-placeholder").with("files", files.len())));
    }
    Ok(Evidence { facts, ..Evidence::default() })
}

pub(super) async fn disk(
    context: &Context,
    purpose: &str,
    path: &str,
    minimum_percent: u8,
    minimum_bytes: u64,
) -> Result<Evidence> {
    let room = context.ports.host.disk(Path::new(path)).await?;
    let percent = room.free_bytes.saturating_mul(100).checked_div(room.total_bytes).unwrap_or(0);
    let text = Message::new("fact-disk")
        .with("purpose", purpose)
        .with("path", path)
        .with("percent", percent)
        .with("free", format!("{:.1}", room.free_bytes as f64 / 1e9))
        .with("least", minimum_percent)
        .with("needed", format!("{:.1}", minimum_bytes as f64 / 1e9));
    Ok(one(fact(percent >= u64::from(minimum_percent) && room.free_bytes >= minimum_bytes, text)))
}

pub(super) async fn database(
    context: &Context,
    tenant: &TenantName,
    long_transaction: u64,
) -> Result<Evidence> {
    let facts = match context.ports.database.facts(context.tenant(tenant)?, long_transaction).await {
        Ok(found) => {
            let text = Message::new("fact-database")
                .with("tenant", tenant)
                .with("version", &found.version)
                .with("size", format!("{:.1}", found.bytes as f64 / 1e6));
            let mut facts = vec![fact(true, text)];
            if !found.without_snapshot.is_empty() {
                let text = Message::new("fact-without-snapshot")
                    .with("tenant", tenant)
                    .with("tables", found.without_snapshot.join(", "));
                facts.push(fact(true, text));
            }
            facts.extend(found.long_transactions.iter().map(|transaction| {
                Fact {
                    text: Message::new("fact-long-transaction")
                        .with("tenant", tenant)
                        .with("transaction", transaction),
                    verdict: VerdictKind::Hold,
                }
            }));
            facts
        }
        Err(fault) => {
            let text = Message::new("fact-database-away").with("tenant", tenant).with("problem", &fault);
            vec![fact(false, text)]
        }
    };
    Ok(Evidence { facts, ..Evidence::default() })
}

pub(super) async fn command(context: &Context, exec: &Exec) -> Result<Evidence> {
    end_leftover(context, exec).await?;
    let result = run_command(context, exec).await?;
    let unmet = unmet(&exec.expect, result.code, &result.tail);
    let good = unmet.is_none();
    let last = result.last_line().unwrap_or_default();
    // Where the code is the one that was expected, the last line would say nothing about what was not.
    let line = match &unmet {
        Some(why) if result.code == exec.expect.code => format!("{why}; the last: {last}"),
        _ => last.to_owned(),
    };
    let text = Message::new(if good { "fact-command" } else { "fact-command-failed" })
        .with("command", exec.shown())
        .with("code", result.code)
        .with("line", line.chars().take(200).collect::<String>());
    let skip = result.tail.len().saturating_sub(if good { 3 } else { 40 });
    let lines = result.tail.iter().skip(skip).cloned().collect();
    Ok(Evidence { facts: vec![fact(good, text)], lines, ..Evidence::default() })
}

/// The pause between two tries of a command that is to succeed sooner or later.
pub(super) const TRIED_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn eventually(
    context: &Context,
    exec: &Exec,
    within: u64,
    sooner: Option<&Exec>,
) -> Result<Evidence> {
    if let Some(sooner) = sooner
        && let Ok(evidence) = command(context, sooner).await
        && evidence.facts.iter().all(|fact| fact.verdict == VerdictKind::Go)
    {
        return Ok(evidence);
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(within);
    loop {
        let evidence = command(context, exec).await?;
        let good = evidence.facts.iter().all(|fact| fact.verdict == VerdictKind::Go);
        if good || tokio::time::Instant::now() + TRIED_EVERY > deadline {
            return Ok(evidence);
        }
        tokio::time::sleep(TRIED_EVERY).await;
    }
}

pub(super) async fn contained(context: &Context, needed: &Listing, offered: &Listing) -> Result<Evidence> {
    let needed_texts = listed(context, needed).await?;
    let offered_texts = listed(context, offered).await?;
    let missing: Vec<&str> =
        needed_texts.iter().filter(|text| !offered_texts.contains(*text)).map(String::as_str).collect();
    let joined = |texts: Vec<&str>| if texts.is_empty() { "–".to_owned() } else { texts.join(", ") };
    let text = Message::new(if missing.is_empty() { "fact-contained" } else { "fact-not-contained" })
        .with("needed", joined(needed_texts.iter().map(String::as_str).collect()))
        .with("offered", joined(offered_texts.iter().map(String::as_str).collect()))
        .with("missing", joined(missing.clone()));
    Ok(one(fact(missing.is_empty(), text)))
}

/// The texts that a command lists. What it prints besides its document (warnings, progress) stands on lines before it.
pub(super) async fn listed(context: &Context, listing: &Listing) -> Result<BTreeSet<String>> {
    let output = match listing.exec.place {
        Place::Candidate { .. } => context.listed.once(&listing.exec, output(context, listing)).await?,
        _ => output(context, listing).await?,
    };
    read(&output, listing)
}

/// The same, asked once for all tenants that are alike as `by` says, within a phase: what runs changes with the phases.
pub(super) async fn listed_alike(
    context: &Context,
    listing: &Listing,
    tenant: &TenantName,
    by: &str,
) -> Result<BTreeSet<String>> {
    let mut key = listing.exec.clone();
    for word in key.argv.iter_mut().filter(|word| **word == tenant.as_str()) {
        word.clear();
    }
    let phase = context.step.as_str().split('.').next().unwrap_or_default();
    key.argv.extend([phase.to_owned(), by.to_owned()]);
    read(&context.listed.once(&key, output(context, listing)).await?, listing)
}

/// What the command of a listing prints.
async fn output(context: &Context, listing: &Listing) -> Result<String> {
    let exec = &listing.exec;
    end_leftover(context, exec).await?;
    let result = run_command(context, exec).await?;
    if unmet(&exec.expect, result.code, &result.tail).is_some() {
        return Err(crate::effects::run_failure(exec, &result));
    }
    Ok(result.stdout)
}

fn read(output: &str, listing: &Listing) -> Result<BTreeSet<String>> {
    texts_of(output, listing).ok_or_else(|| {
        let last = output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        Fault::new(Code::CommandFailed)
            .with("command", listing.exec.shown())
            .with("status", "output that is not the list that was asked for")
            .because(last.chars().take(200).collect::<String>())
    })
}

fn texts_of(output: &str, listing: &Listing) -> Option<BTreeSet<String>> {
    let begins = |line: &str| line.starts_with('[') || line.starts_with('{');
    let document = std::iter::once(0)
        .chain(output.match_indices('\n').map(|(at, _)| at + 1))
        .filter_map(|at| output.get(at..))
        .filter(|rest| begins(rest))
        .find_map(|rest| serde_json::from_str::<serde_json::Value>(rest.trim()).ok())?;
    let entries = document.pointer(&listing.pointer)?.as_array()?;
    entries
        .iter()
        .map(|entry| match &listing.member {
            Some(member) => entry.get(member)?.as_str().map(str::to_owned),
            None => entry.as_str().map(str::to_owned),
        })
        .collect()
}

/// Reads the output of a command that lists migrations: `[ ] name` is pending, `[X] name` is not; a listing
/// without such boxes names pending ones only.
pub(super) async fn pending(
    context: &Context,
    exec: &Exec,
    expected: Option<&[String]>,
    allowed: bool,
) -> Result<Evidence> {
    end_leftover(context, exec).await?;
    let result = run_command(context, exec).await?;
    if unmet(&exec.expect, result.code, &result.tail).is_some() {
        return Err(crate::effects::run_failure(exec, &result));
    }
    if result.truncated {
        let status = "more output than is read: which migrations are pending is not known";
        return Err(Fault::new(Code::CommandFailed).with("command", exec.shown()).with("status", status));
    }
    let lines: Vec<String> = result.stdout.lines().map(|line| clean_line(line.as_bytes())).collect();
    let found: BTreeSet<&str> = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty() && !line.starts_with("[X]"))
        .map(|line| line.strip_prefix("[ ]").unwrap_or(line).trim())
        .collect();
    let listed = found.iter().copied().collect::<Vec<_>>().join(", ");
    let good = match expected {
        Some(expected) => expected.iter().map(String::as_str).collect::<BTreeSet<_>>() == found,
        None => true,
    } && (allowed || found.is_empty());
    let text = Message::new(if good { "fact-pending" } else { "fact-pending-unexpected" })
        .with("count", found.len())
        .with("migrations", if listed.is_empty() { "–" } else { &listed })
        .with("expected", expected.map_or_else(|| "–".to_owned(), |expected| expected.join(", ")));
    Ok(one(fact(good, text)))
}

pub(super) async fn healthy(context: &Context, services: &[ServiceName], within: u64) -> Result<Evidence> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(within);
    loop {
        let observation = context.ports.runtime.observe().await?;
        let facts: Vec<Fact> = services
            .iter()
            .map(|name| {
                let found = observation.services.iter().find(|service| service.name == *name);
                let good = found.is_some_and(|service| {
                    service.state == ServiceState::Running
                        && matches!(service.health, Health::None | Health::Healthy)
                });
                let state = found.map_or_else(
                    || "absent".to_owned(),
                    |s| format!("{:?}, {:?}", s.state, s.health).to_lowercase(),
                );
                fact(good, Message::new("fact-service").with("service", name).with("state", state))
            })
            .collect();
        let all = facts.iter().all(|fact| fact.verdict == VerdictKind::Go);
        if all || tokio::time::Instant::now() >= deadline {
            return Ok(Evidence { facts, ..Evidence::default() });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

pub(super) async fn proof_age(context: &Context, tenant: &TenantName, within: u64) -> Result<Evidence> {
    let (journal, stack, name) = (context.ports.journal.clone(), context.plan.stack.clone(), tenant.clone());
    let proof = tokio::task::spawn_blocking(move || journal.newest_proof(&stack, &name))
        .await
        .map_err(|error| Fault::new(Code::Internal).with("what", error))??;
    let fact = match proof {
        None => fact(false, Message::new("fact-never-proved").with("tenant", tenant)),
        Some(proof) => {
            let hours = context.ports.clock.now().duration_since(proof.at).as_secs().max(0) / 3600;
            let text = Message::new("fact-proved")
                .with("tenant", tenant)
                .with("point", proof.point.chars().take(8).collect::<String>())
                .with("hours", hours);
            fact(hours.unsigned_abs() <= within / 3600, text)
        }
    };
    Ok(one(fact))
}

#[cfg(test)]
mod tests {
    use eclusa_runbook::Expect;

    use super::*;

    fn listing(pointer: &str, member: Option<&str>) -> Listing {
        Listing {
            exec: Exec {
                place: Place::Host,
                argv: Vec::new(),
                environment: Default::default(),
                directory: None,
                expect: Expect::default(),
                unblock: None,
                stdin: None,
            },
            pointer: pointer.to_owned(),
            member: member.map(str::to_owned),
        }
    }

    #[test]
    fn lists_are_found_behind_other_lines() {
        let texts = |output: &str, listing: &Listing| {
            texts_of(output, listing).map(|texts| texts.into_iter().collect::<Vec<_>>().join(" "))
        };
        let of_site = listing("/a.localhost", None);
        let output = "[warning] old\n{\"a.localhost\": [\"frappe\", \"erpnext\"]}\n";
        assert_eq!(texts(output, &of_site).as_deref(), Some("erpnext frappe"));
        assert_eq!(texts("{\"a.localhost\": []}", &of_site).as_deref(), Some(""));
        assert_eq!(texts("{\"b.localhost\": []}", &of_site), None);
        let of_image = listing("", Some("app"));
        assert_eq!(
            texts("[{\"app\":\"frappe\",\"version\":\"15\"}]\n", &of_image).as_deref(),
            Some("frappe")
        );
        assert_eq!(texts("[{\"name\":\"frappe\"}]", &of_image), None);
        assert_eq!(texts("frappe 15.40.0", &of_image), None);
    }
}
