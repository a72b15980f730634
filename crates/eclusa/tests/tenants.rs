//! What is done for tenants while the release stays, on the embedded stack, whose data are files that a running service
//! keeps open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Setting, Shop};

#[test]
fn a_tenant_whose_migration_fails_goes_back_alone_and_who_is_kept_closed_stays_so() {
    let shop = Shop::open(&Setting::default());
    let before = shop.censuses();
    let open = |tenant: &str| shop.public(tenant, "/api/products").0;
    shop.run(&["plan", "migrate", "alpha"]).must(0).shows("nobody of this stack is served until the end");
    let one_at_a_time = "\n[stacks.shop.limits]\nparallel = 1";
    shop.change_configuration(|text| text.replace("\n[stacks.shop.limits]", one_at_a_time));
    shop.run(&["migrate", "--yes"]).must(0).shows("GO. Run");
    assert_eq!(shop.censuses(), before);
    // A runner that dies in a migration: nobody knows how far it came, so that tenant goes back, and only that one.
    let killed =
        shop.command(&["migrate", "--yes"]).env("ECLUSA_CRASH_AT", "migrate.alpha/after.intended").output();
    assert!(!killed.unwrap().status.success());
    shop.run(&["resume"]).must(3).shows("alpha goes back alone, the others go on").shows("PARTLY. Run");
    assert_eq!(shop.censuses(), before);
    assert_eq!((open("alpha"), open("beta")), (200, 200));

    // Of alpha the data is changed, and then the command fails.
    let (binary, directory) = (shop.binary.display().to_string(), shop.directory.display().to_string());
    let work = format!(
        "{binary} shop --data {directory}/data migrate --tenant $0 --release {directory}/releases/v2"
    );
    let dies =
        format!("migrate = [\"sh\", \"-c\", \"test $0 != alpha || {{ {work}; exit 7; }}\", \"{{tenant}}\"]");
    let right = std::fs::read_to_string(shop.configuration()).unwrap();
    let right = right.lines().find(|line| line.starts_with("migrate = ")).unwrap();
    shop.change_configuration(|text| text.replace(right, &dies));
    let ran = shop.run(&["migrate", "--yes"]).must(3);
    let ran = ran.shows("PARTLY. Run").shows("alpha goes back alone, the others go on");
    assert!(!ran.out.contains("beta goes back"), "{}", ran.out);
    assert_eq!(shop.censuses(), before, "alpha is as it was before");
    assert_eq!((open("alpha"), open("beta")), (200, 200));
    let run = ran.out.lines().rev().find_map(|line| line.split("eclusa report ").nth(1)).unwrap().to_owned();
    let run = run.split_whitespace().next().unwrap();
    let report = shop.run(&["report", run, "--json"]).must(0).json();
    assert_eq!(report["state"], "partly", "{report}");
    assert_eq!(report["tenants"][0]["data"], "restored", "{report}");
    assert_eq!(report["tenants"][1]["data"], "changed", "{report}");
    // If nobody is left, everything went back.
    shop.run(&["migrate", "alpha", "--yes"]).must(3).shows("WENT BACK. Run");
    assert_eq!(shop.censuses(), before);

    shop.run(&["apps", "install", "hrms", "alpha", "--yes"]).must(1).refused("E0316");
    kept_closed(&shop, |text| text.replace(&dies, right));
}

