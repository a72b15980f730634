//! Copies of restore points elsewhere: whole, read back, never overwritten by what is damaged, and good for coming back.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use eclusa_fault::Code;
use eclusa_ports::{Copied, Copying, Vault};
use eclusa_vault::{LocalVault, Mirror, MirrorPlace};

use crate::damage::flip;
use crate::elsewhere::Secrets;
use crate::fixture::{CHILD, Fixture, files_below, id};
use crate::restic::restic_on;

/// A vault with one mirror, `nas`.
fn mirrored(base: &Path, same_file_system: bool) -> Fixture {
    let mut fixture = Fixture::at(base);
    let directory = base.join("nas");
    let place = MirrorPlace::Directory { directory, same_file_system };
    let mirrors = vec![Mirror { name: "nas".to_owned(), place }];
    fixture.vault = fixture.vault.with_mirrors(mirrors, std::sync::Arc::new(Secrets::default()));
    fixture
}

fn there(fixture: &Fixture) -> PathBuf {
    fixture.base.join("nas/shop").join(fixture.tenant.as_str())
}

async fn copy(fixture: &Fixture, read_all: bool) -> eclusa_fault::Result<Copied> {
    let at = "2026-11-22T10:00:00Z".parse().unwrap();
    fixture.vault.copy_to(&fixture.tenant, "nas", Copying { read_all, at }).await
}

async fn take(fixture: &Fixture, day: &str) -> eclusa_model::PointId {
    std::fs::write(fixture.make_files().join("of-the-day"), day.repeat(400_000)).unwrap();
    let request = fixture.full_request(&format!("r-{day}/one"), &format!("2026-11-{day}T10:00:00Z"));
    id(&fixture.vault.take(request).await.unwrap())
}

/// Whoever has only the mirror and the key has every point.
fn restic_finds_whole(fixture: &Fixture, count: usize) {
    let listed = restic_on(&there(fixture), fixture, &["snapshots", "--json"], &fixture.base);
    let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.len(), count);
    restic_on(&there(fixture), fixture, &["check", "--read-data"], &fixture.base);
}

#[tokio::test]
async fn what_a_mirror_lacks_is_copied_and_what_went_here_stays_there() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = mirrored(directory.path(), true);
    std::fs::create_dir(fixture.base.join("nas")).unwrap();
    assert_eq!(copy(&fixture, false).await.unwrap(), Copied::default(), "nothing is there yet");
    let first = take(&fixture, "20").await;
    let copied = copy(&fixture, false).await.unwrap();
    assert_eq!(copied.points, 1);
    assert!(copied.files > 3 && copied.bytes > 8_000_000, "{copied:?}");
    let second = take(&fixture, "21").await;
    let more = copy(&fixture, false).await.unwrap();
    assert!(more.points == 2 && more.bytes < copied.bytes / 2, "only what is new: {more:?}");
    let nothing = copy(&fixture, false).await.unwrap();
    assert_eq!(nothing, Copied { points: 2, ..Copied::default() });
    restic_finds_whole(&fixture, 2);

    fixture.vault.forget(&fixture.tenant, std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(copy(&fixture, true).await.unwrap().points, 2);
    restic_finds_whole(&fixture, 2);
    let known = fixture.vault.copies(&fixture.tenant).await.unwrap();
    assert_eq!(known[0].points, [first, second].into());
    assert_eq!((known[0].at, known[0].read_at), (known[0].read_at, known[0].at));
}

#[tokio::test]
async fn a_vault_that_is_lost_comes_back_from_a_mirror() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = mirrored(directory.path(), true);
    std::fs::create_dir(fixture.base.join("nas")).unwrap();
    let point = take(&fixture, "20").await;
    copy(&fixture, false).await.unwrap();
    // One damaged pack is mended, and nothing else is touched.
    let pack = files_below(&fixture.repository().join("data")).pop().unwrap();
    flip(&pack, 40);
    assert_ne!(fixture.vault.verify(&fixture.tenant, &point).await.unwrap().problems, Vec::<String>::new());
    let back = fixture.vault.copy_back(&fixture.tenant, "nas").await.unwrap();
    assert_eq!((back.files, back.mended), (1, 1), "{back:?}");
    assert_eq!(fixture.vault.verify(&fixture.tenant, &point).await.unwrap().problems, Vec::<String>::new());
    // The whole vault, with all that was written down about the mirror.
    std::fs::remove_dir_all(fixture.base.join("vault")).unwrap();
    let fixture = mirrored(directory.path(), true);
    let back = fixture.vault.copy_back(&fixture.tenant, "nas").await.unwrap();
    assert_eq!(back.points, 1);
    assert_eq!(fixture.vault.verify(&fixture.tenant, &point).await.unwrap().problems, Vec::<String>::new());
    assert_eq!(copy(&fixture, true).await.unwrap().mended, 0, "and it is a mirror again");
}

