//! Mirrors that keep only some of the points: what they get, what is thrown away there, and who may not.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use eclusa_fault::{Code, Result};
use eclusa_model::PointId;
use eclusa_ports::{Copied, Copying, Forgotten, Vault as _};
use eclusa_testkit::elsewhere::{SshServer, Storage};
use eclusa_vault::MirrorPlace;

use super::{BUCKET, Place, bucket, copy, directory_of, faulty, known, mirrored, take};
use crate::fixture::{CHILD, Fixture, id};
use crate::restic::restic_on;

async fn chosen(fixture: &Fixture, points: &[&PointId], read_all: bool) -> Result<Copied> {
    let at = "2026-11-22T10:00:00Z".parse().unwrap();
    let points: Vec<PointId> = points.iter().copied().cloned().collect();
    fixture.vault.copy_chosen(&fixture.tenant, "away", &points, Copying { read_all, at }).await
}

async fn forget(fixture: &Fixture, points: &[&PointId]) -> Result<Forgotten> {
    let points: Vec<PointId> = points.iter().copied().cloned().collect();
    fixture.vault.forget_at(&fixture.tenant, "away", &points).await
}

/// Whoever has only the mirror and the key has exactly these points, whole.
async fn holds(fixture: &Fixture, place: &Place, points: &[&PointId]) {
    let away = fixture.vault.at_mirror("away").unwrap();
    let (listed, unreadable) = away.list(&fixture.tenant).await.unwrap();
    assert_eq!(unreadable, Vec::<String>::new());
    let listed: BTreeSet<PointId> = listed.iter().map(id).collect();
    assert_eq!(listed, points.iter().copied().cloned().collect());
    // It reads everything there is, each file at once; reading points piece by piece is slow far away.
    restic_on(&place.repository(fixture), fixture, &["check", "--read-data", "--no-lock"], &fixture.base);
    assert_eq!(known(fixture).await, (true, points.len(), None));
}

#[tokio::test]
async fn a_directory_keeps_only_some() {
    let fixture = Fixture::new();
    let directory = fixture.base.join("nas");
    std::fs::create_dir(&directory).unwrap();
    let place = MirrorPlace::Directory { directory: directory.clone(), same_file_system: true };
    keeps_only_some(mirrored(fixture, place, "-"), &Place::Directory(directory)).await;
}

/// Storage does so too, see below; the rest is the same wherever it lies.
#[tokio::test]
async fn behind_sftp_points_are_thrown_away() {
    let fixture = Fixture::new();
    let directory = fixture.base.join("far");
    std::fs::create_dir(&directory).unwrap();
    let server = SshServer::begin(&fixture.base.join("sshd"), &[]);
    let place = MirrorPlace::Sftp(directory_of(&server, &directory));
    let (fixture, place) = (mirrored(fixture, place, "-"), Place::Directory(directory));
    let first = take(&fixture, "20").await;
    let second = take(&fixture, "21").await;
    chosen(&fixture, &[&first, &second], false).await.unwrap();
    assert_eq!(forget(&fixture, &[&first]).await.unwrap().points, 1);
    assert_eq!(forget(&fixture, &[&first]).await.unwrap(), Forgotten::default(), "it is gone already");
    holds(&fixture, &place, &[&second]).await;
}

async fn keeps_only_some(fixture: Fixture, place: &Place) {
    let first = take(&fixture, "20").await;
    let second = take(&fixture, "21").await;
    let in_vault = crate::fixture::files_below(&fixture.repository().join("data")).len();
    assert_eq!(chosen(&fixture, &[&first], false).await.unwrap().points, 1);
    assert!(place.of_kind("data").len() < in_vault, "only what it needs");
    holds(&fixture, place, &[&first]).await;

    // Copying removes nothing, and gives what is wanted now.
    let third = take(&fixture, "22").await;
    assert_eq!(chosen(&fixture, &[&second, &third], false).await.unwrap().points, 3);
    holds(&fixture, place, &[&first, &second, &third]).await;

    let before = place.files().len();
    let gone = forget(&fixture, &[&first]).await.unwrap();
    assert!(gone.points == 1 && gone.bytes > 0 && place.files().len() < before, "{gone:?}");
    holds(&fixture, place, &[&second, &third]).await;
    let away = fixture.vault.at_mirror("away").unwrap();
    let verified = away.verify(&fixture.tenant, &second).await.unwrap();
    assert_eq!(verified.problems, Vec::<String>::new());
    assert_eq!(forget(&fixture, &[&first]).await.unwrap(), Forgotten::default(), "it is gone already");
    // It is still in the vault, and does not come back; what is damaged there does.
    let again = chosen(&fixture, &[&second, &third], false).await.unwrap();
    assert_eq!(again, Copied { points: 2, ..Copied::default() });
    place.write(&place.of_kind("data").pop().unwrap(), b"short");
    assert_eq!(chosen(&fixture, &[&second, &third], false).await.unwrap().mended, 1);
    place.remove(&place.of_kind("data").pop().unwrap());
    assert_eq!(chosen(&fixture, &[&second, &third], false).await.unwrap().files, 1);
    assert!(chosen(&fixture, &[&second, &third], true).await.unwrap().read > 3);
    holds(&fixture, place, &[&second, &third]).await;

    // The last ones never go, nor one that is held.
    let fault = forget(&fixture, &[&second, &third]).await.unwrap_err();
    assert_eq!(fault.code, Code::PointFailed, "{fault}");
    let hold = eclusa_ports::Hold {
        reason: "a court asks".to_owned(),
        by: "olga".to_owned(),
        at: "2026-11-22T10:00:00Z".parse().unwrap(),
        ended: None,
    };
    fixture.vault.hold(&fixture.tenant, &second, hold).await.unwrap();
    assert!(forget(&fixture, &[&second]).await.unwrap_err().to_string().contains("a court asks"));
    holds(&fixture, place, &[&second, &third]).await;

    // What went in the vault stays there, and comes back from there.
    fixture.vault.forget(&fixture.tenant, std::slice::from_ref(&third)).await.unwrap();
    let fourth = take(&fixture, "23").await;
    chosen(&fixture, &[&fourth], false).await.unwrap();
    holds(&fixture, place, &[&second, &third, &fourth]).await;
    std::fs::remove_dir_all(fixture.repository()).unwrap();
    assert_eq!(fixture.vault.copy_back(&fixture.tenant, "away").await.unwrap().points, 3);
    for point in [&second, &third, &fourth] {
        assert_eq!(
            fixture.vault.verify(&fixture.tenant, point).await.unwrap().problems,
            Vec::<String>::new()
        );
    }
    // A mirror that keeps everything again has everything.
    assert_eq!(copy(&fixture, true).await.unwrap().points, 3);
    holds(&fixture, place, &[&second, &third, &fourth]).await;
}

