//! Files with keys after a loss of power in the middle of their change-over: each is there, plain or wrapped, and holds what it
//! held before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use eclusa_fault::Result;
use eclusa_model::{StackName, TenantName};
use eclusa_ports::SecretResolver;
use eclusa_powerloss::{Dice, Image, Loss, Recording, Scene, Seeds, Stage};
use eclusa_vault::{LocalVault, StackKey, is_wrapped, stack_key};
use secrecy::{ExposeSecret as _, SecretString};

/// Seeds that once failed. They stay here for ever.
const ONCE_FAILED: &[u64] = &[];

/// Two stack keys, which are nobody's.
const STACK_KEYS: [&str; 2] = [
    "AGE-SECRET-KEY-1VTGUT2V27PD2MUJHPY3HU03VTHPQYUTEPQAV6ERS83HKM0WDVS9SMYASL3",
    "AGE-SECRET-KEY-16CEQVLEHE8EZ6XW0K7N6WZ8UW4GL3VN7FUR05R894QH7DGX26AJS4UA438",
];

/// The files with keys before anything is done.
fn files() -> BTreeMap<String, String> {
    let many = (0..20).map(|number| format!("a key before, number {number}\n"));
    let all = [
        ("alpha.key", "the key of alpha\n".to_owned()),
        ("alpha.keys-before", many.collect()),
        ("alpha.key-replaced-7", "another key of alpha\n".to_owned()),
        ("beta.key", "the key of beta\n".to_owned()),
    ];
    all.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

struct Texts;

impl SecretResolver for Texts {
    fn resolve(&self, reference: &str) -> Result<SecretString> {
        Ok(SecretString::from(STACK_KEYS[reference.parse::<usize>().unwrap()]))
    }
}

fn key(number: usize) -> Arc<StackKey> {
    Arc::new(stack_key("a stack key", &SecretString::from(STACK_KEYS[number])).unwrap())
}

fn vault_at(root: &Path, number: usize) -> LocalVault {
    let stack = StackName::new("shop").unwrap();
    LocalVault::new(root.join("state/vault"), root.join("state/keys"), stack, root.join("scratch"))
        .with_stack_key(number.to_string(), Arc::new(Texts))
}

fn tenants() -> [TenantName; 2] {
    ["alpha", "beta"].map(|name| TenantName::new(name).unwrap())
}

/// Wraps, wraps by another stack key, and unwraps.
fn work(stage: &Stage) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (first, second) = (vault_at(&stage.root, 0), vault_at(&stage.root, 1));
    for tenant in tenants() {
        let changed = runtime.block_on(first.wrap_keys(&tenant, None)).unwrap().changed.len();
        stage.say(&format!("wrapped {tenant} {changed}")).unwrap();
    }
    for tenant in tenants() {
        runtime.block_on(second.wrap_keys(&tenant, Some(key(0)))).unwrap();
        stage.say(&format!("rewrapped {tenant}")).unwrap();
    }
    for tenant in tenants() {
        runtime.block_on(second.unwrap_keys(&tenant, None)).unwrap();
        stage.say(&format!("unwrapped {tenant}")).unwrap();
    }
}

fn record(test: &str, mutant: Option<&str>) -> Recording {
    let before = tempfile::tempdir().unwrap();
    let directory = before.path().join("state/keys");
    std::fs::create_dir_all(&directory).unwrap();
    for (name, text) in files() {
        std::fs::write(directory.join(name), text).unwrap();
    }
    let before = Image::of(before.path()).unwrap();
    Scene { test, work: "", before, room: u64::MAX, mutant }.record().unwrap()
}

fn judge(loss: &Loss<'_>) {
    let found = loss.image.files();
    for (name, text) in files() {
        let bytes = found.get(&Path::new("state/keys").join(&name)).expect("a file with keys is gone");
        let opened = (0..2).filter_map(|number| Some((number, key(number).open(bytes).ok()?))).next();
        match &opened {
            Some((_, opened)) => assert_eq!(opened.expose_secret(), text, "{name} is wrapped and another"),
            None => assert!(*bytes == text.as_bytes(), "{name} holds no keys any more"),
        }
        // What was acknowledged is so, unless the next that was to come has come.
        let (tenant, _) = name.split_once('.').unwrap();
        let said = loss.said.iter().rev().find(|said| said.split(' ').nth(1) == Some(tenant));
        match said.map(|said| said.split(' ').next().unwrap()) {
            Some("wrapped") => assert!(is_wrapped(bytes), "{name} was wrapped"),
            Some("rewrapped") => {
                assert!(opened.is_none_or(|(number, _)| number == 1), "{name} was wrapped anew")
            }
            Some("unwrapped") => assert!(opened.is_none(), "{name} was unwrapped"),
            _ => {}
        }
    }
}

#[test]
fn a_key_that_changes_over_is_never_lost() {
    if let Some(stage) = Stage::here().unwrap() {
        return work(&stage);
    }
    let recording = record("a_key_that_changes_over_is_never_lost", None);
    let outline = recording.outline().join("\n");
    assert!(outline.lines().filter(|line| line.starts_with("rename")).count() >= 12, "{outline}");
    Seeds { once_failed: ONCE_FAILED, count: 1000 }.judge(|seed| {
        let loss = recording.lose(&mut Dice::of(seed));
        loss.told(|| judge(&loss));
    });
}

#[test]
fn a_part_that_is_left_out_is_noticed() {
    if let Some(stage) = Stage::here().unwrap() {
        return work(&stage);
    }
    let mut unnoticed = BTreeSet::new();
    for mutant in ["vault.file.sync", "vault.directory.sync"] {
        let recording = record("a_part_that_is_left_out_is_noticed", Some(mutant));
        let seeds = Seeds { once_failed: &[], count: 300 };
        match seeds.first_failure(|seed| judge(&recording.lose(&mut Dice::of(seed)))) {
            Some(seed) => println!("without {mutant}: red at seed {seed}"),
            None => drop(unnoticed.insert(mutant)),
        }
    }
    assert!(unnoticed.is_empty(), "nothing notices that these are missing: {unnoticed:?}");
}
