//! What is interrupted: each scenario is one command of an operator on a stack in a known state.

use crate::common::Setting;

/// A watch of a second whose limits a healthy shop keeps even on a busy machine.
const SHORT_WATCH: &str = r#"for = "1s"
warm_up = "0s"
interval = "500ms"
synthetic_per_second = 20.0
minimum_samples = 3
error_rate = 0.8
slowdown = 100.0
latency = "10s"
after_open = "restore""#;

/// A watch that v3 fails once its pool is worn out, and that asks nobody.
const STRICT_WATCH: &str = r#"for = "4s"
warm_up = "0s"
interval = "1s"
synthetic_per_second = 40.0
minimum_samples = 5
error_rate = 0.3
slowdown = 50.0
latency = "5s"
after_open = "restore""#;

/// A check that v3 does not pass, before any gate is opened.
const CHECK: &str = r#"
[[stacks.shop.checks]]
name = "no-third"
command = ["/bin/sh", "-c", "! grep -q v3 \"$0/release.json\"", "{release_directory}"]
"#;

/// A command that must not be done twice, in the way of every release, and what takes it back.
const HOOK: &str = r#"
[[stacks.shop.hooks]]
name = "told"
at = "before.change"
command = ["/bin/sh", "-c", "echo did $ECLUSA_RUN >> told; echo told"]
undo = ["/bin/sh", "-c", "echo undid $ECLUSA_RUN >> told; echo untold"]
"#;

/// Which stack a scenario runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// v3 fails a check before the gate opens.
    Checked,
    /// v3 fails the watch after the gate has opened.
    Watched,
}

/// A command that is interrupted.
#[derive(Debug)]
pub struct Scenario {
    /// What its points are listed under.
    pub name: &'static str,
    /// Where.
    pub ground: Ground,
    /// What is typed.
    pub begin: &'static [&'static str],
    /// The release that runs before.
    pub from: &'static str,
    /// The release that runs afterwards, when it ends `done`.
    pub to: &'static str,
    /// How it ends when nothing disturbs it.
    pub end: &'static str,
    /// What a gate that holds for want of samples is answered.
    pub answer: &'static str,
    /// With what the name of the first step begins by which it differs from `release`, whose points those before it are.
    pub differs_from: Option<&'static str>,
}

/// All of them.
pub const SCENARIOS: [Scenario; 9] = [
    Scenario {
        name: "release",
        ground: Ground::Checked,
        begin: &["release", "v2"],
        from: "v1",
        to: "v2",
        end: "done",
        answer: "go",
        differs_from: None,
    },
    Scenario {
        name: "release-back",
        ground: Ground::Checked,
        begin: &["release", "v3"],
        from: "v1",
        to: "v3",
        end: "went-back",
        answer: "no-go",
        differs_from: Some("validate."),
    },
    Scenario {
        name: "release-salvage",
        ground: Ground::Watched,
        begin: &["release", "v3"],
        from: "v1",
        to: "v3",
        end: "went-back",
        answer: "no-go",
        differs_from: Some("open."),
    },
    Scenario {
        name: "rollback",
        ground: Ground::Checked,
        begin: &["rollback"],
        from: "v2",
        to: "v1",
        end: "done",
        answer: "go",
        differs_from: None,
    },
    Scenario {
        name: "release-code",
        ground: Ground::Checked,
        begin: &["release", "v1b"],
        from: "v1",
        to: "v1b",
        end: "done",
        answer: "go",
        differs_from: None,
    },
    Scenario {
        name: "rollback-code",
        ground: Ground::Checked,
        begin: &["rollback"],
        from: "v1b",
        to: "v1",
        end: "done",
        answer: "go",
        differs_from: None,
    },
    Scenario {
        name: "backup",
        ground: Ground::Checked,
        begin: &["backup", "--prove"],
        from: "v1",
        to: "v1",
        end: "done",
        answer: "go",
        differs_from: None,
    },
    Scenario {
        name: "restore",
        ground: Ground::Checked,
        begin: &["restore", "alpha"],
        from: "v1",
        to: "v1",
        end: "done",
        answer: "go",
        differs_from: None,
    },
    Scenario {
        name: "restore-files",
        ground: Ground::Checked,
        begin: &["restore", "alpha", "--files-only"],
        from: "v1",
        to: "v1",
        end: "done",
        answer: "go",
        differs_from: None,
    },
];

impl Scenario {
    /// Whether it brings data of `alpha` back from a restore point.
    pub fn is_restore(&self) -> bool {
        self.name.starts_with("restore")
    }
}

/// The scenario of a name.
pub fn named(name: &str) -> &'static Scenario {
    SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap_or_else(|| panic!("no scenario {name}"))
}

impl Ground {
    /// The stack's configuration.
    pub fn setting(self) -> Setting {
        let defect = eclusa_shop::Defect { error_share: 0.9, slow_milliseconds: 5, after_requests: 30 };
        let (watch, tables, defect) = match self {
            Self::Checked => (SHORT_WATCH, format!("{CHECK}{HOOK}"), None),
            Self::Watched => (STRICT_WATCH, HOOK.to_owned(), Some(defect)),
        };
        Setting { watch, tables, defect, sales: 8, ..Setting::default() }
    }
}
