//! L3: restore points on rustic_core: one repository per tenant, a manifest in each point.
//!
//! On disk: `ROOT/TENANT/` is a repository in restic's local layout, readable with `restic` and the password in
//! `KEYS/TENANT.key`, which a stack key may wrap; `ROOT/.locks/` holds the locks. In a snapshot: `database.sql` (or as the dump is named),
//! `files/SET/…`, `configuration/NAME` and `manifest.json`. A snapshot is published only when it is complete; it
//! has the tags `eclusa`, `mark:MARK` and, in a run, `run:RUN`.

mod ahead;
mod backend;
mod chosen;
mod copy;
mod document;
mod durable;
mod erase;
mod files;
mod finish;
mod forget;
mod holds;
mod keeping;
mod key;
mod key_directory;
mod key_file;
mod key_record;
mod keys;
mod lock;
mod mirror;
mod mirror_record;
mod point;
mod remote;
mod repository;
mod restore;
mod seal;
mod stack_key;
mod take;
mod tally;
mod verify;
mod walk;
mod wrapping;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PointId, StackName, TenantName};
use eclusa_ports::{
    Copied, Copying, DirectorySet, FilesManifest, Forgotten, Hold, HoldEnd, Meter, MirrorCopies,
    PointManifest, ReadAhead, SecretResolver, TakeRequest, Vault, VerifyReport,
};

pub use erase::{ErasePlace, Holdings, PlaceStanding, Standing};
pub use key::{fingerprint, new_key};
pub use key_directory::parsed as stack_key;
pub use key_record::{Auditor, DoneBy, Escrow};
pub use keys::{PutBack, Stranger, TenantKeys};
pub use mirror::{Mirror, MirrorPlace};
pub use remote::{S3Place, SftpPlace};
pub use stack_key::{Closed, NoStackKey, StackKey, is_wrapped};
pub use wrapping::{Rewritten, Wrapping};

use crate::key_directory::KeyDirectory;
use crate::point::PointReader;
use crate::remote::SecretSource;
use crate::repository::Places;

/// The stack of a thread that works in a repository: trees are as deep as the directories of a tenant.
const THREAD_STACK: usize = 16 << 20;

/// The restore points of one stack in a local directory.
///
/// All work is done on threads of its own. A `take` whose future is dropped goes on to its end.
#[derive(Debug, Clone)]
pub struct LocalVault {
    places: Places,
}

impl LocalVault {
    /// The vault in `root`, with the keys of its repositories in `keys`. Nothing is made before the first point
    /// is taken.
    ///
    /// `scratch` is not used: streams go into the repository as they are read, and unfinished files have to lie
    /// on the repository's own file system.
    #[must_use]
    pub fn new(root: PathBuf, keys: PathBuf, stack: StackName, scratch: PathBuf) -> Self {
        drop(scratch);
        let unlocked = repository::Unlocked::default();
        Self {
            places: Places {
                root,
                keys: KeyDirectory::new(keys, stack.clone()),
                stack,
                mirrors: Vec::new(),
                unlocked,
                secrets: SecretSource(None),
                away: None,
                meter: Arc::default(),
                ahead: ahead::Ahead::default(),
            },
        }
    }

    /// With these places for copies, whose secrets are resolved when they are used.
    #[must_use]
    pub fn with_mirrors(mut self, mirrors: Vec<Mirror>, secrets: Arc<dyn SecretResolver>) -> Self {
        self.places.mirrors = mirrors;
        self.places.secrets = SecretSource(Some(secrets));
        self
    }

    /// With a stack key, which stands where `reference` says: keys are written wrapped by it. It is read when it is needed.
    #[must_use]
    pub fn with_stack_key(mut self, reference: String, secrets: Arc<dyn SecretResolver>) -> Self {
        self.places.keys.wrapped_by(reference, SecretSource(Some(secrets)));
        self
    }

    /// Where the key of a tenant lies, for telling people what they must keep a copy of.
    #[must_use]
    pub fn key_path(&self, tenant: &TenantName) -> PathBuf {
        key::path_of(&self.places.keys, tenant)
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Places) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let places = self.places.clone();
        let unreachable = |cause: String| {
            Fault::new(Code::VaultUnreachable).with("path", self.places.root.display()).because(cause)
        };
        let (answer, answered) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("vault".to_owned())
            .stack_size(THREAD_STACK)
            .spawn(move || {
                // Whoever asked may be gone.
                let _ = answer.send(work(&places));
            })
            .map_err(|error| unreachable(error.to_string()))?;
        // The sender is dropped without an answer only when the thread panicked.
        answered.await.map_err(|_| unreachable("its thread ended unexpectedly".to_owned()))?
    }
}

#[async_trait]
impl Vault for LocalVault {
    fn measured(&self, meter: &Arc<Meter>) -> Option<Arc<dyn Vault>> {
        Some(Arc::new(Self { places: Places { meter: meter.clone(), ..self.places.clone() } }))
    }

    async fn take(&self, request: TakeRequest) -> Result<PointManifest> {
        self.on_thread(move |places| take::take(places, request)).await
    }

    async fn read_ahead(&self, tenant: &TenantName, directories: Vec<DirectorySet>) -> Result<ReadAhead> {
        let tenant = tenant.clone();
        self.on_thread(move |places| ahead::read(places, &tenant, directories)).await
    }

