//! Restores beside and swaps after a loss of power: the operation repeated, or taken back, ends where it should, and no
//! content of a file or database is lost on the way. Also the small files that are replaced whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_database::Databases;
use eclusa_host::{LocalFilesSwap, LocalHost};
use eclusa_model::{DatabasePlace, PointId, RunId, StackName, Tenant, TenantName};
use eclusa_ports::{
    Checksums, Database, DatabaseCopy, DatabaseSummary, DirectorySet, FilesSwap, Host, Lease,
    OWN_FILES_PREFIX, StoredDump, SwapState, TakeRequest, Vault, beside_directory, kept_directory,
};
use eclusa_powerloss::{Dice, Image, Loss, Recording, Scene, Seeds, Stage};
use eclusa_runbook::PointKind;
use eclusa_runtime_process::FileLease;
use eclusa_testkit::{FakeRuntime, FakeSecrets, World};
use eclusa_vault::LocalVault;
use jiff::Timestamp;
use tokio::runtime::Runtime;

// Seeds that once failed. They stay here for ever.

/// A swap back that was cut off was taken for a swap in, and the other way round.
const FILES_ONCE_FAILED: &[u64] = &[77, 99, 104, 110, 125];
/// The log of the database that was swapped out was played into the restored one.
const SQLITE_ONCE_FAILED: &[u64] = &[3, 7, 11, 15, 19];
const SMALL_ONCE_FAILED: &[u64] = &[];

const SUFFIX: &str = "r1";

/// What is done to a tenant's files or database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Restore,
    In,
    Back,
    DropKept,
    DropBeside,
}

const SCRIPTS: [&[Deed]; 4] = [
    &[Deed::Restore, Deed::In, Deed::Back, Deed::In, Deed::DropKept],
    &[Deed::Restore, Deed::In, Deed::DropKept, Deed::Restore, Deed::In],
    &[Deed::Restore, Deed::In, Deed::Back, Deed::DropBeside],
    // Goes on after a loss in the middle of a swap.
    &[Deed::In, Deed::Back],
];
/// The last one, for databases only.
const HALFWAY: usize = 3;

/// Where things stand: the state, and whether the restored data have been live since and their old ones let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    state: SwapState,
    restored_is_live: bool,
    /// What was swapped out was let go before: then a second restore brings the same data beside themselves.
    old_is_gone: bool,
}

impl Standing {
    const FIRST: Self = Self { state: SwapState::Nothing, restored_is_live: false, old_is_gone: false };

    fn after(self, deed: Deed) -> Self {
        match deed {
            Deed::Restore => Self { state: SwapState::Beside, ..self },
            Deed::In => Self { state: SwapState::SwappedIn, restored_is_live: true, ..self },
            Deed::Back => Self { state: SwapState::Beside, restored_is_live: self.old_is_gone, ..self },
            Deed::DropKept => Self { state: SwapState::Nothing, old_is_gone: true, ..self },
            Deed::DropBeside => Self { state: SwapState::Nothing, ..self },
        }
    }
}

