//! Fault: the env file is gone

use crate::bench::Bench;

/// E0101 names the file and where it is named.
pub fn backup(bench: &Bench) {
    bench.without_file(".env.production", || {
        bench.eclusa(&["backup"]).must(1).says(".env.production");
    });
}

/// The same.
pub fn status(bench: &Bench) {
    bench.without_file(".env.production", || {
        bench.eclusa(&["status"]).must(1).says(".env.production");
    });
}
