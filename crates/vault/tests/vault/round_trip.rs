//! What goes in comes out.

use std::io::{self, Cursor, Read};
use std::os::unix::fs::MetadataExt;

use eclusa_fault::Code;
use eclusa_ports::{Checksums, DatabaseSummary, DirectorySet, Dump, DumpStream, Vault};

use crate::fixture::{Fixture, Pattern, dump, files_below, id, pattern};

/// Streams of a dump in the order in which nobody would read them.
fn several(fails: bool) -> Dump {
    let stream = |name: &str, seed: u64, fails: bool| DumpStream {
        name: name.to_owned(),
        open: Box::new(move || {
            let bytes = Cursor::new(pattern(400_000, seed));
            let broken = io::Error::other("the server is gone");
            Ok(if fails {
                Box::new(bytes.chain(Failing(broken))) as _
            } else {
                Box::new(bytes) as Box<dyn Read + Send>
            })
        }),
    };
    let summary = DatabaseSummary { checksums: Checksums::Dump, ..DatabaseSummary::default() };
    Dump {
        engine: "mariadb 10.11.19".to_owned(),
        streams: vec![
            stream("database/2-rows-2.sql", 2, fails),
            stream("database/1-structure.sql", 1, false),
            stream("database/2-rows-1.sql", 3, false),
        ],
        log: None,
        summary: Box::new(move || Ok(summary)),
    }
}

struct Failing(io::Error);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other(self.0.to_string()))
    }
}

