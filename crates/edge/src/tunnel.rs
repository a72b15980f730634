//! Upgraded connections (websockets): bytes in both directions until one side ends or the gate cuts them.

use std::sync::Arc;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;

use crate::tenant::{Counted, Tenant};

/// What ends a tunnel from outside.
pub(crate) struct Cuts {
    /// The gate closed and the grace has passed. The side door has none.
    pub gate: Option<CancellationToken>,
    /// The edge has stopped.
    pub halted: CancellationToken,
}

/// Joins the two sides once both have switched protocols.
pub(crate) async fn join(
    tenant: Arc<Tenant>,
    counted: Option<Counted>,
    downstream: OnUpgrade,
    upstream: OnUpgrade,
    cuts: Cuts,
) {
    let gate = cuts.gate.unwrap_or_default();
    tokio::select! {
        result = carry(downstream, upstream) => {
            if let Err(error) = result {
                tracing::debug!(tenant = tenant.name, %error, "an upgraded connection broke off");
            }
        }
        () = gate.cancelled() => tenant.meter.count(|totals| totals.websockets_cut += 1),
        () = cuts.halted.cancelled() => {}
    }
    drop(counted);
}

async fn carry(downstream: OnUpgrade, upstream: OnUpgrade) -> Result<(), std::io::Error> {
    let (downstream, upstream): (Upgraded, Upgraded) =
        tokio::try_join!(downstream, upstream).map_err(std::io::Error::other)?;
    tokio::io::copy_bidirectional(&mut TokioIo::new(downstream), &mut TokioIo::new(upstream)).await?;
    Ok(())
}
