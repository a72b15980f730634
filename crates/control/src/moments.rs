//! Moments between restore points: what a person writes for one, and the restore point from which the log of the
//! database's server leads there, or the base backup of the server.

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{DatabasePlace, TenantName};
use eclusa_ports::PointManifest;
use eclusa_runbook::PointKind;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::Assembly;

/// Reads a moment: with an offset or `Z`, or as the clock of this machine shows it.
///
/// # Errors
/// A sentence on how one is written.
pub fn parse(text: &str) -> std::result::Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let local = text.parse::<DateTime>().ok().and_then(|local| local.to_zoned(TimeZone::system()).ok());
    local.map(|zoned| zoned.timestamp()).ok_or_else(|| {
        "write a moment as 2026-03-01T14:05 or 2026-03-01T14:05:30 (the clock of this machine), or with Z"
            .to_owned()
    })
}

/// From what a moment is reached: the newest restore point of a tenant before it, which knows where the log stood, or, on
/// PostgreSQL, beside it the name of the newest base backup of the server before it.
///
/// # Errors
/// `MomentUnreachable`, `VaultUnreachable`; what looking at base backups gives.
pub async fn before(
    assembly: &Assembly,
    tenant: &TenantName,
    until: Timestamp,
) -> Result<(PointManifest, Option<String>)> {
    let found = assembly.tenant(tenant)?;
    let unreachable =
        || Fault::new(Code::MomentUnreachable).with("tenant", tenant).with("moment", moment_text(until));
    let now = assembly.ports.clock.now();
    if until > now {
        return Err(unreachable().because(format!("it is not over yet: now is {}", moment_text(now))));
    }
    let points = assembly.ports.vault.list(tenant).await?.0;
    if !matches!(found.database, DatabasePlace::Postgresql { .. }) {
        let point = chosen(points, until).map_err(|problem| unreachable().because(problem))?;
        return Ok((point, None));
    }
    let Some(facts) = assembly.ports.database.bases(found).await? else {
        return Err(unreachable()
            .because("no base backups of its server are kept")
            .hint(Message::new("hint-bases")));
    };
    let base = facts.bases.iter().find(|base| base.ended_at < until);
    let Some(base) = base else {
        let text = match facts.bases.last() {
            Some(oldest) => {
                format!("the oldest base backup of its server is of {}", moment_text(oldest.ended_at))
            }
            None => "there is no base backup of its server".to_owned(),
        };
        return Err(unreachable().because(text));
    };
    let point = newest_before(points, until).into_iter().next();
    let point = point.ok_or_else(|| unreachable().because(NO_POINT))?;
    Ok((point, Some(base.name.clone())))
}

const NO_POINT: &str = "no restore point of its database was taken before";

/// The tenant's own points with a database that were taken before a moment, the newest first, as they come.
fn newest_before(points: Vec<PointManifest>, until: Timestamp) -> Vec<PointManifest> {
    let own = |point: &PointManifest| point.kind != PointKind::Imported && !point.database.is_empty();
    let taken = |point: &PointManifest| point.log.as_ref().map_or(point.taken_at, |log| log.at);
    points.into_iter().filter(|point| own(point) && taken(point) < until).collect()
}

/// As people read it: to the second, in UTC.
#[must_use]
pub fn moment_text(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The points are the newest first.
fn chosen(points: Vec<PointManifest>, until: Timestamp) -> std::result::Result<PointManifest, String> {
    let before = newest_before(points, until);
    let Some(newest) = before.first() else {
        return Err(NO_POINT.to_owned());
    };
    if newest.log.is_some() {
        return before.into_iter().next().ok_or_else(String::new);
    }
    // From an older one the log might lead there; but a server that keeps no log now did not keep one all the time.
    Err(format!(
        "the restore point before it, of {}, does not know where the server's binary log stood: the server kept none then",
        moment_text(newest.taken_at)
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_write_them() {
        assert_eq!(parse("2026-03-01T14:05Z").unwrap().to_string(), "2026-03-01T14:05:00Z");
        assert_eq!(parse("2026-03-01T14:05:30+02:00").unwrap().to_string(), "2026-03-01T12:05:30Z");
        for local in ["2026-03-01T14:05", "2026-03-01 14:05:30"] {
            assert!(parse(local).is_ok(), "{local}");
        }
        for wrong in ["yesterday", "14:05", "2026-13-01T00:00", ""] {
            assert!(parse(wrong).unwrap_err().contains("2026-03-01T14:05"), "{wrong}");
        }
        assert_eq!(moment_text(parse("2026-03-01T14:05:30Z").unwrap()), "2026-03-01 14:05:30 UTC");
    }
}
