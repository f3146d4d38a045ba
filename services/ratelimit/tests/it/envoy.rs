//! What Envoy is told, and through it the client.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use proto::{
    envoy::service::ratelimit::v3::{
        RateLimitRequest, RateLimitResponse,
        rate_limit_response::{Code, rate_limit::Unit},
    },
    ratelimit::v1::{CheckRequest, Principal, PrincipalKind},
};
use ratelimit::rules::DEFAULTS;
use tonic_types::{StatusExt as _, pb::Status as RpcStatus};

use crate::support::{World, descriptor, fresh, fresh_ip};

const RULES: &str = "rules:\n\
    - {name: anonymous-ip, match: {auth: anonymous}, per: [ip], limit: 2, window: 1m}\n\
    - {name: user, per: [user], limit: 100, window: 1h}\n\
    - {name: slow, match: {method: [/a/Slow, /b/*]}, per: [user], limit: 10, window: 300s}\n\
    - {name: tried, match: {class: tried}, per: [user], limit: 1, window: 1h, shadow: true}\n";

fn header<'a>(response: &'a RateLimitResponse, name: &str) -> Option<&'a str> {
    response
        .response_headers_to_add
        .iter()
        .find(|header| header.key == name)
        .map(|header| header.value.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_count_by_address_and_are_told_when_to_come_back() {
    let world = World::shared(RULES).await;
    let ip = fresh_ip();
    let stranger: &[(&str, &str)] = &[("auth", "anonymous"), ("remote_address", &ip)];
    for left in [1, 0] {
        let answer = world.ask(&[stranger]).await;
        assert_eq!(answer.overall_code(), Code::Ok);
        let status = &answer.statuses[0];
        let limit = status.current_limit.as_ref().unwrap();
        assert_eq!(
            (limit.requests_per_unit, limit.unit(), limit.name.as_str()),
            (2, Unit::Minute, "anonymous-ip")
        );
        assert_eq!(status.limit_remaining, left);
        assert_eq!(header(&answer, "ratelimit-policy"), Some("\"anonymous-ip\";q=2;w=60"));
    }
    let denied = world.ask(&[stranger]).await;
    assert_eq!((denied.overall_code(), denied.statuses[0].code()), (Code::OverLimit, Code::OverLimit));
    let wait = denied.statuses[0].duration_until_reset.unwrap().seconds;
    assert!((55..=63).contains(&wait), "{wait}");
    let message = String::from_utf8(denied.raw_body.clone()).unwrap();
    assert_eq!(message, format!("limit `anonymous-ip` of 2 per 60 s is reached; try again in {wait} s"));
    assert_eq!(header(&denied, "ratelimit"), Some(format!("\"anonymous-ip\";r=0;t={wait}").as_str()));
    // Another address of the same /64 is the same client, a user's token is not.
    let neighbour = ip.replace("::1", "::2");
    assert_eq!(
        world.ask(&[&[("auth", "anonymous"), ("remote_address", &neighbour)]]).await.overall_code(),
        Code::OverLimit
    );
    assert_eq!(world.ask(&[&[("user_id", &fresh("user"))]]).await.overall_code(), Code::Ok);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_grpc_client_gets_the_time_to_wait_as_retry_info() {
    let world = World::shared(RULES).await;
    let ip = fresh_ip();
    let stranger: &[(&str, &str)] = &[("auth", "anonymous"), ("remote_address", &ip)];
    let mut answer = world.ask(&[stranger]).await;
    for _ in 0..2 {
        answer = world.ask(&[stranger]).await;
    }
    let bytes = STANDARD_NO_PAD.decode(header(&answer, "grpc-status-details-bin").unwrap()).unwrap();
    let status: RpcStatus = prost::Message::decode(bytes.as_slice()).unwrap();
    assert_eq!(status.code, tonic::Code::ResourceExhausted as i32);
    let status =
        tonic::Status::with_details(tonic::Code::ResourceExhausted, status.message.clone(), bytes.into());
    let delay = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(delay > Duration::from_secs(50));
    assert_eq!(status.get_details_error_info().unwrap().reason, "RATE_LIMITED");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_descriptors_own_cost_counts_before_the_requests() {
    let world = World::shared(RULES).await;
    let user = fresh("user");
    let mut bulk = descriptor(&[("user_id", &user)]);
    bulk.hits_addend = Some(10);
    let ask = async |descriptors, hits_addend| {
        let request = RateLimitRequest { domain: "sipup".into(), descriptors, hits_addend };
        world.envoy.clone().should_rate_limit(request).await.unwrap().into_inner().statuses[0].limit_remaining
    };
    assert_eq!(ask(vec![bulk], 3).await, 90);
    assert_eq!(ask(vec![descriptor(&[("user_id", &user)])], 3).await, 87);
    assert_eq!(ask(vec![descriptor(&[("user_id", &user)])], 0).await, 86);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tightest_limit_stands_for_a_descriptor_and_all_are_in_the_headers() {
    let world = World::shared(RULES).await;
    let user = fresh("user");
    let answer = world.ask(&[&[("user_id", &user), ("method", "/b/Any")], &[("other", "thing")]]).await;
    assert_eq!(answer.statuses[0].current_limit.as_ref().unwrap().name, "slow");
    assert_eq!(answer.statuses[0].current_limit.as_ref().unwrap().unit(), Unit::Unknown);
    assert_eq!(answer.statuses[1].current_limit, None, "no rule is about it");
    assert_eq!(header(&answer, "ratelimit-policy"), Some("\"user\";q=100;w=3600, \"slow\";q=10;w=300"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_in_shadow_mode_denies_nothing_and_reports_what_it_would() {
    let world = World::shared(RULES).await;
    let mut limits = world.limits.clone();
    let before = tried(&mut limits).await;
    let user = fresh("user");
    for _ in 0..5 {
        let answer = world.ask(&[&[("user_id", &user), ("class", "tried")]]).await;
        assert_eq!(answer.overall_code(), Code::Ok);
        assert!(!header(&answer, "ratelimit-policy").unwrap().contains("tried"), "clients don't read of it");
    }
    let after = tried(&mut limits).await;
    assert_eq!((after.0 - before.0, after.1 - before.1), (5, 4));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_logs_in_and_refreshes_whatever_strangers_do_at_its_address() {
    let world = World::shared(DEFAULTS).await;
    let ip = fresh_ip();
    let stranger: &[(&str, &str)] = &[("auth", "anonymous"), ("remote_address", &ip)];
    let ask = async |class: &str| world.ask(&[&[stranger, &[("class", class)]].concat()]).await;
    for class in ["login", "refresh"] {
        for _ in 0..200 {
            assert_eq!(ask(class).await.overall_code(), Code::Ok);
        }
    }
    let answer = world.ask(&[stranger]).await;
    assert_eq!(answer.statuses[0].limit_remaining, 99, "none of these counted as a stranger's");
    // Until the address is blocked.
    let mut last = answer;
    for _ in 0..620 {
        last = world.ask(&[stranger]).await;
    }
    let message = String::from_utf8(last.raw_body).unwrap();
    assert!(message.starts_with("blocked after"), "{message}");
    for class in ["login", "refresh"] {
        let answer = ask(class).await;
        assert_eq!(answer.overall_code(), Code::Ok);
        assert_eq!(header(&answer, "ratelimit-policy"), Some("\"session-calls\";q=600;w=30"));
    }
    let principal = |kind: PrincipalKind, value: String| Principal { kind: kind.into(), value };
    let principals = vec![
        principal(PrincipalKind::Account, fresh("colleague@x.de")),
        principal(PrincipalKind::Ip, ip.clone()),
    ];
    let check = CheckRequest { action: "login".into(), principals, cost: 0 };
    assert!(
        world.limits.clone().check(check).await.unwrap().into_inner().allowed,
        "and auth lets them in, too"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_log_ins_from_one_address_ends_and_leaves_its_refreshes_alone() {
    let world = World::shared(&DEFAULTS.replace("rate: 20/s", "rate: 1/h")).await;
    let ip = fresh_ip();
    let ask = async |class: &str| {
        let facts = [("auth", "anonymous"), ("remote_address", &*ip), ("class", class)];
        world.ask(&[&facts]).await.overall_code()
    };
    for _ in 0..600 {
        assert_eq!(ask("login").await, Code::Ok);
    }
    assert_eq!((ask("login").await, ask("refresh").await), (Code::OverLimit, Code::Ok));
    world.stop().await;
}

/// Requests and would-be denials of the rule `tried`.
async fn tried(
    limits: &mut proto::ratelimit::v1::limit_service_client::LimitServiceClient<tonic::transport::Channel>,
) -> (u64, u64) {
    let report =
        limits.get_shadow_report(proto::ratelimit::v1::GetShadowReportRequest {}).await.unwrap().into_inner();
    report.rules.iter().find(|rule| rule.rule == "tried").map_or((0, 0), |rule| (rule.requests, rule.denied))
}
