//! From nothing to a cluster, and to a larger one.

use crate::release::{Names, Release};

#[tokio::test]
async fn nodes_become_a_cluster_even_with_two_keepers_of_the_first() {
    let mut release = Release::new("creation", &Names::default(), 6).await;
    release.keep(0);
    (0..6).for_each(|nth| release.keep(nth));
    release.becomes_whole().await;
    // One creation: the shares are those of the first three.
    for (nth, share) in ["0-5460", "5461-10921", "10922-16383"].iter().enumerate() {
        let nodes = release.say(nth, "CLUSTER NODES");
        let myself = nodes.lines().find(|line| line.contains("myself")).unwrap();
        assert!(myself.contains("master") && myself.ends_with(share), "{myself}");
    }
}

#[tokio::test]
async fn no_cluster_is_made_while_a_node_is_missing() {
    let names = Names::default();
    let mut release = Release::new("incomplete", &names, 6).await;
    let address = release.ip(5);
    release.kill(5);
    for _ in 0..5 {
        for nth in 0..5 {
            release.keeper(nth).round().await;
        }
    }
    for nth in 0..5 {
        assert!(release.say(nth, "CLUSTER INFO").contains("cluster_known_nodes:1\r"), "node {nth}");
    }
    release.start(5, address);
    (0..6).for_each(|nth| release.keep(nth));
    release.becomes_whole().await;
}

#[tokio::test]
async fn more_nodes_become_replicas() {
    let mut release = Release::whole("growth", &Names::default(), 6).await;
    release.fill();
    release.grow(8).await;
    release.becomes_whole().await;
    assert_eq!(release.kept(), 100);
}
