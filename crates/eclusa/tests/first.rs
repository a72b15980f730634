//! The first release of a stack on which nothing ever ran.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Setting, Shop};

#[test]
fn scratch() {
    let shop = Shop::lay(&Setting::default());
    for arguments in [
        &["status"][..], &["doctor"], &["start", "--yes"], &["plan", "release", "v1"], &["release", "v1", "--yes"], &["status"],
        &["release", "v1", "--yes"],
        &["stop", "--yes"], &["status"], &["release", "v1", "--yes"], &["start", "--yes"], &["edge", "install", "--yes"], &["backup", "--prove"],
        &["plan", "release", "v2"],
        &["release", "v2", "--yes"], &["history"], &["rollback", "--yes"], &["doctor"],
    ] {
        let began = std::time::Instant::now();
        let ran = shop.run(arguments);
        println!("\n$ eclusa {}\n{}{}-> {} in {:?}", ran.typed, ran.out, ran.err, ran.code, began.elapsed());
    }
    for p in shop.processes() { println!("{} {}", p.pid, p.command); }
    println!("{}", shop.run(&["history", "--json"]).out);
}
