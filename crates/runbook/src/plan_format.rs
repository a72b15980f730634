//! The formats of a plan. A plan says the lowest that holds all of it, so that older binaries read as many as they can and
//! refuse the others.

/// The format of a plan.
pub const PLAN_FORMAT: u32 = 1;

/// The format of a plan that brings back a part of a restore point. A binary that does not know parts would bring back
/// everything, so it must refuse the plan.
pub const PARTS_PLAN_FORMAT: u32 = 2;

/// The format of a plan that tries the application on a copy, throws points away at a mirror, or copies only some to one. A
/// binary that does not know of these would ask the gates of what is live, throw away what is in the vault, and copy all.
pub const ELSEWHERE_PLAN_FORMAT: u32 = 3;

/// The newest format that is known here.
pub const NEWEST_PLAN_FORMAT: u32 = ELSEWHERE_PLAN_FORMAT;
