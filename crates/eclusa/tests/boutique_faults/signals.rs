//! Fault: SIGINT and SIGTERM

use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, wait_for};

/// SIGINT ends the following, with 130, and not the run; SIGTERM ends its runner, and `resume` finishes it.
pub fn backup(bench: &Bench) {
    let colleague = bench.colleague("lock table sales_sale");
    let before = bench.shop.newest_run();
    let mut follower = bench.shop.command(&["backup"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    bench.until_waiting("eclusa");
    let run = bench.shop.newest_run();
    assert_ne!(run, before);
    kill_process(Pid::from_raw(follower.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    assert_eq!(follower.wait().unwrap().code(), Some(130));
    let text = std::fs::read_to_string(bench.shop.state().join("runs").join(&run).join("runner")).unwrap();
    let pid = text.split_whitespace().next().unwrap().to_owned();
    assert!(std::path::Path::new("/proc").join(&pid).exists(), "the run ended with its follower");
    kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::TERM).unwrap();
    wait_for("the runner ends", 20, || !std::path::Path::new("/proc").join(&pid).exists());
    bench.eclusa(&["status"]).must(1).says("nobody owns it").says("eclusa resume");
    drop(colleague);
    bench.eclusa(&["resume"]).must(0);
}
