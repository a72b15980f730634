//! Fault: A migration fails halfway, or leaves migrations pending and says that it is done

use crate::common::Setting;
use crate::support::{Stage, quick};

/// Puts a shell line in the place of the migration; `$@` is the real one.
fn replace(stage: &Stage, line: &str) {
    let script = stage.shop.directory.join("migrate.sh");
    std::fs::write(&script, format!("#!/bin/sh\n{line}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    stage.shop.change_configuration(|text| {
        text.replacen("\nmigrate = [", &format!("\nmigrate = [\"{}\", ", script.display()), 1)
    });
}

/// It is killed in the middle of one tenant: every tenant goes back (3), to the row, and v1 serves.
#[test]
fn release_halfway() {
    let stage = Stage::gated(&Setting { migration: 3000, ..quick() });
    replace(&stage, "case \"$*\" in *beta*) timeout -s KILL 1 \"$@\";; *) \"$@\";; esac");
    stage.shop.run(&["release", "v2", "--yes"]).must(3).shows("WENT BACK").shows("migrate.beta");
    stage.is_as_before();
}

/// It exits 0 and has done nothing: the new code is not let near the old schema; goes back (3).
#[test]
fn release_pending_left() {
    let stage = Stage::gated(&quick());
    replace(&stage, "case \"$*\" in *beta*) echo all is done;; *) \"$@\";; esac");
    stage.shop.run(&["release", "v2", "--yes"]).must(3).shows("WENT BACK");
    stage.is_as_before();
}
