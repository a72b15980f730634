//! The filesystem as the processes see it, in memory: what was done is visible at once, and is recorded.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use rustix::io::Errno;

use crate::operation::{Attributes, Content, Node, NodeNumber, Operation, Place, ROOT, Recording, Tree};

/// The unit in which room is counted, in bytes.
pub(crate) const BLOCK: u64 = 4096;

/// What a process writes into the file of this name in the root is recorded as said; the file is not there otherwise.
pub(crate) const SAID: &str = ".said";
/// The number of that file.
pub(crate) const SAID_NODE: NodeNumber = u64::MAX;

/// A filesystem in memory, and what was done to it.
pub(crate) struct Filesystem {
    nodes: Tree,
    /// When each name was entered, so that a listing that goes on after a change gives each other name once.
    entered: BTreeMap<Place, u64>,
    next_entry: u64,
    next_node: NodeNumber,
    /// How many bytes fit in.
    room: u64,
    recording: Recording,
}

/// Who makes a node, and how it is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Making {
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    pub(crate) group: u32,
}

/// What is to be set.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Change {
    pub(crate) mode: Option<u32>,
    pub(crate) owner: Option<u32>,
    pub(crate) group: Option<u32>,
    pub(crate) modified: Option<SystemTime>,
}

impl Filesystem {
    pub(crate) fn new(before: Tree, room: u64) -> Self {
        let next_node = before.keys().next_back().copied().unwrap_or(ROOT) + 1;
        let recording = Recording { before: before.clone(), made: Tree::new(), operations: Vec::new() };
        let mut filesystem =
            Self { nodes: before, entered: BTreeMap::new(), next_entry: 1, next_node, room, recording };
        let places: Vec<Place> = filesystem
            .nodes
            .iter()
            .filter_map(|(directory, node)| match &node.content {
                Content::Directory(names) => Some(
                    names.keys().map(|name| Place { directory: *directory, name: name.clone() }).collect(),
                ),
                _ => None,
            })
            .collect::<Vec<Vec<Place>>>()
            .concat();
        for place in places {
            filesystem.note_entry(place);
        }
        filesystem
    }

    pub(crate) fn into_recording(self) -> Recording {
        self.recording
    }

    fn note_entry(&mut self, place: Place) {
        self.entered.insert(place, self.next_entry);
        self.next_entry += 1;
    }

    fn record(&mut self, operation: Operation) {
        self.recording.operations.push(operation);
    }

    pub(crate) fn node(&self, number: NodeNumber) -> Result<&Node, Errno> {
        self.nodes.get(&number).ok_or(Errno::NOENT)
    }

