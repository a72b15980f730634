//! The types of `eclusa.toml`: one module per part, everything as it stands in the file, with its defaults.
//!
//! What a type alone cannot say (a rate above 1, a person nobody knows) is checked in `check`.

mod backup;
mod commands;
mod data;
mod frappe;
mod frappe_gates;
mod gates;
mod hooks;
mod keep;
mod mirror;
mod people;
mod period;
mod release;
mod runtime;
mod schedule;
mod set_config;
mod stack;
mod supervisor;
mod value;
mod window;

pub use backup::{BackupTable, DiskTurn};
pub use commands::{Commands, Tests};
pub use data::{BaseBackups, Database, DatabaseServer, FileSet, TenantTable};
pub use frappe::FrappeTable;
pub use frappe_gates::{Console, FrappeGates, Jobs, Login, SiteTests};
pub use gates::{AfterOpen, Check, CheckPlace, Logs, Method, Preflight, Probe, Proof, Risk, Secure, Watch};
pub use hooks::{Hook, HookPhase, HookPoint, Side, Webhook, WebhookEvent};
pub use keep::Keep;
pub use mirror::{Mirror, MirrorS3, MirrorSftp};
pub use people::{ChecklistItem, Decide, Duties, People, Person, Role};
pub use period::Period;
pub use release::{OnFailure, ReleaseKind, ReleaseTable};
pub use runtime::{Compose, EdgeTable, HoldTable, Limits, Process, ProcessService, Roles, VaultTable};
pub use schedule::{CronExpression, Hours, Schedule, ScheduledJob, TenantSchedule};
pub use set_config::SetConfig;
pub use stack::{ConfigurationFile, Origin, Stack};
pub use supervisor::{AppSource, NginxTable, SupervisedService, Supervisor};
pub use value::{CommandLine, SecretReference, Value, ValueKind, is_variable_name};
pub use window::{ClockTime, Weekday, Window, Zone};
