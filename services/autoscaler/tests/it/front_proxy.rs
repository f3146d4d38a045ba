//! Who is believed, and who may see what.

use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{
    adapter::{Adapter, Answer, CONFIG, HPA, VALUE, config},
    pki::Authority,
    until,
};

const USER: (&str, &str) = ("X-Remote-User", HPA);
const MASTER: [(&str, &str); 2] = [("X-Remote-User", "x"), ("X-Remote-Group", "system:masters")];

fn refused(answer: &Answer, status: StatusCode, reason: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    let body = answer.json();
    assert_eq!(body["kind"], "Status");
    assert_eq!(body["status"], "Failure");
    assert_eq!((&body["reason"], &body["code"]), (&reason.into(), &status.as_u16().into()));
    assert_eq!(answer.header("retry-after"), None);
}

#[tokio::test]
async fn whoever_is_no_api_server_is_nobody_whatever_its_headers_say() {
    let adapter = Adapter::start().await;
    let other = Authority::new("front proxy");
    let strangers = [
        None,
        Some(other.client("front-proxy-client")),
        Some(adapter.authority.client("somebody")),
        Some(adapter.authority.server("front-proxy-client")),
        Some(adapter.authority.ended("front-proxy-client")),
    ];
    let before = adapter.api.reviews().len();
    for stranger in &strangers {
        for path in [VALUE, "/apis", "/apis/custom.metrics.k8s.io/v1beta2", "/", "/metrics"] {
            let answer = adapter.get(path, stranger.as_ref(), &MASTER).await;
            refused(&answer, StatusCode::UNAUTHORIZED, "Unauthorized");
        }
    }
    assert_eq!(adapter.api.reviews().len(), before);
}

#[tokio::test]
async fn an_api_server_that_names_nobody_is_nobody() {
    let adapter = Adapter::start().await;
    for headers in [&[][..], &[("X-Remote-User", "")], &[("X-Remote-Group", "system:masters")]] {
        let answer = adapter.get(VALUE, Some(&adapter.proxy), headers).await;
        refused(&answer, StatusCode::UNAUTHORIZED, "Unauthorized");
    }
}

