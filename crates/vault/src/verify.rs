//! Whether a point holds what its manifest says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_ports::{Meter, PointManifest, VerifyReport};
use eclusa_runbook::Stage;
use rustic_core::repofile::{Node, NodeType};
use rustic_core::{FileType, Id, TreeId};

use crate::ahead::Known;
use crate::files::RepositoryFiles;
use crate::point::{self, Content, MANIFEST, Point};
use crate::repository::{Indexed, Places, Unlocked};
use crate::walk;

/// What the manifest says about the content of a file or stream.
#[derive(Debug, Clone, Copy)]
struct Expected<'a> {
    bytes: u64,
    sha256: &'a str,
}

/// What the manifest lists, by path in the point.
fn expected(manifest: &PointManifest) -> BTreeMap<String, Expected<'_>> {
    let streams = manifest.database.iter().chain(&manifest.configuration);
    let streams = streams.map(|stream| {
        (walk::text_of(Path::new(&stream.path)), Expected { bytes: stream.bytes, sha256: &stream.sha256 })
    });
    let files = manifest.files.iter().flat_map(|(set, files)| {
        files.files.iter().map(move |(path, file)| {
            (
                format!("files/{}/{path}", walk::text_of(Path::new(set))),
                Expected { bytes: file.bytes, sha256: &file.sha256 },
            )
        })
    });
    streams.chain(files).collect()
}

/// What the directories of a point hold otherwise than its manifest says. Contents are not read.
pub(crate) fn compare(manifest: &PointManifest, nodes: &BTreeMap<String, &Node>) -> Vec<String> {
    let mut problems = Vec::new();
    let expected = expected(manifest);
    for (path, expected) in &expected {
        match nodes.get(path) {
            Some(node) if !node.is_file() => problems.push(format!("{path}: not a file")),
            Some(node) if node.meta.size != expected.bytes => {
                problems.push(format!("{path}: {} bytes, not {}", node.meta.size, expected.bytes));
            }
            Some(_) => {}
            None => problems.push(format!("{path}: missing")),
        }
    }
    let mut links = BTreeMap::new();
    for (set, files) in &manifest.files {
        for (path, target) in &files.links {
            links.insert(format!("files/{}/{path}", walk::text_of(Path::new(set))), target);
        }
    }
    for (path, target) in &links {
        let found = nodes.get(path).and_then(|node| target_of(node));
        if found.as_ref() != Some(*target) {
            problems.push(format!("{path}: the link leads to {found:?}, not to {target:?}"));
        }
    }
    for (path, node) in nodes {
        let known =
            node.is_dir() || path == MANIFEST || expected.contains_key(path) || links.contains_key(path);
        if !known {
            problems.push(format!("{path}: not in the manifest"));
        }
    }
    problems
}

fn target_of(node: &Node) -> Option<String> {
    matches!(node.node_type, NodeType::Symlink { .. }).then(|| walk::text_of(node.node_type.to_link()))
}

/// Reads a point back, from the key on, as someone would who comes with the password alone. Damage is in the
/// report; an error is only what prevents reading at all.
pub(crate) fn verify(places: &Places, tenant: &TenantName, id: &str) -> Result<VerifyReport> {
    let afresh = Places { unlocked: Unlocked::default(), ..places.clone() };
    match point::open(&afresh, tenant, id) {
        Ok(point) => Ok(read_back(&point, &places.ahead.last_look(tenant), &places.meter)),
        Err(fault) if fault.code == Code::PointDamaged => Ok(failed(&fault)),
        Err(fault) => Err(fault),
    }
}

fn failed(fault: &Fault) -> VerifyReport {
    VerifyReport { equal: 0, bytes: 0, problems: vec![fault.to_string()] }
}

