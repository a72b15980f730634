//! Fault: The network to a mirror is cut

use eclusa_testkit::elsewhere::{FaultProxy, Network, Storage};

use crate::support::{Stage, quick};

/// Storage: fails (3), E0606; `status` ends with 1 and says why; the same command does the rest, and a drill from there proves it.
#[test]
fn mirror() {
    let storage = Storage::begin();
    storage.make_bucket("copies");
    let proxy = FaultProxy::before(storage.port);
    let stage = Stage::plain(&quick()).backed_up();
    let shop = &stage.shop;
    std::fs::write(shop.directory.join("copies.key"), "a-secret-of-the-bucket\n").unwrap();
    let place = format!(
        "\n[[stacks.shop.mirrors]]\nname = \"away\"\ns3 = {{ endpoint = \"http://127.0.0.1:{}\", bucket = \"copies\", \
         access_key_id = \"shop\", secret_access_key = \"file:copies.key\" }}\n",
        proxy.port
    );
    shop.change_configuration(|text| text + &place);
    proxy.set(Network::CutAfter(60_000));
    let cut = shop.run(&["mirror"]).must(3).shows("NO-GO").shows("E0606");
    cut.shows("type the same command again").lacks("a-secret-of-the-bucket");
    shop.run(&["status"]).must(1).shows("failed at").shows("eclusa mirror");
    assert_eq!(points(&stage), 0);
    stage.is_as_before();

    proxy.set(Network::Good);
    shop.run(&["mirror"]).must(0);
    assert_eq!(points(&stage), 4);
    shop.run(&["status"]).must(0).lacks("failed at");
    shop.run(&["mirror", "--read-all"]).must(0);
    shop.run(&["drill", "--from", "away"]).must(0);
    std::fs::remove_dir_all(shop.directory.join("state/vault")).unwrap();
    shop.run(&["mirror", "--from", "away"]).must(0);
    shop.run(&["restore", "alpha", "--check"]).must(0);
    proxy.set(Network::CutAfter(0));
    shop.run(&["drill", "--from", "away"]).must(1).refused("E0606");
    stage.is_as_before();
}

/// How many points are known to be at the mirror, of both tenants.
fn points(stage: &Stage) -> usize {
    let listed = stage.shop.run(&["backups", "--json"]).must(0).json();
    let tenants = listed["tenants"].as_array().unwrap();
    tenants.iter().map(|tenant| tenant["copies"][0]["points"].as_array().unwrap().len()).sum()
}
