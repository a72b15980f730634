//! A taking that is killed leaves nothing that counts.

use std::io::{self, BufRead, BufReader, Read};

use eclusa_ports::Vault;

use crate::fixture::{CHILD, Fixture, Pattern, dump, files_below, id, start_child};

const TEST: &str = "crash::a_killed_taking_leaves_no_point_and_the_next_one_cleans_up";

/// Says that the middle was reached, and never goes on.
struct Stuck;

impl Read for Stuck {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        println!("\nin the middle");
        loop {
            std::thread::park();
        }
    }
}

#[tokio::test]
async fn a_killed_taking_leaves_no_point_and_the_next_one_cleans_up() {
    if let Some(base) = std::env::var_os(CHILD) {
        let fixture = Fixture::at(base.as_ref());
        let mut request = fixture.request("killed", "2026-11-21T10:00:00Z");
        request.database = Some(dump(Pattern::new(90_000_000, 9).chain(Stuck)));
        fixture.vault.take(request).await.unwrap();
        return;
    }
    let fixture = Fixture::new();
    let before = fixture.vault.take(fixture.full_request("before", "2026-11-20T10:00:00Z")).await.unwrap();
    let mut child = start_child(TEST, &fixture.base);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "in the middle"), "the child ended early");
    // Reading goes on while the taking hangs.
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap(), (vec![before.clone()], vec![]));
    child.kill().unwrap();
    child.wait().unwrap();
    let unfinished = fixture.repository().join("tmp").join(".unfinished-1-0");
    std::fs::write(&unfinished, "as if it had been killed while writing").unwrap();

    assert_eq!(fixture.vault.find_marked(&fixture.tenant, "killed").await.unwrap(), None);
    let after = fixture.vault.take(fixture.full_request("after", "2026-11-21T11:00:00Z")).await.unwrap();
    assert_eq!(files_below(&fixture.repository().join("tmp")), Vec::<std::path::PathBuf>::new());
    assert_eq!(
        fixture.vault.list(&fixture.tenant).await.unwrap(),
        (vec![after.clone(), before.clone()], vec![])
    );
    for point in [before, after] {
        let report = fixture.vault.verify(&fixture.tenant, &id(&point)).await.unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }
}
