//! What an erasure's certificate says, to be read.

use eclusa_vault::ErasePlace;
use jiff::Timestamp;

use super::{Erasure, Fate};
use crate::moments::moment_text;

/// What a place is called.
#[must_use]
pub fn place_name(place: &ErasePlace) -> String {
    match place {
        ErasePlace::Vault => "the vault".to_owned(),
        ErasePlace::Mirror(name) => format!("the mirror {name}"),
    }
}

/// The certificate, to be read.
pub(super) fn markdown(erasure: &Erasure) -> String {
    let mut lines = vec![
        format!("# Erasure of the copies of {}", erasure.tenant),
        String::new(),
        format!("Stack {}. Begun {} by {}.", erasure.stack, moment_text(erasure.begun_at), erasure.by),
    ];
    lines.extend(erasure.reason.iter().map(|reason| format!("Reason: {reason}")));
    lines.extend(erasure.ended_at.map(|at| format!("Ended {}.", moment_text(at))));
    lines.push(String::new());
    lines.push(if erasure.complete {
        "**Every copy that Eclusa knows of was destroyed.**".to_owned()
    } else {
        "**Not complete: copies are left where they could not be destroyed.** They are named below."
            .to_owned()
    });
    lines.extend([String::new(), "## Destroyed, and left".to_owned(), String::new()]);
    lines.push(format!(
        "- {} files with keys on this machine: overwritten and removed. A disk that writes elsewhere (flash, copy on write, snapshots) may keep the old bytes.",
        erasure.keys_destroyed
    ));
    for place in &erasure.places {
        let location = place.location.as_deref().unwrap_or("an unknown place");
        let what = match &place.fate {
            Fate::Destroyed => format!("{} files, {} bytes: destroyed", place.files, place.bytes),
            Fate::Nothing => "nothing of the tenant was there".to_owned(),
            Fate::Waiting => "LEFT: it was not come to".to_owned(),
            Fate::Left { problem } => format!("LEFT: {problem}"),
        };
        lines.push(format!("- {} ({location}): {what}", place_name(&place.place)));
    }
    for one in &erasure.asides {
        let what = match &one.fate {
            Fate::Left { problem } => format!("LEFT: {problem}"),
            Fate::Waiting => "LEFT: it was not come to".to_owned(),
            Fate::Destroyed | Fate::Nothing => "dropped".to_owned(),
        };
        lines.push(format!("- the database {} with tables of a restore point: {what}", one.database));
    }
    lines.push(format!("- {} files of kept customizations: removed", erasure.customizations));
    lines.push("- the ledger of erased persons, with its statements: removed".to_owned());
    lines.extend([
        String::new(),
        "## Who could still decrypt a copy that is left anywhere".to_owned(),
        String::new(),
    ]);
    lines.extend(readers(erasure));
    lines.extend([String::new(), "## Not touched".to_owned(), String::new()]);
    lines.extend(not_touched(erasure));
    lines.push(String::new());
    lines.join("\n")
}

/// Who could still read a copy, each in a line.
#[must_use]
pub fn readers(erasure: &Erasure) -> Vec<String> {
    let time = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let mut lines = Vec::new();
    for escrow in &erasure.escrows {
        lines.push(format!(
            "- the escrow {} of {} by {} (opened by: {}; key {})",
            escrow.file,
            time(escrow.made.at),
            escrow.made.by,
            escrow.opened_by.join(", "),
            escrow.fingerprint
        ));
    }
    for auditor in &erasure.auditors {
        lines.push(format!("- the auditor {}, whose key was given {}", auditor.name, time(auditor.added.at)));
    }
    for (id, whose) in &erasure.strangers {
        let short = id.get(..8).unwrap_or(id);
        lines.push(format!(
            "- whoever has the password of key file {short} ({}), which Eclusa did not make",
            whose.as_deref().unwrap_or("nobody is named")
        ));
    }
    if lines.is_empty() {
        lines.push(
            "- nobody that is known: the key was never in an escrow, and no auditor had one".to_owned(),
        );
    }
    lines.push(
        "- whoever copied a key (or a recovery sheet with passwords) without Eclusa's knowledge".to_owned(),
    );
    lines
}

/// What this does not reach, each in a line.
#[must_use]
pub fn not_touched(erasure: &Erasure) -> Vec<String> {
    let mut lines = vec![
        "- the live database and files of the tenant: they are the application's".to_owned(),
        format!("- the journal, and what steps of runs printed ({}): they may name the tenant; so do empty lock files in the vault", erasure.outputs),
        "- the log of the database's server (binary log, write-ahead log), which has what the tenant wrote until the server lets it go".to_owned(),
        "- copies that were made without Eclusa: snapshots of disks, images of machines, files that were exported".to_owned(),
    ];
    lines.extend(erasure.servers.iter().map(|copies| format!("- {copies}: they hold what the tenant had")));
    for suffix in &erasure.kept {
        lines.push(format!(
            "- what a restore swapped out and kept beside the live data: the database with the suffix {suffix}, and .eclusa-{suffix}-old in directories of files"
        ));
    }
    if let Some(problem) = &erasure.asides_unknown {
        lines.push(format!(
            "- databases with tables of restore points (eclusa aside), if there are any: the server could not be asked: {problem}"
        ));
    }
    if erasure.configured {
        lines.push(
            "- the configuration, which still names the tenant: its next backup begins anew".to_owned(),
        );
    }
    lines
}