#[tokio::test]
async fn any_name_will_do_where_none_is_listed() {
    let adapter = Adapter::start().await;
    let somebody = adapter.authority.client("somebody");
    adapter.api.edit(CONFIG, |map| map["data"]["requestheader-allowed-names"] = json!("[]"));
    until("the name is allowed", async || {
        let answer = adapter.get(VALUE, Some(&somebody), &[USER]).await;
        (answer.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_api_server_is_asked_about_exactly_what_is_wanted() {
    let adapter = Adapter::start().await;
    let headers = [
        ("X-Remote-User", "jane"),
        ("X-Remote-Uid", "42"),
        ("X-Remote-Group", "ops"),
        ("x-remote-group", "system:authenticated"),
        ("X-Remote-Extra-Example.com%2fScopes", "a"),
        ("X-Remote-Extra-Example.com%2fScopes", "b"),
    ];
    let answer = adapter.get(VALUE, Some(&adapter.proxy), &headers).await;
    assert_eq!(answer.status, StatusCode::OK);
    let expected: Value = json!({
        "user": "jane",
        "uid": "42",
        "groups": ["ops", "system:authenticated"],
        "extra": {"example.com/scopes": ["a", "b"]},
        "resourceAttributes": {
            "verb": "get",
            "group": "custom.metrics.k8s.io",
            "version": "v1beta2",
            "namespace": "shop",
            "resource": "services",
            "subresource": "active_users",
            "name": "shop-sipup-envoy",
        },
    });
    assert_eq!(adapter.api.reviews().pop().unwrap(), expected);
    adapter.get("/apis/custom.metrics.k8s.io", Some(&adapter.proxy), &[("X-Remote-User", "jane")]).await;
    let review = adapter.api.reviews().pop().unwrap();
    assert_eq!(
        review["nonResourceAttributes"],
        json!({"verb": "get", "path": "/apis/custom.metrics.k8s.io"})
    );
}

#[tokio::test]
async fn a_no_is_403_and_no_answer_503_and_either_counts_for_its_time_only() {
    let adapter = Adapter::start().await;
    let ask = async |user: &str| adapter.get(VALUE, Some(&adapter.proxy), &[("X-Remote-User", user)]).await;
    adapter.api.answer_reviews(None);
    refused(&ask("jane").await, StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");

    // No answer is not kept.
    adapter.api.answer_reviews(Some(false));
    let answer = ask("jane").await;
    refused(&answer, StatusCode::FORBIDDEN, "Forbidden");
    assert!(
        answer.json()["message"].as_str().unwrap().contains("User \"jane\" cannot get"),
        "{}",
        answer.body
    );

    adapter.api.answer_reviews(Some(true));
    let asked = adapter.api.reviews().len();
    refused(&ask("jane").await, StatusCode::FORBIDDEN, "Forbidden");
    assert_eq!(ask("joe").await.status, StatusCode::OK);
    assert_eq!(ask("joe").await.status, StatusCode::OK);
    assert_eq!(adapter.api.reviews().len(), asked + 1);

    adapter.clock.advance(SignedDuration::from_secs(10));
    assert_eq!(ask("jane").await.status, StatusCode::OK);
    adapter.api.answer_reviews(None);
    adapter.clock.advance(SignedDuration::from_secs(10));
    refused(&ask("joe").await, StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");
}

#[tokio::test]
async fn masters_and_the_aggregator_are_let_through_while_reviews_are_down() {
    let adapter = Adapter::start().await;
    adapter.api.answer_reviews(None);
    let asked = adapter.api.reviews().len();
    assert_eq!(adapter.get(VALUE, Some(&adapter.proxy), &MASTER).await.status, StatusCode::OK);
    let aggregator = [("X-Remote-User", "system:kube-aggregator")];
    for path in ["/apis", "/apis/custom.metrics.k8s.io", "/apis/custom.metrics.k8s.io/v1beta1"] {
        assert_eq!(adapter.get(path, Some(&adapter.proxy), &aggregator).await.status, StatusCode::OK);
    }
    assert_eq!(adapter.api.reviews().len(), asked);
    let answer = adapter.get(VALUE, Some(&adapter.proxy), &aggregator).await;
    refused(&answer, StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable");
}

#[tokio::test]
async fn a_new_front_proxy_authority_counts_as_soon_as_it_is_published() {
    let adapter = Adapter::start().await;
    let next = Authority::new("front proxy 2");
    let proxy = next.client("front-proxy-client");
    refused(&adapter.get(VALUE, Some(&proxy), &[USER]).await, StatusCode::UNAUTHORIZED, "Unauthorized");

    // Both, as while authorities rotate.
    adapter.api.edit(CONFIG, |map| {
        let both = format!("{}{}", adapter.authority.pem, next.pem);
        map["data"]["requestheader-client-ca-file"] = both.into();
    });
    until("the new one is believed", async || {
        (adapter.get(VALUE, Some(&proxy), &[USER]).await.status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(adapter.as_hpa(VALUE).await.0, StatusCode::OK);

    adapter.api.put(CONFIG, config(&next));
    until("the old one is nobody", async || {
        (adapter.as_hpa(VALUE).await.0 == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;

    // What can't be read changes nothing; what can be read after it does.
    adapter.api.edit(CONFIG, |map| map["data"]["requestheader-allowed-names"] = json!("front-proxy-client"));
    assert_eq!(adapter.get(VALUE, Some(&proxy), &[USER]).await.status, StatusCode::OK);
    adapter.api.edit(CONFIG, |map| map["data"]["requestheader-allowed-names"] = json!(r#"["other"]"#));
    until("the name is not allowed any more", async || {
        (adapter.get(VALUE, Some(&proxy), &[USER]).await.status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
}
