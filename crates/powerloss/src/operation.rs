//! What was done to a filesystem, in the order in which it was done.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::SystemTime;

/// The number of a file, directory or link. Never used twice; the root is 1.
pub type NodeNumber = u64;

/// The number of the root directory.
pub const ROOT: NodeNumber = 1;

/// What belongs to a node beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Its permission bits.
    pub mode: u32,
    /// The numeric owner.
    pub owner: u32,
    /// The numeric group.
    pub group: u32,
    /// When its content was changed last.
    pub modified: SystemTime,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The directory.
    pub directory: NodeNumber,
    /// The name in it.
    pub name: OsString,
}

/// One operation, as a filesystem carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A name was given: by making a file, a directory or a link, or by linking once more.
    Enter {
        /// The name.
        place: Place,
        /// What it names.
        node: NodeNumber,
    },
    /// A name was taken away.
    Leave {
        /// The name.
        place: Place,
        /// What it named.
        node: NodeNumber,
    },
    /// A name was changed; whatever had the new one lost it.
    Rename {
        /// The old name.
        from: Place,
        /// The new name.
        to: Place,
        /// What it names.
        node: NodeNumber,
    },
    /// Bytes were written into a file.
    Write {
        /// The file.
        node: NodeNumber,
        /// Where, in bytes from its beginning.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A file got another length.
    Resize {
        /// The file.
        node: NodeNumber,
        /// The length in bytes.
        length: u64,
    },
    /// Owner, mode or time were set.
    Describe {
        /// Of what.
        node: NodeNumber,
        /// As they are now.
        attributes: Attributes,
    },
    /// The disk was asked to have what was done to this file, or to the names in this directory.
    Synchronise {
        /// The file or directory.
        node: NodeNumber,
        /// Whether only the content is meant (`fdatasync`).
        content_only: bool,
    },
    /// The process under test said how far it is: not an operation, but it has its place among them.
    Said(String),
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The bytes of a file.
    File(Vec<u8>),
    /// The names in a directory.
    Directory(BTreeMap<OsString, NodeNumber>),
    /// Where a symbolic link leads.
    Link(OsString),
}

/// A file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What belongs to it.
    pub attributes: Attributes,
    /// What it holds.
    pub content: Content,
}

/// Nodes by number, from the root on.
pub type Tree = BTreeMap<NodeNumber, Node>;

/// Everything that was done to a filesystem.
#[derive(Debug, Clone)]
pub struct Recording {
    /// What was on the disk at first; all of it was durable.
    pub before: Tree,
    /// How each node was made that was not there at first: empty, with the attributes it was made with.
    pub made: Tree,
    /// What was done.
    pub operations: Vec<Operation>,
}

impl Recording {
    /// What was done, without what chance or the clock has part in: names, bytes and times. A seed draws the same from
    /// two recordings whose outlines are equal.
    #[must_use]
    pub fn outline(&self) -> Vec<String> {
        let shown = |operation: &Operation| match operation {
            Operation::Enter { place, node } => format!("enter {} {node}", place.directory),
            Operation::Leave { place, node } => format!("leave {} {node}", place.directory),
            Operation::Rename { from, to, node } => {
                format!("rename {} {} {node}", from.directory, to.directory)
            }
            Operation::Write { node, offset, bytes } => format!("write {node} {offset} {}", bytes.len()),
            Operation::Resize { node, length } => format!("resize {node} {length}"),
            Operation::Describe { node, attributes } => format!("describe {node} {:o}", attributes.mode),
            Operation::Synchronise { node, content_only } => format!("synchronise {node} {content_only}"),
            Operation::Said(text) => text.split(' ').take(2).collect::<Vec<_>>().join(" "),
        };
        self.operations.iter().map(shown).collect()
    }
}
