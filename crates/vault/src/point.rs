//! The points of a repository: snapshots with the tag `eclusa`, each with its manifest, and the files in them.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::{MANIFEST_FORMAT, Meter, PointManifest};
use rustic_core::repofile::{Node, SnapshotFile, SnapshotId};
use rustic_core::vfs::OpenFile;
use rustic_core::{FileType, Id, Repository, RusticError, TreeId};
use sha2::{Digest as _, Sha256};

use crate::lock::Lock;
use crate::repository::{Indexed, Opened, Places};
use crate::walk;

/// The tag of a complete point.
pub(crate) const TAG: &str = "eclusa";

/// The name of the manifest in a point.
pub(crate) const MANIFEST: &str = "manifest.json";

/// How much is read from the repository at once.
const PIECE: usize = 1 << 20;

/// No manifest is larger: 1 GiB is some millions of files.
const LARGEST_MANIFEST: u64 = 1 << 30;

/// The tag by which the point of a step is found.
pub(crate) fn tag_of_mark(mark: &str) -> String {
    format!("mark:{mark}")
}

/// The point is damaged.
pub(crate) fn damaged(tenant: &TenantName, point: &str, problem: impl std::fmt::Display) -> Fault {
    Fault::new(Code::PointDamaged).with("tenant", tenant).with("point", short(point)).with("problem", problem)
}

/// There is no such point.
pub(crate) fn unknown(tenant: &TenantName, point: &str) -> Fault {
    Fault::new(Code::PointUnknown).with("tenant", tenant).with("point", point)
}

/// The beginning of an id, as people write it.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// The ids of all snapshots of the repository, also of those that are no points.
pub(crate) fn snapshot_ids(places: &Places, tenant: &TenantName, opened: &Opened) -> Result<Vec<Id>> {
    opened.backend.list(FileType::Snapshot).map_err(|error| places.unreachable(tenant, error.display_log()))
}

/// Reads a snapshot; `None` when it is no complete point of ours.
pub(crate) fn snapshot(
    opened: &Opened,
    id: Id,
) -> std::result::Result<Option<SnapshotFile>, Box<RusticError>> {
    let mut snapshot: SnapshotFile = opened.repository.get_file(&SnapshotId::from(id))?;
    snapshot.id = SnapshotId::from(id);
    Ok(snapshot.tags.contains(TAG).then_some(snapshot))
}

/// Finds the snapshot whose id is this or begins so.
pub(crate) fn snapshot_of(
    places: &Places,
    tenant: &TenantName,
    opened: &Opened,
    point: &str,
) -> Result<SnapshotFile> {
    if point.is_empty() {
        return Err(unknown(tenant, point));
    }
    let wanted = point.to_ascii_lowercase();
    let mut ids = snapshot_ids(places, tenant, opened)?
        .into_iter()
        .filter(|id| id.to_hex().as_str().starts_with(&wanted));
    let Some(id) = ids.next() else { return Err(unknown(tenant, point)) };
    if ids.next().is_some() {
        return Err(unknown(tenant, point).because("more than one id begins so"));
    }
    match snapshot(opened, id) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(unknown(tenant, point).because("that snapshot was not taken as a restore point")),
        Err(error) => Err(damaged(tenant, point, "its snapshot cannot be read").because(error.display_log())),
    }
}

/// A point that is open for reading. The lock is held as long as this lives.
pub(crate) struct Point {
    pub(crate) manifest: PointManifest,
    pub(crate) tree: TreeId,
    pub(crate) repository: Indexed,
    pub(crate) backend: std::sync::Arc<dyn crate::files::RepositoryFiles>,
    _lock: Lock,
}

