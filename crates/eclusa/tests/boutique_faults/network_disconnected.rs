//! Fault: a container is disconnected from the network

use crate::bench::Bench;

/// Of the database: taken all the same, since the tools run inside its container.
pub fn backup(bench: &Bench) {
    let cut = bench.disconnected("db");
    let said = bench.eclusa(&["backup"]);
    drop(cut);
    said.must(0);
}

/// Of the database: refused in preflight by the candidate, which cannot reach it; nothing was changed.
pub fn release(bench: &Bench) {
    let cut = bench.disconnected("db");
    let said = bench.eclusa(&["release", "v2", "--yes"]);
    drop(cut);
    said.must(3).says("NO-GO").says("connection");
}

/// Of the new web container, while it is watched: requests hang, so few are answered in time; what was seen is no answer,
/// a person is asked, and on their no-go the release goes back with the data.
pub fn release_while_watching(bench: &Bench) {
    bench.configure(|text| {
        text.replace("for = \"2s\"", "for = \"8s\"").replace("error_rate = 0.6", "error_rate = 0.2")
    });
    let run = bench.begin(&["release", "v2"]);
    bench.until_begun(&run, "watch.stack");
    let cut = bench.disconnected("web");
    bench.attach_on_no_go(&run).must(3).says("watch.stack").says("WENT BACK");
    // Its container is gone; the one of the old release has its network.
    std::mem::forget(cut);
}
