//! Redis absent, killed and hung: limits go on in the pods, and come back by themselves.

use std::time::Duration;

use proto::{
    envoy::service::ratelimit::v3::rate_limit_response::Code,
    ratelimit::v1::{
        CheckRequest, ExplainRequest, GetShadowReportRequest, ListPenaltiesRequest, Principal, PrincipalKind,
    },
};
use ratelimit::rules::DEFAULTS;

use crate::support::{Valkey, World, fresh, until};

/// A second limit, too wide to be counted in the pod while Redis answers: it tells who counts.
const RULES: &str = "rules:\n- {name: user, per: [user], limit: 10, window: 1h}\n- {name: wide, per: [user], limit: 1000, window: 1h}\n";

async fn ask(world: &World, user: &str) -> Code {
    world.ask(&[&[("user_id", user)]]).await.overall_code()
}

/// How many of `calls` are admitted.
async fn admitted(world: &World, user: &str, calls: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..calls {
        admitted += usize::from(ask(world, user).await == Code::Ok);
    }
    admitted
}

/// What is left for `user` after one more call, by each rule.
async fn left(world: &World, user: &str) -> Vec<u32> {
    let facts = [("user".to_owned(), user.to_owned())].into();
    let explained =
        world.limits.clone().explain(ExplainRequest { facts, cost: 0 }).await.unwrap().into_inner();
    explained.limits.iter().map(|limit| limit.remaining).collect()
}

/// Waits until calls are counted in `valkey`.
async fn until_redis_counts(world: &World, valkey: &Valkey) {
    until("redis counts", async || {
        let user = fresh("user");
        ask(world, &user).await;
        valkey.call("KEYS limit:*").await.contains(&format!("limit:{{user={user}}}:user:w3600000"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_at_the_start_limits_hold_in_the_pod_until_it_is_there() {
    let mut valkey = Valkey::absent().await;
    let world = World::on(&valkey, RULES).await;
    assert_eq!(admitted(&world, "anna", 15).await, 10);
    valkey.start().await;
    until_redis_counts(&world, &valkey).await;
    assert_eq!(ask(&world, "anna").await, Code::OverLimit, "what the pod let through counts on");
    assert_eq!(admitted(&world, "bert", 15).await, 10);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_hangs_the_pod_goes_on_from_what_it_has_let_through_and_afterwards_both_hold() {
    let valkey = Valkey::started().await;
    let world = World::on(&valkey, RULES).await;
    world.until_redis_answers().await;
    for user in ["anna", "bert"] {
        until("redis counts", async || left(&world, user).await == [9, 999]).await;
        assert_eq!(admitted(&world, user, 4).await, 4);
        assert_eq!(left(&world, user).await, [5, 995]);
    }
    valkey.hang();
    // By looking only: an act that waits in a connection would be counted later.
    for _ in 0..3 {
        until("the pod decides", async || left(&world, "anna").await == [5, 999]).await;
    }
    assert_eq!(admitted(&world, "anna", 15).await, 6);
    valkey.go_on();
    until("redis counts again", async || left(&world, "bert").await == [5, 995]).await;
    assert_eq!(ask(&world, "anna").await, Code::OverLimit);
    assert_eq!(admitted(&world, "bert", 15).await, 6);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_redis_is_killed_each_pod_grants_its_share() {
    let mut valkey = Valkey::started().await;
    let (one, other) = (World::on(&valkey, RULES).await, World::on(&valkey, RULES).await);
    one.until_redis_answers().await;
    other.until_redis_answers().await;
    until("both pods live", async || valkey.call("ZCARD limit:{limiter}:pods").await.starts_with(":2")).await;
    for world in [&one, &other] {
        // Beats at once, and learns of the other.
        world.limits.clone().get_shadow_report(GetShadowReportRequest {}).await.unwrap();
    }
    valkey.kill();
    assert_eq!(admitted(&one, "anna", 10).await, 5);
    assert_eq!(admitted(&other, "anna", 10).await, 5);
    valkey.start().await;
    for world in [&one, &other] {
        until_redis_counts(world, &valkey).await;
        assert_eq!(ask(world, "anna").await, Code::OverLimit, "each pod's share is used up");
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_answer_of_a_server_that_is_dead() {
    let mut valkey = Valkey::started().await;
    let world = World::waiting_on(&valkey, RULES).await;
    until_redis_counts(&world, &valkey).await;
    valkey.kill();
    // One that was sent in the last moment waits; it is given up here.
    until("the pod decides", async || {
        tokio::time::timeout(Duration::from_secs(1), left(&world, "anna")).await.is_ok()
    })
    .await;
    assert_eq!(admitted(&world, "anna", 15).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_blocked_stays_blocked_while_redis_is_away() {
    let mut valkey = Valkey::started().await;
    let rules = "rules:\n- {name: user, per: [user], limit: 1, window: 1s, penalty: {after: 3, first: 1h, longest: 1h}}\n";
    let world = World::on(&valkey, rules).await;
    world.until_redis_answers().await;
    until("the bot is blocked", async || {
        ask(&world, "bot").await;
        let listed = world.limits.clone().list_penalties(ListPenaltiesRequest {}).await;
        listed.is_ok_and(|listed| !listed.into_inner().penalties.is_empty())
    })
    .await;
    valkey.kill();
    until("the pod decides", async || ask(&world, "bert").await == Code::Ok).await;
    let explained = async || {
        let facts = [("user".to_owned(), "bot".to_owned())].into();
        world.limits.clone().explain(ExplainRequest { facts, cost: 0 }).await.unwrap().into_inner()
    };
    // Longer than the window: without its penalty the bot would have room again.
    for _ in 0..3 {
        until("a window has passed", async || ask(&world, "bert").await == Code::Ok).await;
        assert_eq!(ask(&world, "bot").await, Code::OverLimit);
    }
    let limit = explained().await.limits.remove(0);
    assert!(limit.penalized && limit.retry_after.unwrap().seconds > 3_000, "{limit:?}");
    // A new server knows of no penalty, so none holds.
    valkey.start().await;
    until("redis decides", async || explained().await.allowed).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_logging_in_stays_at_the_strict_limit() {
    let valkey = Valkey::absent().await;
    let world = World::on(&valkey, DEFAULTS).await;
    let principal = |kind: PrincipalKind, value: &str| Principal { kind: kind.into(), value: value.into() };
    let request = CheckRequest {
        action: "login".into(),
        principals: vec![
            principal(PrincipalKind::Account, "anna@x.de"),
            principal(PrincipalKind::Ip, "192.0.2.1"),
        ],
        cost: 1,
    };
    let mut allowed = Vec::new();
    for _ in 0..20 {
        allowed.push(world.limits.clone().check(request.clone()).await.unwrap().into_inner().allowed);
    }
    assert_eq!(allowed.iter().filter(|allowed| **allowed).count(), 10);
    assert!(allowed.is_sorted_by(|earlier, later| earlier >= later), "no gap that lets more through");
    world.stop().await;
}
