//! Points that are thrown away take nothing with them that another one needs.

use std::process::{Command, Stdio};
use std::time::Duration;

use eclusa_fault::Code;
use eclusa_model::PointId;
use eclusa_ports::{PointManifest, Vault};

use crate::fixture::{CHILD, Fixture, dump, id, pattern};
use crate::restic::restic;

const DAYS: [&str; 5] = ["20", "21", "22", "23", "24"];

/// Five points of one tenant, each with its own part and much in common.
async fn five(fixture: &Fixture) -> Vec<PointManifest> {
    let mut points = Vec::new();
    for day in DAYS {
        std::fs::write(fixture.make_files().join("of-the-day"), day.repeat(400_000)).unwrap();
        let request = fixture.full_request(&format!("r-{day}/one"), &format!("2026-11-{day}T10:00:00Z"));
        points.push(fixture.vault.take(request).await.unwrap());
    }
    points
}

async fn are_whole(fixture: &Fixture, points: &[PointManifest]) {
    let (listed, unreadable) = fixture.vault.list(&fixture.tenant).await.unwrap();
    assert_eq!(unreadable, Vec::<String>::new());
    let mut expected = points.to_vec();
    expected.reverse();
    assert_eq!(listed, expected);
    for point in points {
        let report = fixture.vault.verify(&fixture.tenant, &id(point)).await.unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }
    restic(fixture, &["check", "--read-data"], &fixture.base);
}

fn size(fixture: &Fixture) -> u64 {
    let entries = walkdir::WalkDir::new(fixture.repository()).into_iter().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum()
}

#[tokio::test]
async fn what_other_points_need_stays() {
    let fixture = Fixture::new();
    let points = five(&fixture).await;
    let before = size(&fixture);
    let going: Vec<PointId> = points[..3].iter().map(id).collect();
    let forgotten = fixture.vault.forget(&fixture.tenant, &going).await.unwrap();
    assert_eq!(forgotten.points, 3);
    assert!(forgotten.bytes > 0 && size(&fixture) < before, "{forgotten:?}");
    are_whole(&fixture, &points[3..]).await;
    assert_eq!(fixture.vault.forget(&fixture.tenant, &going).await.unwrap().points, 0);
    // The next one builds on what is there.
    let next = fixture.vault.take(fixture.full_request("r-25/one", "2026-11-25T10:00:00Z")).await.unwrap();
    are_whole(&fixture, &[points[3].clone(), points[4].clone(), next]).await;
}

#[tokio::test]
async fn of_a_damaged_repository_nothing_goes() {
    let fixture = Fixture::new();
    let points = five(&fixture).await;
    let snapshots = fixture.repository().join("snapshots");
    let damaged = snapshots.join(id(&points[1]).as_str());
    std::fs::remove_file(&damaged).unwrap();
    std::fs::write(&damaged, "no snapshot").unwrap();
    let fault = fixture.vault.forget(&fixture.tenant, &[id(&points[0])]).await.unwrap_err();
    assert_eq!(fault.code, Code::VaultUnreachable);
    assert_eq!(std::fs::read_dir(snapshots).unwrap().count(), DAYS.len());
    let report = fixture.vault.verify(&fixture.tenant, &id(&points[0])).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
}

/// Killed at each moment between the first removal and the last, the points that stay are whole, and doing it again ends it.
#[tokio::test]
async fn killed_at_any_moment_it_is_done_again() {
    if let Some(base) = std::env::var_os(CHILD) {
        let fixture = Fixture::at(base.as_ref());
        let (listed, _) = fixture.vault.list(&fixture.tenant).await.unwrap();
        let going: Vec<PointId> = listed.iter().skip(2).map(id).collect();
        fixture.vault.forget(&fixture.tenant, &going).await.unwrap();
        return;
    }
    let whole = Fixture::new();
    let points = five(&whole).await;
    let mut killed = 0;
    for number in 1.. {
        let directory = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-a").arg(whole.base.join(".")).arg(directory.path()).status();
        assert!(copied.unwrap().success());
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "forget::killed_at_any_moment_it_is_done_again", "--nocapture"])
            .env(CHILD, directory.path())
            .env("ECLUSA_CRASH_AT", format!("*#{number}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        let fixture = Fixture::at(directory.path());
        if status.success() {
            are_whole(&fixture, &points[3..]).await;
            break;
        }
        killed += 1;
        for point in &points[3..] {
            let report = fixture.vault.verify(&fixture.tenant, &id(point)).await.unwrap();
            assert_eq!(report.problems, Vec::<String>::new(), "killed at moment {number}");
        }
        let going: Vec<PointId> = points[..3].iter().map(id).collect();
        fixture.vault.forget(&fixture.tenant, &going).await.unwrap();
        are_whole(&fixture, &points[3..]).await;
    }
    assert!(killed > 5, "killed only {killed} times");
}

/// A dump of which the second half comes only when somebody says so.
struct Halfway {
    text: std::io::Cursor<Vec<u8>>,
    wait: Option<(tokio::sync::oneshot::Sender<()>, std::sync::mpsc::Receiver<()>)>,
}

impl std::io::Read for Halfway {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.text.position() >= 2_500_000
            && let Some((reached, go_on)) = self.wait.take()
        {
            reached.send(()).unwrap();
            go_on.recv().unwrap();
        }
        self.text.read(buffer)
    }
}

/// What a taking has put into the repository already no point refers to: whoever throws away waits for its end.
#[tokio::test(flavor = "multi_thread")]
async fn points_are_thrown_away_when_what_is_being_taken_is_there() {
    let fixture = Fixture::new();
    let points = five(&fixture).await;
    let (go, go_on) = std::sync::mpsc::channel();
    let (reached, half) = tokio::sync::oneshot::channel();
    let text = std::io::Cursor::new(pattern(5_000_000, 9));
    let mut request = fixture.full_request("r-25/one", "2026-11-25T10:00:00Z");
    request.database = Some(dump(Halfway { text, wait: Some((reached, go_on)) }));
    let vault = fixture.vault.clone();
    let taking = tokio::spawn(async move { vault.take(request).await });
    half.await.unwrap();
    let (vault, tenant, going) = (fixture.vault.clone(), fixture.tenant.clone(), vec![id(&points[0])]);
    let forgetting = tokio::spawn(async move { vault.forget(&tenant, &going).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!forgetting.is_finished(), "it waits");
    go.send(()).unwrap();
    let taken = taking.await.unwrap().unwrap();
    assert_eq!(forgetting.await.unwrap().unwrap().points, 1);
    let mut left = points[1..].to_vec();
    left.push(taken);
    are_whole(&fixture, &left).await;
}
