//! How much of the machine a backup may take.

use serde::Deserialize;

/// How a backup asks for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskTurn {
    /// After everybody else of the usual class.
    Lowest,
    /// Only when nobody else asks.
    Idle,
}

/// `[stacks.NAME.backup]`: how much of the machine `eclusa backup` may take while tenants are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupTable {
    /// By how much it steps back from the processor: 1 to 19.
    pub nice: Option<u8>,
    /// How it asks for the disk.
    pub ionice: Option<DiskTurn>,
    /// How many bytes it reads in a second at most, all tenants together.
    pub bytes_per_second: Option<u64>,
}

impl BackupTable {
    /// The least rate: slower, a server takes the one who reads its dump for gone.
    pub const LEAST_RATE: u64 = 1_000_000;
}
