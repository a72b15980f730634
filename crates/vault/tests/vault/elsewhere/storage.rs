//! S3-compatible storage that is not there, refuses, or is reached badly.

use std::time::Duration;

use eclusa_ports::Vault as _;
use eclusa_testkit::elsewhere::{FaultProxy, Network, Storage};
use eclusa_vault::MirrorPlace;

use super::{BUCKET, Place, bucket, copy, faulty, known, mirrored, take};
use crate::fixture::Fixture;

/// Whoever may only add.
pub const MAY_ADD: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["s3:PutObject","s3:GetObject","s3:ListBucket"],"Resource":"*"},
    {"Effect":"Deny","Action":["s3:DeleteObject","s3:DeleteObjectVersion"],"Resource":"*"}]}"#;

const MAY_NOTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

/// A network that fails in the middle leaves nothing that counts, and the next copy ends it.
#[tokio::test]
async fn a_network_that_fails_is_a_fault_and_the_next_copy_heals() {
    let storage = Storage::begin();
    storage.make_bucket(BUCKET);
    let proxy = FaultProxy::before(storage.port);
    let mut fixture = Fixture::new();
    let place = Place::Storage(storage);
    take(&fixture, "20").await;
    for network in [Network::CutAfter(0), Network::CutAfter(3_000_000), Network::StallAfter(5_000_000)] {
        proxy.set(network);
        let mut behind = bucket(proxy.port, "test");
        if matches!(network, Network::StallAfter(_)) {
            behind.timeout = Duration::from_secs(1);
        }
        fixture = mirrored(fixture, MirrorPlace::S3(behind), "test");
        faulty(copy(&fixture, false).await, "", "hint-mirror-unreachable");
        let (at, points, failed) = known(&fixture).await;
        assert!(!at && points == 0 && failed.is_some(), "{network:?}");
        assert_eq!(place.of_kind("snapshots"), Vec::<String>::new(), "{network:?}");
    }
    let fixture = mirrored(fixture, MirrorPlace::S3(bucket(proxy.port, "test")), "test");
    // A connection that breaks once is not worth a word.
    proxy.set(Network::CutOnceAfter(2_000_000));
    copy(&fixture, false).await.unwrap();
    assert!(proxy.passed() > 2_000_000, "it did not break");
    assert_eq!(known(&fixture).await, (true, 1, None));
    // Nor is one that takes its time.
    take(&fixture, "21").await;
    proxy.set(Network::Slow(2_000_000));
    copy(&fixture, false).await.unwrap();
    assert_eq!(known(&fixture).await, (true, 2, None));
    proxy.set(Network::Good);
    assert_eq!(copy(&fixture, true).await.unwrap().mended, 0);
}

#[tokio::test]
async fn credentials_count_and_those_that_may_only_add_are_enough() {
    let storage = Storage::begin();
    let adder = storage.user("adder", MAY_ADD);
    let stranger = storage.user("stranger", MAY_NOTHING);
    let port = storage.port;
    let with = |fixture: Fixture, id: &str, secret: &str| {
        mirrored(fixture, MirrorPlace::S3(bucket(port, id)), secret)
    };
    let fixture = with(Fixture::new(), &adder.id, &adder.secret);
    take(&fixture, "20").await;
    faulty(copy(&fixture, false).await, "there is no bucket copies", "hint-mirror-no-place");
    storage.make_bucket(BUCKET);
    storage.judge();
    let fixture = with(fixture, &adder.id, "wrong");
    faulty(copy(&fixture, false).await, "SignatureDoesNotMatch", "hint-mirror-denied");
    let fixture = with(fixture, "AKIAUNKNOWN", "wrong");
    faulty(copy(&fixture, false).await, "InvalidAccessKeyId", "hint-mirror-denied");
    let fixture = with(fixture, &stranger.id, &stranger.secret);
    faulty(copy(&fixture, false).await, "AccessDenied", "hint-mirror-denied");

    let fixture = with(fixture, &adder.id, &adder.secret);
    assert_eq!(copy(&fixture, false).await.unwrap().points, 1);
    take(&fixture, "21").await;
    assert_eq!(copy(&fixture, true).await.unwrap().points, 2);
    assert_eq!(known(&fixture).await, (true, 2, None));

    // What is damaged there and may not be replaced is said, and stays.
    storage.trust();
    let place = Place::Storage(storage);
    let pack = place.of_kind("data").pop().unwrap();
    place.damage(&pack);
    let Place::Storage(storage) = &place else { unreachable!() };
    let resource = format!("arn:aws:s3:::{BUCKET}/of/eclusa/{pack}");
    let guarded = MAY_ADD.replace(
        "]}",
        &format!(r#",{{"Effect":"Deny","Action":["s3:PutObject"],"Resource":"{resource}"}}]}}"#),
    );
    storage.policy("adder", &guarded);
    storage.judge();
    faulty(copy(&fixture, true).await, "AccessDenied", "hint-mirror-denied");
    storage.trust();
    storage.policy("adder", MAY_ADD);
    storage.judge();
    assert_eq!(copy(&fixture, true).await.unwrap().mended, 1);
    let points = fixture.vault.at_mirror("away").unwrap().list(&fixture.tenant).await.unwrap();
    assert_eq!((points.0.len(), points.1.len()), (2, 0));
}
