//! Everything that the vault reads goes past its meter, and it ends when nobody waits for it any more.

use std::sync::Arc;

use eclusa_fault::Code;
use eclusa_ports::{Meter, Vault};
use eclusa_runbook::Stage;

use crate::fixture::{Fixture, id};

#[tokio::test]
async fn what_is_taken_verified_and_restored_is_counted_to_the_last_byte() {
    let fixture = Fixture::new();
    let meter = Arc::new(Meter::new());
    let vault = fixture.vault.measured(&meter).unwrap();
    meter.begin(Stage::Reading);
    meter.expect(5_000_000);
    let manifest = vault.take(fixture.full_request("r-1/one", "2026-11-20T10:00:00Z")).await.unwrap();
    let streams = manifest.database.iter().chain(&manifest.configuration).map(|stream| stream.bytes);
    let bytes = streams.sum::<u64>() + manifest.files["public"].bytes();
    let passed = meter.passed().unwrap();
    assert_eq!((passed.bytes, passed.expected), (bytes, Some(bytes)));

    // What is read back, and then the packs in which it lies.
    let point = id(&manifest);
    assert!(vault.verify(&fixture.tenant, &point).await.unwrap().problems.is_empty());
    let passed = meter.passed().unwrap();
    assert_eq!(passed.stage, Stage::ReadingBack);
    assert!(passed.bytes > bytes && passed.expected == Some(passed.bytes), "{passed:?}");

    meter.begin(Stage::Restoring);
    let mut stream = vault.open(&fixture.tenant, &point, "database.sql").await.unwrap();
    assert_eq!(std::io::copy(&mut stream, &mut std::io::sink()).unwrap(), 5_000_000);
    let to = fixture.base.join("restored");
    vault.restore_files(&fixture.tenant, &point, "public", &to).await.unwrap();
    let of_configuration: u64 = manifest.configuration.iter().map(|stream| stream.bytes).sum();
    assert_eq!(meter.passed().unwrap().bytes, bytes - of_configuration);
}

#[tokio::test]
async fn nothing_is_published_once_nobody_waits_for_it() {
    let fixture = Fixture::new();
    let meter = Arc::new(Meter::new());
    let vault = fixture.vault.measured(&meter).unwrap();
    meter.stop();
    let fault = vault.take(fixture.full_request("r-1/one", "2026-11-20T10:00:00Z")).await.unwrap_err();
    assert_eq!(fault.code, Code::PointFailed, "{fault}");
    assert!(fixture.vault.list(&fixture.tenant).await.unwrap().0.is_empty());
    // The vault itself goes on.
    fixture.vault.take(fixture.full_request("r-2/one", "2026-11-20T11:00:00Z")).await.unwrap();
}
