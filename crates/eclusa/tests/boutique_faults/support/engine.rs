//! The engine itself, ended and started again as it was.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::bench::wait_for;

const PID_FILE: &str = "/var/run/docker.pid";

/// An engine that runs on this machine, with the arguments that it was started with.
pub struct Engine {
    pid: u32,
    arguments: Vec<String>,
    /// Where its own output goes.
    log: PathBuf,
}

impl Engine {
    pub fn that_runs() -> Self {
        let text = std::fs::read_to_string(PID_FILE)
            .expect("this test restarts the engine, whose process id is there");
        let pid: u32 = text.trim().parse().unwrap();
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        let words = command.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        let arguments: Vec<String> = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        assert!(arguments.first().is_some_and(|program| program.ends_with("dockerd")), "{arguments:?}");
        let log = std::fs::read_link(format!("/proc/{pid}/fd/1")).unwrap_or_else(|_| "/dev/null".into());
        Self { pid, arguments, log }
    }

    /// Ends it as a machine's own service manager does, with what runs under it, and starts it again.
    pub fn restart(&self) {
        if std::path::Path::new("/run/systemd/system").is_dir() {
            let status = Command::new("systemctl").args(["restart", "docker"]).status().unwrap();
            assert!(status.success(), "systemctl restart docker");
        } else {
            let pid = rustix::process::Pid::from_raw(self.pid.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            wait_for("the engine ends", 90, || has_ended(self.pid));
            self.start();
        }
        wait_for("the engine answers", 90, answers);
    }

    fn start(&self) {
        let log = || {
            let opened = std::fs::OpenOptions::new().create(true).append(true).open(&self.log);
            opened.map_or_else(|_| Stdio::null(), Stdio::from)
        };
        // In a session of its own, and without the descriptors of this test: it outlives it.
        Command::new("setsid")
            .args(["--fork", "nohup"])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .status()
            .unwrap();
    }
}

/// Gone, or only waiting for whoever started it to take note.
fn has_ended(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

fn answers() -> bool {
    Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success())
}