    fn node_mut(&mut self, number: NodeNumber) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&number).ok_or(Errno::NOENT)
    }

    fn names(&self, directory: NodeNumber) -> Result<&BTreeMap<OsString, NodeNumber>, Errno> {
        match &self.node(directory)?.content {
            Content::Directory(names) => Ok(names),
            _ => Err(Errno::NOTDIR),
        }
    }

    fn names_mut(&mut self, directory: NodeNumber) -> Result<&mut BTreeMap<OsString, NodeNumber>, Errno> {
        match &mut self.node_mut(directory)?.content {
            Content::Directory(names) => Ok(names),
            _ => Err(Errno::NOTDIR),
        }
    }

    pub(crate) fn lookup(&self, directory: NodeNumber, name: &OsStr) -> Result<NodeNumber, Errno> {
        self.names(directory)?.get(name).copied().ok_or(Errno::NOENT)
    }

    /// The names after a place in the order in which they were entered, each with its own place.
    pub(crate) fn list(
        &self,
        directory: NodeNumber,
        after: u64,
    ) -> Result<Vec<(u64, OsString, NodeNumber)>, Errno> {
        let mut found: Vec<_> = self
            .names(directory)?
            .iter()
            .filter_map(|(name, node)| {
                let place = Place { directory, name: name.clone() };
                let entry = *self.entered.get(&place)?;
                (entry > after).then(|| (entry, name.clone(), *node))
            })
            .collect();
        found.sort_unstable_by_key(|(entry, ..)| *entry);
        Ok(found)
    }

    /// How many names a node has.
    pub(crate) fn links(&self, number: NodeNumber) -> u32 {
        let names = self.nodes.values().filter_map(|node| match &node.content {
            Content::Directory(names) => Some(names.values().filter(|named| **named == number).count()),
            _ => None,
        });
        u32::try_from(names.sum::<usize>()).unwrap_or(u32::MAX)
    }

    /// The bytes of room in all, and those that are free.
    pub(crate) fn room(&self) -> (u64, u64) {
        let named: std::collections::BTreeSet<NodeNumber> = self
            .nodes
            .values()
            .filter_map(|node| match &node.content {
                Content::Directory(names) => Some(names.values().copied()),
                _ => None,
            })
            .flatten()
            .collect();
        let used: u64 = named
            .iter()
            .filter_map(|number| match &self.nodes.get(number)?.content {
                Content::File(bytes) => Some((bytes.len() as u64).next_multiple_of(BLOCK)),
                _ => None,
            })
            .sum();
        (self.room, self.room.saturating_sub(used))
    }

    fn require_room(&self, node: NodeNumber, length: u64) -> Result<(), Errno> {
        if self.room == u64::MAX {
            return Ok(());
        }
        let now = match &self.node(node)?.content {
            Content::File(bytes) => bytes.len() as u64,
            _ => return Err(Errno::ISDIR),
        };
        let more = length.next_multiple_of(BLOCK).saturating_sub(now.next_multiple_of(BLOCK));
        if more > self.room().1 { Err(Errno::NOSPC) } else { Ok(()) }
    }

    pub(crate) fn make(
        &mut self,
        directory: NodeNumber,
        name: &OsStr,
        content: Content,
        making: Making,
    ) -> Result<NodeNumber, Errno> {
        if self.names(directory)?.contains_key(name) {
            return Err(Errno::EXIST);
        }
        let number = self.next_node;
        self.next_node += 1;
        let attributes = Attributes {
            mode: making.mode & 0o7777,
            owner: making.owner,
            group: making.group,
            modified: SystemTime::now(),
        };
        let node = Node { attributes, content };
        self.recording.made.insert(number, node.clone());
        self.nodes.insert(number, node);
        self.enter(directory, name, number)?;
        Ok(number)
    }

    fn enter(&mut self, directory: NodeNumber, name: &OsStr, node: NodeNumber) -> Result<(), Errno> {
        self.names_mut(directory)?.insert(name.to_owned(), node);
        let place = Place { directory, name: name.to_owned() };
        self.note_entry(place.clone());
        self.record(Operation::Enter { place, node });
        Ok(())
    }

    pub(crate) fn link(
        &mut self,
        node: NodeNumber,
        directory: NodeNumber,
        name: &OsStr,
    ) -> Result<(), Errno> {
        if self.names(directory)?.contains_key(name) {
            return Err(Errno::EXIST);
        }
        self.enter(directory, name, node)
    }

    /// Takes a name away; of a directory only when it is empty.
    pub(crate) fn leave(
        &mut self,
        directory: NodeNumber,
        name: &OsStr,
        of_directory: bool,
    ) -> Result<(), Errno> {
        let node = self.lookup(directory, name)?;
        match (&self.node(node)?.content, of_directory) {
            (Content::Directory(names), true) if !names.is_empty() => return Err(Errno::NOTEMPTY),
            (Content::Directory(_), false) => return Err(Errno::ISDIR),
            (Content::File(_) | Content::Link(_), true) => return Err(Errno::NOTDIR),
            _ => {}
        }
        self.names_mut(directory)?.remove(name);
        let place = Place { directory, name: name.to_owned() };
        self.entered.remove(&place);
        self.record(Operation::Leave { place, node });
        Ok(())
    }

    pub(crate) fn rename(&mut self, from: Place, to: Place, replace: bool) -> Result<(), Errno> {
        let node = self.lookup(from.directory, &from.name)?;
        if let Ok(replaced) = self.lookup(to.directory, &to.name) {
            if !replace {
                return Err(Errno::EXIST);
            }
            if replaced == node {
                return Ok(());
            }
            if matches!(&self.node(replaced)?.content, Content::Directory(names) if !names.is_empty()) {
                return Err(Errno::NOTEMPTY);
            }
        }
        self.names_mut(from.directory)?.remove(&from.name);
        self.names_mut(to.directory)?.insert(to.name.clone(), node);
        self.entered.remove(&from);
        self.note_entry(to.clone());
        self.record(Operation::Rename { from, to, node });
        Ok(())
    }

    pub(crate) fn write(&mut self, node: NodeNumber, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        if node == SAID_NODE {
            let said = String::from_utf8_lossy(bytes).trim_end().to_owned();
            self.record(Operation::Said(said));
            return Ok(());
        }
        self.require_room(node, offset + bytes.len() as u64)?;
        let Node { content: Content::File(content), attributes } = self.node_mut(node)? else {
            return Err(Errno::ISDIR);
        };
        write_at(content, offset, bytes);
        attributes.modified = SystemTime::now();
        self.record(Operation::Write { node, offset, bytes: bytes.to_vec() });
        Ok(())
    }

    pub(crate) fn resize(&mut self, node: NodeNumber, length: u64) -> Result<(), Errno> {
        if node == SAID_NODE {
            return Ok(());
        }
        self.require_room(node, length)?;
        let Node { content: Content::File(content), .. } = self.node_mut(node)? else {
            return Err(Errno::ISDIR);
        };
        content.resize(usize::try_from(length).map_err(|_| Errno::FBIG)?, 0);
        self.record(Operation::Resize { node, length });
        Ok(())
    }

    pub(crate) fn change(&mut self, node: NodeNumber, change: Change) -> Result<(), Errno> {
        let attributes = &mut self.node_mut(node)?.attributes;
        attributes.mode = change.mode.map_or(attributes.mode, |mode| mode & 0o7777);
        attributes.owner = change.owner.unwrap_or(attributes.owner);
        attributes.group = change.group.unwrap_or(attributes.group);
        attributes.modified = change.modified.unwrap_or(attributes.modified);
        let attributes = *attributes;
        self.record(Operation::Describe { node, attributes });
        Ok(())
    }

    pub(crate) fn synchronise(&mut self, node: NodeNumber, content_only: bool) {
        if node != SAID_NODE {
            self.record(Operation::Synchronise { node, content_only });
        }
    }
}

/// Writes into bytes as into a file: what lies between its end and the offset becomes zero.
pub(crate) fn write_at(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let begin = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = begin + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[begin..end].copy_from_slice(bytes);
}
