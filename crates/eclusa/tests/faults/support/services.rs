//! Services that behave as the fault wants, and the processes of a stack.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use eclusa_shop::ReleaseFile;

use super::Stage;
use crate::common::{Process, Setting, Shop, run};

/// How a release's service behaves.
#[derive(Debug, Clone, Copy)]
pub enum Web {
    /// As it should.
    Serves,
    /// It ends at once.
    Exits,
    /// It runs and listens to nothing.
    Hangs,
    /// It serves, and ends after so many seconds.
    DiesAfter(&'static str),
}

impl Web {
    /// Gives a release this service.
    pub fn put(self, shop: &Shop, release: &str) {
        let broken = shop.directory.join(format!("broken-{release}"));
        let line = match self {
            Self::Serves => format!("test -e {} && exit 7; exec \"$@\"", broken.display()),
            Self::Exits => "echo the library libfoo.so is missing >&2; exit 7".to_owned(),
            Self::Hangs => "exec sleep 600".to_owned(),
            Self::DiesAfter(seconds) => format!("timeout -s KILL {seconds} \"$@\"; exit 9"),
        };
        let path = shop.directory.join("releases").join(release).join("web");
        std::fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// From now on the service of a release ends at once, though nothing in its directory has changed.
pub fn break_service(shop: &Shop, release: &str) {
    std::fs::write(shop.directory.join(format!("broken-{release}")), "").unwrap();
}

/// A stack whose service is a script of its release: it serves, but in the releases that are named. `v1b` is another
/// release of v1's schema.
pub fn laid<const N: usize>(setting: &Setting, webs: [(&str, Web); N]) -> Shop {
    let shop = Shop::lay(setting);
    ReleaseFile::healthy("v1").write(&shop.directory.join("releases/v1b")).unwrap();
    for release in ["v1", "v1b", "v2", "v3"] {
        Web::Serves.put(&shop, release);
    }
    for (release, web) in webs {
        web.put(&shop, release);
    }
    let binary = shop.binary.display().to_string();
    let plain = format!("[stacks.shop.process.services.web]\ncommand = [\"{binary}\"");
    shop.change_configuration(|text| {
        assert!(text.contains(&plain));
        text.replacen(
            &plain,
            &format!(
                "[stacks.shop.process.services.web]\ncommand = [\"{{release_directory}}/web\", \"{binary}\""
            ),
            1,
        )
    });
    shop
}

fn found(shop: &Shop, wanted: impl Fn(&str) -> bool) -> Option<Process> {
    shop.processes().into_iter().find(|process| wanted(&process.command))
}

/// The service itself.
pub fn service(shop: &Shop) -> Option<Process> {
    found(shop, |command| command.contains(" serve --release") && !command.contains("supervise"))
}

/// The supervisor of the service.
pub fn supervisor(shop: &Shop) -> Option<Process> {
    let service = service(shop)?;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", service.pid)).ok()?;
    let parent: i32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    shop.processes().into_iter().find(|process| process.pid == parent)
}

/// The edge.
pub fn edge(shop: &Shop) -> Option<Process> {
    found(shop, |command| command.contains(" edge serve") && !command.contains("supervise"))
}

/// Someone who asks for a page again and again.
pub struct Visitor {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(u16, Option<String>)>>,
}

impl Stage {
    /// A visitor of alpha from now on.
    pub fn visitor(&self) -> Visitor {
        let over = Arc::new(AtomicBool::new(false));
        let (port, stop) = (self.shop.public_port, over.clone());
        let thread = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let (status, release, _) = run::get(port, "alpha.shop.test", "/api/products");
                seen.push((status, release));
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            seen
        });
        Visitor { over, thread }
    }
}

impl Visitor {
    /// Every answer was a good one of this release.
    #[track_caller]
    pub fn saw_only(self, release: &str) {
        self.over.store(true, Ordering::Relaxed);
        let seen = self.thread.join().unwrap();
        assert!(seen.len() > 3, "{seen:?}");
        for answer in &seen {
            assert_eq!(*answer, (200, Some(release.to_owned())), "of {} answers", seen.len());
        }
    }
}
