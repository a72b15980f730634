//! What the faults have in common: a stack that is in service, what it had before, and what must have come of a run.

pub mod disk;
pub mod mirror;
pub mod services;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eclusa_shop::Census;

use crate::common::sound::{Wanted, unsound};
use crate::common::{Run, Setting, Shop};

/// A watch that is over in a moment.
pub const MOMENT: &str = r#"for = "2s"
warm_up = "0s"
interval = "1s"
synthetic_per_second = 20.0
minimum_samples = 3
error_rate = 0.6
slowdown = 50.0
latency = "5s"
after_open = "restore""#;

/// A stack whose watch is over in a moment.
pub fn quick() -> Setting {
    Setting { watch: MOMENT, ..Setting::default() }
}

/// A hook, as a table of the configuration. The shell line is in single quotes in TOML: it must have none.
pub fn hook(name: &str, at: &str, line: &str) -> String {
    assert!(!line.contains('\''), "{line}");
    format!(
        "\n[[stacks.shop.hooks]]\nname = \"{name}\"\nat = \"{at}\"\ntimeout = \"120s\"\ncommand = [\"sh\", \"-c\", '{line}']\n"
    )
}

/// A stack that runs v1, with what it had before the fault.
pub struct Stage {
    pub shop: Shop,
    pub before: Vec<Census>,
    pub release: &'static str,
}

impl Stage {
    /// v1 runs; nothing is in front of it.
    pub fn plain(setting: &Setting) -> Self {
        Self::of(Shop::lay(setting))
    }

    /// v1 runs; the edge is in front.
    pub fn gated(setting: &Setting) -> Self {
        let stage = Self::plain(setting);
        stage.shop.run(&["edge", "install", "--yes"]).must(0);
        stage
    }

    /// Brings a stack that was laid into service.
    pub fn of(shop: Shop) -> Self {
        done(&shop, &["release", "v1", "--yes"]);
        let before = shop.censuses();
        Self { shop, before, release: "v1" }
    }

    /// v2 is brought to it as well, so that there is a release to go back to.
    pub fn released(mut self) -> Self {
        done(&self.shop, &["release", "v2", "--yes"]);
        self.before = self.shop.censuses();
        self.release = "v2";
        self
    }

    /// A restore point of each tenant is there.
    pub fn backed_up(self) -> Self {
        self.shop.run(&["backup"]).must(0);
        self
    }

    /// Everything is as it was before: the data to the row, who serves, the gates; and nothing lies about.
    #[track_caller]
    pub fn is_as_before(&self) {
        self.is(self.release, &self.before, false);
    }

    /// The release was brought: v2 serves, on the data of before, migrated.
    #[track_caller]
    pub fn is_released(&self) {
        let data = self.shop.censuses();
        for (before, now) in self.before.iter().zip(&data) {
            assert_eq!(now.schema, Some(2), "{now:?}");
            assert_eq!(rows(before, "sales"), rows(now, "sales"), "a sale was lost");
        }
        self.is("v2", &data, false);
    }

    /// That release serves that data.
    #[track_caller]
    pub fn is(&self, release: &str, data: &[Census], kept: bool) {
        let wrong = unsound(&self.shop, &Wanted { release, data, migrated: false, kept });
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// The newest run.
    pub fn newest_run(&self) -> Run {
        let runs = self.shop.run(&["history", "--json"]).must(0).json();
        Run { id: runs["runs"][0]["run"].as_str().unwrap().to_owned() }
    }
}

/// Carries a release out to its end. On a busy machine its watch may have too few samples, and then it asks; how a watch
/// judges is no part of these tests.
pub fn done(shop: &Shop, arguments: &[&str]) {
    let (over, began) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_secs(1));
                if began.elapsed() > Duration::from_secs(20) {
                    let runs = shop.run(&["history", "--json"]).json();
                    let run = runs["runs"][0]["run"].as_str().unwrap_or_default().to_owned();
                    shop.run(&["answer", &run, "go", "--reason", "too few samples on a busy machine"]);
                }
            }
        });
        let ran = shop.run(arguments);
        over.store(true, Ordering::Relaxed);
        ran.must(0);
    });
}

fn rows(census: &Census, table: &str) -> Option<u64> {
    census.tables.get(table).map(|table| table.rows)
}
