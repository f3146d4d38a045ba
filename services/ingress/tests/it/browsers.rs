//! Browsers: gRPC-Web and cross-origin calls.

use bytes::Bytes;
use http::Method;
use prost::Message;
use proto::catalog::v1::GetProductRequest;

use crate::edge::{Edge, ORIGIN, Reply, http, shared};

/// A gRPC-Web call in binary form.
async fn web(edge: &Edge, path: &str, headers: &[(&str, &str)]) -> Reply {
    let message = GetProductRequest { id: "42".into() }.encode_to_vec();
    let mut frame = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
    frame.extend(message);
    let mut all =
        vec![("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1"), ("origin", ORIGIN)];
    all.extend(headers);
    http(edge.envoy.listen, None, Method::POST, path, &all, frame.into()).await
}

async fn preflight(origin: &str, path: &str) -> Reply {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,idempotency-key,sipup-lsn"),
    ];
    shared().rest(Method::OPTIONS, path, &headers, "").await
}

#[tokio::test]
async fn grpc_web_works_over_http_1() {
    let reply = web(shared(), "/sipup.catalog.v1.CatalogService/GetProduct", &[]).await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, ORIGIN));
    let ends_well = |body: &Bytes| body.windows(13).any(|bytes| bytes == b"grpc-status:0");
    assert!(ends_well(&reply.body), "{reply:?}");
    let exposed: Vec<&str> = reply.header("access-control-expose-headers").split(", ").collect();
    for name in [
        "sipup-lsn",
        "idempotent-replayed",
        "etag",
        "retry-after",
        "ratelimit",
        "ratelimit-policy",
        "grpc-status",
    ] {
        assert!(exposed.contains(&name), "{name}");
    }
}

#[tokio::test]
async fn grpc_web_is_refused_without_a_token_in_its_own_words() {
    let reply = web(shared(), "/sipup.orders.v1.OrderService/GetOrder", &[]).await;
    assert_eq!((reply.status, reply.header("grpc-status")), (401, "16"));
}

#[tokio::test]
async fn preflights_of_both_kinds_are_answered_without_a_token() {
    for path in ["/v1/orders", "/sipup.orders.v1.OrderService/CreateOrder"] {
        let reply = preflight(ORIGIN, path).await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, ORIGIN), "{path}");
        for name in ["authorization", "idempotency-key", "sipup-lsn"] {
            assert!(reply.header("access-control-allow-headers").contains(name), "{name}");
        }
        assert!(!reply.headers.contains_key("access-control-allow-credentials"), "{path}");
    }
}

#[tokio::test]
async fn a_foreign_origin_is_allowed_nothing() {
    for origin in ["https://evil.example", "https://shop.example.evil.example", "null"] {
        let reply = preflight(origin, "/v1/orders").await;
        assert!(!reply.headers.contains_key("access-control-allow-origin"), "{origin}: {reply:?}");
    }
}
