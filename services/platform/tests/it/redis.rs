//! Redis, there and away.

use std::time::Duration;

use platform::Position;
use uuid::Uuid;

use crate::db_support::{Line, Proxy, redis_of, until};

const PATIENT: Duration = Duration::from_secs(2);

fn at(lsn: u64) -> Position {
    Position { timeline: 1, lsn }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_position_of_a_user_stays_until_it_expires() {
    let (redis, stop) = redis_of(local::testing::services().await.redis_nodes(), PATIENT).await;
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    until("redis answers", async || redis.position(one).await.is_ok()).await;
    assert_eq!(redis.position(one).await.unwrap(), None);
    for lsn in [5, 0x1_0000_0000_0000, 7] {
        redis.record_position(one, at(lsn), Duration::from_mins(1)).await.unwrap();
    }
    assert_eq!(redis.position(one).await.unwrap(), Some(at(0x1_0000_0000_0000)));
    assert_eq!(redis.position(two).await.unwrap(), None, "users are apart");
    redis.record_position(two, at(9), Duration::from_millis(1)).await.unwrap();
    until("it expires", async || redis.position(two).await.unwrap().is_none()).await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_away_is_soon_not_asked_and_later_found() {
    let nodes = local::testing::services().await.redis_nodes();
    let port = nodes[0].rsplit_once(':').unwrap().1.parse().unwrap();
    // The others are found through it.
    let proxy = Proxy::to(port, Line::Cut).await;
    let (redis, stop) = redis_of(vec![proxy.address.to_string()], Duration::from_millis(50)).await;
    let user = Uuid::now_v7();
    until("nobody asks any more", async || {
        assert!(redis.position(user).await.is_err());
        !redis.is_available()
    })
    .await;
    proxy.set(Line::Open);
    until("it is asked again", async || redis.position(user).await.is_ok()).await;
    assert!(redis.is_available());
    stop.cancel();
}
