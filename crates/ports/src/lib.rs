//! L2: the traits between what is decided and what is done. Everything that touches the world stands behind
//! one of them; fakes of them pass the same contract suites as the real ones.

mod clock;
mod database;
mod edge;
mod files;
mod host;
mod journal;
mod lease;
mod lines;
mod meter;
mod moments;
mod notifier;
mod observer;
mod output;
mod probe;
mod records;
mod runtime;
mod secrets;
mod summary;
mod vault;

pub use clock::Clock;
pub use database::{
    Aside, Blocker, Database, DatabaseCopy, DatabaseFacts, Dump, DumpStream, Row, RowsWanted, StoredDump,
    StoredStream, StreamOpener, SummaryOpener, SwapState,
};
pub use edge::{Edge, GateState, GateStatus};
pub use files::{FilesSwap, OWN_FILES_PREFIX, beside_directory, kept_directory};
pub use host::{CommandResult, CommandSpec, DiskRoom, Host};
pub use journal::{JournalStore, Proof, Request, RequestKind, RunSummary};
pub use lease::{Lease, LeaseHolder};
pub use lines::{BothOutputs, LONGEST_LINE, LineSplitter, TAIL_LINES, Tail, clean_line};
pub use meter::{Meter, Pace, Passed};
pub use moments::{Base, BaseFacts, LogPosition, Replayed};
pub use notifier::{Notice, Notifier};
pub use observer::Observer;
pub use output::{NoOutput, OutputLines, OutputSink, OutputStream};
pub use probe::{HttpAnswer, HttpClient, HttpRequest};
pub use records::{NoRecords, RecordDifference, Recorded, Records};
pub use runtime::{
    ApplyContext, ExecSpec, ExecStream, LogLine, Runtime, RuntimeObservation, ServiceStats, Took, TrialMount,
    TrialServer, TrialSpec, TrialTarget,
};
pub use secrets::SecretResolver;
pub use summary::{Checksums, DatabaseSummary, TableSummary};
pub use vault::{
    Copied, Copying, DirectorySet, FileEntry, FilesManifest, Forgotten, Hold, HoldEnd, MANIFEST_FORMAT,
    MirrorCopies, MirrorFailure, PointManifest, ReadAhead, StreamManifest, TakeRequest, Vault, VerifyReport,
};
