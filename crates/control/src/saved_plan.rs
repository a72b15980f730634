//! Plans in files: with their digest, so that one that was edited is not carried out.

use std::path::Path;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::PlanDigest;
use eclusa_runbook::{PLAN_FORMAT, Plan};
use serde::{Deserialize, Serialize};

/// A plan file. See `docs/formats/plan.md`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedPlan {
    /// The format of the plan.
    pub format: u32,
    /// The digest of the plan.
    pub digest: PlanDigest,
    /// The plan.
    pub plan: Plan,
}

impl SavedPlan {
    /// A plan with its digest.
    ///
    /// # Errors
    /// When the plan cannot be written as JSON.
    pub fn of(plan: &Plan) -> Result<Self> {
        let digest = plan.digest().map_err(|error| Fault::new(Code::Internal).with("what", error))?;
        Ok(Self { format: PLAN_FORMAT, digest, plan: plan.clone() })
    }

    /// The file's content.
    ///
    /// # Errors
    /// When the plan cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|error| Fault::new(Code::Internal).with("what", error))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `PlanInvalid` when it does not parse or was edited; `PlanTooNew`.
    pub fn read(path: &Path) -> Result<Plan> {
        let invalid = |problem: String| {
            Fault::new(Code::PlanInvalid).with("path", path.display()).with("problem", problem)
        };
        let bytes = std::fs::read(path).map_err(|error| invalid(error.to_string()))?;
        /// The part that every version can read.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
        if head.format > PLAN_FORMAT {
            return Err(Fault::new(Code::PlanTooNew).with("format", head.format).with("known", PLAN_FORMAT));
        }
        let saved: Self = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
        let digest = saved.plan.digest().map_err(|error| invalid(error.to_string()))?;
        if digest != saved.digest {
            return Err(invalid(
                "its content is not what its digest says: it was edited or damaged".to_owned(),
            ));
        }
        if let Some(finding) = eclusa_planner::lint(&saved.plan).first() {
            return Err(Fault::new(Code::PlanUnsafe).with("problem", finding));
        }
        Ok(saved.plan)
    }
}
