//! Base backups: copies of everything that a server holds, taken by `pg_basebackup` as compressed archives.
//!
//! Each is a directory whose name is the moment at which it was finished, by the server's clock and rounded up:
//! `20260301T140512Z`. From then on, and not before, its log leads to any moment. It gets this name when all of it is on the
//! disk and could be unpacked; what has another name is none.

use eclusa_ports::{Base, BaseFacts};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::catalogue::maintenance;
use super::super::session::{Access, Failure, Session};
use super::BasePlace;
use super::program::{Machine, said};

type Outcome<T> = Result<T, Failure>;

/// The name while it is being taken.
const UNFINISHED: &str = ".eclusa-part";
/// The archive in it.
pub(super) const ARCHIVE: &str = "base.tar.gz";
/// How names are written.
const NAMED: &str = "%Y%m%dT%H%M%SZ";

/// Locks of the server, for as long as a session lives: whoever takes a base backup has the one alone; of the other, whoever
/// reads one has a share and whoever removes some has it alone. The first number is no other program's.
const TAKING: u8 = 1;
const READING: u8 = 2;
const LOCKS: u32 = 1_163_086_661;

async fn locked(session: &mut Session, function: &str, which: u8) -> Outcome<bool> {
    let row = session.row(&format!("SELECT json_build_object('got', {function}({LOCKS}, {which}));")).await?;
    Ok(row.get("got").and_then(Value::as_bool) == Some(true))
}

/// Lets no base backup be removed while this session lives.
pub(super) async fn hold(session: &mut Session) -> Outcome<()> {
    match locked(session, "pg_try_advisory_lock_shared", READING).await? {
        true => Ok(()),
        false => Err(said("base backups are being removed at this moment")),
    }
}

/// What the server says about its log, and the base backups there are.
pub(in super::super) async fn facts(access: &Access, live: &str, place: &BasePlace) -> Outcome<BaseFacts> {
    let mut session = maintenance(access, live).await?;
    let row = session.row(ARCHIVING).await?;
    let machine = Machine::of(access, &mut session, place).await?;
    let failing = row.get("failing").and_then(Value::as_str).map(str::to_owned);
    Ok(BaseFacts { archives: is_on(&row), failing, bases: bases(&machine, place).await? })
}

const ARCHIVING: &str = "SELECT json_build_object('mode', current_setting('archive_mode'), \
     'failing', CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity') THEN last_failed_wal END) \
     FROM pg_stat_archiver;";

fn is_on(row: &Value) -> bool {
    row.get("mode").and_then(Value::as_str).is_some_and(|mode| mode != "off")
}

/// The base backups there are, the newest first.
async fn bases(machine: &Machine<'_>, place: &BasePlace) -> Outcome<Vec<Base>> {
    let listed = machine.output(&["du", "-k", "-d", "1", "--", &place.base]).await?;
    let mut found: Vec<Base> = listed
        .lines()
        .filter_map(|line| {
            let (kibibytes, path) = line.split_once('\t')?;
            let name = path.rsplit('/').next()?;
            let ended_at = moment_of(name)?;
            let bytes = kibibytes.trim().parse::<u64>().ok()?.saturating_mul(1024);
            Some(Base { name: name.to_owned(), ended_at, bytes })
        })
        .collect();
    found.sort_by_key(|base| std::cmp::Reverse(base.ended_at));
    Ok(found)
}

/// The moment that a name says.
pub(super) fn moment_of(name: &str) -> Option<Timestamp> {
    let moment = DateTime::strptime(NAMED, name).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    // One name for one moment, so that what is asked for by a name is what was listed.
    (moment.strftime(NAMED).to_string() == name).then_some(moment)
}

/// Takes one. Then those beyond the number that is kept go, and with them the log that led from them.
pub(in super::super) async fn take(access: &Access, live: &str, place: &BasePlace) -> Outcome<Base> {
    let mut session = maintenance(access, live).await?;
    refuse_unsupported(&mut session).await?;
    if !locked(&mut session, "pg_try_advisory_lock", TAKING).await? {
        return Err(said("another base backup of this server is being taken"));
    }
    let machine = Machine::of(access, &mut session, place).await?;
    let unfinished = format!("{}/{UNFINISHED}", place.base);
    machine.output(&["rm", "-rf", "--", &unfinished]).await?;
    eclusa_crash::point("postgresql.base.begins");
    let taken = taken(&machine, &mut session, place, &unfinished).await;
    if taken.is_err() {
        // What says why is the first failure.
        let _ = machine.output(&["rm", "-rf", "--", &unfinished]).await;
    }
    let name = taken?;
    eclusa_crash::point("postgresql.base.taken");
    let found = bases(&machine, place).await?;
    // One that a restore may be reading stays until the next time.
    if let Some(keep) = place.keep
        && locked(&mut session, "pg_try_advisory_lock", READING).await?
    {
        let_go(&machine, place, &found, keep.max(1)).await.map_err(|failure| match failure {
            Failure::Said(text) => said(&format!(
                "the base backup {name} was taken, but those that are too many could not be let go: {text}"
            )),
            other => other,
        })?;
    }
    let lost = || said("the base backup that was taken is not there");
    found.into_iter().find(|base| base.name == name).ok_or_else(lost)
}

