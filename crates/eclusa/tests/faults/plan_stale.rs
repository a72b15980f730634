//! Fault: The stack moves between the plan and the run

use crate::common::Shop;
use crate::support::{Stage, quick};

/// Ends with 5 and E0302, whether the configuration moved or the release; nothing has begun.
#[test]
fn release() {
    let shop = Shop::lay(&quick());
    let plan = || shop.run(&["plan", "release", "v1", "--out", "plan.json"]).must(0).says("plan.json");
    let carry_out = || shop.run(&["release", "v1", "--plan", "plan.json", "--yes"]);
    plan();
    shop.change_configuration(|text| text + "\n# A word that changes nothing but the file.\n");
    carry_out().must(5).refused("E0302").says("Nothing was changed.");
    plan();
    assert_eq!(shop.processes(), [], "nothing has begun so far");
    assert!(shop.run(&["history", "--json"]).must(0).json()["runs"].as_array().unwrap().is_empty());
    carry_out().must(0).shows("GO.");
    carry_out().must(5).refused("E0302");
}

/// The release that was planned is exchanged for another before the run begins: ends with 5, E0302.
#[test]
fn release_of_a_changed_directory() {
    let stage = Stage::plain(&quick());
    let shop = &stage.shop;
    shop.run(&["plan", "release", "v2", "--out", "plan.json"]).must(0);
    eclusa_shop::ReleaseFile::healthy("v3").write(&shop.directory.join("releases/v2")).unwrap();
    shop.run(&["release", "v2", "--plan", "plan.json", "--yes"])
        .must(5)
        .refused("E0302")
        .says("Nothing was changed.");
    stage.is_as_before();
}
