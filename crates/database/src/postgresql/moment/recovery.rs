//! A server that recovers a base backup up to a moment, for as long as a database is dumped from it.

use std::io::Read;
use std::time::Duration;

use eclusa_ports::{DatabaseSummary, Dump, StoredDump, StoredStream, StreamOpener};
use jiff::Timestamp;
use serde_json::Value;

use super::super::catalogue::maintenance;
use super::super::session::{Access, Failure, Session};
use super::super::summary::text;
use super::super::{dump, restore};
use super::BasePlace;
use super::base::{ARCHIVE, hold, moment_of};
use super::program::{Machine, said};
use crate::Shape;

type Outcome<T> = Result<T, Failure>;

/// With what the directory of a recovering server begins.
const SCRATCH: &str = ".eclusa-recovery-";
/// How long the server may take to archive what was written last. `archive_command` is tried again after failures once a
/// minute.
const ARCHIVED_WITHIN: Duration = Duration::from_secs(90);
const ASKED_EVERY: Duration = Duration::from_millis(200);
/// How long a recovery may take, in seconds.
const RECOVERED_WITHIN: &str = "86400";

/// What is wanted: which database, of which moment, as which copy.
pub(in super::super) struct Wanted<'a> {
    pub(in super::super) live: &'a str,
    pub(in super::super) suffix: &'a str,
    /// The name of the base backup.
    pub(in super::super) base: &'a str,
    pub(in super::super) until: Timestamp,
}

/// Restores a database beside the live one as it was at a moment; gives when the last transaction before it was committed, what
/// the copy must hold.
pub(in super::super) async fn restore(
    access: &Access,
    place: &BasePlace,
    wanted: &Wanted<'_>,
    shape: Shape,
) -> Outcome<(Option<Timestamp>, DatabaseSummary)> {
    let mut session = maintenance(access, wanted.live).await?;
    let machine = Machine::of(access, &mut session, place).await?;
    remove_all(&machine, place).await?;
    if moment_of(wanted.base).is_none_or(|ended| ended >= wanted.until) {
        return Err(said(&format!("the base backup {} does not lead there", wanted.base)));
    }
    hold(&mut session).await?;
    archived(&machine, &mut session, place).await?;
    let recovery = Recovery { machine: &machine, place, directory: scratch(place, wanted.suffix) };
    let recovered = async {
        recovery.prepare(&mut session, wanted).await?;
        eclusa_crash::point("postgresql.recovery.prepared");
        recovery.start().await?;
        eclusa_crash::point("postgresql.recovery.recovered");
        dumped(&recovery.access(access), access, wanted, shape).await
    };
    let recovered = recovered.await;
    let removed = remove(&machine, &recovery.directory).await;
    let recovered = recovered?;
    removed?;
    Ok(recovered)
}

/// Ends a recovering server of any restore and removes what it lay in.
pub(in super::super) async fn clear(access: &Access, live: &str, place: &BasePlace) -> Outcome<()> {
    let mut session = maintenance(access, live).await?;
    remove_all(&Machine::of(access, &mut session, place).await?, place).await
}

fn scratch(place: &BasePlace, suffix: &str) -> String {
    format!("{}/{SCRATCH}{suffix}", place.base)
}

async fn remove_all(machine: &Machine<'_>, place: &BasePlace) -> Outcome<()> {
    let listed = machine.output(&["ls", "-1", "-a", "--", &place.base]).await?;
    for name in listed.lines().filter(|name| name.starts_with(SCRATCH)) {
        remove(machine, &format!("{}/{name}", place.base)).await?;
    }
    Ok(())
}

async fn remove(machine: &Machine<'_>, directory: &str) -> Outcome<()> {
    let control = machine.server_program("pg_ctl");
    let at = format!("--pgdata={directory}");
    // 3: it does not run. 4: this is no directory of a server.
    if machine.run(&[&control, "status", &at], b"").await?.code == 0 {
        machine.output(&[&control, "stop", &at, "--mode=immediate", "--wait", "--silent"]).await?;
    }
    machine.output(&["rm", "-rf", "--", directory]).await.map(drop)
}

