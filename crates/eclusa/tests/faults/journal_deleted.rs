//! Fault: The journal's file is deleted while a run goes on

use crate::support::{Stage, hook, quick};

/// The run stops where it is (1): nothing is done that is not written down. With the file put back, `resume` finishes it.
#[test]
fn release() {
    let stage = Stage::plain(&quick());
    stage.shop.change_configuration(|text| {
        text + &hook(
            "delete",
            "before.secure",
            "mkdir -p away; test -e away/journal.db || mv state/journal.db* away/",
        )
    });
    let ran = stage.shop.run(&["release", "v2", "--yes"]).must(1);
    ran.refused("E0404").says("E0401").says("deleted, moved or replaced").says("eclusa resume");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let runner = stage.shop.processes().into_iter().find(crate::common::Process::is_runner);
    assert_eq!(runner, None, "it goes on without a journal");
    assert_eq!(stage.shop.censuses(), stage.before);
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(stage.shop.state().join(name));
        let away = stage.shop.directory.join("away").join(name);
        if away.exists() {
            std::fs::rename(away, stage.shop.state().join(name)).unwrap();
        }
    }
    let resumed = stage.shop.run(&["resume"]);
    match resumed.code {
        0 => stage.is_released(),
        3 => stage.is_as_before(),
        _ => panic!("{resumed:?}"),
    }
}
