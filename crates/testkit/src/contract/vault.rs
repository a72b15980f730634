//! What every vault must do.

use std::collections::BTreeMap;
use std::io::{Cursor, Error, Read};
use std::path::Path;

use eclusa_fault::Code;
use eclusa_model::{PointId, TenantName};
use eclusa_ports::{DatabaseSummary, DirectorySet, Dump, Hold, HoldEnd, TakeRequest, Vault};
use eclusa_runbook::PointKind;
use jiff::Timestamp;

/// A stream that fails after its first bytes.
struct CutOff(bool);

impl Read for CutOff {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if std::mem::replace(&mut self.0, true) {
            return Err(Error::other("the dump ended early"));
        }
        buffer[0] = b'x';
        Ok(1)
    }
}

fn request(
    tenant: &TenantName,
    mark: &str,
    second: i64,
    directory: &Path,
    stream: Option<Box<dyn Read + Send>>,
) -> TakeRequest {
    TakeRequest {
        tenant: tenant.clone(),
        kind: PointKind::Backup,
        at: Timestamp::from_second(1_767_225_600 + second).unwrap(),
        run: None,
        mark: mark.to_owned(),
        release: None,
        database: stream.map(|stream| {
            let open = Box::new(move || Ok(stream));
            Dump::single("database.sql", "fake 1".to_owned(), DatabaseSummary::default(), open)
        }),
        directories: vec![DirectorySet { name: "media".to_owned(), path: directory.to_owned() }],
        configuration: BTreeMap::from([(".env".to_owned(), b"A=b\n".to_vec())]),
    }
}

fn bytes(text: &'static str) -> Option<Box<dyn Read + Send>> {
    Some(Box::new(Cursor::new(text.as_bytes())))
}

async fn read(mut stream: Box<dyn Read + Send>) -> Vec<u8> {
    tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    })
    .await
    .unwrap()
}

