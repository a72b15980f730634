//! Sealing what was read: writing the manifest and the directories as they should be, which rustic_core does not
//! offer.
//!
//! rustic_core keeps the size of a file as it was known before the file was read: zero for a stream, a stale one
//! for a file that grew. restic restores an entry of size zero as an empty file. So after the reading the trees
//! that hold such entries are written once more with the true sizes, and the root with the manifest, whose hashes
//! are known only now. The format of packs and indexes is restic's (its `doc/design.rst`, repository version 2).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aes256ctr_poly1305aes::aead::Aead as _;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce};
use rand::RngCore as _;
use rustic_core::repofile::{IndexFile, MasterKey, Node, Tree};
use rustic_core::{DataId, FileType, Id, IndexedTree, Repository, TreeId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::files::RepositoryFiles;

/// A pack is closed when it holds this many bytes.
const PACK_BYTES: usize = 8 << 20;

/// The manifest is kept in blobs of this many bytes.
const MANIFEST_BLOB_BYTES: usize = 1 << 20;

/// The level of zstd that restic uses too.
const COMPRESSION: i32 = 3;

/// What a blob is: its word in an index, and its byte in the header of a pack when it is compressed.
#[derive(Debug, Clone, Copy)]
enum Blob {
    Data,
    Tree,
}

impl Blob {
    const fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Tree => "tree",
        }
    }

    const fn compressed(self) -> u8 {
        match self {
            Self::Data => 2,
            Self::Tree => 3,
        }
    }
}

/// What nodes tell otherwise than it is.
#[derive(Default)]
pub(crate) struct Corrections {
    /// The true sizes of the files whose node tells another one.
    pub(crate) sizes: BTreeMap<PathBuf, u64>,
    /// The sizes and the contents of files that were put in without being read.
    pub(crate) contents: BTreeMap<PathBuf, (u64, Vec<DataId>)>,
}

/// What is to be written over what was read.
pub(crate) struct Seal {
    pub(crate) corrections: Corrections,
    /// The node of the manifest, without its content.
    pub(crate) manifest: Node,
    /// The manifest.
    pub(crate) text: Vec<u8>,
}

impl Seal {
    /// Writes the manifest and the trees of a snapshot as they should be; the new root.
    pub(crate) fn write<S: IndexedTree>(
        mut self,
        repository: &Repository<S>,
        backend: &dyn RepositoryFiles,
        key: &MasterKey,
        tree: TreeId,
    ) -> Result<TreeId, String> {
        let mut writer = PackWriter::new(key)?;
        let mut content = Vec::new();
        for piece in self.text.chunks(MANIFEST_BLOB_BYTES) {
            let id = id_of(piece)?;
            writer.add(Blob::Data, &id, piece)?;
            writer.close_when_full(backend)?;
            content.push(id.into());
        }
        writer.close(backend)?;
        self.manifest.content = Some(content);

        let corrections = &self.corrections;
        let paths = corrections.sizes.keys().chain(corrections.contents.keys());
        let touched = paths.flat_map(|path| path.ancestors().skip(1)).map(Path::to_path_buf).collect();
        let mut corrector = Corrector { repository, corrections, touched, written: Vec::new() };
        let root = corrector.correct(tree, Path::new(""), Some(self.manifest))?;
        for (id, text) in &corrector.written {
            writer.add(Blob::Tree, id, text)?;
            writer.close_when_full(backend)?;
        }
        writer.close(backend)?;
        writer.write_index(backend)?;
        Ok(root)
    }
}

struct Corrector<'a, S: IndexedTree> {
    repository: &'a Repository<S>,
    corrections: &'a Corrections,
    touched: BTreeSet<PathBuf>,
    written: Vec<(TreeId, Vec<u8>)>,
}

impl<S: IndexedTree> Corrector<'_, S> {
    fn correct(&mut self, tree: TreeId, directory: &Path, added: Option<Node>) -> Result<TreeId, String> {
        let mut tree = self.repository.get_tree(&tree).map_err(|error| error.display_log())?;
        for node in &mut tree.nodes {
            let path = directory.join(node.name());
            if let Some((size, content)) = self.corrections.contents.get(&path).filter(|_| node.is_file()) {
                node.meta.size = *size;
                node.content = Some(content.clone());
            } else if let Some(size) = self.corrections.sizes.get(&path).filter(|_| node.is_file()) {
                node.meta.size = *size;
            } else if let (true, Some(subtree)) = (self.touched.contains(&path), node.subtree) {
                node.subtree = Some(self.correct(subtree, &path, None)?);
            }
        }
        tree.nodes.extend(added);
        // restic wants the nodes of a tree in the order of their names' bytes.
        tree.nodes.sort_by(|left, right| left.name().cmp(&right.name()));
        let (text, id) = Tree::serialize(&tree).map_err(|error| error.to_string())?;
        self.written.push((id, text));
        Ok(id)
    }
}

