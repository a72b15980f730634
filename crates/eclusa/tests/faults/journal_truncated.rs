//! Fault: The journal is truncated, emptied or no journal at all

use crate::support::{Stage, quick};

/// Refused (1), E0402; no new journal is made in its place, and what runs goes on.
#[test]
fn release() {
    let stage = Stage::plain(&quick());
    let path = stage.shop.state().join("journal.db");
    let good = std::fs::read(&path).unwrap();
    let contents: [&[u8]; 5] = [
        &good[..good.len() / 2],
        &good[..good.len() - 1],
        &good[..4096.min(good.len())],
        b"",
        b"this is no journal, whatever its name says",
    ];
    for content in contents {
        std::fs::write(&path, content).unwrap();
        stage.shop.run(&["release", "v2", "--yes"]).must(1).refused("E0402").says("journal.db");
        stage.shop.run(&["history", "--verify"]).must(1).refused("E0402");
        assert_eq!(std::fs::read(&path).unwrap(), content, "it was written over");
    }
    std::fs::write(&path, good).unwrap();
    stage.is_as_before();
}
