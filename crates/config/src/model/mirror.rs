//! Where copies of the restore points lie.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Keep, Period, ScheduledJob, SecretReference, Value};

/// `[[stacks.NAME.mirrors]]`: a place that restore points are copied to: a directory on another disk, S3-compatible storage,
/// or a directory behind SFTP. Exactly one of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// What it is called.
    pub name: String,
    /// The directory. It must be there; it is never made.
    pub directory: Option<PathBuf>,
    /// The storage.
    pub s3: Option<MirrorS3>,
    /// The directory behind SFTP.
    pub sftp: Option<MirrorSftp>,
    /// How old the newest copy may become before `status` says so; absent: until a time of its own schedule was missed, and
    /// without one 26 hours.
    pub stale_after: Option<Period>,
    /// When it is copied to, instead of when `schedule.mirror` says.
    pub schedule: Option<ScheduledJob>,
    /// Which points are kept there; absent: all that ever were copied.
    pub keep: Option<Keep>,
    /// Whether the directory may lie on the file system of the vault, and so be lost with it.
    #[serde(default)]
    pub same_file_system: bool,
}

/// `s3`: a bucket of S3-compatible storage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirrorS3 {
    /// The service's address, `https://…`.
    pub endpoint: String,
    /// The bucket. It must be there; it is never made.
    pub bucket: String,
    /// The region.
    #[serde(default = "default_region")]
    pub region: String,
    /// What the names of all objects begin with.
    #[serde(default)]
    pub prefix: String,
    /// Whether the bucket is named in the host's name.
    #[serde(default)]
    pub virtual_host_style: bool,
    /// The access key's id, or a reference to it.
    pub access_key_id: Value,
    /// A reference to the secret access key.
    pub secret_access_key: SecretReference,
    /// How long one request may take.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
}

/// `sftp`: a directory behind SFTP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirrorSftp {
    /// The host.
    pub host: String,
    /// Its port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// The user.
    pub user: String,
    /// The directory there. It must be there; it is never made.
    pub directory: String,
    /// The file of the private key.
    pub key: PathBuf,
    /// The file with the public key of the host.
    pub known_hosts: PathBuf,
    /// How long one file may take.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
}

impl Mirror {
    /// How old the newest copy may become where neither it nor a schedule says so.
    pub const STALE_AFTER: Period = Period::minutes(26 * 60);
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

const fn default_port() -> u16 {
    22
}

fn default_timeout() -> Period {
    Period::minutes(10)
}