#[tokio::test]
async fn a_database_of_several_streams_comes_back_in_their_order() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let mut request = fixture.full_request("one", "2026-11-21T10:00:00Z");
    request.database = Some(several(false));
    let taken = vault.take(request).await.unwrap();
    let names: Vec<&str> = taken.database.iter().map(|stream| stream.path.as_str()).collect();
    assert_eq!(names, ["database/1-structure.sql", "database/2-rows-1.sql", "database/2-rows-2.sql"]);
    assert_eq!((taken.format, taken.summary.checksums), (2, Checksums::Dump));
    assert_eq!(vault.find(&fixture.tenant, id(&taken).as_str()).await.unwrap(), taken);
    let report = vault.verify(&fixture.tenant, &id(&taken)).await.unwrap();
    assert_eq!((report.problems, report.equal), (vec![], 3 + 1 + 6));
    for (name, seed) in names.iter().zip([1, 3, 2]) {
        let mut bytes = Vec::new();
        vault.open(&fixture.tenant, &id(&taken), name).await.unwrap().read_to_end(&mut bytes).unwrap();
        assert!(bytes == pattern(400_000, seed), "{name}");
    }

    // One stream that breaks makes no point, nor does a summary that cannot be given.
    let mut request = fixture.full_request("two", "2026-11-22T10:00:00Z");
    request.database = Some(several(true));
    let fault = vault.take(request).await.unwrap_err();
    assert_eq!(fault.code, Code::DumpFailed, "{fault}");
    let mut request = fixture.full_request("three", "2026-11-22T10:00:00Z");
    let refused = Box::new(|| Err(eclusa_fault::Fault::new(Code::DumpFailed)));
    request.database = Some(Dump { summary: refused, ..several(false) });
    assert_eq!(vault.take(request).await.unwrap_err().code, Code::DumpFailed);
    assert_eq!(vault.list(&fixture.tenant).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn a_point_gives_back_database_configuration_and_files() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    let taken = vault.take(fixture.full_request("run/secure.point", "2026-11-21T10:00:00Z")).await.unwrap();
    assert_eq!(taken.database[0].bytes, 5_000_000);

    let (listed, unreadable) = vault.list(&fixture.tenant).await.unwrap();
    assert_eq!((listed, unreadable), (vec![taken.clone()], vec![]));
    assert_eq!(vault.find(&fixture.tenant, &id(&taken).as_str()[..8]).await.unwrap(), taken);

    let report = vault.verify(&fixture.tenant, &id(&taken)).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.equal, 1 + 1 + 6);
    assert_eq!(report.bytes, taken.files["public"].bytes() + 5_000_000 + 11);

    let mut stream = Vec::new();
    vault.open(&fixture.tenant, &id(&taken), "database.sql").await.unwrap().read_to_end(&mut stream).unwrap();
    assert!(stream == pattern(5_000_000, 1), "the database came back otherwise");
    let mut text = String::new();
    // Every file by the name that the manifest gives it, those whose names are no texts among them.
    let public = &taken.files["public"].files;
    assert!(public.keys().any(|name| name.contains("latin")), "{public:?}");
    for (name, file) in public {
        let mut content = Vec::new();
        let path = format!("files/public/{name}");
        vault.open(&fixture.tenant, &id(&taken), &path).await.unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(content.len() as u64, file.bytes, "{path}");
    }
    let mut reader = vault.open(&fixture.tenant, &id(&taken), "configuration/.env.production").await.unwrap();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "KEY=secret\n");

    let to = fixture.base.join("restored");
    let manifest = vault.restore_files(&fixture.tenant, &id(&taken), "public", &to).await.unwrap();
    let original = fixture.base.join("files");
    assert_eq!(manifest, vault.summarise_files(&original).await.unwrap());
    assert_eq!(manifest, vault.summarise_files(&to).await.unwrap());
    assert_eq!(manifest.links["link"], "a/deep/one.txt");
    assert_eq!(manifest.files["a.txt"].mode, 0o640);
    assert!(manifest.files.contains_key("back\\\\slash") && manifest.files.contains_key("latin-\\xe9"));
    for name in ["a.txt", "empty", "a", "."] {
        let (was, is) = (original.join(name).metadata().unwrap(), to.join(name).metadata().unwrap());
        assert_eq!(
            (was.mode(), was.mtime(), was.mtime_nsec()),
            (is.mode(), is.mtime(), is.mtime_nsec()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_second_point_of_the_same_data_takes_hardly_any_room() {
    let fixture = Fixture::new();
    let size =
        || files_below(&fixture.repository()).iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    let first = fixture.vault.take(fixture.full_request("one", "2026-11-20T10:00:00Z")).await.unwrap();
    let after_first = size();
    let second = fixture.vault.take(fixture.full_request("two", "2026-11-21T10:00:00Z")).await.unwrap();
    assert!(after_first > 8_000_000, "{after_first}");
    assert!(size() - after_first < 100_000, "{} were added", size() - after_first);
    assert_ne!(first.id, second.id);
    let (listed, _) = fixture.vault.list(&fixture.tenant).await.unwrap();
    assert_eq!(listed, vec![second, first], "newest first");
}

#[tokio::test]
async fn a_point_is_found_by_its_mark() {
    let fixture = Fixture::new();
    assert_eq!(fixture.vault.find_marked(&fixture.tenant, "r-1/secure").await.unwrap(), None);
    let mut request = fixture.request("r-1/secure", "2026-11-21T10:00:00Z");
    request.run = Some("r-1".parse().unwrap());
    let taken = fixture.vault.take(request).await.unwrap();
    assert_eq!(taken.run, Some("r-1".parse().unwrap()));
    assert_eq!(fixture.vault.find_marked(&fixture.tenant, "r-1/secure").await.unwrap(), Some(taken));
    assert_eq!(fixture.vault.find_marked(&fixture.tenant, "r-1/secur").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_not_there_is_unknown_and_a_full_directory_is_refused() {
    let fixture = Fixture::new();
    let unknown = fixture.vault.find(&fixture.tenant, "abcd").await.unwrap_err();
    assert_eq!(unknown.code, Code::PointUnknown);
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap(), (vec![], vec![]));
    assert!(!fixture.base.join("vault").exists(), "listing made something");

    let taken = fixture.vault.take(fixture.full_request("one", "2026-11-21T10:00:00Z")).await.unwrap();
    for beginning in ["", "zzzz", "0000000000000000"] {
        assert_eq!(
            fixture.vault.find(&fixture.tenant, beginning).await.unwrap_err().code,
            Code::PointUnknown
        );
    }
    let opened = fixture.vault.open(&fixture.tenant, &id(&taken), "manifest.json").await;
    assert_eq!(opened.err().unwrap().code, Code::PointUnknown);

    let to = fixture.base.join("occupied");
    std::fs::create_dir(&to).unwrap();
    std::fs::write(to.join("mine"), "kept").unwrap();
    let refused = fixture.vault.restore_files(&fixture.tenant, &id(&taken), "public", &to).await.unwrap_err();
    assert_eq!(refused.code, Code::FileAccess);
    assert_eq!(files_below(&to), vec![to.join("mine")]);
    let other =
        fixture.vault.restore_files(&fixture.tenant, &id(&taken), "private", &fixture.base.join("new")).await;
    assert_eq!(other.unwrap_err().code, Code::PointUnknown);
}

#[tokio::test]
async fn a_stream_is_read_while_another_point_is_taken_and_listed() {
    let fixture = Fixture::new();
    let taken = fixture.vault.take(fixture.full_request("one", "2026-11-20T10:00:00Z")).await.unwrap();
    let mut reader = fixture.vault.open(&fixture.tenant, &id(&taken), "database.sql").await.unwrap();
    let mut beginning = vec![0; 1000];
    reader.read_exact(&mut beginning).unwrap();

    // A dump that goes on only after the list was read in the middle of it: neither waits for the other.
    let (begun, begin) = tokio::sync::oneshot::channel();
    let (go, wait) = std::sync::mpsc::channel();
    let mut request = fixture.request("two", "2026-11-21T10:00:00Z");
    request.database = Some(dump(Waiting(Some(begun), wait).chain(Pattern::new(10_000, 3))));
    let vault = fixture.vault.clone();
    let taking = tokio::spawn(async move { vault.take(request).await });
    begin.await.unwrap();
    let (listed, _) = fixture.vault.list(&fixture.tenant).await.unwrap();
    assert_eq!(listed.len(), 1);
    go.send(()).unwrap();
    taking.await.unwrap().unwrap();

    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), 4_999_000);
    assert_eq!(fixture.vault.list(&fixture.tenant).await.unwrap().0.len(), 2);
}

/// Says that it is read, and ends when it is told to.
struct Waiting(Option<tokio::sync::oneshot::Sender<()>>, std::sync::mpsc::Receiver<()>);

impl Read for Waiting {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        if let Some(begun) = self.0.take() {
            begun.send(()).unwrap();
            self.1.recv().unwrap();
        }
        Ok(0)
    }
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let fixture = Fixture::new();
    for name in ["../evil", "/etc/passwd", "a/../b", "", ".", "a//b"] {
        let mut request = fixture.request("one", "2026-11-21T10:00:00Z");
        request.configuration.insert(name.to_owned(), Vec::new());
        assert_eq!(fixture.vault.take(request).await.unwrap_err().code, Code::PathEscapes, "{name:?}");
        let mut request = fixture.request("one", "2026-11-21T10:00:00Z");
        request.directories = vec![DirectorySet { name: name.to_owned(), path: fixture.make_files() }];
        assert_eq!(fixture.vault.take(request).await.unwrap_err().code, Code::PathEscapes, "{name:?}");
    }
}
