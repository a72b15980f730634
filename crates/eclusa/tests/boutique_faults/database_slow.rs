//! Fault: database slow

use crate::bench::Bench;

/// Two seconds for each connection: it takes longer and is taken all the same.
pub fn backup(bench: &Bench) {
    bench.sql("alter system set post_auth_delay = 2");
    bench.sql("select pg_reload_conf()");
    let said = bench.eclusa(&["backup"]);
    bench.sql("alter system reset post_auth_delay");
    bench.sql("select pg_reload_conf()");
    said.must(0);
}
