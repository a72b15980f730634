//! Fault: network to the database slow

use std::time::Duration;

use crate::bench::Bench;
use crate::proxy::Network;

/// A tenth of a second for each piece, from the migration on: it is migrated all the same, the pages that take longer than
/// their probes allow are a no-go, and the release goes back (3).
pub fn release(bench: &Bench) {
    let run = bench.begin(&["release", "v2"]);
    bench.until_begun(&run, "change.stop");
    bench.proxy.set(Network::Slow, Duration::from_millis(100));
    bench.attach(&run).must(3).says("validate.probes").says("more than 500").lacks("E08").says("WENT BACK");
}
