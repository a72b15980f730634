//! Checks of people, duties, the checklist, hooks and webhooks.

use eclusa_model::PersonName;

use super::Findings;
use crate::model::{Stack, ValueKind};
use crate::nearest::nearest;
use crate::source::{KeyPath, Mistake};

pub(super) fn check(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let duties = &stack.duties;
    for (key, list) in [("decide", &duties.decide), ("told", &duties.told), ("emergency", &duties.emergency)]
    {
        known_people(findings, &path.key("duties").key(key), list, stack);
    }
    let list = path.key("checklist");
    findings.unique(&list, stack.checklist.iter().map(|item| item.name.as_str()));
    for (index, item) in stack.checklist.iter().enumerate() {
        known_people(findings, &list.index(index).key("allowed"), &item.allowed, stack);
        if item.text.trim().is_empty() {
            findings.add(list.index(index).key("text"), Mistake::new("config-empty-text"));
        }
    }
    findings.positive(path.key("decide").key("deadline"), stack.decide.deadline);
    hooks(findings, &path.key("hooks"), stack);
    webhooks(findings, &path.key("webhooks"), stack);
}

fn known_people(findings: &mut Findings, path: &KeyPath, people: &[PersonName], stack: &Stack) {
    let known = || stack.people.keys().map(PersonName::as_str);
    for (index, person) in people.iter().enumerate().filter(|(_, person)| !stack.people.contains_key(person))
    {
        let mistake = match nearest(person.as_str(), known()) {
            Some(meant) => Mistake::new("config-unknown-person-near").with("meant", meant),
            None => Mistake::new("config-unknown-person"),
        };
        findings.add(path.index(index), mistake.with("person", person));
    }
}

fn hooks(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    findings.unique(path, stack.hooks.iter().map(|hook| hook.name.as_str()));
    for (index, hook) in stack.hooks.iter().enumerate() {
        let here = path.index(index);
        findings.positive(here.key("timeout"), hook.timeout);
        findings.variables(&here.key("environment"), &hook.environment);
    }
}

fn webhooks(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    for (index, webhook) in stack.webhooks.iter().enumerate() {
        let here = path.index(index);
        findings.reference(here.key("url"), &webhook.url);
        if let ValueKind::Literal(url) = webhook.url.kind() {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            if rest.is_none_or(|rest| {
                rest.is_empty() || rest.starts_with('/') || rest.contains(char::is_whitespace)
            }) {
                findings.add_secret(here.key("url"), Mistake::new("config-url"));
            }
        }
        if webhook.events.is_empty() {
            findings.add(here.key("events"), Mistake::new("config-empty-list").with("key", "events"));
        }
    }
}
