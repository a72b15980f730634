//! Programs where the server runs, as the user that the server's directories belong to: PostgreSQL's own refuse to be run by
//! root, and in a container commands are run by root.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::session::{Access, Failure, Session};
use super::super::summary::text;
use super::BasePlace;
use crate::server::end;

type Outcome<T> = Result<T, Failure>;

/// The most that is read of what a program prints.
const PRINTED: u64 = 4 * 1024 * 1024;
/// Programs that run another as somebody else, each with its arguments before the command. `UID` and `GID` are replaced.
const AS_SOMEBODY: [&[&str]; 3] = [
    &["setpriv", "--reuid=UID", "--regid=GID", "--clear-groups", "--"],
    &["gosu", "UID:GID"],
    &["su-exec", "UID:GID"],
];

/// What a program printed, and how it ended.
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) stdout: String,
    /// The last lines of what it said on standard error.
    pub(super) said: Vec<String>,
}

/// Where the server runs.
pub(super) struct Machine<'a> {
    access: &'a Access,
    /// What stands before every command.
    before: Vec<String>,
    /// The directory of the server's programs.
    programs: String,
}

impl<'a> Machine<'a> {
    /// Looks who the directory of base backups belongs to, and where the server's programs are.
    pub(super) async fn of(access: &'a Access, session: &mut Session, place: &BasePlace) -> Outcome<Self> {
        let row = session
            .row("SELECT json_build_object('programs', (SELECT setting FROM pg_config WHERE name = 'BINDIR'));")
            .await?;
        let mut machine = Self { access, before: Vec::new(), programs: text(&row, "programs")? };
        let owner = machine.output(&["stat", "-c", "%u %g", "--", &place.base]).await?;
        let (user, group) = owner.trim().split_once(' ').ok_or_else(|| said("stat answered nothing"))?;
        if machine.output(&["id", "-u"]).await?.trim() == user {
            return Ok(machine);
        }
        if user == "0" {
            return Err(said(&format!("{} belongs to root; it must be the server's user's", place.base)));
        }
        for words in AS_SOMEBODY {
            let words = words.iter().map(|word| word.replace("UID", user).replace("GID", group));
            machine.before = words.collect();
            if machine.run(&["true"], b"").await?.code == 0 {
                return Ok(machine);
            }
        }
        Err(said("none of setpriv, gosu and su-exec can be run where the server runs, as its user"))
    }

    /// The path of one of the server's programs.
    pub(super) fn server_program(&self, name: &str) -> String {
        format!("{}/{name}", self.programs)
    }

    /// Runs a command with this text on its standard input, and waits.
    pub(super) async fn run(&self, argv: &[&str], input: &[u8]) -> Outcome<Ended> {
        let argv = self.before.iter().cloned().chain(argv.iter().map(|word| (*word).to_owned()));
        let variables = [("PGUSER", self.access.user.as_str()), ("PGDATABASE", "postgres")];
        let mut stream = self.access.run(argv.collect(), &variables).await?;
        let broken = |error: std::io::Error| Failure::Said(error.to_string());
        // One that reads nothing may have ended by now.
        let _ = stream.stdin.write_all(input).await;
        let _ = stream.stdin.shutdown().await;
        drop(stream.stdin);
        let mut printed = Vec::new();
        (&mut stream.stdout).take(PRINTED).read_to_end(&mut printed).await.map_err(broken)?;
        tokio::io::copy(&mut stream.stdout, &mut tokio::io::sink()).await.map_err(broken)?;
        let result = end(stream.ended).await?;
        let stdout = String::from_utf8_lossy(&printed).into_owned();
        Ok(Ended { code: result.code, stdout, said: result.tail })
    }

    /// Runs a command that must succeed; gives what it printed.
    pub(super) async fn output(&self, argv: &[&str]) -> Outcome<String> {
        self.output_of(argv, b"").await
    }

    /// The same, with a text on its standard input.
    pub(super) async fn output_of(&self, argv: &[&str], input: &[u8]) -> Outcome<String> {
        let ended = self.run(argv, input).await?;
        if ended.code == 0 {
            return Ok(ended.stdout);
        }
        let program = argv.first().copied().unwrap_or_default();
        let mut lines = ended.said;
        lines.retain(|line| !line.trim().is_empty());
        let last = lines.split_off(lines.len().saturating_sub(5));
        let text = if last.is_empty() { format!("code {}", ended.code) } else { last.join("; ") };
        Err(said(&format!("{program}: {text}")))
    }
}

pub(super) fn said(text: &str) -> Failure {
    Failure::Said(text.to_owned())
}
