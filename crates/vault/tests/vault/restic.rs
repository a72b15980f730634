//! Without Eclusa the repository is still one that `restic` reads.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use eclusa_ports::Vault;
use serde_json::Value;

use crate::fixture::{Fixture, id, pattern};

pub fn restic(fixture: &Fixture, arguments: &[&str], directory: &Path) -> String {
    restic_on(&fixture.repository(), fixture, arguments, directory)
}

/// On a copy of the repository elsewhere.
pub fn restic_on(repository: &Path, fixture: &Fixture, arguments: &[&str], directory: &Path) -> String {
    let output = Command::new("restic")
        .args(["--no-cache", "--quiet"])
        .args(arguments)
        .current_dir(directory)
        .env("RESTIC_REPOSITORY", repository)
        .env("RESTIC_PASSWORD_FILE", fixture.key())
        // For a repository in storage that takes everybody in.
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .expect("this test needs restic: apt-get install restic");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "restic {arguments:?}: {errors}");
    assert_eq!(errors, "", "restic {arguments:?} complained");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn restic_lists_checks_and_restores_points() {
    let fixture = Fixture::new();
    fixture.vault.take(fixture.full_request("r-1/one", "2026-11-20T10:00:00Z")).await.unwrap();
    let taken = fixture.vault.take(fixture.full_request("r-1/two", "2026-11-21T10:00:00Z")).await.unwrap();
    let point = id(&taken);

    let snapshots: Vec<Value> =
        serde_json::from_str(&restic(&fixture, &["snapshots", "--json"], &fixture.base)).unwrap();
    assert_eq!(snapshots.len(), 2);
    let snapshot = snapshots.iter().find(|snapshot| snapshot["id"] == point.as_str()).unwrap();
    assert_eq!(snapshot["hostname"], "shop");
    assert_eq!(snapshot["tags"], serde_json::json!(["eclusa", "mark:r-1/two"]));
    assert_eq!(snapshot["time"], "2026-11-21T10:00:00Z");
    assert_eq!(
        snapshot["paths"],
        serde_json::json!(["/configuration", "/database.sql", "/files", "/manifest.json"])
    );
    restic(&fixture, &["check", "--read-data"], &fixture.base);

    let to = fixture.base.join("by-restic");
    restic(
        &fixture,
        &["restore", point.as_str(), "--verify", "--target", to.to_str().unwrap()],
        &fixture.base,
    );
    assert!(std::fs::read(to.join("database.sql")).unwrap() == pattern(5_000_000, 1));
    assert_eq!(std::fs::read_to_string(to.join("configuration/.env.production")).unwrap(), "KEY=secret\n");
    let restored = fixture.vault.summarise_files(&to.join("files/public")).await.unwrap();
    assert_eq!(restored, taken.files["public"]);
    for name in ["a.txt", "empty"] {
        let was = fixture.base.join("files").join(name).metadata().unwrap();
        let is = to.join("files/public").join(name).metadata().unwrap();
        assert_eq!(
            (was.mode(), was.mtime(), was.mtime_nsec()),
            (is.mode(), is.mtime(), is.mtime_nsec()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_point_that_was_tampered_with_by_someone_with_the_key_is_found() {
    let fixture = Fixture::new();
    let taken = fixture.vault.take(fixture.full_request("one", "2026-11-20T10:00:00Z")).await.unwrap();
    let to = fixture.base.join("by-restic");
    restic(&fixture, &["restore", id(&taken).as_str(), "--target", to.to_str().unwrap()], &fixture.base);
    std::fs::write(to.join("files/public/a.txt"), "beside the directory b").unwrap();
    std::fs::remove_file(to.join("files/public/nothing")).unwrap();
    std::fs::write(to.join("database.sql"), pattern(5_000_000, 2)).unwrap();
    restic(
        &fixture,
        &["backup", ".", "--tag", "eclusa", "--tag", "mark:forged", "--time", "2026-11-22 10:00:00"],
        &to,
    );

    let forged = fixture.vault.find_marked(&fixture.tenant, "forged").await.unwrap().unwrap();
    let report = fixture.vault.verify(&fixture.tenant, &id(&forged)).await.unwrap();
    let about = |path: &str| report.problems.iter().filter(|problem| problem.starts_with(path)).count();
    assert_eq!(about("files/public/a.txt: other bytes"), 1, "{:?}", report.problems);
    assert_eq!(about("files/public/nothing: missing"), 1, "{:?}", report.problems);
    assert_eq!(about("database.sql: other bytes"), 1, "{:?}", report.problems);
    let mut reader = fixture.vault.open(&fixture.tenant, &id(&forged), "database.sql").await.unwrap();
    assert!(std::io::copy(&mut reader, &mut std::io::sink()).is_err());
    let restored = fixture.base.join("restored");
    assert!(fixture.vault.restore_files(&fixture.tenant, &id(&forged), "public", &restored).await.is_err());
    assert!(!restored.exists());

    // What someone backs up there with restic is no point, and does not disturb those that are.
    restic(&fixture, &["backup", "manifest.json"], &to);
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap().0.len(), 2);
}
