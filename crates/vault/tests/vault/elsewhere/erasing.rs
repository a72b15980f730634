//! Destroying the copies of a tenant on other machines: all of them are gone, or it is said that they are not.

use eclusa_testkit::elsewhere::{SshServer, Storage};
use eclusa_vault::{ErasePlace, MirrorPlace, Standing};

use super::{BUCKET, Place, bucket, copy, directory_of, mirrored, take};
use crate::fixture::Fixture;

fn away() -> ErasePlace {
    ErasePlace::Mirror("away".to_owned())
}

async fn standing(fixture: &Fixture) -> Standing {
    let found = fixture.vault.holdings(&fixture.tenant).await.unwrap();
    found.places.into_iter().find(|one| one.place == away()).unwrap().standing
}

/// It is refused there, and said so; nothing but the keys here is gone.
async fn refused(fixture: &Fixture, word: &str) {
    let keys = fixture.vault.erase_key_files(&fixture.tenant, &away()).await.unwrap_err();
    let all = fixture.vault.erase_repository(&fixture.tenant, &away()).await.unwrap_err();
    for said in [keys, all].map(|fault| fault.to_string()) {
        let destroy = format!("these credentials may not destroy shop/{} there", fixture.tenant);
        assert!(said.contains(&destroy) && said.contains(word), "{said}");
    }
    assert!(matches!(standing(fixture).await, Standing::There { .. }));
}

/// All of it goes, and what others have there stays.
async fn destroyed(fixture: &Fixture, place: &Place) {
    place.write("shop/another-tenant/config", b"of another");
    let Standing::There { files, bytes } = standing(fixture).await else { panic!("nothing is there") };
    let of_the_tenant = format!("shop/{}/", fixture.tenant);
    let ours = place.files().iter().filter(|name| name.starts_with(&of_the_tenant)).count();
    assert!(files as usize == ours && bytes > 8_000_000, "{files} of {ours}, {bytes}");
    fixture.vault.erase_key_files(&fixture.tenant, &away()).await.unwrap();
    assert_eq!(place.of_kind("keys"), Vec::<String>::new());
    let was = fixture.vault.erase_repository(&fixture.tenant, &away()).await.unwrap();
    assert_eq!(was.0, files - 1, "the key file was gone already");
    assert_eq!(place.files(), ["shop/another-tenant/config", "shop/eclusa-mirror.json"]);
    assert_eq!(standing(fixture).await, Standing::Empty);
    assert_eq!(fixture.vault.erase_repository(&fixture.tenant, &away()).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn behind_sftp() {
    let fixture = Fixture::new();
    let directory = fixture.base.join("far");
    std::fs::create_dir(&directory).unwrap();
    let mut server = SshServer::begin(&fixture.base.join("sshd"), &[]);
    let fixture = mirrored(fixture, MirrorPlace::Sftp(directory_of(&server, &directory)), "-");
    take(&fixture, "20").await;
    take(&fixture, "21").await;
    copy(&fixture, false).await.unwrap();
    std::fs::create_dir(directory.join("shop/another-tenant")).unwrap();
    fixture.vault.erase_keys(&fixture.tenant).await.unwrap();
    server.refuse(&["remove", "rmdir"]);
    let place = Place::Directory(directory);
    let before = place.files();
    refused(&fixture, "denied").await;
    assert_eq!(place.files(), before);
    server.refuse(&[]);
    destroyed(&fixture, &place).await;
}

#[tokio::test]
async fn in_storage_that_keeps_versions() {
    let storage = Storage::begin();
    let adder = storage.user("adder", super::storage::MAY_ADD);
    storage.make_bucket(BUCKET);
    storage.keep_versions(BUCKET);
    let port = storage.port;
    let fixture = mirrored(Fixture::new(), MirrorPlace::S3(bucket(port, &adder.id)), &adder.secret);
    storage.judge();
    take(&fixture, "20").await;
    take(&fixture, "21").await;
    copy(&fixture, false).await.unwrap();
    fixture.vault.erase_keys(&fixture.tenant).await.unwrap();
    let place = Place::Storage(storage);
    let Place::Storage(storage) = &place else { unreachable!() };
    storage.trust();
    let before = place.files();
    storage.judge();
    refused(&fixture, "AccessDenied").await;
    storage.trust();
    assert_eq!(place.files(), before);
    // Another role may.
    let fixture = mirrored(fixture, MirrorPlace::S3(bucket(port, "test")), "test");
    destroyed(&fixture, &place).await;
    let left = storage.versions(BUCKET);
    assert_eq!(left.iter().filter(|name| name.contains("/shop/alpha.example.org/")).count(), 0, "{left:?}");
    assert_eq!(left.len(), 2, "what is not the tenant's stays: {left:?}");
}
