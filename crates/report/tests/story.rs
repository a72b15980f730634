//! Plans and runs told: what an operator, a pipe, a program and a client read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod scenes;

use eclusa_fault::Language;
use eclusa_report::{
    LineKind, NarrationOptions, ReportModel, ReportOptions, events_json, html, json, markdown, narrate_plan,
    plain, report, summary_line, summary_line_in,
};
use eclusa_runbook::{Event, Run};
use jiff::tz::TimeZone;
use scenes::Scene;

fn english() -> Language {
    Language::default()
}

fn told(scene: &Scene) -> String {
    let mut run = Run::replay(&scene.entries[..1]).unwrap();
    let mut text = String::new();
    for entry in &scene.entries {
        if entry.sequence > 1 {
            run.apply(entry).unwrap();
        }
        if let Some(line) = summary_line(entry, &run, &english()) {
            assert!(!line.contains('\n'), "one event is one line: {line:?}");
            text.push_str(&line);
            text.push('\n');
        }
    }
    without_digest(&text)
}

fn modelled(scene: &Scene) -> ReportModel {
    let hash = scene.entries.last().map(|entry| entry.hash.clone());
    report(&scene.run(), &english(), &ReportOptions { journal_hash: hash, ..ReportOptions::default() })
}

/// The digest changes with everything that a plan can say, and is no subject of these tests.
fn without_digest(text: &str) -> String {
    let mut text = text.to_owned();
    for known in [true, false] {
        let digest = scenes::plan(known).digest().unwrap().to_string();
        text = text.replace(&digest, "DIGEST").replace(&digest[..12], "DIGEST-SHORT");
    }
    text
}

/// A page without its styles and dots, which would drown what is said.
fn calm(page: &str) -> String {
    let mut text = String::new();
    for (number, part) in page.split("<style>").enumerate() {
        let part = if number == 0 { part } else { part.split_once("</style>").unwrap().1 };
        text.push_str(part);
    }
    let mut calm = String::new();
    for (number, part) in text.split(" d=\"").enumerate() {
        let part = if number == 0 { part } else { part.split_once('"').unwrap().1 };
        calm.push_str(part);
    }
    without_digest(
        &calm.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"),
    )
}

#[test]
fn a_plan_is_told_with_times_from_history() {
    let lines = narrate_plan(&scenes::plan(true), &english(), &NarrationOptions::default());
    insta::assert_snapshot!(without_digest(&plain(&lines)));
}

#[test]
fn a_plan_without_history_says_so_and_fits_a_narrow_terminal() {
    let options = NarrationOptions { width: 60, ..NarrationOptions::default() };
    let lines = narrate_plan(&scenes::plan(false), &english(), &options);
    let text = plain(&lines);
    for line in text.lines() {
        let longest_word = line.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
        assert!(line.chars().count() <= 60 || longest_word > 45, "too wide: {line:?}");
    }
    insta::assert_snapshot!(without_digest(&text));
}

#[test]
fn a_plan_is_told_without_its_steps() {
    let options = NarrationOptions { show_steps: false, ..NarrationOptions::default() };
    let lines = narrate_plan(&scenes::plan(true), &english(), &options);
    assert!(lines.iter().all(|line| !matches!(line.kind, LineKind::Phase | LineKind::Step | LineKind::Undo)));
    assert!(lines.iter().any(|line| line.kind == LineKind::NoReturn));
}

#[test]
fn events_are_told_line_by_line() {
    insta::assert_snapshot!("lines_success", told(&scenes::success()));
    insta::assert_snapshot!("lines_went_back", told(&scenes::went_back()));
    insta::assert_snapshot!("lines_asking", told(&scenes::asking()));
    insta::assert_snapshot!("lines_stuck", told(&scenes::stuck()));
}

#[test]
fn a_line_has_the_time_of_the_zone_that_was_asked_for() {
    let scene = scenes::asking();
    let zone = TimeZone::fixed(jiff::tz::offset(5));
    let line = summary_line_in(&scene.entries[1], &scene.run(), &english(), &zone).unwrap();
    assert!(line.starts_with("07:00:00  preflight.lease"), "{line}");
}

#[test]
fn events_are_lines_of_json_that_read_back() {
    let scene = scenes::went_back();
    let mut kinds = std::collections::BTreeSet::new();
    for entry in &scene.entries {
        let line = events_json(entry);
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["format"], 1);
        assert_eq!(value["run"], entry.run.as_str());
        assert_eq!(value["sequence"], entry.sequence);
        kinds.insert(value["event"].as_str().unwrap().to_owned());
        // What is told is the event itself.
        if !matches!(entry.event, Event::Started { .. }) {
            let event: Event = serde_json::from_value(value).unwrap();
            assert_eq!(event, entry.event);
        }
    }
    assert!(kinds.contains("turned-back") && kinds.contains("undo-failed"), "{kinds:?}");
    insta::assert_snapshot!(
        events_json(&scene.entries[2]) + "\n" + &events_json(scene.entries.last().unwrap())
    );
}