#[tokio::test]
async fn damage_goes_neither_there_nor_back() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = mirrored(directory.path(), true);
    std::fs::create_dir(fixture.base.join("nas")).unwrap();
    let point = take(&fixture, "20").await;
    let packs = files_below(&fixture.repository().join("data"));
    flip(&packs[0], 40);
    let fault = copy(&fixture, false).await.unwrap_err();
    assert_eq!(fault.code, Code::MirrorFailed);
    assert!(
        files_below(&there(&fixture).join("snapshots")).is_empty(),
        "a point that is not whole is not there"
    );
    assert_eq!(fixture.vault.copies(&fixture.tenant).await.unwrap()[0].at, None);
    flip(&packs[0], 40);
    copy(&fixture, false).await.unwrap();

    // A pack that is gone from the vault is in no list of what has to be copied, and the new point needs it.
    let later = take(&fixture, "21").await;
    let packs = files_below(&fixture.repository().join("data"));
    let at_mirror = |pack: &PathBuf| there(&fixture).join(pack.strip_prefix(fixture.repository()).unwrap());
    let new = packs.iter().find(|pack| !at_mirror(pack).exists()).unwrap();
    let kept = fixture.base.join("kept");
    std::fs::rename(new, &kept).unwrap();
    assert!(copy(&fixture, false).await.unwrap_err().to_string().contains("is not whole"));
    assert!(!there(&fixture).join("snapshots").join(later.as_str()).exists());
    std::fs::rename(&kept, new).unwrap();
    copy(&fixture, false).await.unwrap();

    // At the mirror: unseen until it is read, then copied anew. Another length is seen at once.
    let pack = files_below(&there(&fixture).join("data")).pop().unwrap();
    flip(&pack, 40);
    assert_eq!(copy(&fixture, false).await.unwrap().files, 0);
    assert_eq!(copy(&fixture, true).await.unwrap().mended, 1);
    std::fs::remove_file(&pack).unwrap();
    std::fs::write(&pack, "short").unwrap();
    assert_eq!(copy(&fixture, false).await.unwrap().mended, 1);
    restic_finds_whole(&fixture, 2);

    // What is damaged at the mirror does not replace what is sound here, nor what is lost here.
    let pack = files_below(&there(&fixture).join("data")).pop().unwrap();
    flip(&pack, 40);
    assert_eq!(fixture.vault.copy_back(&fixture.tenant, "nas").await.unwrap().files, 0);
    let ours = fixture.repository().join(pack.strip_prefix(there(&fixture)).unwrap());
    std::fs::remove_file(&ours).unwrap();
    assert_eq!(fixture.vault.copy_back(&fixture.tenant, "nas").await.unwrap_err().code, Code::MirrorFailed);
    assert!(!ours.exists());
    flip(&pack, 40);
    fixture.vault.copy_back(&fixture.tenant, "nas").await.unwrap();
    assert_eq!(fixture.vault.verify(&fixture.tenant, &point).await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn an_empty_mount_point_and_the_vaults_own_disk_are_no_mirrors() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = mirrored(directory.path(), true);
    let nas = fixture.base.join("nas");
    take(&fixture, "20").await;
    let fault = copy(&fixture, false).await.unwrap_err();
    assert_eq!(fault.code, Code::MirrorFailed);
    assert!(!nas.exists(), "it is never made");
    std::fs::create_dir(&nas).unwrap();
    let strict = mirrored(directory.path(), false);
    assert!(copy(&strict, false).await.unwrap_err().to_string().contains("file system of the vault"));
    assert_eq!(files_below(&nas), Vec::<PathBuf>::new());
    copy(&fixture, false).await.unwrap();

    let away = fixture.base.join("away");
    std::fs::rename(&nas, &away).unwrap();
    std::fs::create_dir(&nas).unwrap();
    assert!(copy(&fixture, false).await.unwrap_err().to_string().contains("is gone"));
    assert!(fixture.vault.copy_back(&fixture.tenant, "nas").await.is_err());
    assert_eq!(files_below(&nas), Vec::<PathBuf>::new(), "nothing is written under a mount point");
    std::fs::rename(nas.join("../away/shop"), nas.join("shop")).unwrap();
    copy(&fixture, false).await.unwrap();

    // The vault was made anew: what the mirror holds is another repository, and stays as it is.
    let before = files_below(&nas);
    std::fs::remove_dir_all(fixture.repository()).unwrap();
    let other = mirrored(directory.path(), true);
    take(&other, "22").await;
    assert!(copy(&other, true).await.unwrap_err().to_string().contains("another repository"));
    assert!(other.vault.copy_back(&other.tenant, "nas").await.unwrap_err().to_string().contains("another"));
    assert_eq!(files_below(&nas), before);
    let unknown = Copying { read_all: false, at: jiff::Timestamp::UNIX_EPOCH };
    let fault = LocalVault::copy_to(&other.vault, &other.tenant, "tape", unknown).await.unwrap_err();
    assert_eq!(fault.code, Code::MirrorUnknown);
}

