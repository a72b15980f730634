//! What every place for copies does: a directory, S3-compatible storage, SFTP.

use std::io::Read as _;

use eclusa_ports::Copied;
use eclusa_ports::Vault as _;
use eclusa_testkit::elsewhere::{SshServer, Storage};
use eclusa_vault::MirrorPlace;

use super::{BUCKET, Place, bucket, copy, directory_of, known, mirrored, take};
use crate::fixture::Fixture;
use crate::restic::restic_on;

#[tokio::test]
async fn a_directory_keeps_the_contract() {
    let fixture = Fixture::new();
    let directory = fixture.base.join("nas");
    std::fs::create_dir(&directory).unwrap();
    let place = MirrorPlace::Directory { directory: directory.clone(), same_file_system: true };
    keeps_the_contract(mirrored(fixture, place, "-"), &Place::Directory(directory)).await;
}

#[tokio::test]
async fn storage_keeps_the_contract() {
    let storage = Storage::begin();
    storage.make_bucket(BUCKET);
    let place = MirrorPlace::S3(bucket(storage.port, "test"));
    keeps_the_contract(mirrored(Fixture::new(), place, "test"), &Place::Storage(storage)).await;
}

#[tokio::test]
async fn sftp_keeps_the_contract() {
    let fixture = Fixture::new();
    let directory = fixture.base.join("far");
    std::fs::create_dir(&directory).unwrap();
    let server = SshServer::begin(&fixture.base.join("sshd"), &[]);
    let place = MirrorPlace::Sftp(directory_of(&server, &directory));
    keeps_the_contract(mirrored(fixture, place, "-"), &Place::Directory(directory)).await;
}

async fn keeps_the_contract(fixture: Fixture, place: &Place) {
    // What is not there is copied, once.
    assert_eq!(copy(&fixture, false).await.unwrap(), Copied::default(), "there is no point yet");
    assert_eq!(place.files(), Vec::<String>::new());
    let first = take(&fixture, "20").await;
    let copied = copy(&fixture, false).await.unwrap();
    assert!(copied.points == 1 && copied.files > 3 && copied.bytes > 8_000_000, "{copied:?}");
    let second = take(&fixture, "21").await;
    let more = copy(&fixture, false).await.unwrap();
    assert!(more.points == 2 && more.bytes < copied.bytes / 2, "only what is new: {more:?}");
    assert_eq!(copy(&fixture, false).await.unwrap(), Copied { points: 2, ..Copied::default() });
    assert_eq!(known(&fixture).await, (true, 2, None));
    let before = place.files();
    assert!(!before.iter().any(|name| name.contains("unfinished")), "{before:?}");

    // It can be read by whoever has only it and the key, and as a vault.
    restic_on(&place.repository(&fixture), &fixture, &["check", "--read-data", "--no-lock"], &fixture.base);
    let away = fixture.vault.at_mirror("away").unwrap();
    let (points, unreadable) = away.list(&fixture.tenant).await.unwrap();
    assert_eq!((points.len(), unreadable), (2, Vec::new()));
    assert_eq!(away.verify(&fixture.tenant, &first).await.unwrap().problems, Vec::<String>::new());
    let mut dump = away.open(&fixture.tenant, &second, "database.sql").await.unwrap();
    let read = tokio::task::spawn_blocking(move || std::io::copy(&mut dump, &mut std::io::sink()).unwrap());
    assert_eq!(read.await.unwrap(), 5_000_000);
    assert!(away.take(fixture.request("x", "2026-11-22T10:00:00Z")).await.is_err(), "it is only read");
    assert!(away.forget(&fixture.tenant, std::slice::from_ref(&first)).await.is_err());
    assert_eq!(place.files(), before);

    // Damage there is found when everything is read, and mended; another length at once.
    let pack = place.of_kind("data").pop().unwrap();
    place.damage(&pack);
    let mut problems = away.verify(&fixture.tenant, &first).await.unwrap().problems;
    problems.extend(away.verify(&fixture.tenant, &second).await.unwrap().problems);
    assert_ne!(problems, Vec::<String>::new());
    assert_eq!(copy(&fixture, false).await.unwrap().files, 0);
    let mended = copy(&fixture, true).await.unwrap();
    assert_eq!((mended.files, mended.mended), (1, 1));
    assert!(mended.read as usize > before.len() / 2, "{mended:?}");
    place.write(&pack, b"short");
    assert_eq!(copy(&fixture, false).await.unwrap().mended, 1);
    place.remove(&pack);
    let again = copy(&fixture, false).await.unwrap();
    assert_eq!((again.files, again.mended), (1, 0));
    assert_eq!(away.verify(&fixture.tenant, &second).await.unwrap().problems, Vec::<String>::new());

    // The vault is lost, and comes back.
    std::fs::remove_dir_all(fixture.repository()).unwrap();
    assert_eq!(fixture.vault.copy_back(&fixture.tenant, "away").await.unwrap().points, 2);
    let mut text = String::new();
    let mut environment =
        fixture.vault.open(&fixture.tenant, &first, "configuration/.env.production").await.unwrap();
    environment.read_to_string(&mut text).unwrap();
    assert_eq!(text, "KEY=secret\n");
    assert_eq!(copy(&fixture, true).await.unwrap().mended, 0, "and it is a mirror again");

    // Another repository is not mixed in, either way.
    std::fs::rename(fixture.repository(), fixture.base.join("kept")).unwrap();
    take(&fixture, "22").await;
    assert!(copy(&fixture, true).await.unwrap_err().to_string().contains("another repository"));
    let back = fixture.vault.copy_back(&fixture.tenant, "away").await;
    assert!(back.unwrap_err().to_string().contains("another repository"));
    assert_eq!(place.files(), before);
    let (_, points, failed) = known(&fixture).await;
    assert!(points == 2 && failed.unwrap().contains("another repository"), "it is remembered");
    std::fs::remove_dir_all(fixture.repository()).unwrap();
    std::fs::rename(fixture.base.join("kept"), fixture.repository()).unwrap();
    copy(&fixture, false).await.unwrap();
    assert_eq!(known(&fixture).await, (true, 2, None), "and forgotten when it is copied");

    // What is gone there is not taken for a mirror that has everything still to come.
    for name in place.files() {
        place.remove(&name);
    }
    assert!(copy(&fixture, false).await.unwrap_err().to_string().contains("is gone"));
    assert_eq!(place.files(), Vec::<String>::new());
    let back = fixture.vault.copy_back(&fixture.tenant, "away").await;
    assert!(back.unwrap_err().to_string().contains("no restore points were copied there"));
}