/// What swaps: the files of a tenant, or its database.
trait Swapped {
    fn perform(&self, deed: Deed);
    fn judge(&self, standing: Standing);
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn tenant_at(root: &Path) -> Tenant {
    Tenant {
        name: TenantName::new("alpha").unwrap(),
        domains: Vec::new(),
        database: DatabasePlace::Sqlite { path: root.join("data/shop.sqlite").display().to_string() },
        files: Vec::new(),
        configuration: Vec::new(),
        service_configuration: Vec::new(),
    }
}

type Contents = BTreeMap<String, Vec<u8>>;

/// The old files, and those that are restored.
fn files(restored: bool) -> Contents {
    let mut dice = Dice::of(u64::from(restored));
    let names: &[&str] = if restored {
        &["c", "same", "sub/x", "sub/y", "deep/er/z"]
    } else {
        &["a", "b", "same", "sub/x", "sub/old"]
    };
    names.iter().map(|name| ((*name).to_owned(), dice.bytes(900))).collect()
}

fn put(contents: &Contents, directory: &Path) {
    for (name, bytes) in contents {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// The files in a directory, without Eclusa's own.
fn contents(directory: &Path) -> Contents {
    fn add(directory: &Path, before: &str, found: &mut Contents) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if before.is_empty() && name.starts_with(OWN_FILES_PREFIX) {
                continue;
            }
            let path = format!("{before}{name}");
            if entry.file_type().unwrap().is_dir() {
                add(&entry.path(), &format!("{path}/"), found);
            } else {
                found.insert(path, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut found = Contents::new();
    add(directory, "", &mut found);
    found
}

fn vault_at(root: &Path) -> LocalVault {
    let stack = StackName::new("shop").unwrap();
    LocalVault::new(root.join("vault"), root.join("keys"), stack, root.join("scratch"))
}

/// A vault with a point of the files that are restored.
fn prepared_vault(place: &Path) -> (LocalVault, PointId) {
    put(&files(true), &place.join("source"));
    let vault = vault_at(place);
    let request = TakeRequest {
        tenant: TenantName::new("alpha").unwrap(),
        kind: PointKind::Backup,
        at: Timestamp::from_second(1_767_225_600).unwrap(),
        run: None,
        mark: "m".to_owned(),
        release: None,
        database: None,
        directories: vec![DirectorySet { name: "media".to_owned(), path: place.join("source") }],
        configuration: BTreeMap::new(),
    };
    let point = runtime().block_on(vault.take(request)).unwrap();
    (vault, point.id.unwrap())
}

struct Files<'a> {
    runtime: &'a Runtime,
    vault: &'a LocalVault,
    point: &'a PointId,
    live: PathBuf,
}

impl Swapped for Files<'_> {
    fn perform(&self, deed: Deed) {
        let (swap, live) = (LocalFilesSwap, self.live.as_path());
        let work = async {
            match deed {
                // As the conductor does it.
                Deed::Restore => {
                    swap.drop_beside(live, SUFFIX).await.unwrap();
                    let tenant = TenantName::new("alpha").unwrap();
                    let to = beside_directory(live, SUFFIX);
                    self.vault.restore_files(&tenant, self.point, "media", &to).await.unwrap();
                }
                Deed::In => swap.swap_in(live, SUFFIX).await.unwrap(),
                Deed::Back => swap.swap_back(live, SUFFIX).await.unwrap(),
                Deed::DropKept => swap.drop_kept(live, SUFFIX).await.unwrap(),
                Deed::DropBeside => swap.drop_beside(live, SUFFIX).await.unwrap(),
            }
        };
        self.runtime.block_on(work);
    }

    fn judge(&self, standing: Standing) {
        let state = self.runtime.block_on(LocalFilesSwap.state(&self.live, SUFFIX)).unwrap();
        assert_eq!(state, standing.state);
        let other = |directory: PathBuf, restored: bool| {
            assert!(contents(&directory) == files(restored), "{} has other files", directory.display());
        };
        other(self.live.clone(), standing.restored_is_live);
        match state {
            SwapState::Beside => other(beside_directory(&self.live, SUFFIX), true),
            SwapState::SwappedIn => other(kept_directory(&self.live, SUFFIX), standing.old_is_gone),
            _ => {}
        }
    }
}

/// A database with a table of so many rows.
fn database(path: &Path, rows: usize, word: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE sale (id INTEGER PRIMARY KEY, what TEXT)")
        .unwrap();
    for row in 0..rows {
        connection.execute("INSERT INTO sale (what) VALUES (?1)", [format!("{word} {row}")]).unwrap();
    }
}

struct Sqlite<'a> {
    runtime: &'a Runtime,
    tenant: Tenant,
    databases: Databases,
    /// The file that is restored, and what the old and the restored one hold.
    prepared: &'a PreparedDatabases,
}

struct PreparedDatabases {
    stream: Vec<u8>,
    summaries: [DatabaseSummary; 2],
    image: Image,
    halfway: Image,
}

impl PreparedDatabases {
    /// The restored database, and the disk with the old one: with its log, as an application leaves it that is killed.
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let (old, new) = (place.path().join("old.sqlite"), place.path().join("new.sqlite"));
        database(&old, 40, "tea");
        let application = rusqlite::Connection::open(&old).unwrap();
        application.execute("INSERT INTO sale (what) VALUES ('in the log')", []).unwrap();
        let disk = tempfile::tempdir().unwrap();
        let data = disk.path().join("data");
        std::fs::create_dir(&data).unwrap();
        for ending in ["", "-wal"] {
            let from = place.path().join(format!("old.sqlite{ending}"));
            std::fs::copy(from, data.join(format!("shop.sqlite{ending}"))).unwrap();
        }
        let image = Image::of(disk.path()).unwrap();
        let log = std::fs::read(data.join("shop.sqlite-wal")).unwrap();
        drop(application);
        database(&new, 60, "coffee");
        let summary = |path: &Path| eclusa_database::sqlite::summarise_file(path).unwrap();
        let summaries = [summary(&old), summary(&new)];
        assert_ne!(summaries[0], summaries[1]);
        // The old one was renamed, which is on the disk; that its log was removed is not.
        for name in ["shop.sqlite", "shop.sqlite-wal"] {
            std::fs::remove_file(data.join(name)).unwrap();
        }
        std::fs::copy(&old, data.join(format!("shop.sqlite.{SUFFIX}.old"))).unwrap();
        std::fs::copy(&new, data.join(format!("shop.sqlite.{SUFFIX}.new"))).unwrap();
        std::fs::write(data.join("shop.sqlite-wal"), log).unwrap();
        let halfway = Image::of(disk.path()).unwrap();
        Self { stream: std::fs::read(&new).unwrap(), summaries, image, halfway }
    }

    fn record(&self, test: &str, number: usize, mutant: Option<&str>) -> (usize, Recording) {
        let before = if number == HALFWAY { &self.halfway } else { &self.image };
        (number, record(test, &format!("sqlite {number}"), before, mutant))
    }
}

fn databases(root: &Path) -> Databases {
    let world = World::new(&["alpha"], true);
    Databases::new(Arc::new(FakeRuntime(world)), Arc::new(FakeSecrets), root.join("scratch"))
}

impl Swapped for Sqlite<'_> {
    fn perform(&self, deed: Deed) {
        let (databases, tenant) = (&self.databases, &self.tenant);
        let work = async {
            match deed {
                Deed::Restore => {
                    let stream: Box<dyn Read + Send> = Box::new(Cursor::new(self.prepared.stream.clone()));
                    databases.restore_beside(tenant, SUFFIX, StoredDump::single(stream)).await
                }
                Deed::In => databases.swap_in(tenant, SUFFIX).await,
                Deed::Back => databases.swap_back(tenant, SUFFIX).await,
                Deed::DropKept => databases.drop_copy(tenant, &DatabaseCopy::Kept(SUFFIX.to_owned())).await,
                Deed::DropBeside => {
                    databases.drop_copy(tenant, &DatabaseCopy::Beside(SUFFIX.to_owned())).await
                }
            }
        };
        self.runtime.block_on(work).unwrap();
    }

