//! Places on other machines, for copies of restore points: a real S3 server, a real SSH server, and a network between them
//! and whoever uses them that fails when it is told to.

mod fault_proxy;
mod sshd;
mod storage;

pub use fault_proxy::{FaultProxy, Network};
pub use sshd::{KeyPair, SshServer};
pub use storage::{Credentials, Storage};

use std::time::{Duration, Instant};

use crate::free_port;

/// How long a server may take to begin.
const BEGINNING: Duration = Duration::from_secs(30);

/// Waits until somebody answers at a port.
fn wait_for(port: u16, what: &str) {
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(began.elapsed() < BEGINNING, "{what} does not answer at port {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
