//! Fault: network to the database reset

use std::time::Duration;

use crate::bench::Bench;
use crate::proxy::Network;

/// In the middle of the migration: it fails with the reason, and the release goes back.
pub fn release(bench: &Bench) {
    let (run, colleague) = bench.release_held_in_its_migration();
    bench.proxy.set(Network::Reset, Duration::ZERO);
    std::thread::sleep(Duration::from_millis(500));
    bench.proxy.set(Network::Whole, Duration::ZERO);
    drop(colleague);
    bench.attach(&run).must(3).says("E0802").says("connection");
}