struct PackWriter {
    cipher: Aes256CtrPoly1305Aes,
    content: Vec<u8>,
    header: Vec<u8>,
    blobs: Vec<Value>,
    packs: Vec<Value>,
}

impl PackWriter {
    fn new(key: &MasterKey) -> Result<Self, String> {
        let joined = [key.encrypt.as_slice(), &key.mac.k, &key.mac.r].concat();
        if joined.len() != Key::default().len() {
            return Err("the repository's key has an unknown length".to_owned());
        }
        let cipher = Aes256CtrPoly1305Aes::new(Key::from_slice(&joined));
        Ok(Self { cipher, content: Vec::new(), header: Vec::new(), blobs: Vec::new(), packs: Vec::new() })
    }

    fn encrypt(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        let mut nonce = Nonce::default();
        rand::rng().fill_bytes(&mut nonce);
        let sealed = self.cipher.encrypt(&nonce, text).map_err(|error| error.to_string())?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn add(&mut self, blob: Blob, id: &Id, text: &[u8]) -> Result<(), String> {
        let compressed = zstd::encode_all(text, COMPRESSION).map_err(|error| error.to_string())?;
        let sealed = self.encrypt(&compressed)?;
        let (offset, length, plain) = (length_of(&self.content)?, length_of(&sealed)?, length_of(text)?);
        let name = id.to_hex();
        let name = name.as_str();
        self.content.extend_from_slice(&sealed);
        self.header.push(blob.compressed());
        self.header.extend_from_slice(&length.to_le_bytes());
        self.header.extend_from_slice(&plain.to_le_bytes());
        self.header.extend_from_slice(&hex::decode(name).map_err(|error| error.to_string())?);
        self.blobs.push(json!({
            "id": name, "type": blob.word(), "offset": offset, "length": length, "uncompressed_length": plain,
        }));
        Ok(())
    }

    fn close_when_full(&mut self, backend: &dyn RepositoryFiles) -> Result<(), String> {
        if self.content.len() > PACK_BYTES { self.close(backend) } else { Ok(()) }
    }

    fn close(&mut self, backend: &dyn RepositoryFiles) -> Result<(), String> {
        if self.blobs.is_empty() {
            return Ok(());
        }
        let header = std::mem::take(&mut self.header);
        let header = self.encrypt(&header)?;
        let mut pack = std::mem::take(&mut self.content);
        pack.extend_from_slice(&header);
        pack.extend_from_slice(&length_of(&header)?.to_le_bytes());
        let id = write(backend, FileType::Pack, pack)?;
        self.packs.push(json!({ "id": id.to_hex().as_str(), "blobs": std::mem::take(&mut self.blobs) }));
        Ok(())
    }

    /// A list of packs as a file: its name and its bytes.
    fn sealed_index(&self, text: &[u8]) -> Result<(Id, Vec<u8>), String> {
        let content = self.encrypt(text)?;
        Ok((id_of(&content)?, content))
    }

    fn write_index(self, backend: &dyn RepositoryFiles) -> Result<(), String> {
        let text = serde_json::to_vec(&json!({ "packs": self.packs })).map_err(|error| error.to_string())?;
        write(backend, FileType::Index, self.encrypt(&text)?).map(|_| ())
    }
}

/// A list of packs as a file of a repository with this key: its name and its bytes.
pub(crate) fn index(file: &IndexFile, key: &MasterKey) -> Result<(Id, Vec<u8>), String> {
    let text = serde_json::to_vec(file).map_err(|error| error.to_string())?;
    PackWriter::new(key)?.sealed_index(&text)
}

fn length_of(bytes: &[u8]) -> Result<u32, String> {
    u32::try_from(bytes.len()).map_err(|_| "a directory with too many entries".to_owned())
}

fn id_of(bytes: &[u8]) -> Result<Id, String> {
    hex::encode(Sha256::digest(bytes)).parse().map_err(|_| "a hash is no id".to_owned())
}

fn write(backend: &dyn RepositoryFiles, kind: FileType, content: Vec<u8>) -> Result<Id, String> {
    let id = id_of(&content)?;
    backend.write_bytes(kind, &id, false, content.into()).map_err(|error| error.display_log())?;
    Ok(id)
}
