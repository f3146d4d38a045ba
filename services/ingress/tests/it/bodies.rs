//! Sizes and times: what is too large or too slow is refused in the caller's own words.

use std::time::Duration;

use http::Method;
use proto::{
    catalog::v1::{
        BatchCreateProductsRequest, BatchCreateProductsResponse, GetProductRequest, GetProductResponse,
        Product,
    },
    orders::v1::{CreateOrderRequest, CreateOrderResponse},
};
use tonic::Code;

use crate::{
    edge::{Edge, bearer, http, shared},
    stub::{HANG, KEY},
};

const MIB: usize = 1 << 20;

async fn order(bytes: usize) -> Code {
    let edge = shared();
    let token = bearer(&edge.token());
    let message = CreateOrderRequest { note: "x".repeat(bytes), ..Default::default() };
    let path = "/sipup.orders.v1.OrderService/CreateOrder";
    let called = edge.grpc::<_, CreateOrderResponse>(path, message, &[("authorization", &token)]).await;
    called.map_or_else(|status| status.code(), |_| Code::Ok)
}

async fn batch(bytes: usize) -> Code {
    let edge = shared();
    let token = bearer(&edge.token());
    let product = Product { description: "x".repeat(bytes), ..Default::default() };
    let message = BatchCreateProductsRequest { products: vec![product], ..Default::default() };
    let path = "/sipup.catalog.v1.CatalogService/BatchCreateProducts";
    let called =
        edge.grpc::<_, BatchCreateProductsResponse>(path, message, &[("authorization", &token)]).await;
    called.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn a_call_may_be_four_mebibytes_long() {
    assert_eq!(order(4 * MIB - 100).await, Code::Ok);
    assert_eq!(order(4 * MIB + 100).await, Code::ResourceExhausted);
}

#[tokio::test]
async fn a_bulk_call_may_be_sixteen_mebibytes_long() {
    assert_eq!(batch(16 * MIB - 100).await, Code::Ok);
    assert_eq!(batch(16 * MIB + 100).await, Code::ResourceExhausted);
}

#[tokio::test]
async fn the_same_limits_hold_for_rest() {
    let edge = shared();
    let token = bearer(&edge.token());
    let send = async |path, body: String| {
        edge.rest(Method::POST, path, &[("authorization", &*token), (KEY, "rest-sizes")], &body).await
    };
    let order = |bytes| format!(r#"{{"note": "{}"}}"#, "x".repeat(bytes));
    assert_eq!(send("/v1/orders", order(4 * MIB - 100)).await.status, 200);
    assert_eq!(send("/v1/orders", order(5 * MIB)).await.error(), (413, 8));

    let batch = |bytes| format!(r#"{{"products": [{{"description": "{}"}}]}}"#, "x".repeat(bytes));
    assert_eq!(send("/v1/products:batchCreate", batch(10 * MIB)).await.status, 200);
    assert_eq!(send("/v1/products:batchCreate", batch(17 * MIB)).await.error(), (413, 8));
    assert_eq!(edge.calls.of("rest-sizes").len(), 2);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_ended_whatever_its_deadline() {
    let edge = Edge::start(1, |config| config.limits.timeout = Duration::from_secs(1));
    let token = bearer(&edge.token());
    for (key, deadline) in [("no-deadline", None), ("long-deadline", Some("100S"))] {
        let mut metadata = vec![(HANG, "1"), (KEY, key)];
        metadata.extend(deadline.map(|deadline| ("grpc-timeout", deadline)));
        let path = "/sipup.catalog.v1.CatalogService/GetProduct";
        let called = edge.grpc::<_, GetProductResponse>(path, GetProductRequest::default(), &metadata).await;
        assert_eq!(called.unwrap_err().code(), Code::DeadlineExceeded, "{key}");
        assert_eq!(edge.calls.of(key).len(), 1, "{key}");
    }
    let headers = [("authorization", &*token), (HANG, "1")];
    assert_eq!(edge.rest(Method::POST, "/v1/orders", &headers, "{}").await.error(), (504, 4));
}

#[tokio::test]
async fn a_call_of_many_things_has_a_time_of_its_own() {
    let edge = Edge::start(1, |config| {
        config.limits.timeout = Duration::from_hours(1);
        config.limits.long_timeout = Duration::from_secs(1);
    });
    let token = bearer(&edge.token());
    let path = "/sipup.catalog.v1.CatalogService/BatchCreateProducts";
    let metadata = [("authorization", &*token), (HANG, "1")];
    let called =
        edge.grpc::<_, BatchCreateProductsResponse>(path, BatchCreateProductsRequest::default(), &metadata);
    let answer = tokio::time::timeout(Duration::from_mins(1), called).await.expect("it was not ended");
    assert_eq!(answer.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_shorter_deadline_of_the_client_is_kept_and_passed_on() {
    let edge = shared();
    // By gRPC-Web, since a channel of tonic would end the call by itself.
    let headers = [
        ("content-type", "application/grpc-web+proto"),
        ("x-grpc-web", "1"),
        ("grpc-timeout", "50m"),
        (HANG, "1"),
        (KEY, "short-deadline"),
    ];
    let path = "/sipup.catalog.v1.CatalogService/GetProduct";
    let reply = http(edge.envoy.listen, None, Method::POST, path, &headers, vec![0; 5].into()).await;
    assert_eq!((reply.status, reply.header("grpc-status")), (200, "4"), "{reply:?}");
    assert_eq!(edge.calls.of("short-deadline")[0].header("grpc-timeout"), "50m");
}
