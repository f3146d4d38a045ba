//! Asks of many callers at once, which go to Redis together.

use std::collections::BTreeMap;

use futures::future::join_all;
use proto::envoy::service::ratelimit::v3::rate_limit_response::Code;

use crate::support::{World, fresh};

#[tokio::test(flavor = "multi_thread")]
async fn of_many_acts_at_once_exactly_as_many_are_admitted_as_there_is_room_for() {
    let world = World::shared("rules:\n- {name: all, per: [user], limit: 50, window: 1h}\n").await;
    let user = fresh("user");
    let answers = join_all((0..200).map(async |_| world.ask(&[&[("user", &user)]]).await)).await;
    let admitted = answers.iter().filter(|answer| answer.overall_code() == Code::Ok);
    let mut left: Vec<u32> = admitted.map(|answer| answer.statuses[0].limit_remaining).collect();
    left.sort_unstable();
    assert_eq!(left, (0..50).collect::<Vec<_>>(), "each is told of those before it");
    assert_eq!(world.left(&user).await, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_whose_acts_go_together_do_not_count_for_one_another() {
    let rules = "rules:\n- {name: two, per: [user], limit: 2, window: 1h}\n- {name: plenty, per: [user], limit: 90, window: 1h}\n";
    let world = World::shared(rules).await;
    let users: Vec<String> = (0..60).map(|number| fresh(&format!("user-{number}"))).collect();
    let acts = users.iter().chain(&users).chain(&users).chain(&users);
    let answers = join_all(acts.map(async |user| (user, world.ask(&[&[("user", user)]]).await))).await;
    let mut admitted = BTreeMap::<&String, usize>::new();
    for (user, answer) in &answers {
        *admitted.entry(user).or_default() += usize::from(answer.overall_code() == Code::Ok);
    }
    assert_eq!(admitted.len(), users.len());
    assert!(admitted.values().all(|count| *count == 2), "{admitted:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_together_is_taken_back_where_another_principal_is_denied() {
    let rules = "rules:\n- {name: user, per: [user], limit: 90, window: 1h}\n- {name: firm, per: [company], limit: 2, window: 1h}\n";
    let world = World::shared(rules).await;
    let (user, company) = (fresh("user"), fresh("company"));
    let facts = [("user", user.as_str()), ("company", company.as_str())];
    let answers = join_all((0..20).map(async |_| world.ask(&[&facts]).await)).await;
    let admitted = answers.iter().filter(|answer| answer.overall_code() == Code::Ok).count();
    assert!((1..=2).contains(&admitted), "{admitted}");
    let expected = 90 - u32::try_from(admitted).unwrap() - 1;
    crate::support::until("refunds", async || world.left(&user).await >= expected).await;
    assert_eq!(world.left(&user).await, expected);
    world.stop().await;
}
