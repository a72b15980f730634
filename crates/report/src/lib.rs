//! L2: plans and runs in words and pictures: a plan narrated, a run's events as lines for people and for programs, and
//! its report as HTML, Markdown or JSON. Pure: nothing here reads a clock, a file or the world.

mod build;
mod customizations;
mod describe;
mod events;
mod gates;
mod headway;
mod html;
mod kept;
mod lines;
mod markdown;
mod model;
mod narration;
mod outputs;
mod plot;
mod rows;
mod steps;
mod tenants;
mod timeline;
mod view;
mod words;

pub use build::{ReportOptions, report};
pub use describe::{effect_text, gate_question, intent_text, undo_text};
pub use events::{EVENTS_FORMAT, events_json};
pub use headway::{headway_line, headway_text};
pub use html::html;
pub use lines::{summary_line, summary_line_in};
pub use markdown::markdown;
pub use model::{
    ChecklistReport, DecisionReport, DowntimeReport, FactReport, FailureReport, GateReport, JournalReport,
    KeptReport, NoteReport, PhaseReport, REPORT_FORMAT, ReportModel, RunState, SampleReport, SeriesReport,
    StepReport, StepStatus, TenantData, TenantReport, TurnReport, UndoReport, json,
};
pub use narration::{Line, LineKind, NarrationOptions, narrate_plan, plain};
pub use words::{bytes_text, count_text, duration_text};