#[tokio::test]
async fn credentials_that_may_only_add_throw_nothing_away_and_leave_all_as_it_was() {
    let storage = Storage::begin();
    let adder = storage.user("adder", super::storage::MAY_ADD);
    storage.make_bucket(BUCKET);
    let port = storage.port;
    let fixture = mirrored(Fixture::new(), MirrorPlace::S3(bucket(port, &adder.id)), &adder.secret);
    storage.judge();
    let first = take(&fixture, "20").await;
    let second = take(&fixture, "21").await;
    chosen(&fixture, &[&first, &second], false).await.unwrap();
    storage.trust();
    let place = Place::Storage(storage);
    let before = place.files();
    let Place::Storage(storage) = &place else { unreachable!() };
    storage.judge();
    faulty(forget(&fixture, &[&first]).await, "AccessDenied", "hint-mirror-keeps");
    storage.trust();
    assert_eq!(place.files(), before);
    holds(&fixture, &place, &[&first, &second]).await;
    // Another role may.
    let fixture = mirrored(fixture, MirrorPlace::S3(bucket(port, "test")), "test");
    assert_eq!(forget(&fixture, &[&first]).await.unwrap().points, 1);
    holds(&fixture, &place, &[&second]).await;
}

/// Three small points, all at the mirror.
async fn small(base: &std::path::Path) -> (Fixture, Vec<PointId>) {
    std::fs::create_dir(base.join("nas")).unwrap();
    let fixture = near(base);
    let mut points = Vec::new();
    for day in ["20", "21", "22"] {
        let mut request = fixture.request(&format!("r-{day}/one"), &format!("2026-11-{day}T10:00:00Z"));
        request.configuration = [(".env".to_owned(), format!("DAY={day}\n").into_bytes())].into();
        points.push(id(&fixture.vault.take(request).await.unwrap()));
    }
    copy(&fixture, false).await.unwrap();
    (fixture, points)
}

fn near(base: &std::path::Path) -> Fixture {
    let place = MirrorPlace::Directory { directory: base.join("nas"), same_file_system: true };
    mirrored(Fixture::at(base), place, "-")
}

/// Killed at each moment, the points that stay are whole, and doing it again ends it.
#[tokio::test]
async fn killed_at_any_moment_it_is_done_again() {
    if let Some(base) = std::env::var_os(CHILD) {
        let fixture = near(base.as_ref());
        let away = fixture.vault.at_mirror("away").unwrap();
        let (listed, _) = away.list(&fixture.tenant).await.unwrap();
        let going: Vec<PointId> = listed.iter().skip(1).map(id).collect();
        forget(&fixture, &going.iter().collect::<Vec<_>>()).await.unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (_, points) = small(directory.path()).await;
    let [first, second, third] = &points[..] else { unreachable!() };
    let mut killed = 0;
    // Every second moment: that is every kind of them.
    for number in (1..).step_by(2) {
        let directory_of_it = tempfile::tempdir().unwrap();
        let copied =
            Command::new("cp").arg("-a").arg(directory.path().join(".")).arg(directory_of_it.path()).status();
        assert!(copied.unwrap().success());
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "elsewhere::thinning::killed_at_any_moment_it_is_done_again"])
            .env(CHILD, directory_of_it.path())
            .env("ECLUSA_CRASH_AT", format!("*#{number}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        let fixture = near(directory_of_it.path());
        if !status.success() {
            killed += 1;
            let away = fixture.vault.at_mirror("away").unwrap();
            let verified = away.verify(&fixture.tenant, third).await.unwrap();
            assert_eq!(verified.problems, Vec::<String>::new(), "killed at moment {number}");
            forget(&fixture, &[first, second]).await.unwrap();
        }
        let (listed, unreadable) =
            fixture.vault.at_mirror("away").unwrap().list(&fixture.tenant).await.unwrap();
        assert_eq!((listed.len(), unreadable), (1, Vec::new()), "killed at moment {number}");
        if status.success() {
            holds(&fixture, &Place::Directory(directory_of_it.path().join("nas")), &[third]).await;
            break;
        }
    }
    assert!(killed > 5, "killed only {killed} times");
}
