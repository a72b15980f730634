//! Fault: database hangs

use crate::bench::Bench;

/// E0501 at once, with the state of the container; no point is listed.
pub fn backup(bench: &Bench) {
    let database = bench.container("db");
    bench.docker(&["pause", &database]);
    let said = bench.eclusa(&["backup"]);
    bench.docker(&["unpause", &database]);
    said.must(3).says("E0501").says("is paused");
}

/// Says that it does not answer, and why.
pub fn status(bench: &Bench) {
    let database = bench.container("db");
    bench.docker(&["pause", &database]);
    let said = bench.eclusa(&["status"]);
    bench.docker(&["unpause", &database]);
    said.must(1).says("does not answer").says("is paused");
}
