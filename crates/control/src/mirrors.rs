//! Where copies of restore points are, and which of them are too old.

use std::collections::BTreeMap;

use eclusa_config::model::Stack;
use eclusa_fault::{Code, Message, Result};
use eclusa_model::TenantName;
use eclusa_ports::{MirrorCopies, MirrorFailure};
use eclusa_runbook::{Intent, MirrorWay};
use eclusa_vault::{Mirror, MirrorPlace, S3Place, SftpPlace};
use jiff::Timestamp;
use serde::Serialize;

use crate::status::{Severity, Trouble};
use crate::{Assembly, retention, schedule};

/// A tenant's copies at one place, at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct MirrorSafety {
    /// The place.
    pub mirror: String,
    /// When everything was last copied there and read back.
    pub copied_at: Option<Timestamp>,
    /// When everything there was last read.
    pub read_at: Option<Timestamp>,
    /// How many restore points are there.
    pub points: usize,
    /// Whether the copy is older than the configuration allows, or there is none.
    pub stale: bool,
    /// The time of its own schedule that was missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// That the last copying failed, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<MirrorFailure>,
}

/// The mirrors of a stack. The check of the configuration saw to it that each has one place.
pub(crate) fn of(stack: &Stack) -> Vec<Mirror> {
    let of = |mirror: &eclusa_config::model::Mirror| {
        let place = match (&mirror.directory, &mirror.s3, &mirror.sftp) {
            (Some(directory), ..) => MirrorPlace::Directory {
                directory: directory.clone(),
                same_file_system: mirror.same_file_system,
            },
            (None, Some(s3), _) => MirrorPlace::S3(S3Place {
                endpoint: s3.endpoint.clone(),
                bucket: s3.bucket.clone(),
                region: s3.region.clone(),
                prefix: s3.prefix.clone(),
                virtual_host_style: s3.virtual_host_style,
                access_key_id: s3.access_key_id.as_str().to_owned(),
                secret_access_key: s3.secret_access_key.as_str().to_owned(),
                timeout: s3.timeout.as_duration(),
            }),
            (None, None, Some(sftp)) => MirrorPlace::Sftp(SftpPlace {
                host: sftp.host.clone(),
                port: sftp.port,
                user: sftp.user.clone(),
                directory: sftp.directory.clone(),
                key: stack.origin.directory.join(&sftp.key),
                known_hosts: stack.origin.directory.join(&sftp.known_hosts),
                timeout: sftp.timeout.as_duration(),
            }),
            (None, None, None) => return None,
        };
        Some(Mirror { name: mirror.name.clone(), place })
    };
    stack.mirrors.iter().filter_map(of).collect()
}

/// What copying to some mirrors, or to all, means as an intent; empty tenants mean all. Which points go to a mirror that does
/// not keep all of them is decided here.
///
/// # Errors
/// `JournalDamaged`.
pub async fn intent(
    assembly: &Assembly,
    to: &[String],
    tenants: &[TenantName],
    way: MirrorWay,
) -> Result<Intent> {
    let all = || assembly.stack.mirrors.iter().map(|mirror| mirror.name.clone()).collect();
    let mirrors = if to.is_empty() { all() } else { to.to_vec() };
    let mut only = BTreeMap::new();
    let choosing = assembly.stack.mirrors.iter();
    let choosing = choosing.filter(|mirror| way != MirrorWay::Back && mirrors.contains(&mirror.name));
    let choosing: Vec<_> = choosing.filter_map(|mirror| Some((mirror, mirror.keep?))).collect();
    if choosing.is_empty() {
        return Ok(Intent::Mirror { mirrors, tenants: tenants.to_vec(), way, only });
    }
    let elsewhere = retention::Elsewhere::of(assembly)?;
    for (mirror, keep) in choosing {
        let mut of_mirror = BTreeMap::new();
        for tenant in assembly.tenants.iter().map(|tenant| &tenant.name) {
            if !tenants.is_empty() && !tenants.contains(tenant) {
                continue;
            }
            match retention::wanted_at(assembly, &elsewhere, tenant, keep).await {
                Ok(points) => drop(of_mirror.insert(tenant.clone(), points)),
                Err(fault) if fault.code == Code::JournalDamaged => return Err(fault),
                // One tenant's damaged points keep no other from its copies: its own step says what is wrong.
                Err(_) => {}
            }
        }
        only.insert(mirror.name.clone(), of_mirror);
    }
    Ok(Intent::Mirror { mirrors, tenants: tenants.to_vec(), way, only })
}

/// How safe the copies of a tenant are.
pub(crate) fn safety(assembly: &Assembly, copies: Vec<MirrorCopies>, now: Timestamp) -> Vec<MirrorSafety> {
    let of = |copies: MirrorCopies| {
        let mirror = assembly.stack.mirrors.iter().find(|mirror| mirror.name == copies.mirror)?;
        let limit = match (mirror.stale_after, &mirror.schedule) {
            (Some(limit), _) => Some(limit),
            (None, Some(_)) => None,
            (None, None) => Some(eclusa_config::Mirror::STALE_AFTER),
        };
        let age = copies.at.map(|at| now.duration_since(at).unsigned_abs());
        let due = copies.at.and_then(|at| schedule::missed_by_mirror(assembly, mirror, at, now));
        let old = limit.is_some_and(|limit| age.is_some_and(|age| age > limit.as_duration()));
        let fresh = age.is_some() && !old && due.is_none();
        Some(MirrorSafety {
            mirror: copies.mirror,
            copied_at: copies.at,
            read_at: copies.read_at,
            points: copies.points.len(),
            stale: !fresh,
            due,
            failed: copies.failed,
        })
    };
    copies.into_iter().filter_map(of).collect()
}

/// What is wrong with the copies of a tenant.
pub(crate) fn troubles(tenant: &TenantName, mirrors: &[MirrorSafety]) -> Vec<Trouble> {
    let date = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let of = |mirror: &MirrorSafety| {
        let about = |id| Message::new(id).with("tenant", tenant).with("mirror", &mirror.mirror);
        let failed = mirror.failed.as_ref().map(|failed| {
            about("trouble-mirror-failed").with("at", date(failed.at)).with("problem", &failed.problem)
        });
        let stale = mirror.stale.then(|| match mirror.copied_at {
            None => about("trouble-mirror-never"),
            Some(at) => match mirror.due {
                Some(due) => about("trouble-mirror-late").with("due", date(due)),
                None => about("trouble-mirror-stale"),
            }
            .with("at", date(at)),
        });
        let trouble =
            |text| Trouble { severity: Severity::Problem, text, repair: Some(about("repair-mirror")) };
        failed.into_iter().chain(stale).map(trouble).collect::<Vec<_>>()
    };
    mirrors.iter().flat_map(of).collect()
}