/// Opens a point by its id or the beginning of it.
pub(crate) fn open(places: &Places, tenant: &TenantName, point: &str) -> Result<Point> {
    let opened = places.open(tenant)?.ok_or_else(|| unknown(tenant, point))?;
    let snapshot = snapshot_of(places, tenant, &opened, point)?;
    let Opened { repository, backend, lock } = opened;
    let repository = repository.to_indexed().map_err(|error| {
        damaged(tenant, point, "the repository's index cannot be read").because(error.display_log())
    })?;
    let manifest = read_manifest(&repository, tenant, &snapshot)?;
    Ok(Point { manifest, tree: snapshot.tree, repository, backend, _lock: lock })
}

/// Reads the manifest of a snapshot and checks that it is that tenant's.
pub(crate) fn read_manifest(
    repository: &Indexed,
    tenant: &TenantName,
    snapshot: &SnapshotFile,
) -> Result<PointManifest> {
    let id = snapshot.id.to_hex();
    let id = id.as_str();
    let fail = |problem: String| damaged(tenant, id, problem);
    let root = repository
        .get_tree(&snapshot.tree)
        .map_err(|error| fail("its list of files cannot be read".to_owned()).because(error.display_log()))?;
    let node = root
        .nodes
        .into_iter()
        .find(|node| node.is_file() && *node.name() == *MANIFEST)
        .ok_or_else(|| fail("it has no manifest".to_owned()))?;
    if node.meta.size > LARGEST_MANIFEST {
        return Err(fail(format!("its manifest is said to be {} bytes long", node.meta.size)));
    }
    let mut text = Vec::new();
    Content::of(repository, &node)
        .and_then(|content| {
            content.read_all(repository, &mut |piece| {
                text.extend_from_slice(piece);
                Ok(())
            })
        })
        .map_err(|error| fail("its manifest cannot be read".to_owned()).because(error))?;
    let mut manifest: PointManifest = serde_json::from_slice(&text)
        .map_err(|error| fail("its manifest is malformed".to_owned()).because(error))?;
    if manifest.format == 0 || manifest.format > MANIFEST_FORMAT {
        return Err(fail(format!(
            "its manifest has format {}, which this version does not read",
            manifest.format
        )));
    }
    if &manifest.tenant != tenant {
        return Err(fail(format!("it is of tenant {}", manifest.tenant)));
    }
    manifest.id = Some(PointId::new(id).map_err(|error| fail(error.to_string()))?);
    Ok(manifest)
}

/// All points whose manifest can be read, newest first, and a word about each other one.
pub(crate) fn list(places: &Places, tenant: &TenantName) -> Result<(Vec<PointManifest>, Vec<String>)> {
    let Some(opened) = places.open(tenant)? else { return Ok((Vec::new(), Vec::new())) };
    let (mut snapshots, mut unreadable) = (Vec::new(), Vec::new());
    for id in snapshot_ids(places, tenant, &opened)? {
        match snapshot(&opened, id) {
            Ok(Some(snapshot)) => snapshots.push(snapshot),
            Ok(None) => {}
            Err(error) => {
                unreadable.push(format!("{}: {}", short(id.to_hex().as_str()), error.display_log()))
            }
        }
    }
    // The index is read after the list of snapshots: what is published later is not in the list, and what is in
    // the list is in the index.
    let repository = match opened.repository.to_indexed() {
        Ok(repository) => repository,
        Err(error) => {
            let problem = error.display_log();
            unreadable.extend(
                snapshots
                    .iter()
                    .map(|snapshot| format!("{}: {problem}", short(snapshot.id.to_hex().as_str()))),
            );
            return Ok((Vec::new(), unreadable));
        }
    };
    let mut manifests = Vec::new();
    for snapshot in snapshots {
        match read_manifest(&repository, tenant, &snapshot) {
            Ok(manifest) => manifests.push(manifest),
            Err(fault) => unreadable.push(format!("{}: {fault}", short(snapshot.id.to_hex().as_str()))),
        }
    }
    drop(opened.lock);
    manifests.sort_by(|left, right| right.taken_at.cmp(&left.taken_at).then_with(|| right.id.cmp(&left.id)));
    Ok((manifests, unreadable))
}

