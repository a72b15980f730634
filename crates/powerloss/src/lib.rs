//! A filesystem that can lose its power. Only tests use this crate.
//!
//! A process under test runs on a filesystem in memory ([`Scene::record`]), which the kernel reaches through FUSE, so
//! that it is the real code with the real system calls, SQLite's mapped files included. Everything that it does is
//! recorded in order, together with what it says about its progress ([`Stage::say`]). From one recording any number
//! of losses are drawn ([`Recording::lose`]): a seed chooses an instant, and which of the operations that were pending then had
//! reached the disk. The image of the disk is put into a directory, and the test judges what the program makes of it.
//!
//! # The model
//!
//! What is **durable** at an instant, whatever else is lost:
//!
//! - the bytes and the length of a file before its last `fsync` or `fdatasync`; its owner, mode and times only
//!   before its last `fsync`;
//! - the names that were given, changed or taken away in a directory before the last `fsync` *of that directory*. A
//!   rename is one change: the `fsync` of either directory makes it durable in both.
//!
//! A file's `fsync` does not make its name durable, and that of a directory neither the names in other
//! directories nor its own. Linux says so in fsync(2): "Calling fsync() does not necessarily ensure that the entry in the
//! directory containing the file has also reached disk. For that an explicit fsync() on a file descriptor for the
//! directory is also needed." That ext4 and XFS force all earlier changes of names along with any one is an
//! effect of their one journal, which a filesystem with another journal (btrfs with its log tree, f2fs) does not
//! have.
//!
//! What is **pending** reaches the disk in part, in an order that is not the one in which it was done:
//!
//! - Changes of names are each kept or lost, but a change of a name is kept only when the earlier ones of the same
//!   name are, and the removal of a directory only when what emptied it is. A change of a name is never torn. So what
//!   journaling filesystems do (a prefix of all changes) is among the draws, and so is what a log per file does.
//! - Bytes are kept or lost by sectors of 512; a sector holds its content after one of the writes to it, never
//!   a part of one. The lengths set by `ftruncate` are kept up to some moment, and nothing that was written after
//!   the first that was lost.
//! - A file may have its new length while its bytes are lost: then it holds zeros there. (A file that was written,
//!   renamed and not forced is the usual case, and is empty or full of zeros.)
//! - Owner, mode and time are kept up to some moment.
//! - A file of which only the name was kept is empty, with the mode with which it was made.
//! - SQLite's `-shm` files hold anything: SQLite never forces them, and must trust nothing in them.
//!
//! What is **not** in it: disks that say they have what they do not, garbage in sectors that were being written (SQLite's
//! and restic's formats have checksums against it, but the files of tenants have none, so there is nothing to
//! judge), errors of reading, `O_SYNC`, `sync`, `syncfs` and `sync_file_range` (nothing under test uses them).
//!
//! # What is judged
//!
//! `tests/journal.rs`, `tests/vault.rs` and `tests/swaps.rs`, each with a part of the program left out one by one, to see
//! that the judgement notices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dice;
mod filesystem;
mod image;
mod loss;
mod mount;
mod operation;
mod recorder;
mod seeds;

pub use dice::Dice;
pub use image::Image;
pub use loss::Loss;
pub use operation::{Attributes, Content, Node, NodeNumber, Operation, Place, ROOT, Recording, Tree};
pub use recorder::{Scene, Stage};
pub use seeds::Seeds;
