//! Every rule against deployments in `tests/audit/`: in `rules/CODE/bad` it finds exactly what `rules/CODE/expected`
//! says, in `rules/CODE/good`, which looks much alike, nothing. `stacks/` holds whole deployments with everything that
//! is found in them. `AUDIT_BLESS=1 cargo test -p eclusa-audit --test corpus` writes what is expected anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use eclusa_audit::output::{evidence, sarif, text};
use eclusa_audit::rules::RULES;
use eclusa_audit::{Folder, Library, Report, Request, fixing};
use jiff::civil::{Date, date};

/// The day of the audits, so that an image does not become old by itself.
const TODAY: Date = date(2026, 11, 25);

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/audit")
}

fn folder(path: &Path) -> Folder {
    let folder = Folder::open(path).unwrap();
    match fs::read_to_string(path.join("TRACKED")) {
        Ok(names) => folder.with_tracked(names.lines().map(str::to_owned).collect()),
        Err(_) => folder,
    }
}

fn audited(path: &Path) -> Report {
    eclusa_audit::audit(&folder(path), &Request::default(), TODAY, None)
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Compares with a file of what is expected, or writes it.
fn expect(path: &Path, found: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("AUDIT_BLESS").is_some() {
        fs::write(path, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected != found {
        wrong.push(format!("{}: expected\n{expected}found\n{found}", path.display()));
    }
}

#[test]
fn each_rule_finds_its_mistake_and_nothing_beside_it() {
    let mut wrong = Vec::new();
    for rule in directories(&corpus().join("rules")) {
        let code = name(&rule);
        let of_rule = |case: &str| {
            let report = audited(&rule.join(case));
            let findings = report.findings.iter().filter(|finding| finding.code == code);
            findings.map(|finding| format!("{} {}\n", evidence(finding), finding.subject)).collect::<String>()
        };
        let (bad, good) = (of_rule("bad"), of_rule("good"));
        if bad.is_empty() {
            wrong.push(format!("{code} finds nothing in bad"));
        }
        if !good.is_empty() {
            wrong.push(format!("{code} finds in good:\n{good}"));
        }
        expect(&rule.join("expected"), &bad, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_that_reads_files_has_its_cases() {
    let cases: BTreeSet<String> =
        directories(&corpus().join("rules")).iter().map(|path| name(path)).collect();
    // What is observed of machines (A9…) has its cases in live.rs.
    let rules: BTreeSet<String> =
        RULES.iter().map(|rule| rule.code.to_owned()).filter(|code| !code.starts_with("A9")).collect();
    assert_eq!(cases, rules);
}

#[test]
fn whole_stacks_have_these_findings() {
    let mut wrong = Vec::new();
    for stack in directories(&corpus().join("stacks")) {
        let report = audited(&stack);
        let lines =
            report.findings.iter().map(|one| format!("{} {} {}\n", one.code, evidence(one), one.subject));
        let found = lines.collect::<String>();
        expect(&stack.join("expected"), &found, &mut wrong);
        if name(&stack) == "clean" {
            assert_eq!(found, "", "the clean stack is clean");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Everything of the corpus, as reports.
fn everything() -> Vec<(PathBuf, Report)> {
    let cases = directories(&corpus().join("rules")).into_iter().flat_map(|rule| directories(&rule));
    cases.chain(directories(&corpus().join("stacks"))).map(|path| (path.clone(), audited(&path))).collect()
}

#[test]
fn every_text_is_in_the_catalogue_and_filled_in() {
    let english = eclusa_fault::Language::default();
    for (path, report) in everything() {
        for finding in &report.findings {
            for message in [&finding.message, &finding.risk, &finding.remedy] {
                assert!(message.is_known(), "{}: {} has no text", path.display(), message.id);
                let text = message.render(&english);
                assert!(!text.contains("{$"), "{}: {text}", path.display());
            }
        }
        let lines = text::lines(&report, &english, 100);
        assert!(lines.iter().any(|line| line.kind == text::Kind::Summary), "{}", path.display());
    }
    for rule in RULES {
        for suffix in ["", "-risk", "-fix"] {
            let id = format!("{}{suffix}", rule.code);
            let arguments = [
                "subject", "what", "count", "variable", "port", "image", "date", "target", "source", "where",
            ];
            let more = [
                "why",
                "database",
                "restart",
                "condition",
                "directory",
                "cache",
                "queue",
                "other",
                "missing",
                "tag",
            ];
            let last = ["problem", "address", "percent", "days"];
            let all = arguments.iter().chain(&more).chain(&last);
            let message = all.fold(eclusa_fault::Message::new(&id), |message, name| message.with(*name, "x"));
            assert!(message.is_known(), "{id} has no text");
        }
    }
}

#[test]
fn a_rule_that_can_be_mended_says_so_in_the_table() {
    for (path, report) in everything() {
        for finding in report.findings.iter().filter(|finding| finding.fixable) {
            let rule = RULES.iter().find(|rule| rule.code == finding.code).unwrap();
            assert!(rule.fix, "{}: {} has edits", path.display(), rule.code);
        }
    }
}

#[test]
fn what_is_mended_is_gone_and_nothing_else_has_changed() {
    let mut mended = BTreeSet::new();
    for (path, _) in everything() {
        let folder = folder(&path);
        let library = Library::new(&folder);
        let before = eclusa_audit::report::report(&library, &Request::default(), TODAY, None);
        let fixed = fixing::fix(&library, &before.findings);
        if fixed.is_empty() {
            continue;
        }
        let copy = tempfile::tempdir().unwrap();
        for path in eclusa_audit::Tree::paths(&folder) {
            let place = copy.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, eclusa_audit::Tree::read(&folder, path).unwrap()).unwrap();
        }
        for one in &fixed {
            // Every line that was there and was not replaced is still there, in its order, comments included.
            let all: BTreeSet<&str> = one.after.lines().collect();
            let mut after = one.after.lines();
            let kept = one.before.lines().filter(|line| all.contains(line));
            for line in kept {
                assert!(after.any(|other| other == line), "{}: {line:?} moved", one.path);
            }
            fs::write(copy.path().join(&one.path), &one.after).unwrap();
        }
        let after = audited(copy.path());
        for finding in before.findings.iter().filter(|finding| finding.fixable) {
            mended.insert(finding.code);
            let again = after.findings.iter().find(|other| other.code == finding.code && other.fixable);
            assert!(again.is_none(), "{}: {} is still found: {again:#?}", path.display(), finding.code);
        }
        let codes = |report: &Report| report.findings.iter().map(|one| one.code).collect::<BTreeSet<_>>();
        let new: Vec<&str> = codes(&after).difference(&codes(&before)).copied().collect();
        assert!(new.is_empty(), "{}: mending brought {new:?}", path.display());
    }
    let promised: BTreeSet<&str> = RULES.iter().filter(|rule| rule.fix).map(|rule| rule.code).collect();
    assert_eq!(mended, promised, "what the table promises to mend is mended somewhere in the corpus");
}

#[test]
fn a_patch_gives_the_same_as_the_edits() {
    let stack = corpus().join("rules/A406/bad");
    let folder = folder(&stack);
    let library = Library::new(&folder);
    let report = eclusa_audit::report::report(&library, &Request::default(), TODAY, None);
    let fixed = fixing::fix(&library, &report.findings);
    let copy = tempfile::tempdir().unwrap();
    fs::copy(stack.join("compose.yaml"), copy.path().join("compose.yaml")).unwrap();
    fs::write(copy.path().join("fix.patch"), fixing::patch(&fixed)).unwrap();
    let applied = std::process::Command::new("git")
        .args(["apply", "fix.patch"])
        .current_dir(copy.path())
        .output()
        .unwrap();
    assert!(applied.status.success(), "{applied:?}");
    assert_eq!(fs::read_to_string(copy.path().join("compose.yaml")).unwrap(), fixed[0].after);
}

#[test]
fn no_report_shows_a_secret() {
    let secrets = ["tr0ub4dor", "kR7-", "9f8a7c6b5d4e", "hunter2", "tok-12345678"];
    let english = eclusa_fault::Language::default();
    for (path, report) in everything() {
        let texts = [
            text::lines(&report, &english, 100)
                .iter()
                .map(|line| line.text.clone())
                .collect::<Vec<_>>()
                .join("\n"),
            eclusa_audit::output::html::text(&report, &english),
            eclusa_audit::output::markdown::text(&report, &english),
            eclusa_audit::output::json::value(&report, &english).to_string(),
            sarif::value(&report, &english, "0.1.0").to_string(),
        ];
        for secret in secrets {
            assert!(texts.iter().all(|text| !text.contains(secret)), "{} shows {secret}", path.display());
        }
    }
}

#[test]
fn a_comment_without_a_reason_allows_nothing_and_one_with_a_reason_is_listed() {
    let bad = audited(&corpus().join("rules/A002/bad"));
    assert!(bad.findings.iter().any(|finding| finding.code == "A301") && bad.suppressed.is_empty());
    let good = audited(&corpus().join("rules/A002/good"));
    assert!(!good.findings.iter().any(|finding| finding.code == "A301"));
    assert_eq!(good.suppressed.len(), 1);
    assert!(good.suppressed[0].reason.contains("warehouse"), "{:?}", good.suppressed);
}

#[test]
fn a_baseline_holds_what_was_there_also_when_lines_move() {
    let path = corpus().join("rules/A301/bad");
    let mut report = audited(&path);
    let baseline = eclusa_audit::Baseline::of(&report);
    let all = report.findings.len();
    baseline.apply(&mut report);
    assert_eq!((report.findings.len(), report.baselined), (0, all));
    let copy = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(path.join("compose.yaml")).unwrap();
    let more = "  admin:\n    image: dpage/pgadmin4:8.14\n    ports: [\"5050:80\"]\n";
    fs::write(copy.path().join("compose.yaml"), format!("# moved\n\n{text}{more}")).unwrap();
    let mut moved = audited(copy.path());
    baseline.apply(&mut moved);
    let codes: Vec<&str> = moved.findings.iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&"A302") && !codes.contains(&"A301"), "{codes:?}");
}
