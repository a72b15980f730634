//! What `--fix` writes, for every rule that can be mended: the finding is gone, every comment and every other line is
//! where it was, and what reads the file still accepts it: Compose itself, a shell, a parser of JSON.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use eclusa_audit::rules::RULES;
use eclusa_audit::{Finding, Folder, Library, Request, Tree, fixing};
use jiff::civil::date;

fn cases() -> Vec<PathBuf> {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/audit/rules");
    let mut found = Vec::new();
    for rule in fs::read_dir(rules).unwrap() {
        for case in ["bad", "good"] {
            found.push(rule.as_ref().unwrap().path().join(case));
        }
    }
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

/// Copies a case, with a comment before every line of its YAML and shell files.
fn copied_with_comments(case: &Path, to: &Path) {
    let folder = Folder::open(case).unwrap();
    for path in folder.paths() {
        let text = folder.read(path).unwrap_or_default();
        // A comment inside of a block or of a list in several lines would be a part of it.
        let plain = !text.contains(": |") && !text.contains(": >") && !text.contains("<<");
        let may = [".yaml", ".yml", ".sh", "crontab"].iter().any(|ending| path.ends_with(ending)) && plain;
        let text = if may {
            let lines = text.lines().enumerate();
            lines.map(|(number, line)| format!("# note {number}\n{line}\n")).collect()
        } else {
            text
        };
        let place = to.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }
}

fn fixable(directory: &Path) -> (Vec<Finding>, Vec<fixing::Fixed>) {
    let folder = Folder::open(directory).unwrap();
    let library = Library::new(&folder);
    let report = eclusa_audit::report::report(&library, &Request::default(), date(2026, 11, 25), None);
    let fixed = fixing::fix(&library, &report.findings);
    (report.findings.into_iter().filter(|finding| finding.fixable).collect(), fixed)
}

/// Whether the lines of one text all stand in another, in their order.
fn in_order(lines: &[&str], text: &str) -> bool {
    let mut rest = text.lines();
    lines.iter().all(|line| rest.any(|other| other == *line))
}

fn accepted(directory: &Path, path: &str) -> Result<(), String> {
    let output = if path.ends_with(".json") {
        let text = fs::read_to_string(directory.join(path)).unwrap();
        return serde_json::from_str::<serde_json::Value>(&text).map(drop).map_err(|error| error.to_string());
    } else if path.ends_with(".yaml") || path.ends_with(".yml") {
        // Values that a case leaves to its environment.
        let mut command = Command::new("docker");
        for name in ["VERSION", "DB_PASSWORD", "POSTGRES_PASSWORD"] {
            command.env(name, "1");
        }
        command.args(["compose", "-f", path, "config", "--quiet"]).current_dir(directory).output()
    } else {
        Command::new("sh").args(["-n", path]).current_dir(directory).output()
    };
    let output = output.unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn what_is_mended_is_still_accepted_and_keeps_every_comment() {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for case in cases() {
        let copy = tempfile::tempdir().unwrap();
        copied_with_comments(&case, copy.path());
        let (before, fixed) = fixable(copy.path());
        for one in &fixed {
            let text = fs::read_to_string(copy.path().join(&one.path)).unwrap();
            fs::write(copy.path().join(&one.path), &one.after).unwrap();
            let replaced: BTreeSet<usize> = before
                .iter()
                .flat_map(|finding| &finding.edits)
                .flat_map(|edit| {
                    let line = |at: usize| text.get(..at).unwrap_or("").matches('\n').count();
                    if edit.span.start == edit.span.end {
                        1..1
                    } else {
                        line(edit.span.start)..line(edit.span.end) + 1
                    }
                })
                .collect();
            let kept: Vec<&str> = text
                .lines()
                .enumerate()
                .filter(|(number, line)| line.starts_with("# note") || !replaced.contains(number))
                .map(|(_, line)| line)
                .collect();
            assert!(
                in_order(&kept, &one.after),
                "{}: {} lost a line:\n{}",
                case.display(),
                one.path,
                one.after
            );
            // A crontab is no shell script.
            if !one.path.ends_with("crontab")
                && let Err(why) = accepted(copy.path(), &one.path)
            {
                // Only what was refused before may be refused now, and it proves nothing.
                fs::write(copy.path().join(&one.path), &text).unwrap();
                let before = accepted(copy.path(), &one.path);
                assert!(before.is_err(), "{}: {}: {why}\n{}", case.display(), one.path, one.after);
                fs::write(copy.path().join(&one.path), &one.after).unwrap();
                continue;
            }
            seen.extend(&one.codes);
        }
        let (after, _) = fixable(copy.path());
        assert!(after.is_empty() || fixed.is_empty(), "{}: still found: {after:#?}", case.display());
    }
    let promised: BTreeSet<&str> = RULES.iter().filter(|rule| rule.fix).map(|rule| rule.code).collect();
    assert_eq!(
        seen, promised,
        "every rule that promises to mend was seen mended, and what it wrote was accepted"
    );
}
