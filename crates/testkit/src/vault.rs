//! Restore points in memory.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PointId, StackName, TenantName};
use eclusa_ports::{
    FileEntry, FilesManifest, Forgotten, Hold, HoldEnd, PointManifest, StreamManifest, TakeRequest, Vault,
    VerifyReport,
};
use sha2::{Digest, Sha256};

use crate::Dumped;
use crate::world::StoredPoint;
use crate::{State, World};

/// The vault of a world.
pub struct FakeVault {
    /// The world.
    pub world: World,
    /// Whose it is.
    pub stack: StackName,
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn stream(path: &str, bytes: &[u8]) -> StreamManifest {
    StreamManifest { path: path.to_owned(), bytes: bytes.len() as u64, sha256: sha256(bytes) }
}

fn files(entries: &BTreeMap<String, Vec<u8>>) -> FilesManifest {
    let entry = |bytes: &Vec<u8>| FileEntry {
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
        mode: 0o644,
        owner: 0,
        group: 0,
    };
    FilesManifest {
        files: entries.iter().map(|(name, bytes)| (name.clone(), entry(bytes))).collect(),
        links: BTreeMap::new(),
    }
}

fn find<'a>(state: &'a State, tenant: &TenantName, point: &str) -> Result<&'a StoredPoint> {
    let unknown = || Fault::new(Code::PointUnknown).with("point", point).with("tenant", tenant);
    let begins =
        |one: &&StoredPoint| one.manifest.id.as_ref().is_some_and(|id| id.as_str().starts_with(point));
    let found: Vec<_> = state.points.get(tenant).into_iter().flatten().filter(begins).collect();
    match found.as_slice() {
        [one] if !point.is_empty() => Ok(one),
        _ => Err(unknown()),
    }
}

/// A reader that ends with an error.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the bytes are not those of the manifest"))
    }
}

#[async_trait]
impl Vault for FakeVault {
    async fn take(&self, request: TakeRequest) -> Result<PointManifest> {
        let mut streams = BTreeMap::new();
        let mut engine = None;
        let mut summary = eclusa_ports::DatabaseSummary::default();
        let mut database = Vec::new();
        if let Some(dump) = request.database {
            engine = Some(dump.engine.clone());
            let read = Dumped::read(dump);
            let dumped = read.map_err(|error| {
                Fault::new(Code::DumpFailed).with("tenant", &request.tenant).because(error)
            })?;
            database = dumped.streams.iter().map(|(name, bytes)| stream(name, bytes)).collect();
            streams.extend(dumped.streams);
            summary = dumped.summary;
        }
        let configuration = request
            .configuration
            .iter()
            .map(|(name, bytes)| {
                let path = format!("configuration/{name}");
                streams.insert(path.clone(), bytes.clone());
                stream(&path, bytes)
            })
            .collect();
        let (tenant, mark, stack) = (request.tenant.clone(), request.mark.clone(), self.stack.clone());
        self.world
            .step(format!("vault.take.{tenant}"), |state| {
                let count: usize = state.points.values().map(Vec::len).sum();
                let id = PointId::new(sha256(format!("{mark}{count}").as_bytes())).ok();
                let mut sets = BTreeMap::new();
                for set in &request.directories {
                    let content = state.directories.get(&set.path).cloned();
                    let missing =
                        || Fault::new(Code::PointFailed).with("tenant", &tenant).because(set.path.display());
                    sets.insert(set.name.clone(), content.ok_or_else(missing)?);
                }
                let manifest = PointManifest {
                    format: PointManifest::format_of(&database, &summary),
                    id,
                    stack,
                    tenant: tenant.clone(),
                    kind: request.kind,
                    taken_at: request.at,
                    run: request.run,
                    release: request.release,
                    engine,
                    database,
                    log: None,
                    summary,
                    files: sets.iter().map(|(name, entries)| (name.clone(), files(entries))).collect(),
                    configuration,
                };
                let point = StoredPoint { manifest: manifest.clone(), mark, streams, files: sets };
                state.points.entry(tenant.clone()).or_default().push(point);
                Ok(manifest)
            })
            .await
    }

    async fn verify(&self, tenant: &TenantName, point: &PointId) -> Result<VerifyReport> {
        self.world
            .step(format!("vault.verify.{tenant}"), |state| {
                let point = find(state, tenant, point.as_str())?;
                let mut report = VerifyReport { equal: 0, bytes: 0, problems: Vec::new() };
                for expected in point.manifest.database.iter().chain(&point.manifest.configuration) {
                    match point.streams.get(&expected.path) {
                        Some(bytes) if stream(&expected.path, bytes) == *expected => {
                            report.equal += 1;
                            report.bytes += expected.bytes;
                        }
                        _ => report.problems.push(expected.path.clone()),
                    }
                }
                for (set, expected) in &point.manifest.files {
                    let found = point.files.get(set).map(files).unwrap_or_default();
                    for (path, entry) in &expected.files {
                        if found.files.get(path) == Some(entry) {
                            report.equal += 1;
                            report.bytes += entry.bytes;
                        } else {
                            report.problems.push(format!("{set}/{path}"));
                        }
                    }
                }
                Ok(report)
            })
            .await
    }

