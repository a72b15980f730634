//! Fault: The name of the lease is taken by a container that is none

use crate::bench::Bench;

fn with_a_foreign_container(bench: &Bench, run: impl FnOnce(&str)) {
    let name = format!("eclusa-lease-{}", bench.shop.project);
    bench.docker(&["create", "--name", &name, "redis:7-bookworm"]);
    run(&name);
    bench.docker(&["rm", &name]);
}

/// Refused (3), E0209 with the container's name and what to type; the container is not touched.
pub fn backup(bench: &Bench) {
    let points = bench.points();
    with_a_foreign_container(bench, |name| {
        bench.eclusa(&["backup"]).must(3).says("E0209").says(&format!("docker rm {name}"));
    });
    assert_eq!(bench.points(), points);
}

/// The same.
pub fn release(bench: &Bench) {
    with_a_foreign_container(bench, |name| {
        bench.eclusa(&["release", "v2", "--yes"]).must(3).says("E0209").says(&format!("docker rm {name}"));
    });
}
