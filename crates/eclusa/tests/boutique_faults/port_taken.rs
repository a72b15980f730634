//! Fault: A port of the stack is held by another process

use std::net::TcpListener;

use crate::bench::{Bench, wait_for};

/// The side door's, when the edge is installed: goes back (3) with the port in its words, and the frontend serves at its
/// old place; with the port free it is installed.
pub fn edge_install(bench: &Bench) {
    bench.eclusa(&["edge", "remove", "--yes"]).must(0);
    let text = std::fs::read_to_string(bench.directory().join("eclusa.toml")).unwrap();
    let port: u16 = text.lines().find_map(|line| line.strip_prefix("side_door = ")).unwrap().parse().unwrap();
    let other = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let said = bench.eclusa(&["edge", "install", "--yes"]);
    let public = bench.public();
    drop(other);
    said.must(3).says("E0210").says(&port.to_string());
    assert_eq!(public, 200, "the frontend has not got its port back");
    bench.eclusa(&["edge", "install", "--yes"]).must(0);
}

/// The public one, when the edge is started again: it says which, `status` says what does not run (1), and with the port
/// free `start` brings it back.
pub fn edge_start(bench: &Bench) {
    let edge = bench.container("eclusa-edge");
    bench.docker(&["stop", &edge]);
    let port = bench.shop.port;
    let mut other = None;
    wait_for("the port is free", 10, || {
        other = TcpListener::bind(("0.0.0.0", port)).ok();
        other.is_some()
    });
    let said = bench.eclusa(&["start", "--yes"]);
    let status = bench.eclusa(&["status"]);
    drop(other);
    said.must(3).says(&port.to_string());
    status.must(1).says("eclusa-edge");
    bench.eclusa(&["start", "--yes"]).must(0);
}
