//! Fault: database refuses connections

use crate::bench::Bench;

/// Lets nobody in any more but who is in already, and the bench.
fn refuse(bench: &Bench) {
    bench.docker(&[
        "exec", &bench.container("db"), "sh", "-c",
        "cp $PGDATA/pg_hba.conf $PGDATA/pg_hba.kept && printf 'local all colleague trust\\nlocal all all reject\\nhost all all all reject\\n' >$PGDATA/pg_hba.conf",
    ]);
    bench.sql("select pg_reload_conf()");
}

fn let_in(bench: &Bench) {
    bench.docker(&[
        "exec",
        &bench.container("db"),
        "sh",
        "-c",
        "cat $PGDATA/pg_hba.kept >$PGDATA/pg_hba.conf && rm $PGDATA/pg_hba.kept",
    ]);
    bench.sql("select pg_reload_conf()");
}

/// E0502 with the words of the server; no point is listed.
pub fn backup(bench: &Bench) {
    refuse(bench);
    let points = bench.points();
    bench.eclusa(&["backup", "--prove"]).must(3).says("E0502").says("rejects connection");
    let_in(bench);
    assert_eq!(bench.points(), points);
}

/// Refused in preflight, with the words of the server.
pub fn release(bench: &Bench) {
    refuse(bench);
    let said = bench.eclusa(&["release", "v2", "--yes"]);
    let_in(bench);
    said.must(3).says("rejects connection");
}
