//! Fault: Another process keeps a database locked

use rusqlite::Connection;

use crate::common::wait_for;
use crate::support::{Stage, hook, quick};

/// Locks alpha's database as a hook asks for it, in the middle of a run; the lock is there when the hook ends.
fn locked(stage: &Stage, arguments: &[&str]) -> crate::common::Ran {
    let (wanted, there) = (stage.shop.directory.join("wanted"), stage.shop.directory.join("there"));
    let database = stage.shop.directory.join("data/alpha/shop.sqlite");
    std::thread::scope(|scope| {
        let over = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            wait_for("the hook", 60, || wanted.exists().then_some(()));
            let connection = Connection::open(&database).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            std::fs::write(&there, "").unwrap();
            let _ = over.1.recv();
            connection.execute_batch("ROLLBACK").unwrap();
        });
        let ran = stage.shop.run(arguments);
        drop(over.0);
        ran
    })
}

/// While it migrates: the migration fails, and going back waits for nobody's lock: either it is back (3), or stuck (4)
/// and `resume` goes back when the lock is gone.
#[test]
fn release() {
    let stage = Stage::gated(&quick());
    let line = "touch wanted; while [ ! -e there ]; do sleep 0.05; done";
    stage.shop.change_configuration(|text| text + &hook("lock", "before.migrate", line));
    let ran = locked(&stage, &["release", "v2", "--yes"]);
    assert!([3, 4].contains(&ran.code), "{ran:?}");
    if ran.code == 4 {
        stage.shop.run(&["resume"]).must(3).shows("WENT BACK");
    }
    stage.is_as_before();
}

/// While it is backed up: reading waits for no writer; done (0).
#[test]
fn backup() {
    let stage = Stage::plain(&quick());
    let connection = Connection::open(stage.shop.directory.join("data/alpha/shop.sqlite")).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    stage.shop.run(&["backup", "--prove"]).must(0);
    drop(connection);
    stage.is_as_before();
}

/// When it is to be swapped: it is not renamed under the one who has it; goes back (3), E0506 with who is in the way.
#[test]
fn restore() {
    let stage = Stage::gated(&quick()).backed_up();
    let connection = Connection::open(stage.shop.directory.join("data/alpha/shop.sqlite")).unwrap();
    let _: i64 = connection.query_row("SELECT count(*) FROM products", [], |row| row.get(0)).unwrap();
    connection.execute_batch("BEGIN; SELECT count(*) FROM products").unwrap();
    stage
        .shop
        .run(&["restore", "alpha", "--yes"])
        .must(3)
        .shows("WENT BACK")
        .shows("in use by another process");
    drop(connection);
    stage.is_as_before();
    stage.shop.run(&["restore", "alpha", "--yes"]).must(0);
}