    fn judge(&self, standing: Standing) {
        let state = self.runtime.block_on(self.databases.swap_state(&self.tenant, SUFFIX)).unwrap();
        assert_eq!(state, standing.state);
        let other = |copy: DatabaseCopy, restored: bool| {
            let found = self
                .runtime
                .block_on(self.databases.summarise(&self.tenant, &copy, Checksums::Server))
                .unwrap();
            assert_eq!(found, self.prepared.summaries[usize::from(restored)], "{copy:?}");
        };
        other(DatabaseCopy::Live, standing.restored_is_live);
        match state {
            SwapState::Beside => other(DatabaseCopy::Beside(SUFFIX.to_owned()), true),
            SwapState::SwappedIn => other(DatabaseCopy::Kept(SUFFIX.to_owned()), standing.old_is_gone),
            _ => {}
        }
    }
}

/// Works through a script, under the eyes of whoever records.
fn play(stage: &Stage, swapped: &dyn Swapped, script: &[Deed]) {
    for (index, deed) in script.iter().enumerate() {
        stage.say(&format!("begin {index}")).unwrap();
        swapped.perform(*deed);
        stage.say(&format!("done {index}")).unwrap();
    }
}

/// Judges the disk after a loss.
fn judge_swap(swapped: &dyn Swapped, script: &[Deed], loss: &Loss<'_>, dice: &mut Dice) {
    let (mut done, mut open) = (0, None);
    for text in &loss.said {
        match text.split_once(' ').unwrap() {
            ("begin", index) => open = Some(index.parse::<usize>().unwrap()),
            _ => {
                done += 1;
                open = None;
            }
        }
    }
    let before = script[..done].iter().fold(Standing::FIRST, |standing, deed| standing.after(*deed));
    let mut now = before;
    if script.first() == Some(&Deed::In) && done == 0 {
        open = Some(0);
    }
    if let Some(open) = open.map(|index| script[index]) {
        // What was begun is repeated; or, in the middle of a swap, the other way is taken.
        let way = match open {
            Deed::In if dice.happens(128) => Deed::Back,
            Deed::Back if dice.happens(128) => Deed::In,
            same => same,
        };
        swapped.perform(way);
        now = before.after(way);
    }
    swapped.judge(now);
    // And then it goes on, to and fro.
    for _ in 0..2 {
        let way = match now.state {
            SwapState::Nothing => return,
            SwapState::Beside => Deed::In,
            _ => Deed::Back,
        };
        swapped.perform(way);
        now = now.after(way);
        swapped.judge(now);
    }
}

