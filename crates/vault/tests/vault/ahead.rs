//! Files that were read before their tenant was closed are not read again, and whatever was written since is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eclusa_ports::{DirectorySet, Meter, Vault};
use eclusa_runbook::Stage;

use crate::fixture::{Fixture, files_below, id};
use crate::restic::restic;

/// From when on the times of files tell whether they were written since.
const SETTLED: Duration = Duration::from_millis(3_100);

fn sets(fixture: &Fixture) -> Vec<DirectorySet> {
    vec![DirectorySet { name: "public".to_owned(), path: fixture.make_files() }]
}

/// Other content with the same length and the same time of change, as whoever wants to hide it would write it.
fn hide(path: &Path, content: &str) {
    let before = std::fs::metadata(path).unwrap();
    assert_eq!(before.len(), content.len() as u64);
    std::fs::write(path, content).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
}

#[tokio::test]
async fn only_what_was_written_since_is_read_again() {
    let fixture = Fixture::new();
    let files = fixture.make_files();
    tokio::time::sleep(SETTLED).await;
    let meter = Arc::new(Meter::new());
    let vault = fixture.vault.measured(&meter).unwrap();
    let read = vault.read_ahead(&fixture.tenant, sets(&fixture)).await.unwrap();
    assert_eq!(read.files, 6);
    assert!(fixture.vault.list(&fixture.tenant).await.unwrap().0.is_empty(), "it is no restore point");

    hide(&files.join("back\\slash"), "Escaped");
    std::fs::write(files.join("other"), "ONE").unwrap();
    std::fs::rename(files.join("other"), files.join("a/deep/one.txt")).unwrap();
    std::fs::write(files.join("new.txt"), "new").unwrap();
    std::fs::remove_file(files.join("nothing")).unwrap();
    meter.begin(Stage::Reading);
    let manifest = vault.take(fixture.full_request("r-1/one", "2026-11-20T10:00:00Z")).await.unwrap();
    let streams =
        manifest.database.iter().chain(&manifest.configuration).map(|stream| stream.bytes).sum::<u64>();
    assert_eq!(meter.passed().unwrap().bytes, streams + 7 + 3 + 3, "the three files that are not as before");

    // What another vault makes of the same files, which has read nothing ahead.
    let plain = Fixture::at(&fixture.base.join("plain"));
    let mut request = plain.request("r-1/one", "2026-11-20T10:00:00Z");
    request.directories = sets(&fixture);
    let expected = plain.vault.take(request).await.unwrap();
    assert_eq!(manifest.files, expected.files);

    let point = id(&manifest);
    let report = vault.verify(&fixture.tenant, &point).await.unwrap();
    assert_eq!(
        (report.problems, report.equal),
        (Vec::new(), manifest.files["public"].files.len() as u64 + 2)
    );
    let quickly = meter.passed().unwrap().bytes;
    // What was read ahead counts once; from now on a point is read as any other.
    let report = vault.verify(&fixture.tenant, &point).await.unwrap();
    assert!(report.problems.is_empty());
    let all = meter.passed().unwrap().bytes;
    assert!(all > quickly + 6_000_000, "{quickly}, then {all}");

    let to = fixture.base.join("restored");
    vault.restore_files(&fixture.tenant, &point, "public", &to).await.unwrap();
    for path in files_below(&files) {
        let copy = to.join(path.strip_prefix(&files).unwrap());
        assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(&path).unwrap(), "{}", path.display());
    }
    restic(&fixture, &["check", "--read-data"], &fixture.base);
}

#[tokio::test]
async fn a_file_that_has_just_been_written_is_read_again() {
    let fixture = Fixture::new();
    let read = fixture.vault.read_ahead(&fixture.tenant, sets(&fixture)).await.unwrap();
    assert_eq!((read.files, read.bytes), (0, 0));
    let manifest = fixture.vault.take(fixture.full_request("r-1/one", "2026-11-20T10:00:00Z")).await.unwrap();
    assert!(fixture.vault.verify(&fixture.tenant, &id(&manifest)).await.unwrap().problems.is_empty());
}

/// Between the two somebody prunes the repository with other means, or its disk loses files.
#[tokio::test]
async fn what_was_read_ahead_and_is_gone_makes_no_point() {
    let fixture = Fixture::new();
    fixture.make_files();
    tokio::time::sleep(SETTLED).await;
    fixture.vault.read_ahead(&fixture.tenant, sets(&fixture)).await.unwrap();
    for pack in files_below(&fixture.repository().join("data")) {
        std::fs::remove_file(pack).unwrap();
    }
    let taken = fixture.vault.take(fixture.full_request("r-1/one", "2026-11-20T10:00:00Z")).await;
    let Ok(manifest) = taken else { return };
    let report = fixture.vault.verify(&fixture.tenant, &id(&manifest)).await.unwrap();
    assert!(!report.problems.is_empty());
}