#[tokio::test]
async fn tenants_that_are_copied_for_the_first_time_at_once_have_one_mirror() {
    let directory = tempfile::tempdir().unwrap();
    let mut fixture = mirrored(directory.path(), true);
    let names: Vec<String> = (0..8).map(|number| format!("t{number}")).collect();
    for name in &names {
        fixture.tenant = eclusa_model::TenantName::new(name.as_str()).unwrap();
        fixture.vault.take(fixture.request(name, "2026-11-20T10:00:00Z")).await.unwrap();
    }
    for _ in 0..4 {
        let _ = std::fs::remove_dir_all(fixture.base.join("nas"));
        let _ = std::fs::remove_dir_all(fixture.base.join("vault/.mirrors"));
        std::fs::create_dir(fixture.base.join("nas")).unwrap();
        let mut copying = tokio::task::JoinSet::new();
        for name in &names {
            let (vault, name) =
                (fixture.vault.clone(), eclusa_model::TenantName::new(name.as_str()).unwrap());
            let how = Copying { read_all: false, at: jiff::Timestamp::UNIX_EPOCH };
            copying.spawn(async move { vault.copy_to(&name, "nas", how).await });
        }
        while let Some(copied) = copying.join_next().await {
            copied.unwrap().unwrap();
        }
        // Each knows the same place.
        for name in &names {
            let tenant = eclusa_model::TenantName::new(name.as_str()).unwrap();
            let how = Copying { read_all: false, at: jiff::Timestamp::UNIX_EPOCH };
            fixture.vault.copy_to(&tenant, "nas", how).await.unwrap();
        }
    }
}

/// Killed at each moment, every point that is at the mirror is whole there, and doing it again ends it.
#[tokio::test]
async fn killed_at_any_moment_a_point_is_whole_there_or_not_there() {
    if let Some(base) = std::env::var_os(CHILD) {
        copy(&mirrored(base.as_ref(), true), false).await.unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let whole = mirrored(directory.path(), true);
    std::fs::create_dir(whole.base.join("nas")).unwrap();
    take(&whole, "20").await;
    copy(&whole, false).await.unwrap();
    take(&whole, "21").await;
    let (mut killed, mut without) = (0, 0);
    for number in (1..).step_by(3) {
        let copied = tempfile::tempdir().unwrap();
        let status = Command::new("cp").arg("-a").arg(whole.base.join(".")).arg(copied.path()).status();
        assert!(status.unwrap().success());
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "mirror::killed_at_any_moment_a_point_is_whole_there_or_not_there",
                "--nocapture",
            ])
            .env(CHILD, copied.path())
            .env("ECLUSA_CRASH_AT", format!("*#{number}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        let fixture = mirrored(copied.path(), true);
        let points = files_below(&there(&fixture).join("snapshots")).len();
        if status.success() {
            assert_eq!(points, 2);
            break;
        }
        killed += 1;
        without += u32::from(points == 1);
        restic_finds_whole(&fixture, points);
        copy(&fixture, false).await.unwrap();
        restic_finds_whole(&fixture, 2);
        assert_eq!(files_below(&there(&fixture).join("tmp")), Vec::<PathBuf>::new());
    }
    assert!(killed > 5 && without > 3, "killed {killed} times, {without} times before the point was there");
}
