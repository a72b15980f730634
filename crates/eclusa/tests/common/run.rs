//! What a command came to, and what a run did.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{Shop, processes, wait_for};

/// What a command came to.
#[derive(Debug, Clone)]
pub struct Ran {
    /// What was typed.
    pub typed: String,
    /// How it ended; -1 when a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ran {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let words: Vec<String> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let ran = Self {
            typed: words.join(" "),
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        if std::env::var_os("ECLUSA_TEST_SHOW").is_some() && !ran.typed.ends_with("--json") {
            eprintln!("{}", ran.all());
        }
        ran
    }

    fn all(&self) -> String {
        format!("$ eclusa {}\n{}{}(code {})", self.typed, self.out, self.err, self.code)
    }

    /// It must have ended with this code.
    #[track_caller]
    pub fn must(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.all());
        self
    }

    /// Its standard error must say this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not said:\n{}", self.all());
        self
    }

    /// Its standard output must show this.
    #[track_caller]
    pub fn shows(self, text: &str) -> Self {
        assert!(self.out.contains(text), "{text:?} is not shown:\n{}", self.all());
        self
    }

    /// Neither output may have this.
    #[track_caller]
    pub fn lacks(self, text: &str) -> Self {
        assert!(!self.out.contains(text) && !self.err.contains(text), "{text:?} is there:\n{}", self.all());
        self
    }

    /// It must have been refused with this error, and must say so as a person reads it: the state, what to do next.
    #[track_caller]
    pub fn refused(self, code: &str) -> Self {
        assert!(self.err.starts_with(&format!("error {code}: ")), "no {code}:\n{}", self.all());
        // A word that was not filled in, or a text that the catalogue lacks.
        assert!(!self.err.contains("{$") && !self.err.contains("{ $"), "not filled in:\n{}", self.all());
        self
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}", self.all()))
    }
}

/// A run that was begun.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: String,
}

impl Run {
    /// Its events so far.
    pub fn events(&self, shop: &Shop) -> Vec<Value> {
        let ran = shop.run(&["history", &self.id, "--json"]).must(0);
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The process that owns it, as that has noted itself.
    pub fn runner(&self, shop: &Shop) -> Option<String> {
        std::fs::read_to_string(shop.state().join("runs").join(&self.id).join("runner")).ok()
    }

    /// Waits until its process is gone, whether it ended or was killed; `before` is the one that it had earlier.
    pub fn wait_for_runner(&self, shop: &Shop, before: Option<&str>) {
        wait_for("the runner ends", 90, || {
            let text = self.runner(shop).filter(|text| Some(text.as_str()) != before)?;
            let (pid, started) = text.trim().split_once(' ')?;
            (!processes::lives(pid, started)).then_some(())
        });
    }

    /// Waits until an event of this kind is in its journal (of this step, where one is named).
    pub fn wait_for_event(&self, shop: &Shop, kind: &str, step: &str) -> Value {
        wait_for(&format!("{kind} {step}"), 60, || {
            self.events(shop).into_iter().find(|event| is(event, kind) && event_step(event).starts_with(step))
        })
    }

    /// How it ended, if it has: `done`, `refused`, `went-back`, `stuck`.
    pub fn outcome(&self, shop: &Shop) -> Option<String> {
        self.events(shop).iter().find(|event| is(event, "ended")).map(|event| {
            event["event"]["outcome"].as_str().or(event["outcome"].as_str()).unwrap_or_default().to_owned()
        })
    }
}

/// The kind of an event.
pub fn kind(event: &Value) -> &str {
    event["event"]["event"].as_str().or(event["event"].as_str()).unwrap_or_default()
}

/// Whether an event is of a kind.
pub fn is(event: &Value, wanted: &str) -> bool {
    kind(event) == wanted
}

/// The step of an event; empty where it has none.
pub fn event_step(event: &Value) -> &str {
    event["event"]["step"].as_str().or(event["step"].as_str()).unwrap_or_default()
}

/// One request: the status, the release that answered, the body.
pub fn get(port: u16, host: &str, path: &str) -> (u16, Option<String>, String) {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return (0, None, String::new()) };
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let release = head.lines().find_map(|line| line.strip_prefix("x-release: ")).map(str::to_owned);
    (status, release, body.to_owned())
}
