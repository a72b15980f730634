//! Checks of how much of the machine a backup may take.

use super::Findings;
use crate::model::{BackupTable, Stack};
use crate::source::{KeyPath, Mistake};

pub(super) fn check(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let path = path.key("backup");
    if stack.backup.nice.is_some_and(|nice| !(1..=19).contains(&nice)) {
        findings.add(path.key("nice"), Mistake::new("config-nice"));
    }
    if stack.backup.bytes_per_second.is_some_and(|rate| rate < BackupTable::LEAST_RATE) {
        let least = BackupTable::LEAST_RATE;
        findings.add(path.key("bytes_per_second"), Mistake::new("config-rate").with("least", least));
    }
}
