//! Fault: The service starts and never becomes healthy

use crate::bench::Bench;

/// E0206 when `limits.healthy` is over, with what was found; the release goes back (3).
pub fn release(bench: &Bench) {
    bench.version("deaf", "gunicorn.conf.py", |text| text.replace("0.0.0.0:8000", "127.0.0.1:8009"));
    bench.configure(|text| text.replace("healthy = \"25s\"", "healthy = \"12s\""));
    bench
        .eclusa(&["release", "deaf", "--yes"])
        .must(3)
        .says("E0206")
        .says("web does not become healthy (12 s are allowed): it is starting")
        .says("WENT BACK");
}
