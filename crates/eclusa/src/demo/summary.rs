//! The end of the demo: what was measured, and whether anything was lost.

use std::collections::BTreeMap;

use comfy_table::{Table, presets::NOTHING};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_runbook::PointKind;
use eclusa_shop::{AcknowledgedSale, Census, TrafficResults, Trouble, census as shop_census, missing_sales};

use super::Stage;
use super::layout::TENANTS;
use crate::commands::shop::fault;
use crate::terminal::say;

/// Counts every tenant's rows and files.
pub fn census(stage: &Stage) -> Result<BTreeMap<String, Census>> {
    TENANTS
        .iter()
        .map(|tenant| {
            Ok(((*tenant).to_owned(), shop_census(&stage.directory.join("data"), tenant).map_err(fault)?))
        })
        .collect()
}

/// Prints it; says whether every acknowledged sale is where it should be: in the shop, or in a salvage point.
pub async fn print(stage: &Stage, before: &BTreeMap<String, Census>) -> Result<bool> {
    let language = &stage.session.language;
    let traffic = stage.directory.join("traffic");
    let results = TrafficResults::read(&traffic.join("results.json")).map_err(fault)?;
    let after = census(stage)?;
    say(format!("\n{}", Message::new("demo-measured").render(language)));
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header([
        "tenant",
        "requests",
        "failed",
        "turned away",
        "closed (s)",
        "median (ms)",
        "rows before",
        "rows after",
        "files before",
        "files after",
        "checksum",
    ]);
    let closed = closed_seconds(stage).await;
    let mut kept = true;
    let mut salvaged = 0_u64;
    for tenant in TENANTS {
        let found = results.tenants.get(tenant).cloned().unwrap_or_default();
        let (Some(then), Some(now)) = (before.get(tenant), after.get(tenant)) else { continue };
        let missing =
            missing_sales(&traffic.join("acknowledged.jsonl"), &stage.directory.join("data"), tenant)
                .map_err(fault)?;
        salvaged += missing.len() as u64;
        kept &= lost(stage, tenant, missing).await?.is_empty();
        table.add_row([
            tenant.to_owned(),
            found.sent.to_string(),
            found.failed.to_string(),
            found.turned_away.to_string(),
            closed.get(tenant).map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1}")),
            format!("{:.1}", found.latency_milliseconds.p50),
            then.rows().to_string(),
            now.rows().to_string(),
            then.files.count.to_string(),
            now.files.count.to_string(),
            eclusa_runbook::digest_of(now)
                .map(|digest| digest.as_str().chars().take(12).collect())
                .unwrap_or_default(),
        ]);
    }
    say(table);
    say(Message::new("demo-salvaged").with("sales", salvaged).render(language));
    say(Message::new("demo-left").with("directory", stage.directory.display()).render(language));
    for entry in std::fs::read_dir(stage.directory.join("reports")).into_iter().flatten().flatten() {
        say(format!("  {}", entry.path().display()));
    }
    Ok(kept)
}

/// The seconds that each gate was closed, as the edge counted them.
async fn closed_seconds(stage: &Stage) -> BTreeMap<String, f64> {
    let Ok(Some(edge)) = stage.assembly.edge().await else { return BTreeMap::new() };
    let gates = edge.status().await.unwrap_or_default();
    gates.into_iter().map(|gate| (gate.tenant.to_string(), gate.closed_seconds)).collect()
}

/// The sales of `missing` that are in no salvage point either. Each salvage point's database is read out of the vault
/// into `salvage/`, so that it can be looked at.
async fn lost(stage: &Stage, tenant: &str, missing: Vec<AcknowledgedSale>) -> Result<Vec<AcknowledgedSale>> {
    let name = eclusa_model::TenantName::new(tenant)
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let acknowledged = stage.directory.join("traffic").join("acknowledged.jsonl");
    let mut lost = missing;
    let (points, _) = stage.assembly.ports.vault.list(&name).await?;
    for point in points.iter().filter(|point| point.kind == PointKind::Salvage) {
        let (Some(id), Some(stream)) = (&point.id, point.database.first()) else { continue };
        let data = stage.directory.join("salvage").join(id.as_str());
        let mut reader = stage.assembly.ports.vault.open(&name, id, &stream.path).await?;
        let (directory, tenant) = (data.clone(), tenant.to_owned());
        let acknowledged = acknowledged.clone();
        let absent = tokio::task::spawn_blocking(move || -> std::result::Result<_, Trouble> {
            let own = eclusa_shop::tenant_directory(&directory, &tenant)?;
            std::fs::create_dir_all(&own)?;
            let mut file = std::fs::File::create(eclusa_shop::database_path(&own))?;
            std::io::copy(&mut reader, &mut file)?;
            missing_sales(&acknowledged, &directory, &tenant)
        })
        .await
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?
        .map_err(fault)?;
        lost.retain(|sale| absent.iter().any(|other| other.reference == sale.reference));
    }
    Ok(lost)
}
