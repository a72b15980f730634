//! Which log lines count as errors. Pure.

use eclusa_ports::LogLine;
use eclusa_runbook::LogRule;

/// Whether a line counts, as [`LogRule::counts`] says.
#[must_use]
pub fn counts_as_error(text: &str, rule: &LogRule) -> bool {
    rule.counts(text)
}

/// The lines that count, of the services that the rule names, in the order they came.
#[must_use]
pub fn error_lines<'a>(lines: &'a [LogLine], rule: &LogRule) -> Vec<&'a LogLine> {
    lines
        .iter()
        .filter(|line| rule.services.contains(&line.service) && counts_as_error(&line.text, rule))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use eclusa_model::ServiceName;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn rule(patterns: &[&str], ignore: &[&str]) -> LogRule {
        LogRule {
            services: vec![ServiceName::new("web").unwrap()],
            patterns: patterns.iter().map(|text| (*text).to_owned()).collect(),
            ignore: ignore.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    fn line(service: &str, text: &str) -> LogLine {
        LogLine {
            at: Timestamp::UNIX_EPOCH,
            service: ServiceName::new(service).unwrap(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn patterns_count_unless_they_are_ignored() {
        let rule = rule(&["ERROR", "Traceback"], &["favicon"]);
        let lines = [
            line("web", "ERROR: it broke"),
            line("web", "error: lower case is another word"),
            line("web", "ERROR: no favicon"),
            line("web", "Traceback (most recent call last):"),
            line("worker", "ERROR: of a service that the rule does not name"),
            line("web", "GET / 200"),
        ];
        let found: Vec<_> = error_lines(&lines, &rule).iter().map(|line| line.text.as_str()).collect();
        assert_eq!(found, ["ERROR: it broke", "Traceback (most recent call last):"]);
    }

    #[test]
    fn an_empty_text_neither_counts_nor_hides_everything() {
        assert!(!counts_as_error("fine", &rule(&[""], &[])));
        assert!(counts_as_error("ERROR", &rule(&["ERROR"], &[""])));
    }

    proptest! {
        #[test]
        fn more_patterns_never_hide_and_more_ignores_never_add(
            text in ".{0,40}", one in ".{1,3}", two in ".{1,3}"
        ) {
            let plain = counts_as_error(&text, &rule(&[&one], &[]));
            prop_assert!(!plain || counts_as_error(&text, &rule(&[&one, &two], &[])));
            prop_assert!(plain || !counts_as_error(&text, &rule(&[&one], &[&two])));
        }
    }
}
