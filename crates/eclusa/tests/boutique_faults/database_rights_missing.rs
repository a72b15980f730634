//! Fault: a database user without the right to create databases

use crate::bench::Bench;

/// Says which right is missing; nothing live is touched.
pub fn restore(bench: &Bench) {
    bench.sql("alter role boutique nosuperuser nocreatedb");
    let check = bench.eclusa(&["restore", "boutique", "--check"]);
    let restore = bench.eclusa(&["restore", "boutique", "--yes"]);
    bench.sql("alter role boutique superuser createdb");
    check.must(3).says("permission denied to create database");
    restore.must(3).says("permission denied to create database");
}
