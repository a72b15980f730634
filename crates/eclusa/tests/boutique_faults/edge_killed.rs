//! Fault: The edge is killed with SIGKILL

use crate::bench::{Bench, wait_for};

/// While the gate is closed: it comes back closed, and the release goes on to its end.
pub fn release(bench: &Bench) {
    bench.configure(|text| text + &Bench::check("never", &["false"]));
    let (run, colleague) = bench.release_held_in_its_migration();
    assert_eq!(bench.public(), 503);
    bench.crash("eclusa-edge");
    let mut answer = 0;
    wait_for("the edge answers", 20, || {
        answer = bench.public();
        answer != 0
    });
    assert_eq!(answer, 503, "the gate was forgotten");
    drop(colleague);
    bench.attach(&run).must(3).says("never").says("WENT BACK").lacks("E08");
}