/// Lets the server archive all that it has written until now. A transaction of ours comes last, since a recovery knows only by
/// one after it that it has reached a moment.
async fn archived(machine: &Machine<'_>, session: &mut Session, place: &BasePlace) -> Outcome<()> {
    session.run("BEGIN; SELECT txid_current(); COMMIT;").await?;
    let row = session.row("SELECT json_build_object('file', pg_walfile_name(pg_switch_wal()));").await?;
    let file = text(&row, "file")?;
    let path = format!("{}/{file}", place.wal);
    let begun = tokio::time::Instant::now();
    while machine.run(&["test", "-f", &path], b"").await?.code != 0 {
        if begun.elapsed() >= ARCHIVED_WITHIN {
            return Err(said(&format!(
                "the server has not archived {file} into {} within {} s",
                place.wal,
                ARCHIVED_WITHIN.as_secs()
            )));
        }
        tokio::time::sleep(ASKED_EVERY).await;
    }
    Ok(())
}

struct Recovery<'a> {
    machine: &'a Machine<'a>,
    place: &'a BasePlace,
    directory: String,
}

impl Recovery<'_> {
    async fn prepare(&self, session: &mut Session, wanted: &Wanted<'_>) -> Outcome<()> {
        let of = |name: &str| format!("{}/{name}", self.directory);
        self.machine.output(&["mkdir", "-m", "700", "--", &self.directory]).await?;
        let archive = format!("{}/{}/{ARCHIVE}", self.place.base, wanted.base);
        self.machine.output(&["tar", "-xzf", &archive, "-C", &self.directory]).await?;
        // Settings of the live server: what it archives, loads, listens to.
        let left_out = [of("postgresql.auto.conf"), of("standby.signal")];
        self.machine.output(&["rm", "-f", "--", &left_out[0], &left_out[1]]).await?;
        let settings = self.settings(session, wanted.until).await?;
        self.machine.output_of(&["tee", &of("eclusa.conf")], settings.as_bytes()).await?;
        self.machine.output_of(&["tee", &of("eclusa_hba.conf")], b"local all all trust\n").await?;
        self.machine.output(&["touch", &of("eclusa_ident.conf"), &of("recovery.signal")]).await.map(drop)
    }

    /// Nothing of it reaches anything else: no port, no subscription, no library that would start work of its own.
    async fn settings(&self, session: &mut Session, until: Timestamp) -> Outcome<String> {
        let directory = &self.directory;
        let mut settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{directory}'\nport = {PORT}\n\
             hba_file = '{directory}/eclusa_hba.conf'\nident_file = '{directory}/eclusa_ident.conf'\n\
             restore_command = 'cp \"{}/%f\" \"%p\"'\nrecovery_target_time = '{}'\n\
             recovery_target_inclusive = off\nrecovery_target_action = promote\nhot_standby = off\n\
             archive_mode = off\nfsync = off\nfull_page_writes = off\nautovacuum = off\n\
             max_logical_replication_workers = 0\nlogging_collector = off\nlc_messages = 'C'\n",
            self.place.wal,
            until.strftime("%Y-%m-%d %H:%M:%S%.6f+00"),
        );
        // With fewer, transactions of the log could not be held.
        for name in ["max_connections", "max_prepared_transactions", "max_locks_per_transaction"] {
            let query = format!("SELECT json_build_object('value', current_setting('{name}')::int);");
            let row = session.row(&query).await?;
            let value = row.get("value").and_then(Value::as_u64).unwrap_or(100);
            settings.push_str(&format!("{name} = {value}\n"));
        }
        Ok(settings)
    }

    async fn start(&self) -> Outcome<()> {
        let control = self.machine.server_program("pg_ctl");
        let log = format!("{}/eclusa.log", self.directory);
        let options = format!("-c config_file={}/eclusa.conf", self.directory);
        let at = format!("--pgdata={}", self.directory);
        let to = format!("--log={log}");
        let within = format!("--timeout={RECOVERED_WITHIN}");
        let argv = [&control, "start", &at, "--wait", &within, "--silent", &to, "--options", &options];
        if self.machine.run(&argv, b"").await?.code == 0 && self.recovered(&at).await? {
            return Ok(());
        }
        let written = self.machine.output(&["tail", "-n", "200", "--", &log]).await.unwrap_or_default();
        let telling =
            |line: &&str| line.contains("FATAL") || line.contains("ERROR") || line.contains("PANIC");
        let mut lines: Vec<&str> = written.lines().filter(telling).collect();
        let last = lines.split_off(lines.len().saturating_sub(3));
        let last = if last.is_empty() { "it said nothing".to_owned() } else { last.join("; ") };
        Err(said(&format!("the log could not be replayed on the base backup: {last}")))
    }

    /// Waits until it lets somebody connect, which is at the moment that is wanted, or has ended. `pg_ctl` knows only that it
    /// recovers.
    async fn recovered(&self, at: &str) -> Outcome<bool> {
        let (ready, control) =
            (self.machine.server_program("pg_isready"), self.machine.server_program("pg_ctl"));
        let (host, port) = (format!("--host={}", self.directory), format!("--port={PORT}"));
        loop {
            if self.machine.run(&[&ready, "--quiet", &host, &port], b"").await?.code == 0 {
                return Ok(true);
            }
            if self.machine.run(&[&control, "status", at], b"").await?.code != 0 {
                return Ok(false);
            }
            tokio::time::sleep(ASKED_EVERY).await;
        }
    }

    /// How the recovering server is reached.
    fn access(&self, access: &Access) -> Access {
        let server = vec![format!("--host={}", self.directory), format!("--port={PORT}")];
        Access { server, ..access.clone() }
    }
}

