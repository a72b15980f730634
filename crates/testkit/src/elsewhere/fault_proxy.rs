//! A network that fails when it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How the network is. Bytes are counted over all connections since it was last told, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// As it should be.
    Good,
    /// After so many bytes each connection is closed, and so is each new one at once.
    CutAfter(u64),
    /// After so many bytes one connection is closed; new ones are as they should be.
    CutOnceAfter(u64),
    /// After so many bytes nothing goes on, and nothing is closed.
    StallAfter(u64),
    /// So many bytes a second on each connection.
    Slow(u64),
}

struct State {
    network: Mutex<Network>,
    passed: AtomicU64,
}

/// A port behind which the server is.
pub struct FaultProxy {
    /// The port.
    pub port: u16,
    state: Arc<State>,
}

impl FaultProxy {
    /// In front of a port of this machine.
    #[must_use]
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(State { network: Mutex::new(Network::Good), passed: AtomicU64::new(0) });
        let own = listener.local_addr().unwrap().port();
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)));
                if let Ok(server) = server {
                    carry(&shared, &client, &server);
                }
            }
        });
        Self { port: own, state }
    }

    /// From now on the network is so.
    pub fn set(&self, network: Network) {
        *self.state.network.lock().unwrap() = network;
        self.state.passed.store(0, Ordering::SeqCst);
    }

    /// How many bytes went through since it was last told.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }
}

fn carry(state: &Arc<State>, client: &TcpStream, server: &TcpStream) {
    for (from, to) in [(client, server), (server, client)] {
        let (from, to, state) = (from.try_clone().unwrap(), to.try_clone().unwrap(), state.clone());
        std::thread::spawn(move || pump(&state, from, to));
    }
}

fn pump(state: &State, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let passed = state.passed.fetch_add(length as u64, Ordering::SeqCst) + length as u64;
        let network = *state.network.lock().unwrap();
        match network {
            Network::CutAfter(limit) if passed > limit => break,
            Network::CutOnceAfter(limit) if passed > limit => {
                *state.network.lock().unwrap() = Network::Good;
                break;
            }
            Network::StallAfter(limit) if passed > limit => {
                while *state.network.lock().unwrap() == network {
                    std::thread::sleep(Duration::from_millis(50));
                }
                break;
            }
            Network::Slow(rate) => std::thread::sleep(Duration::from_secs_f64(length as f64 / rate as f64)),
            _ => {}
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
