//! Fault: A restore point is damaged: bytes flipped, a pack or the manifest deleted or cut

use std::path::{Path, PathBuf};

use crate::support::{Stage, quick};

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}

/// What is done to every file of a kind.
type Damage = (&'static str, &'static str, fn(&Path));

const DAMAGES: [Damage; 6] = [
    ("a byte of each pack flipped", "data", |path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[40] ^= 0x10;
        replace(path, &bytes);
    }),
    ("each pack deleted", "data", |path| std::fs::remove_file(path).unwrap()),
    ("each pack cut", "data", |path| {
        let bytes = std::fs::read(path).unwrap();
        replace(path, &bytes[..bytes.len() / 2]);
    }),
    ("the snapshot cut", "snapshots", |path| {
        let bytes = std::fs::read(path).unwrap();
        replace(path, &bytes[..bytes.len() / 2]);
    }),
    ("the index flipped", "index", |path| {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x01;
        replace(path, &bytes);
    }),
    ("the index deleted", "index", |path| std::fs::remove_file(path).unwrap()),
];

fn replace(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Refused or ended before anything is changed, with a code that says so; the data is as it was, and the other tenant
/// can be restored.
#[test]
fn restore() {
    let stage = Stage::gated(&quick()).backed_up();
    let points = stage.shop.run(&["backups", "alpha", "--json"]).must(0).json();
    let point = points["tenants"][0]["points"][0]["id"].as_str().unwrap().to_owned();
    let vault = stage.shop.state().join("vault/shop/alpha");
    let copy = stage.shop.directory.join("vault-copy");
    let cp = |from: &Path, to: &Path| {
        assert!(std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    cp(&vault, &copy);
    for (what, kind, damage) in DAMAGES {
        let damaged = files(&vault.join(kind));
        assert!(!damaged.is_empty(), "{kind}");
        damaged.iter().for_each(|path| damage(path));
        for arguments in [
            &["restore", "alpha", "--point", &point, "--check"][..],
            &["restore", "alpha", "--point", &point, "--yes"],
        ] {
            let ran = stage.shop.run(arguments);
            let text = format!("{}{}", ran.out, ran.err);
            assert!([1, 3].contains(&ran.code), "{what}: {text}");
            assert!(["E0601", "E0602", "E0603"].iter().any(|code| text.contains(code)), "{what}: {text}");
        }
        std::fs::remove_dir_all(&vault).unwrap();
        cp(&copy, &vault);
    }
    stage.is_as_before();
    stage.shop.run(&["restore", "alpha", "--check"]).must(0);
    let damaged = files(&vault.join("data"));
    damaged.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    stage.shop.run(&["restore", "beta", "--yes"]).must(0);
    stage.is("v1", &stage.before, true);
}

/// The points of the run before are damaged: ends before anything is changed (3), E0603; the newer release serves.
#[test]
fn rollback() {
    let stage = Stage::plain(&quick()).released();
    for path in files(&stage.shop.state().join("vault/shop/alpha/data")) {
        std::fs::remove_file(path).unwrap();
    }
    stage.shop.run(&["rollback", "--yes"]).must(3).shows("E0603");
    stage.is_as_before();
}

/// A new point would build on the damaged ones: refused (3), E0604, with what to type; that done, it is taken and proved.
#[test]
fn backup() {
    let stage = Stage::plain(&quick()).backed_up();
    let vault = stage.shop.state().join("vault/shop/alpha");
    for path in files(&vault.join("data")) {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40] ^= 0x10;
        replace(&path, &bytes);
    }
    let damaged = vault.with_extension("damaged");
    let typed = format!("mv {} {}", vault.display(), damaged.display());
    stage
        .shop
        .run(&["backup"])
        .must(3)
        .shows("NO-GO")
        .shows("no restore point of alpha.")
        .shows("E060")
        .shows(&typed);
    std::fs::rename(&vault, &damaged).unwrap();
    stage.shop.run(&["backup", "--prove"]).must(0).shows("restored and proved");
    stage.shop.run(&["restore", "alpha", "--check"]).must(0);
    stage.is_as_before();
}
