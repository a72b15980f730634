//! Fault: The stack moves between the plan and the run

use crate::bench::Bench;

/// The Compose file is edited: ends with 5 and E0302; nothing has begun.
pub fn release(bench: &Bench) {
    let file = bench.shop.state().join("release.plan");
    let file = file.to_str().unwrap();
    bench.eclusa(&["plan", "release", "v2", "--out", file]).must(0);
    let carry_out = || bench.eclusa(&["release", "v2", "--plan", file, "--yes"]);
    bench.with_file(
        "docker-compose.prod.yml",
        |text| text.replace("--concurrency 2", "--concurrency 1"),
        || {
            carry_out().must(5).says("E0302").says("Nothing was changed.");
        },
    );
    std::fs::remove_file(file).unwrap();
}
