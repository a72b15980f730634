//! A flipped bit anywhere is found.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use eclusa_fault::Code;
use eclusa_ports::Vault;

use crate::fixture::{Fixture, files_below, id};

pub fn flip(path: &Path, position: usize) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    bytes[position] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_flipped_bit_in_any_file_is_found() {
    let fixture = Fixture::new();
    let taken = fixture.vault.take(fixture.full_request("one", "2026-11-21T10:00:00Z")).await.unwrap();
    let files = files_below(&fixture.repository());
    for kind in ["data/", "index/", "snapshots/", "keys/", "config"] {
        assert!(
            files.iter().any(|path| path.to_str().unwrap().contains(&format!("/{kind}"))),
            "no file in {kind}"
        );
    }
    for path in &files {
        let length = usize::try_from(path.metadata().unwrap().len()).unwrap();
        for position in [0, length / 2, length - 1] {
            flip(path, position);
            match fixture.vault.verify(&fixture.tenant, &id(&taken)).await {
                Ok(report) => {
                    assert_ne!(report.problems, Vec::<String>::new(), "{} at {position}", path.display())
                }
                Err(fault) => {
                    let whole = path.ends_with("config") || path.to_str().unwrap().contains("/keys/");
                    assert!(whole, "{} at {position}: {fault}", path.display());
                    assert!(matches!(fault.code, Code::VaultUnreachable | Code::VaultKey), "{fault}");
                }
            }
            flip(path, position);
        }
    }
    let report = fixture.vault.verify(&fixture.tenant, &id(&taken)).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new(), "unflipped, all is well");
}

#[tokio::test]
async fn damaged_data_is_neither_restored_nor_streamed_to_an_end() {
    let fixture = Fixture::new();
    let taken = fixture.vault.take(fixture.full_request("one", "2026-11-21T10:00:00Z")).await.unwrap();
    let packs = files_below(&fixture.repository().join("data"));
    let large: Vec<_> = packs.iter().filter(|path| path.metadata().unwrap().len() > 1_000_000).collect();
    assert!(!large.is_empty());
    for path in large {
        for position in (100_000..path.metadata().unwrap().len()).step_by(400_000) {
            flip(path, usize::try_from(position).unwrap());
        }
    }
    let to = fixture.base.join("restored");
    let fault = fixture.vault.restore_files(&fixture.tenant, &id(&taken), "public", &to).await.unwrap_err();
    assert_eq!(fault.code, Code::PointDamaged);
    assert!(!to.exists(), "half a restore was left");
    let mut reader = fixture.vault.open(&fixture.tenant, &id(&taken), "database.sql").await.unwrap();
    let mut given = Vec::new();
    assert!(reader.read_to_end(&mut given).is_err());
    assert!(reader.read_to_end(&mut given).is_err(), "an end after the error");
    assert!(given.len() < 5_000_000);
}

#[tokio::test]
async fn lost_files_are_found() {
    let fixture = Fixture::new();
    let taken = fixture.vault.take(fixture.full_request("one", "2026-11-21T10:00:00Z")).await.unwrap();
    let aside = fixture.base.join("aside");
    let directories = ["data", "index"].map(|name| fixture.repository().join(name));
    for path in directories.iter().flat_map(|directory| files_below(directory)) {
        std::fs::rename(&path, &aside).unwrap();
        let report = fixture.vault.verify(&fixture.tenant, &id(&taken)).await.unwrap();
        assert_ne!(report.problems, Vec::<String>::new(), "{} is gone", path.display());
        std::fs::rename(&aside, &path).unwrap();
    }
}

#[tokio::test]
async fn points_that_cannot_be_read_are_named_beside_those_that_can() {
    let fixture = Fixture::new();
    let first = fixture.vault.take(fixture.request("one", "2026-11-20T10:00:00Z")).await.unwrap();
    let second = fixture.vault.take(fixture.request("two", "2026-11-21T10:00:00Z")).await.unwrap();
    let snapshot = fixture.repository().join("snapshots").join(id(&first).as_str());
    flip(&snapshot, 40);
    let (listed, unreadable) = fixture.vault.list(&fixture.tenant).await.unwrap();
    assert_eq!(listed, vec![second]);
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0].starts_with(&id(&first).as_str()[..8]), "{unreadable:?}");
    assert_eq!(
        fixture.vault.find(&fixture.tenant, id(&first).as_str()).await.unwrap_err().code,
        Code::PointDamaged
    );

    for index in files_below(&fixture.repository().join("index")) {
        flip(&index, 40);
    }
    let (listed, unreadable) = fixture.vault.list(&fixture.tenant).await.unwrap();
    assert_eq!((listed.len(), unreadable.len()), (0, 2));
    let fault = fixture.vault.take(fixture.request("three", "2026-11-22T10:00:00Z")).await.unwrap_err();
    assert_eq!(fault.code, Code::PointFailed);
}
