//! A point that is not whole is no point.

use std::io::{self, Read};

use eclusa_fault::Code;
use eclusa_ports::{DirectorySet, Vault};

use crate::fixture::{Fixture, Pattern, dump, id};

/// A reader that breaks.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("pg_dump ended with status 1"))
    }
}

#[tokio::test]
async fn a_dump_that_fails_midway_leaves_nothing_listed() {
    for before in [0, 700, 3_000_000] {
        let fixture = Fixture::new();
        let mut request = fixture.full_request("one", "2026-11-21T10:00:00Z");
        request.database = Some(dump(Pattern::new(before, 2).chain(Broken)));
        let fault = fixture.vault.take(request).await.unwrap_err();
        assert_eq!(fault.code, Code::DumpFailed);
        assert!(fault.to_string().contains("pg_dump ended with status 1"), "{fault}");
        assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap(), (vec![], vec![]));
        assert_eq!(fixture.vault.find_marked(&fixture.tenant, "one").await.unwrap(), None);
        assert_eq!(std::fs::read_dir(fixture.repository().join("snapshots")).unwrap().count(), 0);

        let taken = fixture.vault.take(fixture.full_request("one", "2026-11-21T11:00:00Z")).await.unwrap();
        assert_eq!(
            fixture.vault.verify(&fixture.tenant, &id(&taken)).await.unwrap().problems,
            Vec::<String>::new()
        );
    }
}

#[tokio::test]
async fn a_dump_that_cannot_be_opened_leaves_nothing_listed() {
    let fixture = Fixture::new();
    let mut request = fixture.full_request("one", "2026-11-21T10:00:00Z");
    let mut broken = dump(Broken);
    broken.streams[0].open = Box::new(|| Err(io::Error::other("no pg_dump")));
    request.database = Some(broken);
    let fault = fixture.vault.take(request).await.unwrap_err();
    assert_eq!(fault.code, Code::DumpFailed);
    assert!(fault.to_string().contains("no pg_dump"), "{fault}");
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap(), (vec![], vec![]));
}

#[tokio::test]
async fn a_missing_directory_fails_the_point() {
    let fixture = Fixture::new();
    let mut request = fixture.full_request("one", "2026-11-21T10:00:00Z");
    request.directories.push(DirectorySet { name: "private".to_owned(), path: fixture.base.join("absent") });
    assert_eq!(fixture.vault.take(request).await.unwrap_err().code, Code::PointFailed);
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap(), (vec![], vec![]));
}

/// Changes the files of the set when the dump is read: after they were listed.
struct Meddling(std::path::PathBuf);

impl Read for Meddling {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        if self.0.join("zz-vanishing").exists() {
            std::fs::remove_file(self.0.join("zz-vanishing"))?;
            std::fs::write(self.0.join("zz-growing"), "grown since it was listed")?;
            std::fs::rename(self.0.join("zz-directory"), self.0.with_file_name("elsewhere"))?;
            std::os::unix::fs::symlink("../elsewhere", self.0.join("zz-directory"))?;
        }
        Ok(0)
    }
}

#[tokio::test]
async fn files_that_change_meanwhile_are_kept_as_read_and_vanished_ones_are_nowhere() {
    let fixture = Fixture::new();
    let mut request = fixture.full_request("one", "2026-11-21T10:00:00Z");
    let files = fixture.base.join("files");
    // Enough files in between that the last ones are opened after the dump was begun.
    for number in 0..200 {
        std::fs::write(files.join(format!("many-{number:03}")), format!("file {number}")).unwrap();
    }
    std::fs::write(files.join("zz-vanishing"), "gone").unwrap();
    std::fs::write(files.join("zz-growing"), "small").unwrap();
    std::fs::create_dir(files.join("zz-directory")).unwrap();
    std::fs::write(files.join("zz-directory/inside"), "not through a link").unwrap();
    std::os::unix::net::UnixListener::bind(files.join("socket")).unwrap();
    request.database = Some(dump(Meddling(files.clone())));
    let taken = fixture.vault.take(request).await.unwrap();
    let set = &taken.files["public"];
    assert!(!set.files.contains_key("zz-vanishing") && !set.files.contains_key("socket"));
    assert!(!set.files.contains_key("zz-directory/inside"), "a link was followed");
    assert_eq!(set.files["zz-growing"].bytes, 25);
    assert_eq!(
        fixture.vault.verify(&fixture.tenant, &id(&taken)).await.unwrap().problems,
        Vec::<String>::new()
    );
    let to = fixture.base.join("restored");
    fixture.vault.restore_files(&fixture.tenant, &id(&taken), "public", &to).await.unwrap();
    assert!(!to.join("zz-vanishing").exists());
    assert_eq!(std::fs::read_to_string(to.join("zz-growing")).unwrap(), "grown since it was listed");
}

#[tokio::test]
async fn a_repository_that_cannot_be_written_fails_the_point() {
    let fixture = Fixture::new();
    let first = fixture.vault.take(fixture.request("one", "2026-11-20T10:00:00Z")).await.unwrap();
    let (data, aside) = (fixture.repository().join("data"), fixture.base.join("aside"));
    std::fs::rename(&data, &aside).unwrap();
    std::fs::write(&data, "no directory").unwrap();
    let fault = fixture.vault.take(fixture.full_request("two", "2026-11-21T10:00:00Z")).await.unwrap_err();
    assert_eq!(fault.code, Code::PointFailed, "{fault}");
    std::fs::remove_file(&data).unwrap();
    std::fs::rename(&aside, &data).unwrap();
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap(), (vec![first], vec![]));
}
