//! Nodes that die, and volumes that are gone.

use crate::release::{Names, Release, new_ip};

#[tokio::test]
async fn a_primary_that_is_killed_comes_back_elsewhere_as_a_replica() {
    let mut release = Release::whole("killed", &Names::default(), 6).await;
    release.fill();
    let primary = release.primary();
    release.abandon().await;
    release.kill(primary);
    release.start(primary, new_ip());
    (0..6).for_each(|nth| release.keep(nth));
    release.becomes_whole().await;
    assert_eq!(release.kept(), 100);
}

#[tokio::test]
async fn a_primary_that_lost_its_volume_loses_no_data() {
    let mut release = Release::whole("volume", &Names::default(), 6).await;
    release.fill();
    let primary = release.primary();
    let address = release.ip(primary);
    release.kill(primary);
    release.lose_volume(primary);
    // At once and at the same address, so that the others may not even notice.
    release.start(primary, address);
    release.becomes_whole().await;
    assert_eq!(release.kept(), 100);
}

#[tokio::test]
async fn a_replica_that_lost_its_volume_is_filled_again() {
    let mut release = Release::whole("replica", &Names::default(), 6).await;
    release.fill();
    let primary = release.primary();
    let replica =
        (0..6).find(|nth| *nth != primary && release.say(*nth, "INFO replication").contains("role:slave"));
    let replica = replica.unwrap();
    release.abandon().await;
    release.kill(replica);
    release.lose_volume(replica);
    release.start(replica, new_ip());
    (0..6).for_each(|nth| release.keep(nth));
    release.becomes_whole().await;
    assert_eq!(release.kept(), 100);
}

#[tokio::test]
async fn slots_that_are_lost_for_good_are_served_again() {
    let mut release = Release::whole("shard", &Names::default(), 6).await;
    release.fill();
    let primary = release.primary();
    release.abandon().await;
    // Created so: the replica of node n is node n + 3.
    for nth in [primary, primary + 3] {
        release.kill(nth);
        release.lose_volume(nth);
    }
    for nth in [primary, primary + 3] {
        release.start(nth, new_ip());
    }
    (0..6).for_each(|nth| release.keep(nth));
    release.becomes_whole().await;
    assert!((1..100).contains(&release.kept()));
}
