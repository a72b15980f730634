//! Fault: wrong database password in the env file

use crate::bench::Bench;

fn with_wrong_password(bench: &Bench, run: impl FnOnce()) {
    let wrong = |text: String| {
        let line = |line: &str| match line.split_once('=') {
            Some(("POSTGRES_PASSWORD", _)) => "POSTGRES_PASSWORD=guessed\n".to_owned(),
            _ => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    };
    bench.with_file(".env.production", wrong, run);
}

/// Taken: the tools inside the database need none from there.
pub fn backup(bench: &Bench) {
    with_wrong_password(bench, || {
        bench.eclusa(&["backup"]).must(0);
    });
}

/// Refused in preflight, by the candidate; the password is not shown.
pub fn release(bench: &Bench) {
    with_wrong_password(bench, || {
        bench.eclusa(&["release", "v2", "--yes"]).must(3).lacks("guessed");
    });
}