/// It is part of the name of a socket only.
const PORT: u16 = 5432;

/// Dumps the database from the recovered server into one beside the live one.
async fn dumped(
    from: &Access,
    to: &Access,
    wanted: &Wanted<'_>,
    shape: Shape,
) -> Outcome<(Option<Timestamp>, DatabaseSummary)> {
    let mut session = maintenance(from, wanted.live).await?;
    let row = session
        .row("SELECT json_build_object('last', extract(epoch FROM pg_last_xact_replay_timestamp())::text);")
        .await?;
    let last = row.get("last").and_then(Value::as_str).and_then(|last| last.parse::<f64>().ok());
    #[allow(clippy::cast_possible_truncation, reason = "a time of the server's clock in microseconds")]
    let last = last.and_then(|last| Timestamp::from_microsecond((last * 1e6) as i64).ok());
    let Dump { streams, summary, .. } = dump::dump(from, wanted.live, shape).await.map_err(Failure::Fault)?;
    let streams = streams.into_iter().map(|stream| {
        let reader = Box::new(Opened { open: Some(stream.open), reader: None });
        StoredStream { name: stream.name, reader }
    });
    let dump = StoredDump { streams: streams.collect(), ..StoredDump::default() };
    restore::restore_beside(to, wanted.live, wanted.suffix, dump).await?;
    eclusa_crash::point("postgresql.recovery.restored");
    Ok((last, summary().map_err(Failure::Fault)?))
}

/// A stream that is opened when it is first read, on the thread that reads it.
struct Opened {
    open: Option<StreamOpener>,
    reader: Option<Box<dyn Read + Send>>,
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if let Some(open) = self.open.take() {
            self.reader = Some(open()?);
        }
        let gone = || std::io::Error::other("the stream could not be opened");
        self.reader.as_mut().ok_or_else(gone)?.read(buffer)
    }
}
