//! A flipped bit anywhere is found.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use eclusa_fault::Code;
use eclusa_ports::Vault;

use crate::fixture::{Fixture, dump, files_below, id, pattern};

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

/// What happens to a file of a repository.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Flipped,
    CutOff,
    Deleted,
}

/// A thousand flipped bits, a hundred files that are cut off and a hundred that are gone, anywhere in a repository:
/// each is found, and what is read in spite of it is what was there or an error.
#[tokio::test]
async fn no_damage_of_twelve_hundred_passes_for_good() {
    let fixture = Fixture::new();
    let mut request = fixture.request("one", "2026-11-21T10:00:00Z");
    request.database = Some(dump(std::io::Cursor::new(pattern(60_000, 1))));
    request.configuration = [(".env".to_owned(), b"KEY=secret\n".to_vec())].into();
    let taken = fixture.vault.take(request).await.unwrap();
    let files = files_below(&fixture.repository());
    let lengths: Vec<usize> =
        files.iter().map(|path| std::fs::metadata(path).unwrap().len() as usize).collect();
    let aside = fixture.base.join("aside");
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below.max(1) as u64) as usize
    };
    for number in 0..1200 {
        let damage = match number {
            0..1000 => Damage::Flipped,
            1000..1100 => Damage::CutOff,
            _ => Damage::Deleted,
        };
        // A file as often as another, however small: most bytes are data's.
        let which = next(files.len());
        let (path, at) = (&files[which], next(lengths[which]));
        std::fs::copy(path, &aside).unwrap();
        match damage {
            Damage::Flipped => flip(path, at),
            Damage::CutOff => {
                let bytes = std::fs::read(path).unwrap();
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
                std::fs::write(path, &bytes[..at]).unwrap();
            }
            Damage::Deleted => std::fs::remove_file(path).unwrap(),
        }
        let what = format!("{damage:?} at {at}: {}", path.display());
        match fixture.vault.verify(&fixture.tenant, &id(&taken)).await {
            Ok(report) => assert_ne!(report.problems, Vec::<String>::new(), "{what}"),
            Err(fault) => assert!(
                matches!(
                    fault.code,
                    Code::VaultUnreachable | Code::VaultKey | Code::PointUnknown | Code::PointDamaged
                ),
                "{what}: {fault}"
            ),
        }
        if let Ok(mut reader) = fixture.vault.open(&fixture.tenant, &id(&taken), "database.sql").await {
            let mut bytes = Vec::new();
            if reader.read_to_end(&mut bytes).is_ok() {
                assert!(bytes == pattern(60_000, 1), "restored as if it were good; {what}");
            }
        }
        std::fs::rename(&aside, path).unwrap();
    }
    let report = fixture.vault.verify(&fixture.tenant, &id(&taken)).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new(), "mended, all is well");
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
