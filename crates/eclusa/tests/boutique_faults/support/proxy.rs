//! A proxy between the application and its database that fails as networks do: it cuts, it resets, it is slow.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It carries everything.
    Whole = 0,
    /// Nothing arrives any more, and nobody is told: a cable was pulled.
    Cut = 1,
    /// Every connection is reset, and every new one.
    Reset = 2,
    /// Each piece takes so long on its way to the database.
    Slow = 3,
}

struct Shared {
    project: String,
    network: AtomicU8,
    delay: AtomicU64,
    /// The database's address as it was last found: it changes when its container does.
    address: Mutex<Option<String>>,
}

/// The proxy. It listens on every address of the host, since containers reach it by the bridge's.
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy to the service `db` of a Compose project, which need not be there yet.
    pub fn to_database_of(project: &str) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            project: project.to_owned(),
            network: AtomicU8::new(Network::Whole as u8),
            delay: AtomicU64::new(0),
            address: Mutex::new(None),
        });
        let own = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = own.clone();
                std::thread::spawn(move || serve(&shared, client));
            }
        });
        Self { port, shared }
    }

    /// From now on, for open connections too.
    pub fn set(&self, network: Network, delay: Duration) {
        self.shared.delay.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
        self.shared.network.store(network as u8, Ordering::SeqCst);
    }
}

impl Shared {
    fn is(&self, network: Network) -> bool {
        self.network.load(Ordering::SeqCst) == network as u8
    }

    fn connect(&self) -> Option<TcpStream> {
        let mut known = self.address.lock().unwrap();
        for _ in 0..2 {
            if let Some(address) = known.as_ref()
                && let Ok(address) = address.parse()
                && let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1))
            {
                return Some(stream);
            }
            *known = self.look();
        }
        None
    }

    fn look(&self) -> Option<String> {
        let (project, service) = (
            format!("label=com.docker.compose.project={}", self.project),
            "label=com.docker.compose.service=db",
        );
        let docker = |arguments: &[&str]| {
            let output = Command::new("docker").args(arguments).output().ok()?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let id = docker(&["ps", "-q", "--filter", &project, "--filter", service])?;
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let ip = docker(&["inspect", "--format", format, id.lines().next()?])?;
        (!ip.is_empty()).then(|| format!("{ip}:5432"))
    }
}

fn serve(shared: &Arc<Shared>, client: TcpStream) {
    if shared.is(Network::Cut) {
        // The kernel has taken the connection; nobody will ever answer on it.
        while shared.is(Network::Cut) {
            std::thread::sleep(Duration::from_millis(100));
        }
        return;
    }
    if shared.is(Network::Reset) {
        return reset(&client);
    }
    let Some(database) = shared.connect() else { return reset(&client) };
    let (Ok(client_back), Ok(database_back)) = (client.try_clone(), database.try_clone()) else { return };
    let own = shared.clone();
    let back = std::thread::spawn(move || carry(&own, database_back, client_back, false));
    carry(shared, client, database, true);
    let _ = back.join();
}

/// Carries one direction until either side ends, or the network does.
fn carry(shared: &Shared, mut from: TcpStream, mut to: TcpStream, towards_database: bool) {
    let _ = from.set_read_timeout(Some(Duration::from_millis(100)));
    let mut piece = vec![0; 64 * 1024];
    loop {
        if shared.is(Network::Reset) {
            reset(&from);
            reset(&to);
            return;
        }
        if shared.is(Network::Cut) {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        }
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                if towards_database && shared.is(Network::Slow) {
                    std::thread::sleep(Duration::from_millis(shared.delay.load(Ordering::SeqCst)));
                }
                // What is on its way when the cable is pulled is lost.
                if shared.is(Network::Cut) {
                    continue;
                }
                if to.write_all(&piece[..length]).is_err() {
                    break;
                }
            }
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// Ends a connection so that the other side gets an error and no end.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
    let _ = stream.shutdown(Shutdown::Both);
}
