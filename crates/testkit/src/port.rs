//! Ports for the servers of tests.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::sync::Mutex;

/// A port of this machine that nobody listens on and that this process was not given before. It is not one of those that
/// the system gives to outgoing connections (from 32768 on): such a one may be gone again before the service takes it, and
/// the tests beside this one make many.
///
/// # Panics
/// When none is found.
#[must_use]
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let drawn = (0..1000).map(|_| 10_000 + (RandomState::new().hash_one(0) % 22_000) as u16);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    drawn.into_iter().find(|port| is_free(port) && GIVEN.lock().unwrap().insert(*port)).unwrap()
}
