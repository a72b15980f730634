//! Fault: the override deleted

use crate::bench::Bench;

const OVERRIDE: &str = "docker-compose.eclusa.yml";

/// Says which service is there without it, and what to type (1).
pub fn status(bench: &Bench) {
    bench.without_file(OVERRIDE, || {
        bench.eclusa(&["status"]).must(1).says("eclusa-edge").says(OVERRIDE).says("eclusa edge remove");
    });
}

/// Refused (3), E0703: a release would give the frontend the port that the edge has.
pub fn release(bench: &Bench) {
    bench.without_file(OVERRIDE, || {
        bench.eclusa(&["release", "v2", "--yes"]).must(3).says("E0703").says("eclusa edge remove");
    });
}
