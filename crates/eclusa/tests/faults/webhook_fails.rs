//! Fault: The webhook is down, resets, hangs, or answers with an error

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::common::run::is;
use crate::support::{Stage, quick};

/// What the one who listens does with a request; it ends with the test.
fn listener(answer: fn(std::net::TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

fn lost(port: u16) {
    let stage = Stage::plain(&quick());
    let table = format!(
        "\n[[stacks.shop.webhooks]]\nurl = \"http://127.0.0.1:{port}/hook\"\nsecret = \"file:hook.key\"\nevents = [\"run.started\", \"run.ended\"]\n"
    );
    std::fs::write(stage.shop.directory.join("hook.key"), "a secret of this test\n").unwrap();
    stage.shop.change_configuration(|text| text + &table);
    stage.shop.run(&["release", "v2", "--yes"]).must(0).shows("GO.");
    let run = stage.newest_run();
    run.wait_for_runner(&stage.shop, None);
    let events = run.events(&stage.shop);
    let lost: Vec<_> = events.iter().filter(|event| is(event, "notice-lost")).collect();
    assert_eq!(lost.len(), 2, "{lost:#?}");
    assert!(lost.iter().all(|event| event.to_string().contains("E1001")), "{lost:#?}");
    stage.shop.run(&["history", &run.id]).must(0).shows("the notice run.started was not delivered: E1001");
    stage.is_released();
}

/// Nobody listens: done (0), and the history says which notices were lost.
#[test]
fn release_down() {
    lost(1);
}

/// It resets the connection: done (0), and the history says which notices were lost.
#[test]
fn release_resets() {
    lost(listener(|mut stream| {
        let _ = stream.read(&mut [0; 16]);
        // With bytes unread, closing sends a reset.
        drop(stream);
    }));
}

/// It answers 500: done (0), and the history says which notices were lost.
#[test]
fn release_error() {
    lost(listener(|mut stream| {
        let _ = stream.read(&mut [0; 8192]);
        let _ = stream.write_all(
            b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
    }));
}

/// It takes the request and never answers: the run does not wait for it; done (0), and the notices are lost.
#[test]
fn release_hangs() {
    lost(listener(|mut stream| {
        let _ = stream.read(&mut [0; 8192]);
        std::thread::sleep(std::time::Duration::from_secs(120));
    }));
}
