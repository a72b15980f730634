//! Fault: A plan file is edited by hand or damaged

use crate::common::{Setting, Shop};

/// Ends with 1 and E0301 (another format: E0303); nothing has begun. As it was made it is carried out.
#[test]
fn release() {
    let shop = Shop::lay(&Setting::default());
    let file = shop.directory.join("plan.json");
    let carry_out = || shop.run(&["release", "v1", "--plan", "plan.json", "--yes"]);
    carry_out().must(1).refused("E0301");
    shop.run(&["plan", "release", "v1", "--out", "plan.json"]).must(0).says("plan.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let nothing = |change: &str, code: i32, error: &str, says: &str| {
        std::fs::write(&file, change).unwrap();
        carry_out().must(code).refused(error).says(says).says("Nothing was changed.");
    };
    nothing("not a plan", 1, "E0301", "plan.json");
    nothing("{}", 1, "E0301", "format");
    nothing(&text[..text.len() / 2], 1, "E0301", "EOF");
    nothing(&text.replacen("\"timeout\": 60", "\"timeout\": 61", 1), 1, "E0301", "edited or damaged");
    nothing(&text.replacen("\"format\": 1", "\"format\": 99", 1), 1, "E0303", "99");
    std::fs::write(&file, &text).unwrap();
    shop.run(&["release", "v2", "--plan", "plan.json", "--yes"]).must(1).refused("E0301").says("v1");
    assert_eq!(shop.processes(), []);
    assert!(shop.run(&["history", "--json"]).must(0).json()["runs"].as_array().unwrap().is_empty());
    carry_out().must(0).shows("GO.");
}
