//! Fault: an image that cannot be built

use crate::bench::Bench;

/// E0207 with what the build said; refused, nothing was changed.
pub fn release(bench: &Bench) {
    bench.version("broken", "Dockerfile", |text| {
        text.replace("COPY . .", "COPY . .\nRUN echo 'the wheel does not fit' >&2 && false")
    });
    bench.eclusa(&["release", "broken", "--yes"]).must(3).says("E0207").says("the wheel does not fit");
}