    async fn list(&self, tenant: &TenantName) -> Result<(Vec<PointManifest>, Vec<String>)> {
        self.world
            .step(format!("vault.list.{tenant}"), |state| {
                let mut all: Vec<PointManifest> = state
                    .points
                    .get(tenant)
                    .into_iter()
                    .flatten()
                    .map(|point| point.manifest.clone())
                    .collect();
                all.sort_by_key(|point| std::cmp::Reverse(point.taken_at));
                Ok((all, Vec::new()))
            })
            .await
    }

    async fn forget(&self, tenant: &TenantName, points: &[PointId]) -> Result<Forgotten> {
        self.world
            .step(format!("vault.forget.{tenant}"), |state| {
                let all = state.points.entry(tenant.clone()).or_default();
                let goes =
                    |point: &StoredPoint| point.manifest.id.as_ref().is_some_and(|id| points.contains(id));
                let held = state.holds.get(tenant).cloned().unwrap_or_default();
                if points.iter().any(|point| held.contains_key(point)) {
                    return Err(Fault::new(Code::PointFailed).with("tenant", tenant));
                }
                let before = all.len();
                if before > 0 && all.iter().all(goes) {
                    return Err(Fault::new(Code::PointFailed).with("tenant", tenant));
                }
                all.retain(|point| !goes(point));
                Ok(Forgotten { points: (before - all.len()) as u64, bytes: 0 })
            })
            .await
    }

    async fn holds(&self, tenant: &TenantName) -> Result<BTreeMap<PointId, Hold>> {
        let tenant = tenant.clone();
        let held = move |state: &mut State| Ok(state.holds.get(&tenant).cloned().unwrap_or_default());
        self.world.step("vault.holds", held).await
    }

    async fn hold(&self, tenant: &TenantName, point: &PointId, hold: Hold) -> Result<()> {
        self.world
            .step(format!("vault.hold.{tenant}"), |state| {
                find(state, tenant, point.as_str())?;
                let held = state.holds.entry(tenant.clone()).or_default();
                match held.insert(point.clone(), hold) {
                    None => Ok(()),
                    Some(before) => {
                        held.insert(point.clone(), before);
                        Err(Fault::new(Code::NothingToDo).with("what", point))
                    }
                }
            })
            .await
    }

    async fn end_hold(&self, tenant: &TenantName, point: &PointId, _: HoldEnd) -> Result<()> {
        self.world
            .step(format!("vault.end-hold.{tenant}"), |state| {
                let held = state.holds.entry(tenant.clone()).or_default();
                held.remove(point)
                    .map(|_| ())
                    .ok_or_else(|| Fault::new(Code::NothingToDo).with("what", point))
            })
            .await
    }

    async fn find(&self, tenant: &TenantName, point: &str) -> Result<PointManifest> {
        self.world
            .step(format!("vault.find.{tenant}"), |state| {
                find(state, tenant, point).map(|one| one.manifest.clone())
            })
            .await
    }

    async fn find_marked(&self, tenant: &TenantName, mark: &str) -> Result<Option<PointManifest>> {
        self.world
            .step(format!("vault.find-marked.{tenant}"), |state| {
                let mut all = state.points.get(tenant).into_iter().flatten();
                Ok(all.rfind(|point| point.mark == mark).map(|point| point.manifest.clone()))
            })
            .await
    }

    async fn open(&self, tenant: &TenantName, point: &PointId, path: &str) -> Result<Box<dyn Read + Send>> {
        self.world
            .step(format!("vault.open.{tenant}"), |state| {
                let point = find(state, tenant, point.as_str())?;
                let expected = point
                    .manifest
                    .database
                    .iter()
                    .chain(&point.manifest.configuration)
                    .find(|one| one.path == path);
                let Some((expected, bytes)) = expected.zip(point.streams.get(path)) else {
                    return Err(Fault::new(Code::PointUnknown).with("point", path).with("tenant", tenant));
                };
                let reader: Box<dyn Read + Send> = if stream(path, bytes) == *expected {
                    Box::new(Cursor::new(bytes.clone()))
                } else {
                    Box::new(Broken)
                };
                Ok(reader)
            })
            .await
    }

    async fn restore_files(
        &self,
        tenant: &TenantName,
        point: &PointId,
        set: &str,
        to: &Path,
    ) -> Result<FilesManifest> {
        self.world
            .step(format!("vault.restore-files.{tenant}"), |state| {
                let unknown = || Fault::new(Code::PointUnknown).with("point", set).with("tenant", tenant);
                let entries =
                    find(state, tenant, point.as_str())?.files.get(set).cloned().ok_or_else(unknown)?;
                if state.directories.get(to).is_some_and(|there| !there.is_empty()) {
                    return Err(Fault::new(Code::FileAccess)
                        .with("path", to.display())
                        .with("operation", "restored into"));
                }
                let manifest = files(&entries);
                state.directories.insert(to.to_owned(), entries);
                Ok(manifest)
            })
            .await
    }

    async fn summarise_files(&self, directory: &Path) -> Result<FilesManifest> {
        self.world
            .step("vault.summarise", |state| {
                state.directories.get(directory).map(files).ok_or_else(|| {
                    Fault::new(Code::FileAccess).with("path", directory.display()).with("operation", "read")
                })
            })
            .await
    }
}
