//! Fault: database out of connections

use crate::bench::Bench;

fn limit(bench: &Bench) {
    // Everybody who may connect is connected; the last three places are a superuser's.
    bench.sql("alter database boutique connection limit 0");
}

fn lift(bench: &Bench) {
    bench.sql("alter database boutique connection limit -1");
}

/// The application finds no place, Eclusa's own tools do: the backup is taken.
pub fn backup(bench: &Bench) {
    limit(bench);
    let points = bench.points();
    let said = bench.eclusa(&["backup"]);
    lift(bench);
    said.must(0);
    assert_eq!(bench.points(), points + 1);
}

/// Refused in preflight: the new release would find no place either.
pub fn release(bench: &Bench) {
    limit(bench);
    let said = bench.eclusa(&["release", "v2", "--yes"]);
    lift(bench);
    said.must(3).says("too many connections");
}
