//! `eclusa backups hold` and `end-hold`: says which restore points must not go.

use eclusa_control::{Assembly, points};
use eclusa_fault::{Message, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::{Hold, HoldEnd};

use crate::commands::Session;
use crate::exit::Exit;
use crate::terminal::tell;

pub(super) async fn hold(session: &Session, assembly: &Assembly, point: &str, reason: &str) -> Result<Exit> {
    let (tenant, id) = points::one(assembly, point).await?;
    let by = session.person()?.to_string();
    let hold = Hold { reason: reason.to_owned(), by, at: assembly.ports.clock.now(), ended: None };
    assembly.ports.vault.hold(&tenant, &id, hold).await?;
    tell_done("backups-held", session, &tenant, &id);
    Ok(Exit::Ok)
}

pub(super) async fn end_hold(
    session: &Session,
    assembly: &Assembly,
    point: &str,
    reason: &str,
) -> Result<Exit> {
    let (tenant, id) = points::one(assembly, point).await?;
    let by = session.person()?.to_string();
    let end = HoldEnd { reason: reason.to_owned(), by, at: assembly.ports.clock.now() };
    assembly.ports.vault.end_hold(&tenant, &id, end).await?;
    tell_done("backups-hold-ended", session, &tenant, &id);
    Ok(Exit::Ok)
}

fn tell_done(id: &str, session: &Session, tenant: &TenantName, point: &PointId) {
    tell(Message::new(id).with("tenant", tenant).with("point", point.short()).render(&session.language));
}
