//! Fault: The stack is leased by a run of another machine, of which nothing is known here

use crate::support::{Stage, quick};

const LEASE: &str = r#"{"format": 1, "run": "r-20250101-000000-abcd", "machine": "other-host", "boot": "0f0f",
"holder": {"pid": 1, "started": 1}, "generation": 3}"#;

fn refused(arguments: &[&str]) {
    let stage = Stage::plain(&quick()).backed_up();
    let lease = stage.shop.state().join("process/shop/lease.json");
    std::fs::write(&lease, LEASE).unwrap();
    let ran = stage.shop.run(arguments);
    assert!([1, 3].contains(&ran.code), "{ran:?}");
    let text = format!("{}{}", ran.out, ran.err);
    assert!(
        text.contains("E0405") && text.contains("other-host") && text.contains("r-20250101-000000-abcd"),
        "{text}"
    );
    assert_eq!(std::fs::read_to_string(&lease).unwrap(), LEASE, "it was taken");
    std::fs::remove_file(&lease).unwrap();
    stage.is_as_before();
}

/// Refused, E0405, with the machine's name; the lease is not taken over.
#[test]
fn release() {
    refused(&["release", "v2", "--yes"]);
}

/// Refused, E0405, with the machine's name; the lease is not taken over.
#[test]
fn backup() {
    refused(&["backup"]);
}

/// Refused, E0405, with the machine's name; the lease is not taken over.
#[test]
fn restore() {
    refused(&["restore", "alpha", "--yes"]);
}
