//! `eclusa demo`, as someone runs it who has just built it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{Ran, processes, wait_for};
use tempfile::TempDir;

/// A place for demos; what runs in it is ended with it.
struct Place {
    directory: PathBuf,
    _holder: TempDir,
}

impl Place {
    fn new() -> Self {
        let holder = tempfile::Builder::new().prefix("ecl-demo").tempdir().unwrap();
        let directory = holder.path().canonicalize().unwrap();
        let built =
            std::env::var("ECLUSA_TEST_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_eclusa").to_owned());
        let binary = directory.join("eclusa");
        if std::fs::hard_link(&built, &binary).is_err() {
            std::fs::copy(&built, &binary).unwrap();
        }
        Self { directory, _holder: holder }
    }

    fn demo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.directory.join("eclusa"));
        command
            .arg("demo")
            .args(arguments)
            .current_dir(&self.directory)
            .env("LANG", "C.UTF-8")
            .env_remove("ECLUSA_STATE");
        command.env_remove("ECLUSA_CONFIG").stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn nothing_runs(&self) {
        assert_eq!(processes::of(&self.directory), []);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        processes::kill(&self.directory);
    }
}

/// The row of a tenant in the table at the end.
fn row(ran: &Ran, tenant: &str) -> Vec<String> {
    let line = ran.out.lines().rfind(|line| line.trim_start().starts_with(&format!("{tenant} ")));
    line.unwrap_or_else(|| panic!("no row of {tenant}:\n{}", ran.out))
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_demo_ends_well_twice_in_a_row() {
    let place = Place::new();
    for _ in 0..2 {
        let ran =
            Ran::of(&mut place.demo(&[])).must(0).shows("nothing was lost").shows("killed with SIGKILL");
        for tenant in ["alpha", "beta", "gamma"] {
            let row = row(&ran, tenant);
            let number = |column: usize| row[column].parse::<f64>().unwrap();
            // Requests, failed, turned away, seconds closed.
            assert!(number(1) > 100.0 && number(3) > 0.0 && number(4) > 0.0, "{row:?}");
            assert!(number(2) < number(1) / 5.0, "{row:?}");
            // Rows and files: none fewer than before.
            assert!(number(7) >= number(6) && number(9) >= number(8), "{row:?}");
        }
        let directory = place.directory.join("eclusa-demo");
        for name in ["1-release-v2", "2-release-v3", "3-killed-and-resumed", "4-restore-check"] {
            let page = std::fs::read_to_string(directory.join(format!("reports/{name}.html"))).unwrap();
            assert!(page.contains("</html>") && page.contains("<svg") || name.starts_with('4'), "{name}");
        }
        place.nothing_runs();
        let mut history = Command::new(place.directory.join("eclusa"));
        history.args(["--config", "eclusa-demo/eclusa.toml", "history"]).current_dir(&place.directory);
        let history = Ran::of(&mut history).must(0);
        assert_eq!(history.out.matches("went back").count(), 2, "{}", history.out);
    }
    // One that no demo made is left alone.
    std::fs::create_dir(place.directory.join("mine")).unwrap();
    std::fs::write(place.directory.join("mine/file"), "mine").unwrap();
    Ran::of(&mut place.demo(&["--directory", "mine"])).must(1).refused("E0901").says("no demo made it");
    assert_eq!(std::fs::read_to_string(place.directory.join("mine/file")).unwrap(), "mine");
}

#[test]
fn an_interrupted_demo_leaves_nothing_running() {
    for part in ["demo-part-schema", "change.pin", "demo-part-bad"] {
        let place = Place::new();
        let told = place.directory.join("told.txt");
        let file = std::fs::File::create(&told).unwrap();
        let mut command = place.demo(&[]);
        // A terminal sends its signal to the whole group in front; here the demo leads one.
        let mut child = command.stdout(file).stderr(Stdio::null()).process_group(0).spawn().unwrap();
        let wanted = match part {
            "demo-part-schema" => "━━━ 1",
            "demo-part-bad" => "━━━ 2",
            step => step,
        };
        wait_for(part, 60, || {
            std::fs::read_to_string(&told).is_ok_and(|text| text.contains(wanted)).then_some(())
        });
        processes::interrupt_group(child.id());
        let ended = wait_for("the demo ends", 60, || child.try_wait().unwrap());
        assert_eq!(ended.code(), Some(130), "{part}");
        place.nothing_runs();
    }
}

#[test]
fn a_healthy_release_ends_in_go_every_time() {
    let place = Place::new();
    // Each takes a quarter of a minute, in which the machine can do nothing else.
    let rounds = if std::env::var_os("ECLUSA_LONG").is_some() { 20 } else { 8 };
    let ran = Ran::of(&mut place.demo(&["--healthy", "--rounds", &rounds.to_string()])).must(0);
    ran.shows(&format!("{rounds}/{rounds}")).shows(&format!("{rounds} of {rounds}"));
    place.nothing_runs();
}
