//! Fault: The runner is killed while it copies to a mirror

use crate::common::{Ran, Run};
use crate::support::mirror::{Mirrored, mirrored};

/// A run whose runner was killed between two files.
fn killed(mirrored: &Mirrored) -> Run {
    let mut command = mirrored.stage.shop.command(&["mirror", "alpha", "--detach"]);
    let at = "secure.mirror.nas.alpha/vault.mirror.written#2";
    let ran = Ran::of(command.env("ECLUSA_CRASH_AT", at)).must(0);
    let run = Run { id: ran.out.lines().last().unwrap().trim().to_owned() };
    run.wait_for_runner(&mirrored.stage.shop, None);
    run
}

/// `resume` copies the rest (0); all of it is read, restored and proved.
#[test]
fn resume() {
    let mirrored = mirrored();
    let shop = &mirrored.stage.shop;
    let run = killed(&mirrored);
    shop.run(&["status"]).must(1).shows(&run.id);
    shop.run(&["resume"]).must(0).shows("GO.");
    shop.run(&["mirror", "alpha", "--read-all"]).must(0).lacks("damaged");
    shop.run(&["drill", "alpha", "--from", "nas"]).must(0);
    mirrored.stage.is_as_before();
}

/// `abort` leaves what was copied (0); no point is said to be there, and the next time only the rest is copied.
#[test]
fn abort() {
    let mirrored = mirrored();
    let shop = &mirrored.stage.shop;
    let run = killed(&mirrored);
    shop.run(&["abort", &run.id, "--reason", "the disk is needed"]).must(0).shows("NO-GO");
    assert_eq!(mirrored.points(), 0);
    shop.run(&["mirror"]).must(0);
    shop.run(&["drill", "--from", "nas"]).must(0);
    mirrored.stage.is_as_before();
}
