//! Fault: The key of a tenant's vault is missing, wrong, empty or unreadable

use std::path::{Path, PathBuf};

use crate::support::{Stage, quick};

fn key(stage: &Stage) -> PathBuf {
    let found =
        std::process::Command::new("find").arg(stage.shop.state()).args(["-name", "alpha.key"]).output();
    let text = String::from_utf8(found.unwrap().stdout).unwrap();
    PathBuf::from(text.lines().next().unwrap())
}

/// What becomes of the key's file. Root can read every file; what it cannot read is a directory.
const WRONGS: [fn(&Path); 4] = [
    |path| std::fs::remove_file(path).unwrap(),
    |path| std::fs::write(path, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap(),
    |path| std::fs::write(path, "").unwrap(),
    |path| {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
    },
];

fn refused(arguments: &[&str]) {
    let stage = Stage::plain(&quick()).backed_up();
    if arguments[0] == "rollback" {
        stage.shop.run(&["release", "v2", "--yes"]).must(0);
    }
    let (before, release) = (stage.shop.censuses(), if arguments[0] == "rollback" { "v2" } else { "v1" });
    let path = key(&stage);
    let good = std::fs::read(&path).unwrap();
    for wrong in WRONGS {
        wrong(&path);
        let ran = stage.shop.run(arguments);
        let text = format!("{}{}", ran.out, ran.err);
        assert!([1, 3].contains(&ran.code), "{text}");
        assert!(text.contains("E0605") && text.contains("alpha.key"), "{text}");
        if path.is_dir() {
            std::fs::remove_dir(&path).unwrap();
        }
        std::fs::write(&path, &good).unwrap();
    }
    stage.is(release, &before, false);
    stage.shop.run(&["restore", "alpha", "--check"]).must(0);
}

/// Ends before the migration, E0605 with the key's path; no new key is made over the old repository.
#[test]
fn release() {
    refused(&["release", "v2", "--yes"]);
}

/// Ends, E0605 with the key's path; the data is as it was.
#[test]
fn rollback() {
    refused(&["rollback", "--yes"]);
}

/// Ends, E0605 with the key's path.
#[test]
fn backup() {
    refused(&["backup"]);
}

/// Ends, E0605 with the key's path; the data is as it was.
#[test]
fn restore() {
    refused(&["restore", "alpha", "--yes"]);
}