async fn taken(
    machine: &Machine<'_>,
    session: &mut Session,
    place: &BasePlace,
    unfinished: &str,
) -> Outcome<String> {
    let program = machine.server_program("pg_basebackup");
    let into = format!("--pgdata={unfinished}");
    // The log that the copy itself needs is archived before it ends.
    let argv = [
        program.as_str(),
        into.as_str(),
        "--format=tar",
        "--compress=1",
        "--wal-method=none",
        "--checkpoint=fast",
        "--no-password",
        "--label=eclusa",
    ];
    machine.output(&argv).await?;
    eclusa_crash::point("postgresql.base.written");
    machine.output(&["gzip", "-t", "--", &format!("{unfinished}/{ARCHIVE}")]).await?;
    let row = session
        .row("SELECT json_build_object('now', extract(epoch FROM clock_timestamp())::bigint);")
        .await?;
    let now = row.get("now").and_then(Value::as_i64).and_then(|now| Timestamp::from_second(now + 1).ok());
    let name =
        now.ok_or_else(|| said("the server does not say what time it is"))?.strftime(NAMED).to_string();
    let target = format!("{}/{name}", place.base);
    machine.output(&["mv", "-T", "--", unfinished, &target]).await?;
    machine.output(&["sync", &target, &place.base]).await?;
    Ok(name)
}

async fn refuse_unsupported(session: &mut Session) -> Outcome<()> {
    let row = session.row(ARCHIVING).await?;
    if !is_on(&row) {
        return Err(said("the server archives no log: archive_mode is off"));
    }
    let row = session
        .row("SELECT json_build_object('spaces', string_agg(spcname, ', ')) FROM pg_tablespace WHERE spcname !~ '^pg_';")
        .await?;
    match row.get("spaces").and_then(Value::as_str) {
        Some(spaces) => Err(said(&format!("the server has tablespaces, which are not restored: {spaces}"))),
        None => Ok(()),
    }
}

/// Removes the base backups beyond a number, and the log before the oldest that stays.
async fn let_go(machine: &Machine<'_>, place: &BasePlace, found: &[Base], keep: usize) -> Outcome<()> {
    let (stay, go) = found.split_at(keep.min(found.len()));
    for base in go {
        machine.output(&["rm", "-rf", "--", &format!("{}/{}", place.base, base.name)]).await?;
        eclusa_crash::point("postgresql.base.removed");
    }
    let Some(oldest) = stay.last().filter(|_| found.len() >= keep) else { return Ok(()) };
    let archive = format!("{}/{}/{ARCHIVE}", place.base, oldest.name);
    let label = machine.output(&["tar", "-xzOf", &archive, "backup_label"]).await?;
    let first = first_file(&label).ok_or_else(|| said("backup_label does not say where its log begins"))?;
    let program = machine.server_program("pg_archivecleanup");
    machine.output(&[&program, &place.wal, first]).await.map(drop)
}

/// The file of the log with which a base backup begins.
fn first_file(label: &str) -> Option<&str> {
    let line = label.lines().find(|line| line.starts_with("START WAL LOCATION: "))?;
    let file = line.split_once("(file ")?.1.strip_suffix(')')?;
    (file.len() == 24 && file.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels_are_read_as_they_were_written() {
        let moment = moment_of("20260301T140512Z").unwrap_or_default();
        assert_eq!(moment.to_string(), "2026-03-01T14:05:12Z");
        for name in [".eclusa-part", "20260301T140512", "20261301T140512Z", "20260301T140512Z.old", ""] {
            assert_eq!(moment_of(name), None, "{name}");
        }
        let label =
            "START WAL LOCATION: 0/3000028 (file 000000010000000000000003)\nCHECKPOINT LOCATION: 0/3000060\n";
        assert_eq!(first_file(label), Some("000000010000000000000003"));
        for label in ["", "START WAL LOCATION: 0/3 (file ../../x)", "START WAL LOCATION: 0/3"] {
            assert_eq!(first_file(label), None, "{label}");
        }
    }
}
