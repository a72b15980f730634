//! Exit codes. They are documented in `docs/exit-codes.md` and never change their meaning.

use std::process::ExitCode;

use eclusa_fault::Code;
use eclusa_runbook::Outcome;

/// How a command ended, for a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing is wrong.
    Ok,
    /// It failed.
    Failure,
    /// The verdict was no-go: refused before anything was changed, or gone back.
    NoGo,
    /// A person is needed: a question is open, or a run is stuck.
    Hold,
    /// The plan is stale.
    Stale,
    /// `plan --exit-code`: there is something to do.
    Changes,
    /// The person ended it; what was begun goes on.
    Interrupted,
    /// `exec`: as the command that was run ended.
    Command(u8),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::NoGo => 3,
            Self::Hold => 4,
            Self::Stale => 5,
            Self::Changes => 6,
            Self::Interrupted => 130,
            Self::Command(code) => code,
        }
    }

    /// How a run's end is told to a script.
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Ok,
            Outcome::Refused | Outcome::WentBack | Outcome::Partly => Self::NoGo,
            Outcome::Stuck => Self::Hold,
        }
    }

    /// How a fault is told to a script.
    pub fn of_fault(code: Code) -> Self {
        match code {
            Code::PlanStale => Self::Stale,
            Code::AuditRefused => Self::NoGo,
            _ => Self::Failure,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
