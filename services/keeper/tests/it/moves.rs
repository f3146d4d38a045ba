//! Pods that come back elsewhere, and strangers where pods have been.

use crate::release::{Names, Release, new_ip};

#[tokio::test]
async fn a_cluster_survives_that_all_pods_change_their_addresses_some_of_them_with_one_another() {
    let mut release = Release::whole("moves", &Names::default(), 6).await;
    release.fill();
    release.abandon().await;
    let addresses: Vec<_> = (0..6).map(|nth| release.ip(nth)).collect();
    (0..6).for_each(|nth| release.kill(nth));
    for nth in 0..6 {
        // Half of them get the address of another, the others one that is new.
        release.start(nth, if nth < 3 { addresses[(nth + 1) % 6] } else { new_ip() });
    }
    (0..6).for_each(|nth| release.keep(nth));
    release.becomes_whole().await;
    assert_eq!(release.kept(), 100);
}

#[tokio::test]
async fn a_stranger_at_the_address_of_a_pod_is_not_taken_in() {
    let names = Names::default();
    let mut ours = Release::whole("ours", &names, 6).await;
    // Worse than in life: the other release has the same password.
    let theirs = Release::whole("theirs", &names, 6).await;
    ours.abandon().await;
    let address = ours.ip(4);
    let ours_are: Vec<String> = (0..6).map(|nth| format!(" {}:", ours.ip(nth))).collect();
    ours.kill(4);
    names.set(ours.host(4), theirs.ip(0));
    for _ in 0..5 {
        for nth in [0, 1, 2, 3, 5] {
            ours.keeper(nth).round().await;
        }
    }
    for nth in 0..6 {
        let nodes = theirs.say(nth, "CLUSTER NODES");
        assert!(!ours_are.iter().any(|address| nodes.contains(address)), "{nodes}");
    }
    ours.start(4, address);
    (0..6).for_each(|nth| ours.keep(nth));
    ours.becomes_whole().await;
    theirs.becomes_whole().await;
}
