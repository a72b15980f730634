//! Fault: The service is killed with SIGKILL

use crate::bench::Bench;

/// In the middle of a check, which ends with it: the release goes back (3), with the gate closed until then.
pub fn release(bench: &Bench) {
    bench.configure(|text| text + &Bench::check("slow", &["sleep", "60"]));
    let run = bench.begin(&["release", "v2"]);
    bench.until_begun(&run, "validate.check.slow");
    assert_eq!(bench.public(), 503);
    bench.crash("web");
    bench.attach(&run).must(3).says("slow").says("WENT BACK");
}