/// Points taken from `directory`, which holds at least one file, and restored to `empty`, which is not there.
pub async fn vault(vault: &dyn Vault, directory: &Path, empty: &Path) {
    let (tenant, other) = (TenantName::new("alpha").unwrap(), TenantName::new("beta").unwrap());
    assert_eq!(vault.list(&tenant).await.unwrap(), (Vec::new(), Vec::new()));
    assert_eq!(vault.find_marked(&tenant, "r-1/s").await.unwrap(), None);

    // A stream that fails leaves no point.
    let cut = request(&tenant, "r-1/cut", 0, directory, Some(Box::new(CutOff(false))));
    assert!(vault.take(cut).await.is_err());
    assert_eq!(vault.find_marked(&tenant, "r-1/cut").await.unwrap(), None);
    assert!(vault.list(&tenant).await.unwrap().0.is_empty());

    let first = vault.take(request(&tenant, "r-1/s", 1, directory, bytes("first"))).await.unwrap();
    let second = vault.take(request(&tenant, "r-1/t", 2, directory, bytes("second"))).await.unwrap();
    let id = first.id.clone().unwrap();
    let listed = vault.list(&tenant).await.unwrap().0;
    assert_eq!(listed, [second.clone(), first.clone()], "newest first");
    assert!(vault.list(&other).await.unwrap().0.is_empty(), "tenants are apart");
    assert_eq!(vault.find_marked(&tenant, "r-1/s").await.unwrap(), Some(first.clone()));
    assert_eq!(vault.find(&tenant, &id.as_str()[..12]).await.unwrap(), first);
    assert_eq!(vault.find(&tenant, "ffffffffffff").await.unwrap_err().code, Code::PointUnknown);
    assert_eq!(vault.find(&other, id.as_str()).await.unwrap_err().code, Code::PointUnknown);

    assert_eq!(first.database[0].bytes, 5);
    let report = vault.verify(&tenant, &id).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    let files = first.files["media"].files.len() as u64;
    assert!(files > 0 && report.equal >= files + 2, "{report:?}");
    let unknown = PointId::new("f".repeat(64)).unwrap();
    assert_eq!(vault.verify(&tenant, &unknown).await.unwrap_err().code, Code::PointUnknown);

    assert_eq!(read(vault.open(&tenant, &id, "database.sql").await.unwrap()).await, b"first");
    let configuration = first.configuration[0].path.clone();
    assert_eq!(read(vault.open(&tenant, &id, &configuration).await.unwrap()).await, b"A=b\n");
    assert_eq!(vault.open(&tenant, &id, "no-such").await.err().unwrap().code, Code::PointUnknown);

    let restored = vault.restore_files(&tenant, &id, "media", empty).await.unwrap();
    assert_eq!(restored.files, first.files["media"].files);
    assert_eq!(vault.summarise_files(empty).await.unwrap().files, first.files["media"].files);
    assert!(
        vault.restore_files(&tenant, &id, "media", empty).await.is_err(),
        "what lies there is not overwritten"
    );
    assert_eq!(
        vault.restore_files(&tenant, &id, "none", &empty.join("x")).await.unwrap_err().code,
        Code::PointUnknown
    );

    // Points are thrown away; what others need stays, and the last of a tenant too.
    let third = vault.take(request(&tenant, "r-1/u", 3, directory, bytes("third"))).await.unwrap();
    let others = vault.take(request(&other, "r-1/v", 4, directory, bytes("others"))).await.unwrap();
    let gone = [first.id.clone().unwrap(), second.id.clone().unwrap()];
    assert_eq!(vault.forget(&tenant, &gone).await.unwrap().points, 2);
    assert_eq!(vault.forget(&tenant, &gone).await.unwrap().points, 0, "it can be done again");
    assert_eq!(vault.list(&tenant).await.unwrap(), (vec![third.clone()], Vec::new()));
    assert_eq!(vault.find(&tenant, gone[0].as_str()).await.unwrap_err().code, Code::PointUnknown);
    let last = third.id.clone().unwrap();
    assert_eq!(vault.verify(&tenant, &last).await.unwrap().problems, Vec::<String>::new());
    assert_eq!(vault.forget(&tenant, std::slice::from_ref(&last)).await.unwrap_err().code, Code::PointFailed);
    assert_eq!(vault.list(&tenant).await.unwrap().0.len(), 1);
    assert_eq!(vault.list(&other).await.unwrap().0, [others], "tenants are apart");
    // What is held does not go, and a hold is there once.
    let fourth = vault.take(request(&tenant, "r-1/w", 5, directory, bytes("fourth"))).await.unwrap();
    let fourth = fourth.id.unwrap();
    let at = Timestamp::from_second(9).unwrap();
    let hold = Hold { reason: "a court asks".to_owned(), by: "olga".to_owned(), at, ended: None };
    let end = HoldEnd { reason: "it is settled".to_owned(), by: "anna".to_owned(), at };
    assert_eq!(vault.end_hold(&tenant, &fourth, end.clone()).await.unwrap_err().code, Code::NothingToDo);
    vault.hold(&tenant, &fourth, hold.clone()).await.unwrap();
    assert_eq!(vault.hold(&tenant, &fourth, hold.clone()).await.unwrap_err().code, Code::NothingToDo);
    assert_eq!(vault.hold(&tenant, &gone[0], hold.clone()).await.unwrap_err().code, Code::PointUnknown);
    assert_eq!(vault.holds(&tenant).await.unwrap().get(&fourth), Some(&hold));
    let refused = vault.forget(&tenant, std::slice::from_ref(&fourth)).await.unwrap_err();
    assert_eq!(refused.code, Code::PointFailed);
    vault.end_hold(&tenant, &fourth, end).await.unwrap();
    assert!(vault.holds(&tenant).await.unwrap().is_empty());
    assert_eq!(vault.forget(&tenant, std::slice::from_ref(&fourth)).await.unwrap().points, 1);
    let none = TenantName::new("gamma").unwrap();
    assert_eq!(vault.forget(&none, &gone).await.unwrap().points, 0);
}
