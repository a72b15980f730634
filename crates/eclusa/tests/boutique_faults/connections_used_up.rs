//! Fault: Every connection of the database is in use, those kept for a superuser too

use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::bench::Bench;

/// Connects as the superuser until nothing is left, and takes what others let go, until its input ends.
const TAKE_ALL: &str = r#"
import os, sys, threading, time, psycopg
held, said, over = [], False, threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
while not over.is_set():
    try:
        held.append(psycopg.connect(host="db", user=os.environ["POSTGRES_USER"],
            password=os.environ["POSTGRES_PASSWORD"], dbname="postgres", connect_timeout=5))
    except psycopg.OperationalError as error:
        if not said and "too many clients" in str(error):
            said = True
            print("full", flush=True)
        time.sleep(0.02)
"#;

/// Every connection that there is; they are given back when this is dropped.
struct Crowd(Child);

impl Crowd {
    fn of(bench: &Bench) -> Self {
        let mut child = Command::new("docker")
            .args(["exec", "-i", &bench.container("worker"), "python", "-c", TAKE_ALL])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut seen = [0; 4];
        child.stdout.as_mut().unwrap().read_exact(&mut seen).unwrap();
        Self(child)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// E0501 with the words of the server; no point is listed.
pub fn backup(bench: &Bench) {
    let points = bench.points();
    let crowd = Crowd::of(bench);
    let said = bench.eclusa(&["backup"]);
    drop(crowd);
    said.must(3).says("E0501").says("too many clients");
    assert_eq!(bench.points(), points);
}

/// Refused in preflight, with the words of the server.
pub fn release(bench: &Bench) {
    let crowd = Crowd::of(bench);
    let said = bench.eclusa(&["release", "v2", "--yes"]);
    drop(crowd);
    said.must(3).says("NO-GO").says("too many clients");
}
