//! Customers: some clients that ask for the same page over and over, and what became of each request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than the edge holds a request.
const PATIENCE: Duration = Duration::from_secs(60);

/// One request: when it was made, when it was over, and whether it got what it asked for.
#[derive(Debug, Clone, Copy)]
struct Request {
    began: Instant,
    ended: Instant,
    answered: bool,
    /// It got the maintenance page, with a time to come back.
    told: bool,
}

/// What became of all of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub requests: usize,
    /// Not answered with 200.
    pub failed: usize,
    /// Of those: with the maintenance page and a `Retry-After`.
    pub told: usize,
    /// The seconds from a first failure to the next request that was answered, added up.
    pub closed: f64,
    /// The longest that one waited who was answered, in seconds.
    pub longest: f64,
}

/// Customers who do not stop until they are told to.
pub(crate) struct Customers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Request>>>,
}

fn ask(port: u16, host: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Customers {
    /// `count` customers, each with a pause between two requests.
    pub fn come(port: u16, host: &str, path: &'static str, count: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let one = |_| {
            let (stop, host) = (stop.clone(), host.to_owned());
            std::thread::spawn(move || {
                let mut requests = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let answer = ask(port, &host, path).unwrap_or_default();
                    let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_lowercase();
                    requests.push(Request {
                        began,
                        ended: Instant::now(),
                        answered: head.starts_with("http/1.1 200"),
                        told: head.starts_with("http/1.1 503") && head.contains("retry-after:"),
                    });
                    std::thread::sleep(pause);
                }
                requests
            })
        };
        let threads = (0..count).map(one).collect();
        Self { stop, threads }
    }

    /// They go home and tell.
    pub fn leave(self) -> Traffic {
        self.stop.store(true, Ordering::Relaxed);
        let mut all: Vec<Request> =
            self.threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect();
        all.sort_by_key(|request| request.began);
        let mut found = Traffic { requests: all.len(), ..Traffic::default() };
        let mut since: Option<Instant> = None;
        for request in &all {
            if request.answered {
                found.longest = found.longest.max(request.ended.duration_since(request.began).as_secs_f64());
                if let Some(since) = since.take() {
                    found.closed += request.began.saturating_duration_since(since).as_secs_f64();
                }
            } else {
                found.failed += 1;
                found.told += usize::from(request.told);
                since.get_or_insert(request.began);
            }
        }
        found
    }
}
