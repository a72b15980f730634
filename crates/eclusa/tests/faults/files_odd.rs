//! Fault: Among the files of a tenant is a pipe, a socket, a link out of the tree, or one that vanishes

use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::support::{Stage, quick};

fn odd(stage: &Stage) -> UnixListener {
    let receipts = stage.shop.directory.join("data/alpha/receipts");
    assert!(Command::new("mkfifo").arg(receipts.join("pipe")).status().unwrap().success());
    std::os::unix::fs::symlink("/etc/passwd", receipts.join("link")).unwrap();
    UnixListener::bind(receipts.join("socket")).unwrap()
}

/// Does not wait at the pipe and does not follow the link; files are backed up and proved (0).
#[test]
fn backup() {
    let stage = Stage::plain(&quick());
    let _socket = odd(&stage);
    stage.shop.run(&["backup", "--prove"]).must(0).shows("restored and proved");
}

/// The link comes back as a link, and pipe and socket are left out; done (0).
#[test]
fn restore() {
    let stage = Stage::plain(&quick());
    let _socket = odd(&stage);
    stage.shop.run(&["backup"]).must(0);
    std::fs::remove_file(stage.shop.directory.join("data/alpha/receipts/link")).unwrap();
    stage.shop.run(&["restore", "alpha", "--yes"]).must(0);
    let link = std::fs::read_link(stage.shop.directory.join("data/alpha/receipts/link")).unwrap();
    assert_eq!(link.to_str(), Some("/etc/passwd"));
    std::fs::remove_file(stage.shop.directory.join("data/alpha/receipts/link")).unwrap();
    stage.is("v1", &stage.before, true);
}

/// Files come and go while it is backed up: done (0), with those that stayed.
#[test]
fn backup_while_files_vanish() {
    let stage = Stage::plain(&quick());
    let receipts = stage.shop.directory.join("data/alpha/receipts");
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0_u64;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let path = receipts.join(format!("passing-{}", number % 50));
                if number.is_multiple_of(2) {
                    let _ = std::fs::write(&path, "x".repeat(5000));
                } else {
                    let _ = std::fs::remove_file(receipts.join(format!("passing-{}", (number / 2 * 7) % 50)));
                }
                number += 1;
            }
        });
        for _ in 0..3 {
            stage.shop.run(&["backup"]).must(0);
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    for entry in std::fs::read_dir(&receipts).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("passing") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    stage.shop.run(&["restore", "alpha", "--check"]).must(0);
    stage.is_as_before();
}
