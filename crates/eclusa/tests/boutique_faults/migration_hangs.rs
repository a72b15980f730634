//! Fault: a migration that hangs and ignores SIGTERM

use crate::bench::Bench;

/// E0803 at its limit; it is ended where it runs, and the release goes back.
pub fn release(bench: &Bench) {
    bench.configure(|text| {
        text.replace("check = []", "check = []\nmigrate = [\"sh\", \"-c\", \"trap '' TERM INT; python manage.py migrate sales 0003; while true; do sleep 1; done\"]")
            .replace("migrate = \"20s\"", "migrate = \"6s\"")
    });
    bench.eclusa(&["release", "v2", "--yes"]).must(3).says("E0803");
    let left = bench.docker(&["ps", "-aq", "--filter", &format!("name=eclusa-{}", bench.shop.project)]);
    assert_eq!(left.lines().count(), 0, "the migration's container is still there");
}
