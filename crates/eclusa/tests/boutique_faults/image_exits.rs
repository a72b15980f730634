//! Fault: an image that exits at once

use crate::bench::Bench;

/// Its last words are shown; the release goes back.
pub fn release(bench: &Bench) {
    bench.version("exits", "gunicorn.conf.py", |text| text + "raise SystemExit('the licence has run out')\n");
    bench.eclusa(&["release", "exits", "--yes"]).must(3).says("licence");
}
