//! What was observed of a machine, and what follows from it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use eclusa_audit::live::{Certificate, Container, Disk, DockerDaemon};
use eclusa_audit::{Live, MemoryTree, Request, audit};
use jiff::civil::date;

fn codes(live: &Live) -> Vec<&'static str> {
    let report = audit(&MemoryTree::default(), &Request::default(), date(2026, 11, 25), Some(live));
    let mut codes: Vec<&str> = report.findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes
}

#[test]
fn a_machine_in_order_has_no_findings_and_neither_has_one_that_could_not_be_looked_at() {
    let well = Live {
        firewall: Some(true),
        unattended_upgrades: Some(true),
        docker: Some(DockerDaemon { open_addresses: Vec::new(), live_restore: true, log_rotation: true }),
        disks: vec![Disk { path: "/".to_owned(), total_bytes: 100, free_bytes: 11 }],
        clock_synchronised: Some(true),
        certificates: vec![Certificate { place: "shop.example.org:443".to_owned(), days_left: 21 }],
        containers: vec![Container { name: "web".to_owned(), restarts: 5 }],
    };
    assert_eq!(codes(&well), Vec::<&str>::new());
    assert_eq!(codes(&Live::default()), Vec::<&str>::new());
}

#[test]
fn each_observation_has_its_rule() {
    let live = |change: fn(&mut Live)| {
        let mut live = Live::default();
        change(&mut live);
        codes(&live)
    };
    assert_eq!(live(|live| live.firewall = Some(false)), ["A901"]);
    assert_eq!(live(|live| live.unattended_upgrades = Some(false)), ["A902"]);
    let open = |live: &mut Live| {
        let open_addresses = vec!["tcp://0.0.0.0:2375".to_owned()];
        live.docker = Some(DockerDaemon { open_addresses, live_restore: true, log_rotation: true });
    };
    assert_eq!(live(open), ["A903"]);
    assert_eq!(live(|live| live.docker = Some(DockerDaemon::default())), ["A904", "A904"]);
    let full =
        |live: &mut Live| live.disks = vec![Disk { path: "/".to_owned(), total_bytes: 100, free_bytes: 9 }];
    assert_eq!(live(full), ["A905"]);
    assert_eq!(live(|live| live.clock_synchronised = Some(false)), ["A906"]);
    let old = |live: &mut Live| {
        live.certificates = vec![Certificate { place: "a1.pfx".to_owned(), days_left: 20 }];
    };
    assert_eq!(live(old), ["A907"]);
    let looping = |live: &mut Live| live.containers = vec![Container { name: "web".to_owned(), restarts: 6 }];
    assert_eq!(live(looping), ["A908"]);
}
