//! Fault: network to the database reset

use std::time::Duration;

use crate::bench::Bench;
use crate::proxy::Network;

/// In the middle of the migration: it fails with the reason, and the release goes back.
pub fn release(bench: &Bench) {
    let run = bench.begin(&["release", "v2"]);
    bench.until_begun(&run, "change.stop");
    let colleague = bench.colleague("lock table sales_sale in access share mode");
    bench.until_waiting("");
    bench.proxy.set(Network::Reset, Duration::ZERO);
    std::thread::sleep(Duration::from_millis(500));
    bench.proxy.set(Network::Whole, Duration::ZERO);
    drop(colleague);
    bench.attach(&run).must(3).says("E0802").says("connection");
}
