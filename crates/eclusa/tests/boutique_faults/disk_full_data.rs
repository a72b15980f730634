//! Fault: The disk of the databases is full

use crate::bench::Bench;

/// Stuck (4) when the way back finds no room either, with the gate closed; after there is room, `resume` goes back (3)
/// and nothing is lost.
pub fn release(bench: &Bench) {
    let line = bench.volume.filling();
    bench.configure(|text| text + &Bench::hook("fill", "before.migrate", &line));
    let said = bench.eclusa(&["release", "v2", "--yes"]);
    let public = bench.public();
    bench.volume.free_up();
    let said = said.must(4).says("STUCK").says("eclusa resume");
    // What the server says depends on what it was about to write.
    let words = ["No space left on device", "could not write", "Check free disk space"];
    assert!(words.iter().any(|words| said.text.contains(words)), "{}", said.text);
    assert_eq!(public, 503, "half migrated data is served");
    bench.until_database();
    bench.eclusa(&["resume"]).must(3).says("WENT BACK");
}

/// E0504 with the words of the server; the live database is as it was, and stays open.
pub fn restore(bench: &Bench) {
    bench.volume.fill();
    let said = bench.eclusa(&["restore", "boutique", "--yes"]);
    bench.volume.free_up();
    said.must(3).says("E0504").says("No space left on device");
    bench.until_database();
}
