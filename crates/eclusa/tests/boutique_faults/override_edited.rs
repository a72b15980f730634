//! Fault: the override edited by hand

use crate::bench::Bench;

const OVERRIDE: &str = "docker-compose.eclusa.yml";

/// E0204 names the file and the place.
pub fn status(bench: &Bench) {
    bench.with_file(
        OVERRIDE,
        |text| format!("{text}\n  }} broken\n"),
        || {
            bench.eclusa(&["status"]).must(1).says(OVERRIDE);
        },
    );
}
