//! A connection: the `ssh` of this machine, with nothing but what is configured, and the protocol over it.
//!
//! `ssh` does what it does everywhere: keys, host keys, encryption. It reads no configuration of the user's, asks nothing,
//! and knows only the hosts of the file that is named. What it says before it ends is what went wrong.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openssh_sftp_client::{Sftp, SftpOptions};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use super::SftpPlace;
use crate::remote::{Kind, Trouble};

/// How long `ssh` tries to reach the other machine, in seconds.
const CONNECTING: u32 = 20;
/// After so many seconds without an answer, four times, a connection is dead.
const ALIVE: u32 = 15;
/// How long `ssh` may take to say why it ends.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// So many of its lines are kept.
const LINES: usize = 20;

/// A connection. It ends when this is dropped.
pub(super) struct Connection {
    pub(super) sftp: Sftp,
    _child: Child,
    said: Said,
}

/// The last lines that `ssh` wrote.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    async fn listen(self, stderr: ChildStderr) {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < LINES && !line.trim().is_empty() {
                kept.push(line.trim().to_owned());
            }
        }
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).join(" ")
    }
}

impl Connection {
    pub(super) async fn open(place: &SftpPlace) -> io::Result<Self> {
        let mut child = Command::new("ssh")
            .args(arguments(place))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own words are read, so they are asked for in English.
            .env("LC_ALL", "C.UTF-8")
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Trouble::error(
                    Kind::Other,
                    "the program ssh is not installed (apt-get install openssh-client)",
                ),
                _ => Trouble::error(Kind::Other, format!("ssh cannot be started: {error}")),
            })?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Trouble::error(Kind::Other, "ssh was started without its pipes"));
        };
        let said = Said::default();
        let listening = tokio::spawn(said.clone().listen(stderr));
        let begun = tokio::time::timeout(place.timeout, Sftp::new(stdin, stdout, SftpOptions::new())).await;
        match begun {
            Ok(Ok(sftp)) => Ok(Self { sftp, _child: child, said }),
            Ok(Err(error)) => {
                let _ = tokio::time::timeout(LAST_WORDS, listening).await;
                let words = said.text();
                let words = if words.is_empty() { error.to_string() } else { words };
                Err(Trouble::error(meaning(&words), words))
            }
            Err(_) => Err(Trouble::error(
                Kind::Unreachable,
                format!("no answer within {} s. {}", place.timeout.as_secs(), said.text()).trim().to_owned(),
            )),
        }
    }

    /// What `ssh` said since.
    pub(super) fn said(&self) -> String {
        self.said.text()
    }
}

/// What the words of `ssh` mean.
fn meaning(words: &str) -> Kind {
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if has(&["Host key verification failed", "HOST IDENTIFICATION HAS CHANGED", "host key is known"]) {
        Kind::Stranger
    } else if has(&["Permission denied", "Too many authentication failures", "UNPROTECTED PRIVATE KEY"]) {
        Kind::Denied
    } else {
        Kind::Unreachable
    }
}

/// A path as an option of `ssh` takes it; what has a meaning there cannot be in it, the configuration sees to that.
fn option(name: &str, path: &std::path::Path) -> OsString {
    let mut option = OsString::from(format!("{name}=\""));
    option.push(path);
    option.push("\"");
    option
}

fn arguments(place: &SftpPlace) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["-F", "none", "-T", "-x", "-a"].iter().map(OsString::from).collect();
    let mut option_of = |value: &OsStr| arguments.extend([OsString::from("-o"), value.to_owned()]);
    for value in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "GlobalKnownHostsFile=none",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "PreferredAuthentications=publickey",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "ControlPath=none",
        "ServerAliveCountMax=4",
        "LogLevel=ERROR",
    ] {
        option_of(OsStr::new(value));
    }
    option_of(OsStr::new(&format!("ConnectTimeout={CONNECTING}")));
    option_of(OsStr::new(&format!("ServerAliveInterval={ALIVE}")));
    option_of(&option("UserKnownHostsFile", &place.known_hosts));
    option_of(&option("IdentityFile", &place.key));
    arguments.extend(
        ["-p".to_owned(), place.port.to_string(), "-l".to_owned(), place.user.clone()].map(OsString::from),
    );
    arguments.extend(["-s", "--", &place.host, "sftp"].map(OsString::from));
    arguments
}
