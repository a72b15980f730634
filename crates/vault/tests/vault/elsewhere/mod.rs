//! Copies in S3-compatible storage and behind SFTP, with real servers.

mod contract;
mod erasing;
mod sftp;
mod storage;
mod thinning;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::PointId;
use eclusa_ports::{Copied, Copying, SecretResolver, Vault as _};
use eclusa_testkit::elsewhere::{SshServer, Storage};
use eclusa_vault::{Mirror, MirrorPlace, S3Place, SftpPlace};
use secrecy::SecretString;

use crate::fixture::{Fixture, id};

/// The bucket of every test.
pub const BUCKET: &str = "copies";

/// Secrets by their references.
#[derive(Default)]
pub struct Secrets(pub BTreeMap<String, String>);

impl SecretResolver for Secrets {
    fn resolve(&self, reference: &str) -> Result<SecretString> {
        let known = self.0.get(reference).cloned().map(SecretString::from);
        known.ok_or_else(|| Fault::new(Code::SecretMissing).with("reference", reference))
    }
}

/// A fixture whose vault has this mirror as `away`, with this secret at `env:SECRET`.
pub fn mirrored(mut fixture: Fixture, place: MirrorPlace, secret: &str) -> Fixture {
    let secrets = Secrets([("env:SECRET".to_owned(), secret.to_owned())].into());
    let mirrors = vec![Mirror { name: "away".to_owned(), place }];
    fixture.vault = fixture.vault.with_mirrors(mirrors, Arc::new(secrets));
    fixture
}

/// The bucket of a server at a port, for somebody.
pub fn bucket(port: u16, id: &str) -> S3Place {
    S3Place {
        endpoint: format!("http://127.0.0.1:{port}"),
        bucket: BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        prefix: "of/eclusa".to_owned(),
        virtual_host_style: false,
        access_key_id: id.to_owned(),
        secret_access_key: "env:SECRET".to_owned(),
        timeout: Duration::from_secs(60),
    }
}

/// A directory of a server.
pub fn directory_of(server: &SshServer, directory: &std::path::Path) -> SftpPlace {
    SftpPlace {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        user: server.user.clone(),
        directory: directory.display().to_string(),
        key: server.key.clone(),
        known_hosts: server.known_hosts.clone(),
        timeout: Duration::from_secs(60),
    }
}

pub async fn copy(fixture: &Fixture, read_all: bool) -> Result<Copied> {
    let at = "2026-11-22T10:00:00Z".parse().unwrap();
    fixture.vault.copy_to(&fixture.tenant, "away", Copying { read_all, at }).await
}

/// A point with some megabytes that no other has.
pub async fn take(fixture: &Fixture, day: &str) -> PointId {
    std::fs::write(fixture.make_files().join("of-the-day"), day.repeat(100_000)).unwrap();
    let request = fixture.full_request(&format!("r-{day}/one"), &format!("2026-11-{day}T10:00:00Z"));
    id(&fixture.vault.take(request).await.unwrap())
}

/// What is known of the copies: when they were made, how many points, and why the last copying failed.
pub async fn known(fixture: &Fixture) -> (bool, usize, Option<String>) {
    let copies = fixture.vault.copies(&fixture.tenant).await.unwrap().remove(0);
    (copies.at.is_some(), copies.points.len(), copies.failed.map(|failed| failed.problem))
}

/// A fault of the mirror whose text and advice hold these.
#[track_caller]
pub fn faulty<T: std::fmt::Debug>(copied: Result<T>, problem: &str, hint: &str) {
    let fault = copied.expect_err("it was copied");
    assert_eq!(fault.code, Code::MirrorFailed);
    let text = fault.to_string();
    assert!(text.contains(problem), "{text}");
    let hints = format!("{:?}", fault.hint);
    assert!(hints.contains(hint), "{text}: {hints}");
}

/// A place whose files a test can see and damage; a directory may lie behind SFTP.
pub enum Place {
    Directory(PathBuf),
    Storage(Storage),
}

impl Place {
    /// The names of all files of the place, from the place on.
    pub fn files(&self) -> Vec<String> {
        match self {
            Self::Directory(directory) => {
                let all = crate::fixture::files_below(directory).into_iter();
                let names = all.map(|path| path.strip_prefix(directory).unwrap().display().to_string());
                names.filter(|name| !name.contains("/.locks/")).collect()
            }
            Self::Storage(storage) => {
                let names = storage.objects(BUCKET).into_iter();
                names.map(|name| name.strip_prefix("of/eclusa/").unwrap().to_owned()).collect()
            }
        }
    }

    /// Those of a kind, of the one tenant.
    pub fn of_kind(&self, kind: &str) -> Vec<String> {
        let kind = format!("/{kind}/");
        self.files().into_iter().filter(|name| name.contains(&kind)).collect()
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        match self {
            Self::Directory(directory) => std::fs::read(directory.join(name)).unwrap(),
            Self::Storage(storage) => storage.object(BUCKET, &format!("of/eclusa/{name}")),
        }
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        match self {
            Self::Directory(directory) => {
                let _ = std::fs::remove_file(directory.join(name));
                std::fs::write(directory.join(name), content).unwrap();
            }
            Self::Storage(storage) => storage.put(BUCKET, &format!("of/eclusa/{name}"), content),
        }
    }

    pub fn remove(&self, name: &str) {
        match self {
            Self::Directory(directory) => {
                std::fs::remove_file(directory.join(name)).unwrap();
            }
            Self::Storage(storage) => storage.delete(BUCKET, &format!("of/eclusa/{name}")),
        }
    }

    /// The tenant's repository, as `restic` names it.
    pub fn repository(&self, fixture: &Fixture) -> PathBuf {
        let tenant = &fixture.tenant;
        match self {
            Self::Directory(directory) => directory.join("shop").join(tenant.as_str()),
            Self::Storage(storage) => {
                format!("s3:{}/{BUCKET}/of/eclusa/shop/{tenant}", storage.endpoint()).into()
            }
        }
    }

    /// Turns a bit of a file.
    pub fn damage(&self, name: &str) {
        let mut content = self.read(name);
        content[40] ^= 1;
        self.write(name, &content);
    }
}