#[test]
fn reports_are_written_as_markdown() {
    insta::assert_snapshot!("markdown_success", without_digest(&markdown(&modelled(&scenes::success()))));
    insta::assert_snapshot!("markdown_went_back", without_digest(&markdown(&modelled(&scenes::went_back()))));
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else() {
    for scene in [scenes::success(), scenes::went_back(), scenes::asking(), scenes::stuck()] {
        let page = html(&modelled(&scene)).unwrap();
        for outside in ["<script", "<link", "src=", "@import", "url(", "http-equiv=\"refresh\""] {
            assert!(!page.contains(outside), "the page holds {outside}");
        }
        assert!(page.contains("<svg") && page.contains("<style>"));
    }
    insta::assert_snapshot!("html_went_back", calm(&html(&modelled(&scenes::went_back())).unwrap()));
    insta::assert_snapshot!("html_asking", calm(&html(&modelled(&scenes::asking())).unwrap()));
}

#[test]
fn what_came_from_outside_is_escaped() {
    let page = html(&modelled(&scenes::went_back())).unwrap();
    assert!(page.contains("alert(") && !page.contains("<script>alert"));
    let text = markdown(&modelled(&scenes::went_back()));
    assert!(text.contains("no discount. \\| Fixed"), "a bar in a note must not end a cell");
}

#[test]
fn a_report_says_what_went_back_and_what_was_salvaged() {
    let model = modelled(&scenes::went_back());
    assert_eq!(model.state.word(), "went-back");
    assert!(
        model.meaning.contains("v1 is live again, with the data of alpha, bravo, charlie"),
        "{}",
        model.meaning
    );
    assert!(model.meaning.contains("alpha aa11bb22"), "{}", model.meaning);
    let value: serde_json::Value = serde_json::from_str(&json(&model).unwrap()).unwrap();
    assert_eq!(value["format"], 1);
    assert_eq!(value["tenants"][0]["data"], "restored");
    assert_eq!(value["tenants"][0]["rows"], 8214);
    let kept: Vec<&str> =
        value["kept"].as_array().unwrap().iter().map(|kept| kept["kept"].as_str().unwrap()).collect();
    assert_eq!(kept.iter().filter(|kept| **kept == "point").count(), 6);
    assert_eq!(kept.iter().filter(|kept| **kept == "old-data").count(), 3);
}

#[test]
fn a_tenant_was_closed_twice_when_the_run_went_back_after_it_had_opened() {
    let mut scene = scenes::went_back();
    // As the edge measured it, both times.
    let closed = modelled(&scene).tenants[0].closed.unwrap();
    assert_eq!((closed.milliseconds, closed.measured), (22_105 + 15_412, true));
    // Where it measured nothing, or says more than can be, the steps tell.
    for entry in &mut scene.entries {
        match &mut entry.event {
            Event::Performed { outputs, .. } => outputs.remove("closed-seconds"),
            Event::Undone { outputs, .. } if outputs.contains_key("closed-seconds") => {
                outputs.insert("closed-seconds".to_owned(), "2400.5".to_owned())
            }
            _ => None,
        };
    }
    let at =
        |wanted: &dyn Fn(&Event) -> bool| scene.entries.iter().find(|entry| wanted(&entry.event)).unwrap().at;
    let step = |name: &'static str| move |found: &eclusa_model::StepName| found.as_str() == name;
    let (close, open) = (step("close.gate.alpha"), step("open.gate.alpha"));
    let shut = at(&|event| matches!(event, Event::Intended { step, .. } if close(step)));
    let opened = at(&|event| matches!(event, Event::Performed { step, .. } if open(step)));
    let shut_again = at(&|event| matches!(event, Event::UndoIntended { step, .. } if open(step)));
    let opened_again = at(&|event| matches!(event, Event::Undone { step, .. } if close(step)));
    let expected = opened.duration_since(shut) + opened_again.duration_since(shut_again);
    let closed = modelled(&scene).tenants[0].closed.unwrap();
    assert_eq!(i128::from(closed.milliseconds), expected.as_millis());
    assert!(!closed.still && !closed.held && !closed.measured);
    assert!(modelled(&scenes::stuck()).tenants[0].closed.unwrap().still);
}

#[test]
fn a_report_is_the_same_every_time() {
    let one = html(&modelled(&scenes::went_back())).unwrap();
    let other = html(&modelled(&scenes::went_back())).unwrap();
    assert_eq!(one, other);
}

/// Writes the pages where a person can look at them: `ECLUSA_REPORT_PAGES=DIR cargo test -p eclusa-report pages`.
#[test]
fn pages_can_be_looked_at() {
    let Some(directory) = std::env::var_os("ECLUSA_REPORT_PAGES") else { return };
    let directory = std::path::PathBuf::from(directory);
    for (name, scene) in [
        ("success", scenes::success()),
        ("went-back", scenes::went_back()),
        ("asking", scenes::asking()),
        ("stuck", scenes::stuck()),
    ] {
        std::fs::write(directory.join(format!("{name}.html")), html(&modelled(&scene)).unwrap()).unwrap();
    }
}

#[test]
fn a_go_says_what_was_overruled_and_tolerated() {
    let mut scene = scenes::success();
    let meaning = modelled(&scene).meaning;
    assert!(meaning.ends_with("Every gate said go. One step failed, which was tolerated."), "{meaning}");
    // The same run, but the baseline, which only warns, did not like what it saw.
    for entry in &mut scene.entries {
        if let Event::Judged { step, verdict, .. } = &mut entry.event
            && step.as_str() == "preflight.baseline"
        {
            verdict.kind = eclusa_runbook::VerdictKind::NoGo;
        }
    }
    let meaning = modelled(&scene).meaning;
    assert!(meaning.contains("One gate did not say go"), "{meaning}");
}
