//! The filesystem behind the kernel's door for them, FUSE.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, FileAttr, FileHandle, FileType, FopenFlags, Generation, INodeNo,
    LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::io::Errno;

use crate::filesystem::{BLOCK, Change, Filesystem, Making, SAID, SAID_NODE};
use crate::operation::{Attributes, Content, Node, NodeNumber, Place, ROOT, Recording, Tree};

/// Everything goes through the one kernel that has it mounted, so what that knows stays true.
const FOREVER: Duration = Duration::from_secs(1 << 20);

/// A filesystem while it is mounted.
pub(crate) struct Mounted {
    session: Option<BackgroundSession>,
    filesystem: Arc<Mutex<Filesystem>>,
}

impl Mounted {
    /// Mounts a filesystem that holds this and has so many bytes of room.
    pub(crate) fn at(directory: &Path, before: Tree, room: u64) -> io::Result<Self> {
        let filesystem = Arc::new(Mutex::new(Filesystem::new(before, room)));
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("powerloss".to_owned()),
            MountOption::DefaultPermissions,
            MountOption::NoAtime,
        ];
        let session = fuser::spawn_mount(Server(Arc::clone(&filesystem)), directory, &config)?;
        Ok(Self { session: Some(session), filesystem })
    }

    /// Unmounts it; what was done.
    pub(crate) fn end(mut self) -> io::Result<Recording> {
        if let Some(session) = self.session.take() {
            session.umount_and_join()?;
        }
        let filesystem = Arc::into_inner(self.filesystem)
            .ok_or_else(|| io::Error::other("the filesystem is still being served"))?;
        Ok(filesystem.into_inner().unwrap_or_else(PoisonError::into_inner).into_recording())
    }
}

struct Server(Arc<Mutex<Filesystem>>);

fn code(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error.raw_os_error())
}

fn kind(node: &Node) -> FileType {
    match node.content {
        Content::File(_) => FileType::RegularFile,
        Content::Directory(_) => FileType::Directory,
        Content::Link(_) => FileType::Symlink,
    }
}

fn described(number: NodeNumber, node: &Node, links: u32) -> FileAttr {
    let size = match &node.content {
        Content::File(bytes) => bytes.len() as u64,
        Content::Link(target) => target.len() as u64,
        Content::Directory(_) => BLOCK,
    };
    let Attributes { mode, owner, group, modified } = node.attributes;
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.next_multiple_of(BLOCK) / 512,
        atime: modified,
        mtime: modified,
        ctime: modified,
        crtime: modified,
        kind: kind(node),
        perm: u16::try_from(mode & 0o7777).unwrap_or_default(),
        nlink: links,
        uid: owner,
        gid: group,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

/// The file into which is written what is said.
fn said() -> FileAttr {
    let attributes = Attributes { mode: 0o666, owner: 0, group: 0, modified: SystemTime::UNIX_EPOCH };
    described(SAID_NODE, &Node { attributes, content: Content::File(Vec::new()) }, 1)
}

impl Server {
    fn filesystem(&self) -> MutexGuard<'_, Filesystem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attributes(filesystem: &Filesystem, number: NodeNumber) -> Result<FileAttr, Errno> {
        if number == SAID_NODE {
            return Ok(said());
        }
        let node = filesystem.node(number)?;
        let links = match node.content {
            Content::Directory(_) => 2,
            _ => filesystem.links(number),
        };
        Ok(described(number, node, links))
    }

    fn entry(&self, reply: ReplyEntry, work: impl FnOnce(&mut Filesystem) -> Result<NodeNumber, Errno>) {
        let mut filesystem = self.filesystem();
        match work(&mut filesystem).and_then(|number| Self::attributes(&filesystem, number)) {
            Ok(attributes) => reply.entry(&FOREVER, &attributes, Generation(0)),
            Err(error) => reply.error(code(error)),
        }
    }

    fn empty(&self, reply: ReplyEmpty, work: impl FnOnce(&mut Filesystem) -> Result<(), Errno>) {
        match work(&mut self.filesystem()) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(code(error)),
        }
    }

    fn making(request: &Request, mode: u32, mask: u32) -> Making {
        Making { mode: mode & !mask, owner: request.uid(), group: request.gid() }
    }
}

