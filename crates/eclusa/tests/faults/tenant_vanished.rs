//! Fault: A tenant's directory is gone when the run begins

use crate::support::{Stage, quick};

fn refused(arguments: &[&str], code: i32) {
    let stage = Stage::plain(&quick()).backed_up();
    let (live, away) = (stage.shop.directory.join("data/beta"), stage.shop.directory.join("away"));
    std::fs::rename(&live, &away).unwrap();
    let ran = stage.shop.run(arguments).must(code);
    ran.shows("NO-GO").shows("data/beta/shop.sqlite: No such file");
    assert!(!live.join("shop.sqlite").exists(), "an empty database was made in its place");
    let _ = std::fs::remove_dir_all(&live);
    std::fs::rename(&away, &live).unwrap();
    stage.is_as_before();
}

/// Ends before anything is changed (3), with the file that is missing; no empty database is made in its place.
#[test]
fn release() {
    refused(&["release", "v2", "--yes"], 3);
}

/// The other tenant is backed up; the run says who has none and ends with 3.
#[test]
fn backup() {
    refused(&["backup"], 3);
}

/// The same for the tenant alone that is there: done (0).
#[test]
fn backup_of_the_other() {
    let stage = Stage::plain(&quick());
    std::fs::rename(stage.shop.directory.join("data/beta"), stage.shop.directory.join("away")).unwrap();
    stage.shop.run(&["backup", "alpha"]).must(0).shows("GO.");
}

/// The other tenant is restored as ever (0).
#[test]
fn restore_of_the_other() {
    let stage = Stage::plain(&quick()).backed_up();
    let (live, away) = (stage.shop.directory.join("data/beta"), stage.shop.directory.join("away"));
    std::fs::rename(&live, &away).unwrap();
    stage.shop.run(&["restore", "alpha", "--yes"]).must(0);
    std::fs::rename(&away, &live).unwrap();
    stage.is("v1", &stage.before, true);
}
