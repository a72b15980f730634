//! A mirror of the restore points on a small disk of its own.

use std::path::PathBuf;

use super::disk::Disk;
use super::{Stage, quick};

/// How much a mirror of both tenants takes, several times.
const ROOM: u64 = 8 << 20;

/// A stack with a restore point of each tenant, and a disk for copies that are not made yet.
pub struct Mirrored {
    pub stage: Stage,
    pub place: PathBuf,
    pub disk: Disk,
}

pub fn mirrored() -> Mirrored {
    let stage = Stage::plain(&quick()).backed_up();
    let place = stage.shop.directory.join("nas");
    let table = format!("\n[[stacks.shop.mirrors]]\nname = \"nas\"\ndirectory = \"{}\"\n", place.display());
    stage.shop.change_configuration(|text| text + &table);
    // Another file system than the vault's, so that nothing has to be allowed.
    let disk = Disk::tmpfs(&place, ROOM);
    Mirrored { stage, place, disk }
}

impl Mirrored {
    /// How many points are known to be at the mirror, of both tenants.
    pub fn points(&self) -> usize {
        let listed = self.stage.shop.run(&["backups", "--json"]).must(0).json();
        let tenants = listed["tenants"].as_array().unwrap();
        tenants.iter().map(|tenant| tenant["copies"][0]["points"].as_array().unwrap().len()).sum()
    }
}
