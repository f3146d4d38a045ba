//! The global limit: what its service is told about a call, and what happens when it says no or nothing.

use http::Method;
use ingress::{Endpoints, Limiter};
use prost::Message;
use proto::catalog::v1::{GetProductRequest, GetProductResponse};
use serde_json::json;

use crate::{
    edge::{Edge, bearer},
    stub::{Calls, Stub},
};

/// `envoy.service.ratelimit.v3.RateLimitRequest`.
#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(message, repeated, tag = "2")]
    descriptors: Vec<Descriptor>,
}

/// `envoy.extensions.common.ratelimit.v3.RateLimitDescriptor`.
#[derive(Clone, PartialEq, Message)]
struct Descriptor {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<Entry>,
    #[prost(message, optional, tag = "3")]
    hits: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// An edge that asks a limiter, and what the limiter is asked.
fn start() -> (Edge, Stub, Calls) {
    let asked = Calls::default();
    let limiter = Stub::grpc("limiter", asked.clone());
    let edge = Edge::start(1, |config| {
        let endpoints = Endpoints::Static(vec![limiter.address]);
        // Generous, so that a busy machine is not mistaken for a dead limiter.
        config.limiter =
            Some(Limiter { timeout: std::time::Duration::from_secs(20), ..Limiter::new(endpoints) });
    });
    (edge, limiter, asked)
}

/// The last question as `key=value` entries of each descriptor, with its cost if it has one.
fn last(asked: &Calls) -> Vec<String> {
    let question: Question = asked.of("").last().unwrap().decode();
    assert_eq!(question.domain, "sipup");
    let text = |descriptor: &Descriptor| {
        let entries = descriptor.entries.iter().map(|entry| format!("{}={}", entry.key, entry.value));
        let cost = descriptor.hits.map(|hits| format!("cost {hits}"));
        entries.chain(cost).collect::<Vec<_>>().join(" ")
    };
    question.descriptors.iter().map(text).collect()
}

#[tokio::test]
async fn callers_are_counted_by_user_or_else_by_address() {
    let (edge, _limiter, asked) = start();
    let token = bearer(&edge.token());
    let signed = [("authorization", &*token)];

    assert_eq!(edge.get("/v1/products/7", &[]).await.status, 200);
    let read = "method=/sipup.catalog.v1.CatalogService/GetProduct";
    assert_eq!(last(&asked), [format!("auth=anonymous remote_address=127.0.0.1 {read}")]);

    assert_eq!(edge.get("/v1/products/7", &signed).await.status, 200);
    assert_eq!(last(&asked), [format!("user_id=user-1 {read}")]);

    for (path, class, method) in [("login", "login", "Login"), ("refresh", "refresh", "Refresh")] {
        let path = format!("/v1/auth/{path}");
        // A token makes nobody a user here, and neither does saying so.
        for headers in [&[][..], &signed, &[("x-user-id", "user-1")]] {
            assert_eq!(edge.rest(Method::POST, &path, headers, "{}").await.status, 200);
            let stranger = "auth=anonymous remote_address=127.0.0.1";
            assert_eq!(
                last(&asked),
                [format!("{stranger} class={class} method=/sipup.auth.v1.AuthService/{method}")]
            );
        }
    }
    assert_eq!(edge.rest(Method::POST, "/v1/auth/register", &[], "{}").await.status, 200);
    let register = "method=/sipup.auth.v1.AuthService/Register";
    assert_eq!(last(&asked), [format!("auth=anonymous remote_address=127.0.0.1 {register}")]);

    assert_eq!(edge.rest(Method::POST, "/v1/products:batchCreate", &signed, "{}").await.status, 200);
    let bulk = "method=/sipup.catalog.v1.CatalogService/BatchCreateProducts";
    assert_eq!(last(&asked), [format!("user_id=user-1 {bulk} cost 10")]);

    assert_eq!(edge.get("/.well-known/jwks.json", &[]).await.status, 200);
    assert_eq!(last(&asked), ["auth=anonymous remote_address=127.0.0.1"]);
}

#[tokio::test]
async fn nobody_is_counted_anew_by_what_follows_the_path() {
    let (edge, _limiter, asked) = start();
    let path = "/sipup.catalog.v1.CatalogService/GetProduct?another=1";
    let called = edge.grpc::<_, GetProductResponse>(path, GetProductRequest::default(), &[]).await;
    assert!(called.is_ok(), "{called:?}");
    let method = "method=/sipup.catalog.v1.CatalogService/GetProduct";
    assert_eq!(last(&asked), [format!("auth=anonymous remote_address=127.0.0.1 {method}")]);
}

#[tokio::test]
async fn a_refusal_is_told_and_a_missing_limiter_refuses_nobody() {
    let (edge, limiter, _asked) = start();
    let denied = bearer(&edge.key.token(&json!({"sub": "denied"})));
    let headers = [("authorization", &*denied)];
    assert_eq!(edge.get("/v1/products/7", &headers).await.error(), (429, 8));
    drop(limiter);
    assert_eq!(edge.get("/v1/products/7", &headers).await.status, 200);
}