impl fuser::Filesystem for Server {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if (parent.0, name) == (ROOT, OsStr::new(SAID)) {
            return reply.entry(&FOREVER, &said(), Generation(0));
        }
        self.entry(reply, |filesystem| filesystem.lookup(parent.0, name));
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match Self::attributes(&self.filesystem(), node.0) {
            Ok(attributes) => reply.attr(&FOREVER, &attributes),
            Err(error) => reply.error(code(error)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        mode: Option<u32>,
        owner: Option<u32>,
        group: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut filesystem = self.filesystem();
        let modified = modified.map(|time| match time {
            TimeOrNow::SpecificTime(time) => time,
            TimeOrNow::Now => SystemTime::now(),
        });
        let change = Change { mode, owner, group, modified };
        let mut work = || {
            if let Some(length) = size {
                filesystem.resize(node.0, length)?;
            }
            if mode.is_some() || owner.is_some() || group.is_some() || (modified.is_some() && size.is_none())
            {
                filesystem.change(node.0, change)?;
            }
            Self::attributes(&filesystem, node.0)
        };
        match work() {
            Ok(attributes) => reply.attr(&FOREVER, &attributes),
            Err(error) => reply.error(code(error)),
        }
    }

    fn readlink(&self, _: &Request, node: INodeNo, reply: ReplyData) {
        match self.filesystem().node(node.0).map(|node| &node.content) {
            Ok(Content::Link(target)) => reply.data(target.as_encoded_bytes()),
            Ok(_) => reply.error(fuser::Errno::EINVAL),
            Err(error) => reply.error(code(error)),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        mask: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        if mode & 0o170_000 != 0o100_000 {
            return reply.error(fuser::Errno::EPERM);
        }
        let making = Self::making(request, mode, mask);
        self.entry(reply, |filesystem| filesystem.make(parent.0, name, Content::File(Vec::new()), making));
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        mask: u32,
        reply: ReplyEntry,
    ) {
        let making = Self::making(request, mode, mask);
        let content = Content::Directory(Default::default());
        self.entry(reply, |filesystem| filesystem.make(parent.0, name, content, making));
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let making = Self::making(request, 0o777, 0);
        let content = Content::Link(target.as_os_str().to_owned());
        self.entry(reply, |filesystem| filesystem.make(parent.0, name, content, making));
    }

    fn link(&self, _: &Request, node: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.entry(reply, |filesystem| filesystem.link(node.0, parent.0, name).map(|()| node.0));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.empty(reply, |filesystem| filesystem.leave(parent.0, name, false));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.empty(reply, |filesystem| filesystem.leave(parent.0, name, true));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let replace = !flags.contains(RenameFlags::RENAME_NOREPLACE);
        if !(flags - RenameFlags::RENAME_NOREPLACE).is_empty() {
            return reply.error(fuser::Errno::EINVAL);
        }
        let from = Place { directory: parent.0, name: name.to_owned() };
        let to = Place { directory: new_parent.0, name: new_name.to_owned() };
        self.empty(reply, |filesystem| filesystem.rename(from, to, replace));
    }

    fn open(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let flags =
            if node.0 == SAID_NODE { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::FOPEN_KEEP_CACHE };
        reply.opened(FileHandle(0), flags);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        mask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let mut filesystem = self.filesystem();
        let making = Self::making(request, mode, mask);
        let made = filesystem
            .make(parent.0, name, Content::File(Vec::new()), making)
            .and_then(|number| Self::attributes(&filesystem, number));
        match made {
            Ok(attributes) => reply.created(
                &FOREVER,
                &attributes,
                Generation(0),
                FileHandle(0),
                FopenFlags::FOPEN_KEEP_CACHE,
            ),
            Err(error) => reply.error(code(error)),
        }
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.filesystem().node(node.0).map(|node| &node.content) {
            Ok(Content::File(bytes)) => {
                let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let end = begin.saturating_add(size as usize).min(bytes.len());
                reply.data(&bytes[begin..end]);
            }
            Ok(_) => reply.error(fuser::Errno::EISDIR),
            Err(error) => reply.error(code(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.filesystem().write(node.0, offset, data) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(code(error)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, content_only: bool, reply: ReplyEmpty) {
        self.filesystem().synchronise(node.0, content_only);
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, node: INodeNo, _: FileHandle, content_only: bool, reply: ReplyEmpty) {
        self.filesystem().synchronise(node.0, content_only);
        reply.ok();
    }

    fn readdir(&self, _: &Request, node: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let filesystem = self.filesystem();
        // The first two places are those of the directory itself and of the one above it.
        let own = [(1, "."), (2, "..")];
        for (place, name) in own.into_iter().filter(|(place, _)| *place > offset) {
            if reply.add(node, place, FileType::Directory, name) {
                return reply.ok();
            }
        }
        match filesystem.list(node.0, offset.saturating_sub(2)) {
            Ok(names) => {
                for (entry, name, number) in names {
                    let kind = filesystem.node(number).map_or(FileType::RegularFile, kind);
                    if reply.add(INodeNo(number), entry + 2, kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(error) => reply.error(code(error)),
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let (all, free) = self.filesystem().room();
        let (all, free) = (all.min(1 << 40) / BLOCK, free.min(1 << 40) / BLOCK);
        let block = u32::try_from(BLOCK).unwrap_or_default();
        reply.statfs(all, free, free, 1 << 20, 1 << 20, block, 255, block);
    }

    fn fallocate(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode != 0 {
            return reply.error(fuser::Errno::EOPNOTSUPP);
        }
        self.empty(reply, |filesystem| {
            let now = match &filesystem.node(node.0)?.content {
                Content::File(bytes) => bytes.len() as u64,
                _ => return Err(Errno::ISDIR),
            };
            if offset + length > now { filesystem.resize(node.0, offset + length) } else { Ok(()) }
        });
    }
}
