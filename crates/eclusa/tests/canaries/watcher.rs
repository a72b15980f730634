//! Looks at every process of the machine, over and over: its arguments, and the environment of those of the stack.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What processes had.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Each command line that was seen, its words separated by spaces.
    pub arguments: BTreeSet<String>,
    /// The environment of each process of the stack's own binary, with its command line.
    pub environments: BTreeSet<(String, String)>,
}

/// Watches until it is stopped.
pub struct Watcher {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watcher {
    /// Begins to watch; `binary` is the stack's.
    pub fn start(binary: &Path) -> Self {
        let (seen, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let (all, ended, binary) = (seen.clone(), stop.clone(), binary.to_owned());
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                glance(&all, &binary);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn text(path: PathBuf) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " ")).unwrap_or_default()
}

fn glance(seen: &Mutex<Seen>, binary: &Path) {
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
            continue;
        }
        let arguments = text(entry.path().join("cmdline"));
        if arguments.is_empty() {
            continue;
        }
        let ours = std::fs::read_link(entry.path().join("exe")).is_ok_and(|path| path == binary);
        // A process that is between fork and exec still has what its parent had.
        let environment = if ours { text(entry.path().join("environ")) } else { String::new() };
        let same = text(entry.path().join("cmdline")) == arguments;
        let mut seen = seen.lock().unwrap();
        if ours && same {
            seen.environments.insert((arguments.clone(), environment));
        }
        seen.arguments.insert(arguments);
    }
}
