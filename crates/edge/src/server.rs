//! The running edge: its listeners, its start and its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::EdgeConfig;
use crate::control::ControlSocket;
use crate::error::EdgeError;
use crate::gatekeeper::{Addresses, Gatekeeper};
use crate::persistence::Store;
use crate::proxy::{Door, answer};

/// A client may take this long to send the head of a request, which is also how long an idle connection is kept:
/// longer than the 90 s after which common proxies in front drop theirs, so that they never use one just closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);
/// Pause after a failed accept, for example when no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running edge.
pub struct EdgeServer {
    gatekeeper: Arc<Gatekeeper>,
    listeners: JoinSet<()>,
    control: tokio::task::JoinHandle<()>,
    connections: TaskTracker,
}

impl EdgeServer {
    /// Takes the state directory, restores the gates, and listens. A state that cannot be trusted closes all gates.
    pub async fn start(config: EdgeConfig) -> Result<Self, EdgeError> {
        config.check()?;
        let now = Timestamp::now();
        let (store, restored) = restore(&config, now).await?;
        let control = ControlSocket::bind(&config.control_socket)?;
        let mut doors = Vec::new();
        for address in &config.public {
            doors.push((Door::Public, listen(*address).await?));
        }
        if let Some(address) = config.side_door {
            doors.push((Door::Side, listen(address).await?));
        }
        let mut addresses = Addresses { public: Vec::new(), side_door: None };
        for (door, listener) in &doors {
            let address = listener.local_addr().map_err(|source| EdgeError::Listen {
                address: SocketAddr::from(([0, 0, 0, 0], 0)),
                source,
            })?;
            match door {
                Door::Public => addresses.public.push(address),
                Door::Side => addresses.side_door = Some(address),
            }
        }
        let gatekeeper = Arc::new(Gatekeeper::new(config, store, restored, addresses, now));
        let connections = TaskTracker::new();
        let mut listeners = JoinSet::new();
        for (door, listener) in doors {
            listeners.spawn(accept(Arc::clone(&gatekeeper), door, listener, connections.clone()));
        }
        let control = tokio::spawn(control.serve(Arc::clone(&gatekeeper)));
        Ok(Self { gatekeeper, listeners, control, connections })
    }

    /// Where users come in, with the ports really taken.
    pub async fn public_addresses(&self) -> Vec<SocketAddr> {
        self.gatekeeper.status().await.public
    }

    /// Where probes come in, with the port really taken.
    pub async fn side_door_address(&self) -> Option<SocketAddr> {
        self.gatekeeper.status().await.side_door
    }

    /// A token that stops the edge when cancelled; it is cancelled, too, when a control call asks to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.gatekeeper.stopping.clone()
    }

    /// Waits until the edge is told to stop, takes no more connections, lets those in flight finish within the
    /// configured time, and ends. Gates stay as they are, for the next start.
    pub async fn stopped(mut self) {
        self.gatekeeper.stopping.cancelled().await;
        tracing::info!("stopping: no new connections");
        while self.listeners.join_next().await.is_some() {}
        self.connections.close();
        let time = Duration::from_secs(self.gatekeeper.config.limits.shutdown_seconds);
        let deadline = Instant::now() + time;
        if tokio::time::timeout_at(deadline, self.connections.wait()).await.is_err() {
            tracing::warn!("some requests were still in flight at the end of the time for stopping");
        }
        self.gatekeeper.websockets_ended_by(deadline).await;
        self.gatekeeper.halted.cancel();
        if self.control.await.is_err() {
            tracing::warn!("the control socket did not end cleanly");
        }
    }
}

/// Runs the edge until SIGTERM, SIGINT, or a shutdown call.
pub async fn serve(config: EdgeConfig) -> Result<(), EdgeError> {
    let unavailable =
        |source| EdgeError::ConfigInvalid { what: format!("signals cannot be received: {source}") };
    let mut terminate = signal(SignalKind::terminate()).map_err(unavailable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unavailable)?;
    let server = EdgeServer::start(config).await?;
    let addresses = server.public_addresses().await;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ?addresses, "the edge listens");
    let stopping = server.stopping();
    let mut stopped = pin!(server.stopped());
    tokio::select! {
        _ = terminate.recv() => stopping.cancel(),
        _ = interrupt.recv() => stopping.cancel(),
        () = &mut stopped => return Ok(()),
    }
    stopped.await;
    Ok(())
}

async fn restore(
    config: &EdgeConfig,
    now: Timestamp,
) -> Result<(Store, crate::persistence::Restored), EdgeError> {
    let config = config.clone();
    let directory = config.state_directory.clone();
    let restoring = tokio::task::spawn_blocking(move || {
        let store = Store::open(&config.state_directory)?;
        let mut restored = store.restore(&config, now)?;
        restored.ledger.adopt(&config, now);
        store.save(&restored.ledger)?;
        Ok((store, restored))
    });
    restoring.await.map_err(|error| EdgeError::StateUnwritable {
        path: directory,
        source: std::io::Error::other(error),
    })?
}

async fn listen(address: SocketAddr) -> Result<TcpListener, EdgeError> {
    TcpListener::bind(address).await.map_err(|source| EdgeError::Listen { address, source })
}

async fn accept(edge: Arc<Gatekeeper>, door: Door, listener: TcpListener, connections: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = edge.stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => connect(&edge, door, stream, peer, &connections),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn connect(
    edge: &Arc<Gatekeeper>,
    door: Door,
    stream: TcpStream,
    peer: SocketAddr,
    connections: &TaskTracker,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps delaying small packets");
    }
    let (edge, stopping) = (Arc::clone(edge), edge.stopping.clone());
    let service = service_fn(move |request| {
        let edge = Arc::clone(&edge);
        async move { Ok::<_, std::convert::Infallible>(answer(edge, door, peer.ip(), request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    connections.spawn(async move {
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection broke off");
        }
    });
}