    async fn verify(&self, tenant: &TenantName, point: &PointId) -> Result<VerifyReport> {
        let (tenant, point) = (tenant.clone(), point.clone());
        self.on_thread(move |places| verify::verify(places, &tenant, point.as_str())).await
    }

    async fn list(&self, tenant: &TenantName) -> Result<(Vec<PointManifest>, Vec<String>)> {
        let tenant = tenant.clone();
        self.on_thread(move |places| point::list(places, &tenant)).await
    }

    async fn newest(&self, tenant: &TenantName) -> Result<Option<PointManifest>> {
        let tenant = tenant.clone();
        self.on_thread(move |places| point::newest(places, &tenant)).await
    }

    async fn clear_unfinished(&self, tenant: &TenantName) -> Result<()> {
        let tenant = tenant.clone();
        self.on_thread(move |places| places.clear_unfinished(&tenant)).await
    }

    async fn forget(&self, tenant: &TenantName, points: &[PointId]) -> Result<Forgotten> {
        let (tenant, points) = (tenant.clone(), points.to_vec());
        self.on_thread(move |places| forget::forget(places, &tenant, &points)).await
    }

    async fn copy_to(&self, tenant: &TenantName, mirror: &str, how: Copying) -> Result<Copied> {
        let (tenant, mirror) = (tenant.clone(), mirror.to_owned());
        self.on_thread(move |places| mirror::copy_to(places, &tenant, &mirror, how, None)).await
    }

    async fn copy_chosen(
        &self,
        tenant: &TenantName,
        mirror: &str,
        points: &[PointId],
        how: Copying,
    ) -> Result<Copied> {
        let (tenant, mirror) = (tenant.clone(), mirror.to_owned());
        let only: BTreeSet<PointId> = points.iter().cloned().collect();
        self.on_thread(move |places| mirror::copy_to(places, &tenant, &mirror, how, Some(&only))).await
    }

    async fn forget_at(&self, tenant: &TenantName, mirror: &str, points: &[PointId]) -> Result<Forgotten> {
        let (tenant, mirror, points) = (tenant.clone(), mirror.to_owned(), points.to_vec());
        self.on_thread(move |places| mirror::forget_at(places, &tenant, &mirror, &points)).await
    }

    async fn copy_back(&self, tenant: &TenantName, mirror: &str) -> Result<Copied> {
        let (tenant, mirror) = (tenant.clone(), mirror.to_owned());
        self.on_thread(move |places| mirror::copy_back(places, &tenant, &mirror)).await
    }

    fn at_mirror(&self, mirror: &str) -> Result<Arc<dyn Vault>> {
        Ok(Arc::new(Self { places: mirror::places(&self.places, mirror)? }))
    }

    async fn copies(&self, tenant: &TenantName) -> Result<Vec<MirrorCopies>> {
        let tenant = tenant.clone();
        self.on_thread(move |places| mirror::copies(places, &tenant)).await
    }

    async fn holds(&self, tenant: &TenantName) -> Result<BTreeMap<PointId, Hold>> {
        let tenant = tenant.clone();
        self.on_thread(move |places| holds::of(places, &tenant)).await
    }

    async fn hold(&self, tenant: &TenantName, point: &PointId, hold: Hold) -> Result<()> {
        let (tenant, point) = (tenant.clone(), point.clone());
        self.on_thread(move |places| holds::hold(places, &tenant, &point, hold)).await
    }

    async fn end_hold(&self, tenant: &TenantName, point: &PointId, end: HoldEnd) -> Result<()> {
        let (tenant, point) = (tenant.clone(), point.clone());
        self.on_thread(move |places| holds::end(places, &tenant, &point, end)).await
    }

    async fn find(&self, tenant: &TenantName, point: &str) -> Result<PointManifest> {
        let (tenant, point) = (tenant.clone(), point.to_owned());
        self.on_thread(move |places| point::open(places, &tenant, &point).map(|point| point.manifest)).await
    }

    async fn find_marked(&self, tenant: &TenantName, mark: &str) -> Result<Option<PointManifest>> {
        let (tenant, mark) = (tenant.clone(), mark.to_owned());
        self.on_thread(move |places| point::find_marked(places, &tenant, &mark)).await
    }

    async fn open(&self, tenant: &TenantName, point: &PointId, path: &str) -> Result<Box<dyn Read + Send>> {
        let (tenant, point, path) = (tenant.clone(), point.clone(), path.to_owned());
        self.on_thread(move |places| {
            let point = point::open(places, &tenant, point.as_str())?;
            let reader = PointReader::open(point, &tenant, &path, places.meter.clone())?;
            Ok(Box::new(reader) as Box<dyn Read + Send>)
        })
        .await
    }

    async fn restore_files(
        &self,
        tenant: &TenantName,
        point: &PointId,
        set: &str,
        to: &Path,
    ) -> Result<FilesManifest> {
        let (tenant, point, set, to) = (tenant.clone(), point.clone(), set.to_owned(), to.to_path_buf());
        self.on_thread(move |places| restore::restore(places, &tenant, point.as_str(), &set, &to)).await
    }

    async fn summarise_files(&self, directory: &Path) -> Result<FilesManifest> {
        let directory = directory.to_path_buf();
        self.on_thread(move |_| restore::summarise(&directory)).await
    }
}
