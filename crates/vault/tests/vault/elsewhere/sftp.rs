//! A server of SFTP that is not there, is another one, refuses, or is reached badly.

use std::time::Duration;

use eclusa_testkit::elsewhere::{FaultProxy, KeyPair, Network, SshServer};
use eclusa_vault::MirrorPlace;

use super::{Place, copy, directory_of, faulty, known, mirrored, take};
use crate::fixture::{Fixture, files_below};

#[tokio::test]
async fn a_server_that_is_not_there_or_another_one_is_a_fault() {
    let fixture = Fixture::new();
    let directory = fixture.base.join("far");
    let mut server = SshServer::begin(&fixture.base.join("sshd"), &[]);
    let right = directory_of(&server, &directory);
    let fixture = mirrored(fixture, MirrorPlace::Sftp(right.clone()), "-");
    take(&fixture, "20").await;
    faulty(copy(&fixture, false).await, "there is no directory", "hint-mirror-no-place");
    assert!(!directory.exists(), "it is never made");
    std::fs::create_dir(&directory).unwrap();

    let mut other = right.clone();
    other.key = KeyPair::make(&fixture.base.join("other")).0;
    let fixture = mirrored(fixture, MirrorPlace::Sftp(other), "-");
    faulty(copy(&fixture, false).await, "Permission denied (publickey", "hint-mirror-denied");
    let mut other = right.clone();
    other.known_hosts = fixture.base.join("nobody");
    std::fs::write(&other.known_hosts, "").unwrap();
    let fixture = mirrored(fixture, MirrorPlace::Sftp(other), "-");
    faulty(copy(&fixture, false).await, "Host key verification failed", "hint-mirror-stranger");
    let fixture = mirrored(fixture, MirrorPlace::Sftp(right), "-");
    server.change_host_key();
    faulty(copy(&fixture, false).await, "Host key verification failed", "hint-mirror-stranger");
    server.end();
    faulty(copy(&fixture, false).await, "Connection refused", "hint-mirror-unreachable");
    assert_eq!(files_below(&directory), Vec::<std::path::PathBuf>::new());
    let (at, points, failed) = known(&fixture).await;
    assert!(!at && points == 0 && failed.unwrap().contains("Connection refused"));
}

#[tokio::test]
async fn a_network_that_fails_is_a_fault_and_the_next_copy_heals() {
    let fixture = Fixture::new();
    let directory = fixture.base.join("far");
    std::fs::create_dir(&directory).unwrap();
    let server = SshServer::begin(&fixture.base.join("sshd"), &[]);
    let proxy = FaultProxy::before(server.port);
    let mut behind = directory_of(&server, &directory);
    behind.port = proxy.port;
    let known_hosts = std::fs::read_to_string(&server.known_hosts).unwrap();
    let through = known_hosts.replace(&server.port.to_string(), &proxy.port.to_string());
    std::fs::write(&server.known_hosts, through).unwrap();
    let mut fixture = mirrored(fixture, MirrorPlace::Sftp(behind.clone()), "-");
    let place = Place::Directory(directory);
    take(&fixture, "20").await;
    for network in [Network::CutAfter(2_000), Network::CutAfter(4_000_000), Network::StallAfter(5_000_000)] {
        proxy.set(network);
        if matches!(network, Network::StallAfter(_)) {
            let impatient = eclusa_vault::SftpPlace { timeout: Duration::from_secs(1), ..behind.clone() };
            fixture = mirrored(fixture, MirrorPlace::Sftp(impatient), "-");
        }
        faulty(copy(&fixture, false).await, "", "hint-mirror-unreachable");
        let (at, points, failed) = known(&fixture).await;
        assert!(!at && points == 0 && failed.is_some(), "{network:?}");
        assert_eq!(place.of_kind("snapshots"), Vec::<String>::new(), "{network:?}");
    }
    fixture = mirrored(fixture, MirrorPlace::Sftp(behind), "-");
    assert_ne!(place.of_kind("tmp"), Vec::<String>::new(), "nothing was cut in the middle");
    proxy.set(Network::CutOnceAfter(3_000_000));
    copy(&fixture, false).await.unwrap();
    assert!(proxy.passed() > 3_000_000, "it did not break");
    assert_eq!(known(&fixture).await, (true, 1, None));
    proxy.set(Network::Good);
    assert_eq!(copy(&fixture, true).await.unwrap().mended, 0);
    assert_eq!(place.of_kind("tmp"), Vec::<String>::new(), "what was cut is removed");
}

#[tokio::test]
async fn a_key_that_may_not_remove_is_enough_and_one_that_may_not_rename_is_told_so() {
    let fixture = Fixture::new();
    let directory = fixture.base.join("far");
    std::fs::create_dir(&directory).unwrap();
    let mut server =
        SshServer::begin(&fixture.base.join("sshd"), &["remove", "rmdir", "posix-rename", "setstat"]);
    let fixture = mirrored(fixture, MirrorPlace::Sftp(directory_of(&server, &directory)), "-");
    take(&fixture, "20").await;
    assert_eq!(copy(&fixture, false).await.unwrap().points, 1);
    take(&fixture, "21").await;
    // What a killed copy left is in nobody's way.
    let left = directory.join("shop").join(fixture.tenant.as_str()).join("tmp/unfinished-left");
    std::fs::write(&left, "half").unwrap();
    assert_eq!(copy(&fixture, true).await.unwrap().points, 2);
    assert!(left.exists());
    assert_eq!(known(&fixture).await, (true, 2, None));

    // What is damaged cannot be replaced without removing it.
    let pack = files_below(&directory.join("shop").join(fixture.tenant.as_str()).join("data")).pop().unwrap();
    let sound = std::fs::read(&pack).unwrap();
    crate::damage::flip(&pack, 40);
    faulty(copy(&fixture, true).await, "it is damaged there, and cannot be replaced", "hint-mirror-denied");
    std::fs::write(&pack, &sound).unwrap();

    server.refuse(&["rename", "posix-rename"]);
    take(&fixture, "22").await;
    faulty(copy(&fixture, false).await, "cannot be renamed", "hint-mirror-denied");
    let (at, points, failed) = known(&fixture).await;
    assert!(at && points == 2 && failed.is_some());
    server.refuse(&[]);
    assert_eq!(copy(&fixture, true).await.unwrap().points, 3);
    assert!(!left.exists(), "whoever may remove does");
}