#[test]
fn whose_migration_fails_in_a_release_stays_closed_and_the_others_open() {
    let shop = Shop::open(&Setting::default());
    let before = shop.censuses();
    let seen = || ["alpha", "beta"].map(|tenant| shop.public(tenant, "/api/products").0);
    let schemas = || shop.censuses().iter().map(|census| census.schema).collect::<Vec<_>>();
    let right = std::fs::read_to_string(shop.configuration()).unwrap();
    let migrate = right.lines().find(|line| line.starts_with("migrate = ")).unwrap();
    let work = migrate.trim_start_matches("migrate = [").trim_end_matches(']').replace("\", \"", " ");
    let work = work.trim_matches('"').replace("{tenant}", "$0");
    // Of alpha the data is changed, and then the command ends badly.
    let script = format!("{work} && test $0 != alpha");
    let dies = right.replace(migrate, &format!("migrate = [\"sh\", \"-c\", \"{script}\", \"{{tenant}}\"]"));
    shop.change_configuration(|_| dies.clone());
    shop.run(&["plan", "release", "v2", "--on-failure", "keep-closed"])
        .must(0)
        .shows("A tenant whose migration fails goes back alone")
        .shows("only if alpha went back alone");
    // Asked for in the configuration, and the runner dies before it is written down who answers for the tenant.
    let wanted = "source = \"directory\"\non_failure = \"keep-closed\"";
    shop.change_configuration(|text| text.replace("source = \"directory\"", wanted));
    let at = "migrate.kept.alpha/maintenance.owner.before";
    let killed = shop.command(&["release", "v2", "--yes"]).env("ECLUSA_CRASH_AT", at).output().unwrap();
    assert!(!killed.status.success());
    assert!(shop.status()["observation"]["maintenance"].is_null());
    let ran = shop.run(&["resume"]).must(3).shows("PARTLY. Run").shows("alpha stays closed");
    assert!(ran.out.contains("eclusa migrate TENANT, then eclusa maintenance off TENANT"), "{}", ran.out);
    assert_eq!((seen(), schemas()), ([503, 200], vec![Some(1), Some(2)]));
    assert_eq!(shop.census("alpha"), before[0], "alpha is as it was before");
    let status = shop.status();
    assert_eq!(status["observation"]["maintenance"]["alpha"]["unmigrated"], "v2", "{status}");
    shop.run(&["status"]).must(1).shows("its data could not be brought to v2").shows("eclusa migrate alpha");
    shop.run(&["tenants"]).must(0).shows("its data could not be brought to v2");
    let run = ran.out.lines().rev().find_map(|line| line.split("eclusa report ").nth(1)).unwrap();
    let report = shop.run(&["report", run.split_whitespace().next().unwrap()]).must(0);
    report.shows("alpha stays closed: the release that runs does not fit its data");

    // It does not open before it has been migrated.
    shop.run(&["release", "v2", "--yes"]).must(1).refused("E0305").says("eclusa migrate alpha");
    shop.run(&["maintenance", "off", "alpha", "--yes"]).must(3).shows("open.migrated.alpha");
    assert_eq!((seen(), schemas()), ([503, 200], vec![Some(1), Some(2)]));
    assert_eq!(shop.status()["observation"]["maintenance"]["alpha"]["unmigrated"], "v2");
    shop.change_configuration(|_| right.replace("source = \"directory\"", wanted));
    shop.run(&["migrate", "alpha", "--yes"]).must(0);
    assert_eq!(seen(), [503, 200]);
    shop.run(&["maintenance", "off", "alpha", "--yes"]).must(0);
    assert_eq!((seen(), schemas()), ([200, 200], vec![Some(2), Some(2)]));

    // Or back for everyone, which opens who was closed by nothing but the release.
    shop.run(&["rollback", "--yes"]).must(0);
    assert_eq!(schemas(), [Some(1), Some(1)]);
    shop.change_configuration(|_| dies.replace("source = \"directory\"", wanted));
    shop.run(&["release", "v2", "--yes"]).must(3).shows("PARTLY. Run");
    assert_eq!(seen(), [503, 200]);
    shop.run(&["rollback", "--yes"]).must(0).shows("is opened again under");
    assert_eq!((seen(), schemas()), ([200, 200], vec![Some(1), Some(1)]));
    assert!(shop.status()["observation"]["maintenance"].is_null());
}

fn kept_closed(shop: &Shop, mend: impl FnOnce(String) -> String) {
    let open = |tenant: &str| shop.public(tenant, "/api/products").0;
    shop.run(&["maintenance", "on", "alpha", "--reason", "stocktaking", "--yes"]).must(0);
    assert_eq!((open("alpha"), open("beta")), (503, 200));
    let status = shop.status();
    assert_eq!(status["observation"]["maintenance"]["alpha"]["reason"], "stocktaking", "{status}");
    assert_eq!(status["observation"]["maintenance"]["alpha"]["by"], "olga", "{status}");
    shop.run(&["edge", "open", "alpha"]).must(1).says("is kept closed by olga");
    // A plan that was made before is stale.
    shop.run(&["plan", "backup", "--out", "plan.json"]).must(0);
    // A release takes it along and does not open it; what was closed again keeps its owner.
    shop.run(&["release", "v2", "--yes"]).must(3);
    assert_eq!((open("alpha"), open("beta")), (503, 200));
    shop.change_configuration(mend);
    shop.run(&["release", "v2", "--yes"]).must(0).shows("alpha stays closed, whatever this run does: olga");
    assert_eq!((open("alpha"), open("beta")), (503, 200));
    shop.run(&["rollback", "--yes"]).must(0).shows("alpha stays closed");
    assert_eq!((open("alpha"), open("beta")), (503, 200));
    shop.run(&["backup", "beta"]).must(0);
    shop.run(&["restore", "beta", "--yes"]).must(0);
    assert_eq!((open("alpha"), open("beta")), (503, 200));
    shop.run(&["maintenance", "off", "--yes"]).must(0);
    assert_eq!((open("alpha"), open("beta")), (200, 200));
    assert!(shop.status()["observation"]["maintenance"].is_null());
    shop.run(&["maintenance", "off", "--yes"]).must(1).refused("E0305");
}