/// The newest point whose manifest can be read. Of the others only the snapshots are looked at, and the index: much less
/// than [`list`], which reads every manifest.
pub(crate) fn newest(places: &Places, tenant: &TenantName) -> Result<Option<PointManifest>> {
    let Some(opened) = places.open(tenant)? else { return Ok(None) };
    let mut snapshots: Vec<SnapshotFile> = snapshot_ids(places, tenant, &opened)?
        .into_iter()
        .filter_map(|id| snapshot(&opened, id).ok().flatten())
        .collect();
    snapshots.sort_by(|left, right| right.time.cmp(&left.time).then_with(|| right.id.cmp(&left.id)));
    // After the list of snapshots, as in `list`.
    let repository = opened.repository.to_indexed().map_err(|error| {
        places.unreachable(tenant, "the repository's index cannot be read").because(error.display_log())
    })?;
    Ok(snapshots.iter().find_map(|snapshot| read_manifest(&repository, tenant, snapshot).ok()))
}

/// The newest complete point with this mark.
pub(crate) fn find_marked(places: &Places, tenant: &TenantName, mark: &str) -> Result<Option<PointManifest>> {
    let Some(opened) = places.open(tenant)? else { return Ok(None) };
    let tag = tag_of_mark(mark);
    let mut marked: Vec<SnapshotFile> = snapshot_ids(places, tenant, &opened)?
        .into_iter()
        .filter_map(|id| snapshot(&opened, id).ok().flatten())
        .filter(|snapshot| snapshot.tags.contains(&tag))
        .collect();
    marked.sort_by(|left, right| left.time.cmp(&right.time));
    let Some(newest) = marked.pop() else { return Ok(None) };
    let id = newest.id.to_hex();
    let repository = opened.repository.to_indexed().map_err(|error| {
        damaged(tenant, id.as_str(), "the repository's index cannot be read").because(error.display_log())
    })?;
    read_manifest(&repository, tenant, &newest).map(Some)
}

/// Every node of a point by its path, without the directories' own content, in the order of the paths.
pub(crate) fn nodes<S: rustic_core::IndexedTree>(
    repository: &Repository<S>,
    tree: TreeId,
) -> std::result::Result<(BTreeMap<PathBuf, Node>, Vec<TreeId>), String> {
    let mut found = BTreeMap::new();
    let mut trees = vec![tree];
    let mut waiting = vec![(PathBuf::new(), tree)];
    while let Some((directory, tree)) = waiting.pop() {
        let tree = repository.get_tree(&tree).map_err(|error| {
            format!("the directory /{} cannot be read: {}", directory.display(), error.display_log())
        })?;
        for node in tree.nodes {
            let name = node.name().into_owned();
            if !walk::is_name(&name) {
                return Err(format!("/{} holds the illegal name {name:?}", directory.display()));
            }
            let path = directory.join(name);
            if node.is_dir() {
                let subtree =
                    node.subtree.ok_or_else(|| format!("the directory /{} is empty", path.display()))?;
                trees.push(subtree);
                waiting.push((path.clone(), subtree));
            }
            if found.insert(path.clone(), node).is_some() {
                return Err(format!("/{} is there twice", path.display()));
            }
        }
    }
    Ok((found, trees))
}

/// The content of a file in a repository, read piece by piece and hashed.
pub(crate) struct Content {
    file: OpenFile,
    offset: usize,
    hash: Sha256,
}

impl Content {
    /// Opens it; an error when the index does not know all of its blobs.
    pub(crate) fn of(repository: &Indexed, node: &Node) -> io::Result<Self> {
        if !node.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file"));
        }
        let file = repository.open_file(node).map_err(|error| invalid(&error))?;
        Ok(Self { file, offset: 0, hash: Sha256::new() })
    }

    /// The next piece; empty at the end.
    pub(crate) fn next_piece(&mut self, repository: &Indexed) -> io::Result<bytes::Bytes> {
        let piece =
            repository.read_file_at(&self.file, self.offset, PIECE).map_err(|error| invalid(&error))?;
        self.offset += piece.len();
        self.hash.update(&piece);
        Ok(piece)
    }

    /// How many bytes were read, and their SHA-256.
    pub(crate) fn so_far(&self) -> (u64, String) {
        (u64::try_from(self.offset).unwrap_or(u64::MAX), hex::encode(self.hash.clone().finalize()))
    }

    /// Reads everything; the bytes read and their SHA-256.
    pub(crate) fn read_all(
        mut self,
        repository: &Indexed,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<(u64, String)> {
        loop {
            let piece = self.next_piece(repository)?;
            if piece.is_empty() {
                return Ok(self.so_far());
            }
            take(&piece)?;
        }
    }
}