/// What was read back before the tenant was closed is not read once more; that it is still there is looked at.
fn read_back(point: &Point, known: &Known, meter: &Meter) -> VerifyReport {
    let mut report = VerifyReport { equal: 0, bytes: 0, problems: Vec::new() };
    let (nodes, trees) = match point::nodes(&point.repository, point.tree) {
        Ok(found) => found,
        Err(problem) => {
            report.problems.push(problem);
            return report;
        }
    };
    let mut contents = expected(&point.manifest);
    let is_known = |path: &Path, node: &Node| {
        let expected = contents.get(&walk::text_of(path));
        expected.is_some_and(|expected| known.is_read_back(path, node, expected.sha256))
    };
    let already: BTreeSet<String> = nodes
        .iter()
        .filter(|(path, node)| is_known(path, node))
        .map(|(path, _)| walk::text_of(path))
        .collect();
    contents.retain(|path, _| !already.contains(path));
    report.equal += u64::try_from(already.len()).unwrap_or_default();
    let nodes: BTreeMap<String, &Node> =
        nodes.iter().map(|(path, node)| (walk::text_of(path), node)).collect();
    report.problems = compare(&point.manifest, &nodes);
    let (mut packs, problems) = packs(&point.repository, &trees, nodes.values().copied());
    let mut sizes = pack_sizes(point, &packs);
    packs.retain(|pack| !known.has_read(pack) || !sizes.contains_key(pack));
    sizes.retain(|pack, _| packs.contains(pack));
    meter.begin(Stage::ReadingBack);
    meter.expect(contents.values().map(|content| content.bytes).sum::<u64>() + sizes.values().sum::<u64>());
    for (path, expected) in contents {
        let Some(node) = nodes.get(&path).filter(|node| node.is_file()) else { continue };
        let read = Content::of(&point.repository, node).and_then(|content| {
            content.read_all(&point.repository, &mut |piece| meter.pass(piece.len() as u64))
        });
        match read {
            Ok((bytes, sha256)) => {
                report.bytes = report.bytes.saturating_add(bytes);
                if bytes == expected.bytes && sha256 == expected.sha256 {
                    report.equal += 1;
                } else {
                    report.problems.push(format!("{path}: other bytes than when it was taken"));
                }
            }
            Err(error) => report.problems.push(format!("{path}: {error}")),
        }
    }
    report.problems.extend(problems);
    for pack in &packs {
        if let Err(error) = meter.pass(sizes.get(pack).copied().unwrap_or_default()) {
            report.problems.push(error.to_string());
            break;
        }
        report.problems.extend(pack_problem(point.backend.as_ref(), pack));
    }
    report
}

/// How many bytes each of these packs has; of one that cannot be found it is said when it is read.
fn pack_sizes(point: &Point, packs: &BTreeSet<Id>) -> BTreeMap<Id, u64> {
    let all = point.backend.list_with_size(FileType::Pack).unwrap_or_default();
    all.into_iter().filter(|(id, _)| packs.contains(id)).map(|(id, bytes)| (id, u64::from(bytes))).collect()
}

/// The packs in which these lists of files and the contents of these files lie, and what the index does not know.
pub(crate) fn packs<'a>(
    repository: &Indexed,
    trees: &[TreeId],
    nodes: impl Iterator<Item = &'a Node>,
) -> (BTreeSet<Id>, Vec<String>) {
    let trees = trees.iter().map(|tree| repository.get_index_entry(tree));
    let contents = nodes.flat_map(|node| node.content.iter().flatten());
    let (mut packs, mut problems) = (BTreeSet::new(), Vec::new());
    for entry in trees.chain(contents.map(|blob| repository.get_index_entry(blob))) {
        match entry {
            Ok(entry) => {
                packs.insert(*entry.pack);
            }
            Err(error) => problems.push(error.display_log()),
        }
    }
    (packs, problems)
}

/// All packs that a snapshot needs.
pub(crate) fn packs_of(repository: &Indexed, tree: TreeId) -> std::result::Result<BTreeSet<Id>, String> {
    let (nodes, trees) = point::nodes(repository, tree)?;
    let (packs, problems) = packs(repository, &trees, nodes.values());
    problems.into_iter().next().map_or(Ok(packs), Err)
}

/// What was read above are the blobs; this reads what lies around them too, without which the repository cannot
/// be repaired when its index is lost.
pub(crate) fn pack_problem(files: &dyn RepositoryFiles, pack: &Id) -> Option<String> {
    match files.is_sound(FileType::Pack, pack) {
        Ok(true) => None,
        Ok(false) => {
            Some(format!("pack {}: its bytes are not those that its name promises", pack.to_hex().as_str()))
        }
        Err(error) => Some(format!("pack {}: {error}", pack.to_hex().as_str())),
    }
}
