//! Fault: network to the database cut, without a word to either side

use std::time::Duration;

use crate::bench::Bench;
use crate::proxy::Network;

/// In the middle of the migration: E0803 at its limit; it is ended, and the release goes back.
pub fn release(bench: &Bench) {
    bench.configure(|text| text.replace("migrate = \"20s\"", "migrate = \"6s\""));
    let (run, colleague) = bench.release_held_in_its_migration();
    bench.proxy.set(Network::Cut, Duration::ZERO);
    drop(colleague);
    bench.until_undoing(&run);
    bench.proxy.set(Network::Whole, Duration::ZERO);
    bench.attach(&run).must(3).says("E0803").says("WENT BACK");
}
