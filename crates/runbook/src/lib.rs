//! L1: plan, step, effect, undo, gate, verdict, journal events and their replay. Pure and synchronous:
//! nothing here waits, reads a clock or touches the world.

mod adapt;
mod asked;
mod clone;
mod digest;
mod effect;
mod erasure;
mod event;
mod expectation;
mod gate;
mod headway;
mod intent;
mod load;
mod part;
mod plan;
mod plan_format;
mod restore;
mod run;
mod settings;
mod statistics;
mod trial;

pub use adapt::Adapt;
pub use asked::{AssetSource, Query, RowChange, RowRule, SignIn, Visit, is_like, row_changes};
pub use clone::{CloneOperation, CloneStep, Scrub, StatementFile};
pub use digest::digest_of;
pub use effect::{
    DatabaseOperation, EdgeOperation, Effect, EnvironmentValue, Exec, Expect, LeaseOperation,
    MaintenanceOperation, Place, PointKind, PointReference, RuntimeOperation, Unblock, VaultOperation,
};
pub use erasure::{ErasureOperation, PersonErasure};
pub use event::{EVENT_FORMAT, Entry, Event, Outcome, Outputs};
pub use expectation::unmet;
pub use gate::{
    BaselineSource, Evidence, Fact, Gate, GateKind, HttpProbe, Listing, LogRule, OnNoGo, PageProbe,
    ProbeRoute, Sample, Verdict, VerdictKind, WatchRule, look_of,
};
pub use headway::{Course, HEADWAY_FORMAT, Headway, Stage};
pub use intent::Intent;
pub use load::{DiskPriority, Load};
pub use part::Part;
pub use plan::{
    Action, Lane, Limits, MirrorWay, Phase, Plan, Question, Recovery, Reversibility, Scope, Step, Undo,
};
pub use plan_format::{ELSEWHERE_PLAN_FORMAT, NEWEST_PLAN_FORMAT, PARTS_PLAN_FORMAT, PLAN_FORMAT};
pub use restore::{AsideName, RestoreOperation};
pub use run::{Decision, Direction, Illegal, Next, Note, Progress, Run, Timing, UndoProgress};
pub use settings::SettingsOperation;
pub use statistics::{LatencyComparison, compare_latency, judge_watch, median, wilson};
pub use trial::{TRIAL_DATABASE, Trial, TrialCopy, TrialDatabase, TrialOperation, TrialServices, TrialStep};