/// Where an image is put, on a filesystem on which forcing costs nothing, if there is one.
fn disk(loss: &Loss<'_>) -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    loss.image.write_to(place.path()).unwrap();
    place
}

fn record(test: &str, work: &str, before: &Image, mutant: Option<&str>) -> Recording {
    Scene { test, work, before: before.clone(), room: u64::MAX, mutant }.record().unwrap()
}

/// The process under test, whichever test it belongs to.
fn work(stage: &Stage) {
    let (kind, rest) = stage.work.split_once(' ').unwrap();
    let runtime = runtime();
    match kind {
        "files" => {
            let [number, point, place] = rest.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
            let vault = vault_at(Path::new(place));
            let point = PointId::new(point).unwrap();
            let live = stage.root.join("media");
            let files = Files { runtime: &runtime, vault: &vault, point: &point, live };
            play(stage, &files, SCRIPTS[number.parse::<usize>().unwrap()]);
        }
        "sqlite" => {
            let prepared = PreparedDatabases::new();
            let (tenant, databases) = (tenant_at(&stage.root), databases(&stage.root));
            let sqlite = Sqlite { runtime: &runtime, tenant, databases, prepared: &prepared };
            play(stage, &sqlite, SCRIPTS[rest.parse::<usize>().unwrap()]);
        }
        _ => play_small(stage, &runtime),
    }
}

struct FilesCourt {
    runtime: Runtime,
    place: tempfile::TempDir,
    vault: LocalVault,
    point: PointId,
    before: Image,
}

