//! The key of a repository.

use std::os::unix::fs::MetadataExt;

use eclusa_fault::Code;
use eclusa_ports::Vault;

use crate::fixture::{Fixture, id};

#[tokio::test]
async fn the_key_is_made_once_and_only_its_owner_reads_it() {
    let fixture = Fixture::new();
    fixture.vault.take(fixture.request("one", "2026-11-21T10:00:00Z")).await.unwrap();
    let key = std::fs::read_to_string(fixture.key()).unwrap();
    assert_eq!(key.trim().len(), 44, "32 bytes in base64");
    assert_eq!(fixture.vault.key_path(&fixture.tenant), fixture.key());
    assert_eq!(fixture.key().metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(fixture.key().parent().unwrap().metadata().unwrap().mode() & 0o777, 0o700);
    fixture.vault.take(fixture.request("two", "2026-11-21T11:00:00Z")).await.unwrap();
    assert_eq!(std::fs::read_to_string(fixture.key()).unwrap(), key);
}

#[tokio::test]
async fn a_missing_or_wrong_key_is_a_fault_and_never_a_new_repository() {
    let fixture = Fixture::new();
    let taken = fixture.vault.take(fixture.request("one", "2026-11-21T10:00:00Z")).await.unwrap();
    let key = std::fs::read_to_string(fixture.key()).unwrap();
    for wrong in [None, Some(""), Some("c29tZXRoaW5nIGVsc2U=")] {
        match wrong {
            None => std::fs::remove_file(fixture.key()).unwrap(),
            Some(text) => std::fs::write(fixture.key(), text).unwrap(),
        }
        let fault = fixture.vault.take(fixture.request("two", "2026-11-21T11:00:00Z")).await.unwrap_err();
        assert_eq!(fault.code, Code::VaultKey, "{wrong:?}");
        assert!(!fault.to_string().contains(key.trim()));
        assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap_err().code, Code::VaultKey);
        assert_eq!(
            fixture.vault.verify(&fixture.tenant, &id(&taken)).await.unwrap_err().code,
            Code::VaultKey
        );
        assert_eq!(std::fs::read_to_string(fixture.key()).ok().as_deref(), wrong, "the key was touched");
    }
    std::fs::write(fixture.key(), key).unwrap();
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap().0, vec![taken]);
}

#[tokio::test]
async fn a_repository_whose_making_was_interrupted_is_made_again() {
    let fixture = Fixture::new();
    fixture.vault.take(fixture.request("one", "2026-11-21T10:00:00Z")).await.unwrap();
    // As after a crash between the key and the configuration: nothing else is there.
    for directory in ["snapshots", "index", "data"] {
        std::fs::remove_dir_all(fixture.repository().join(directory)).unwrap();
    }
    std::fs::remove_file(fixture.repository().join("config")).unwrap();
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap(), (vec![], vec![]));
    let taken = fixture.vault.take(fixture.request("two", "2026-11-21T11:00:00Z")).await.unwrap();
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap().0, vec![taken]);

    // With data in it a lost configuration is no beginning.
    std::fs::remove_file(fixture.repository().join("config")).unwrap();
    let fault = fixture.vault.take(fixture.request("three", "2026-11-21T12:00:00Z")).await.unwrap_err();
    assert_eq!(fault.code, Code::VaultUnreachable);
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap_err().code, Code::VaultUnreachable);
}
