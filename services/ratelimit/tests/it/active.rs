//! The count of users.

use std::time::Duration;

use platform::{
    Clock,
    redis::{Redis, Script},
};
use proto::ratelimit::v1::ActiveUsersRequest;
use ratelimit::{
    active::{ActiveUsers, RELATIVE_ERROR},
    error::Error,
};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Valkey, World, connect, fresh, until};

/// A window is ten of these.
const WINDOW: Duration = Duration::from_secs(5);

async fn users() -> (ActiveUsers, Redis, String) {
    let (redis, ..) = connect(local::testing::services().await.redis_nodes()).await;
    let names = fresh("users");
    let active = ActiveUsers::new(redis.clone(), &names, WINDOW, Clock::system());
    until("redis answers", async || active.send().await.is_ok()).await;
    (active, redis, names)
}

/// Pulses until there is a count.
async fn until_known(active: &ActiveUsers) {
    until("a whole window was seen", async || {
        active.send().await.unwrap();
        active.count().await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_users_are_counted_within_the_error_and_forgotten_after_the_window() {
    let (active, ..) = users().await;
    assert!(matches!(active.count().await, Err(Error::CountUnknown)), "not a small number");
    until_known(&active).await;
    for round in 0..2 {
        for number in 0..20_000 {
            active.saw(&format!("user-{number}"));
        }
        active.send().await.unwrap();
        let users = active.count().await.unwrap().users;
        let bound = 3.0 * RELATIVE_ERROR * 20_000.0;
        assert!(
            u32::try_from(users).is_ok_and(|users| (f64::from(users) - 20_000.0).abs() < bound),
            "{round}: {users}"
        );
    }
    until("they have gone", async || {
        active.send().await.unwrap();
        active.count().await.unwrap().users == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_loss_of_data_the_count_is_unknown_until_a_window_has_passed() {
    let (active, redis, names) = users().await;
    active.saw("anna");
    until_known(&active).await;
    let lose = Script::new("test.lose", "return redis.call('DEL', KEYS[1])");
    let _: i64 = redis
        .run(&lose, vec![format!("active:{{{names}}}:{}:since", WINDOW.as_millis() / 10)], Vec::new())
        .await
        .unwrap();
    assert!(matches!(active.count().await, Err(Error::CountUnknown)));
    active.saw("anna");
    active.send().await.unwrap();
    assert!(matches!(active.count().await, Err(Error::CountUnknown)));
    until_known(&active).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_in_which_nobody_looked_makes_the_count_unknown() {
    let (active, ..) = users().await;
    until_known(&active).await;
    // No pod pulses, so a bucket stays missing.
    until("somebody notices", async || matches!(active.count().await, Err(Error::CountUnknown))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admitted_request_makes_its_user_active_and_a_denied_one_does_not() {
    let valkey = Valkey::started().await;
    let rules = "rules:\n- {name: user, per: [class], limit: 2, window: 1h}\n";
    let world = World::on(&valkey, rules).await;
    world.until_redis_answers().await;
    for user in ["anna", "bert", "anna", "carl"] {
        world.ask(&[&[("user_id", user), ("class", "any")]]).await;
    }
    let buckets = async || {
        let keys = valkey.call("KEYS active:{users}:30000:[0-9]*").await;
        let keys: Vec<&str> = keys.lines().filter(|line| line.starts_with("active:")).collect();
        if keys.is_empty() {
            String::new()
        } else {
            valkey.call(&format!("PFCOUNT {}", keys.join(" "))).await
        }
    };
    until("both are counted", async || buckets().await.starts_with(":2")).await;
    let status = world.limits.clone().active_users(ActiveUsersRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.get_details_error_info().unwrap().reason, "COUNT_UNKNOWN");
    world.stop().await;
}