impl FilesCourt {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let (vault, point) = prepared_vault(place.path());
        let disk = tempfile::tempdir().unwrap();
        put(&files(false), &disk.path().join("media"));
        Self { runtime: runtime(), vault, point, before: Image::of(disk.path()).unwrap(), place }
    }

    fn record(&self, test: &str, number: usize, mutant: Option<&str>) -> Recording {
        let work = format!("files {number} {} {}", self.point, self.place.path().display());
        record(test, &work, &self.before, mutant)
    }

    fn judge_seed(&self, all: &[(usize, Recording)], seed: u64) {
        let mut dice = Dice::of(seed);
        let (number, recording) = &all[usize::try_from(seed).unwrap() % all.len()];
        let loss = recording.lose(&mut dice);
        let disk = disk(&loss);
        let live = disk.path().join("media");
        let files = Files { runtime: &self.runtime, vault: &self.vault, point: &self.point, live };
        loss.told(|| judge_swap(&files, SCRIPTS[*number], &loss, &mut dice));
    }
}

#[test]
fn files_end_in_one_state_or_the_other() {
    if let Some(stage) = Stage::here().unwrap() {
        return work(&stage);
    }
    let test = "files_end_in_one_state_or_the_other";
    let court = FilesCourt::new();
    let all: Vec<_> = (0..HALFWAY).map(|number| (number, court.record(test, number, None))).collect();
    Seeds { once_failed: FILES_ONCE_FAILED, count: 1000 }.judge(|seed| court.judge_seed(&all, seed));
}

fn judge_sqlite_seed(runtime: &Runtime, prepared: &PreparedDatabases, all: &[(usize, Recording)], seed: u64) {
    let mut dice = Dice::of(seed);
    let (number, recording) = &all[usize::try_from(seed).unwrap() % all.len()];
    let loss = recording.lose(&mut dice);
    let disk = disk(&loss);
    let (tenant, databases) = (tenant_at(disk.path()), databases(disk.path()));
    let sqlite = Sqlite { runtime, tenant, databases, prepared };
    loss.told(|| judge_swap(&sqlite, SCRIPTS[*number], &loss, &mut dice));
}

#[test]
fn a_sqlite_database_ends_in_one_state_or_the_other() {
    if let Some(stage) = Stage::here().unwrap() {
        return work(&stage);
    }
    let test = "a_sqlite_database_ends_in_one_state_or_the_other";
    let runtime = runtime();
    let prepared = PreparedDatabases::new();
    let all: Vec<_> = (0..SCRIPTS.len()).map(|number| prepared.record(test, number, None)).collect();
    Seeds { once_failed: SQLITE_ONCE_FAILED, count: 1000 }
        .judge(|seed| judge_sqlite_seed(&runtime, &prepared, &all, seed));
}

// --- Small files that are replaced whole -------------------------------------------------------------------------

/// How often the small files are written.
const ROUNDS: u64 = 4;

fn run_id() -> RunId {
    RunId::new("r-1").unwrap()
}

fn small_content(round: u64) -> Vec<u8> {
    Dice::of(round).bytes(1500)
}

/// A lease that is taken, taken again and given up, beside a file that is replaced and at last removed.
fn play_small(stage: &Stage, runtime: &Runtime) {
    let lease = FileLease::new(stage.root.join("state/shop/lease"));
    let path = stage.root.join("override.yml");
    let mut holder = FileLease::this_process(run_id()).unwrap();
    // Each time the lease is taken by a process of another boot.
    for round in 1..=ROUNDS {
        stage.say(&format!("begin {round}")).unwrap();
        if round == ROUNDS {
            runtime.block_on(lease.release(&run_id())).unwrap();
            runtime.block_on(LocalHost.remove(&path)).unwrap();
        } else {
            holder.boot = round.to_string();
            let generation = runtime.block_on(lease.take(&holder)).unwrap();
            assert_eq!(generation, round);
            runtime.block_on(LocalHost.write_durably(&path, &small_content(round), 0o640)).unwrap();
        }
        stage.say(&format!("done {round}")).unwrap();
    }
}

