//! Which log lines count as errors.
#![allow(clippy::unwrap_used)]

use eclusa_model::ServiceName;
use eclusa_runbook::LogRule;
use proptest::prelude::*;

fn rule(patterns: &[&str], ignore: &[&str]) -> LogRule {
    LogRule {
        services: vec![ServiceName::new("web").unwrap()],
        patterns: patterns.iter().map(|text| (*text).to_owned()).collect(),
        ignore: ignore.iter().map(|text| (*text).to_owned()).collect(),
    }
}

#[test]
fn patterns_count_unless_they_are_ignored() {
    let rule = rule(&["ERROR", "Traceback"], &["favicon"]);
    let lines = [
        ("ERROR: it broke", true),
        ("error: lower case is another word", false),
        ("ERROR: no favicon", false),
        ("Traceback (most recent call last):", true),
        ("GET / 200", false),
    ];
    for (line, counts) in lines {
        assert_eq!(rule.counts(line), counts, "{line}");
    }
}

#[test]
fn an_empty_text_neither_counts_nor_hides_everything() {
    assert!(!rule(&[""], &[]).counts("fine"));
    assert!(rule(&["ERROR"], &[""]).counts("ERROR"));
}

proptest! {
    #[test]
    fn more_patterns_never_hide_and_more_ignores_never_add(
        text in ".{0,40}", one in ".{1,3}", two in ".{1,3}"
    ) {
        let plain = rule(&[&one], &[]).counts(&text);
        prop_assert!(!plain || rule(&[&one, &two], &[]).counts(&text));
        prop_assert!(plain || !rule(&[&one], &[&two]).counts(&text));
    }
}
