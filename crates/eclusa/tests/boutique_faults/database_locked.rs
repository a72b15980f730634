//! Fault: database holding a lock that the migration waits for

use crate::bench::Bench;

/// E0803 at the limit, with whose transaction was open; the release goes back.
pub fn release(bench: &Bench) {
    let mut colleague = None;
    let run = bench.begin(&["release", "v2"]);
    bench.until_begun(&run, "secure.point.boutique");
    colleague.replace(bench.colleague("lock table sales_sale in access share mode"));
    bench.attach(&run).must(3).says("E0803").says("application a colleague");
    drop(colleague);
}