fn invalid(error: &RusticError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.display_log())
}

/// A stream of a point. The last bytes are handed out only when all of them have the hash of the manifest.
pub(crate) struct PointReader {
    point: Point,
    content: Content,
    bytes: u64,
    sha256: String,
    piece: bytes::Bytes,
    ended: bool,
    meter: Arc<Meter>,
}

/// The length and the hash of a stream or file by its path in the point.
fn content_of(manifest: &PointManifest, path: &str) -> Option<(u64, String)> {
    let mut streams = manifest.database.iter().chain(&manifest.configuration);
    if let Some(stream) = streams.find(|stream| stream.path == path) {
        return Some((stream.bytes, stream.sha256.clone()));
    }
    let (set, file) = path.strip_prefix("files/")?.split_once('/')?;
    manifest.files.get(set)?.files.get(file).map(|file| (file.bytes, file.sha256.clone()))
}

/// The node of a path as the manifest writes it. The names of files are not always texts, so their paths are compared as
/// they are written there.
fn node_at(point: &Point, path: &str) -> std::result::Result<Node, String> {
    if !path.starts_with("files/") {
        let found = point.repository.node_from_path(point.tree, Path::new(path));
        return found.map_err(|error| error.display_log());
    }
    let (nodes, _) = nodes(&point.repository, point.tree)?;
    let mut nodes = nodes.into_iter();
    let found = nodes.find(|(found, node)| node.is_file() && walk::text_of(found) == path);
    found.map(|(_, node)| node).ok_or_else(|| "the list of files does not name it".to_owned())
}

impl PointReader {
    /// Opens the stream that the manifest lists under this path.
    pub(crate) fn open(point: Point, tenant: &TenantName, path: &str, meter: Arc<Meter>) -> Result<Self> {
        let id = point.manifest.id.clone();
        let id = id.as_ref().map_or("", PointId::as_str);
        let (bytes, sha256) = content_of(&point.manifest, path)
            .ok_or_else(|| unknown(tenant, id).because(format!("it has no stream or file {path}")))?;
        let node = node_at(&point, path)
            .map_err(|error| damaged(tenant, id, format!("{path} is missing")).because(error))?;
        let content = Content::of(&point.repository, &node)
            .map_err(|error| damaged(tenant, id, format!("{path} cannot be read")).because(error))?;
        Ok(Self { point, content, bytes, sha256, piece: bytes::Bytes::new(), ended: false, meter })
    }

    fn advance(&mut self) -> io::Result<()> {
        let piece = self.content.next_piece(&self.point.repository)?;
        self.meter.pass(piece.len() as u64)?;
        self.piece = piece;
        let (read, sha256) = self.content.so_far();
        self.ended = self.piece.is_empty() || read >= self.bytes;
        if self.ended && (read != self.bytes || sha256 != self.sha256) {
            self.piece = bytes::Bytes::new();
            // Whoever reads on after the error gets it again, not an end.
            self.ended = false;
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the bytes read ({read}) are not those of the manifest ({})", self.bytes),
            ));
        }
        Ok(())
    }
}

impl Read for PointReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !self.ended && !buffer.is_empty() {
            self.advance()?;
        }
        let count = buffer.len().min(self.piece.len());
        let given = self.piece.split_to(count);
        buffer.get_mut(..count).unwrap_or_default().copy_from_slice(&given);
        Ok(count)
    }
}
