//! Fault: database killed

use crate::bench::Bench;

/// In the middle of the dump: E0501, no point is listed, and the next backup is taken.
pub fn backup(bench: &Bench) {
    bench.backup_broken_in_its_dump(|| bench.crash("db")).says("E0501");
}

/// In the middle of the migration: the way back waits until the server is there again, then brings the data back.
pub fn release(bench: &Bench) {
    let (run, colleague) = bench.release_held_in_its_migration();
    bench.crash("db");
    drop(colleague);
    bench.attach(&run).must(3);
}

/// In the middle of the copy beside: refused, the live data was not touched, nothing stays behind.
pub fn restore(bench: &Bench) {
    bench.sql("alter system set post_auth_delay = 2");
    bench.sql("select pg_reload_conf()");
    let run = bench.begin(&["restore", "boutique"]);
    crate::bench::wait_for("the copy is being filled", 60, || {
        bench.sql("select count(*) from pg_database where datname like '%part'") != "0"
    });
    bench.crash("db");
    let said = bench.attach(&run);
    bench.until_database();
    bench.sql("alter system reset post_auth_delay");
    bench.sql("select pg_reload_conf()");
    said.must(3);
}
