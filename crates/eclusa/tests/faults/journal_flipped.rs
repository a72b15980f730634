//! Fault: Bytes of the journal are flipped

use crate::support::{Stage, quick};

/// How many places are tried: evenly over the file.
const PLACES: u64 = 40;

/// Wherever it is: the whole journal is found damaged or the byte meant nothing. Nothing is done on a damaged one (1,
/// E0402), and what runs goes on.
#[test]
fn release() {
    let stage = Stage::plain(&quick());
    let path = stage.shop.state().join("journal.db");
    // The log is brought into the file by whoever closes it last; from here on nobody has it open.
    assert!(!stage.shop.state().join("journal.db-wal").exists());
    let good = std::fs::read(&path).unwrap();
    let length = good.len() as u64;
    let (mut found, mut first) = (0, None);
    for place in 0..PLACES {
        let at = usize::try_from(100 + place * (length - 200) / PLACES).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 0x20;
        std::fs::write(&path, bad).unwrap();
        let verified = stage.shop.run(&["history", "--verify"]);
        assert!([0, 1].contains(&verified.code), "byte {at}: {verified:?}");
        if verified.code == 1 {
            verified.refused("E0402").says("history --verify");
            found += 1;
            first.get_or_insert(at);
        }
    }
    // The rest of the bytes is unused room of pages.
    assert!(found >= PLACES / 4, "only {found} of {PLACES} were noticed");
    let mut bad = good.clone();
    bad[first.unwrap()] ^= 0x20;
    std::fs::write(&path, bad).unwrap();
    stage.shop.run(&["doctor"]).must(1).refused("E0402");
    stage.shop.run(&["release", "v2", "--yes"]).must(1).refused("E0402");
    stage.shop.run(&["backup"]).must(1).refused("E0402");
    std::fs::write(&path, good).unwrap();
    stage.is_as_before();
}

/// Every byte of one event, one after the other: each is noticed by the chain of hashes.
#[test]
fn history() {
    let stage = Stage::plain(&quick());
    let path = stage.shop.state().join("journal.db");
    let good = std::fs::read(&path).unwrap();
    // An event as it stands in its page: the person who began the run.
    let needle = b"\"by\":\"olga\"";
    let at = good.windows(needle.len()).position(|window| window == needle).unwrap();
    for place in at..at + needle.len() {
        let mut bad = good.clone();
        bad[place] ^= 0x01;
        std::fs::write(&path, bad).unwrap();
        stage.shop.run(&["history", "--verify"]).must(1).refused("E0402").says("entry 1");
    }
    std::fs::write(&path, good).unwrap();
    stage.shop.run(&["history", "--verify"]).must(0);
}