fn judge_small_seed(runtime: &Runtime, recording: &Recording, seed: u64) {
    let loss = recording.lose(&mut Dice::of(seed));
    let disk = disk(&loss);
    loss.told(|| {
        let round_of = |text: &str| text.split_once(' ').unwrap().1.parse::<u64>().unwrap();
        let last = |word: &str| {
            loss.said.iter().filter(|text| text.starts_with(word)).map(|text| round_of(text)).max()
        };
        let (begun, done) = (last("begin").unwrap_or(0), last("done").unwrap_or(0));
        let lease = FileLease::new(disk.path().join("state/shop/lease"));
        // Zero: nobody has it. After the last round nobody has it either.
        let allowed: Vec<u64> = [done, begun].map(|round| round % ROUNDS).to_vec();
        let held = runtime.block_on(lease.look()).unwrap();
        let generation = held.as_ref().map_or(0, |held| held.generation);
        assert!(allowed.contains(&generation), "generation {generation}, not one of {allowed:?}");
        let content = std::fs::read(disk.path().join("override.yml")).ok();
        let content_of = |round: u64| (round != 0).then(|| small_content(round));
        assert!(allowed.iter().any(|round| content_of(*round) == content), "the file is one of {allowed:?}");
        let mut holder = FileLease::this_process(run_id()).unwrap();
        holder.boot = "yet another".to_owned();
        assert_eq!(runtime.block_on(lease.take(&holder)).unwrap(), generation + 1);
        runtime.block_on(LocalHost.write_durably(&disk.path().join("override.yml"), b"next", 0o600)).unwrap();
        runtime.block_on(lease.release(&run_id())).unwrap();
        assert_eq!(runtime.block_on(lease.look()).unwrap(), None);
    });
}

#[test]
fn small_files_are_whole() {
    if let Some(stage) = Stage::here().unwrap() {
        return work(&stage);
    }
    let runtime = runtime();
    let recording = record("small_files_are_whole", "small ", &Image::empty(), None);
    Seeds { once_failed: SMALL_ONCE_FAILED, count: 1000 }
        .judge(|seed| judge_small_seed(&runtime, &recording, seed));
}

// --- Parts left out ----------------------------------------------------------------------------------------------

#[test]
fn a_part_that_is_left_out_is_noticed() {
    if let Some(stage) = Stage::here().unwrap() {
        return work(&stage);
    }
    let test = "a_part_that_is_left_out_is_noticed";
    let (court, runtime) = (FilesCourt::new(), runtime());
    let prepared = PreparedDatabases::new();
    let mut unnoticed = BTreeSet::new();
    let mut expect = |mutant: &'static str, failure: Option<u64>| match failure {
        Some(seed) => println!("without {mutant}: red at seed {seed}"),
        None => drop(unnoticed.insert(mutant)),
    };
    let seeds = Seeds { once_failed: &[], count: 2000 };
    for mutant in ["vault.restore.sync", "swap.names.sync", "swap.moved.sync"] {
        let all = [0, 1].map(|number| (number, court.record(test, number, Some(mutant))));
        expect(mutant, seeds.first_failure(|seed| court.judge_seed(&all, seed)));
    }
    for mutant in ["sqlite.restore.sync", "sqlite.names.sync", "sqlite.settled.sync"] {
        let all = [0, HALFWAY].map(|number| prepared.record(test, number, Some(mutant)));
        expect(mutant, seeds.first_failure(|seed| judge_sqlite_seed(&runtime, &prepared, &all, seed)));
    }
    for mutant in [
        "state.file.sync",
        "state.directory.sync",
        "lease.directory.sync",
        "host.file.sync",
        "host.directory.sync",
    ] {
        let recording = record(test, "small ", &Image::empty(), Some(mutant));
        expect(mutant, seeds.first_failure(|seed| judge_small_seed(&runtime, &recording, seed)));
    }
    assert!(unnoticed.is_empty(), "nothing notices that these are missing: {unnoticed:?}");
}
