//! Retries: a caller doesn't notice a failing pod, and no write happens twice.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures::{StreamExt, stream};
use proto::{
    catalog::v1::{
        CreateProductRequest, CreateProductResponse, GetProductRequest, GetProductResponse, Product,
    },
    orders::v1::{CreateOrderRequest, CreateOrderResponse},
};
use tonic::Code;

use crate::{
    edge::{Edge, bearer, grpc, shared},
    stub::{FAIL, KEY, STATUS},
};

const GET_PRODUCT: &str = "/sipup.catalog.v1.CatalogService/GetProduct";
const CREATE_PRODUCT: &str = "/sipup.catalog.v1.CatalogService/CreateProduct";
const CREATE_ORDER: &str = "/sipup.orders.v1.OrderService/CreateOrder";

async fn read(edge: &Edge, metadata: &[(&'static str, &str)]) -> Code {
    let called =
        edge.grpc::<_, GetProductResponse>(GET_PRODUCT, GetProductRequest::default(), metadata).await;
    called.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn a_read_is_tried_three_times() {
    let edge = shared();
    assert_eq!(read(edge, &[(KEY, "twice"), (FAIL, "2")]).await, Code::Ok);
    assert_eq!(edge.calls.of("twice").len(), 3);
    assert_eq!(read(edge, &[(KEY, "always"), (FAIL, "9")]).await, Code::Unavailable);
    assert_eq!(edge.calls.of("always").len(), 3);
}

#[tokio::test]
async fn a_read_is_not_tried_again_when_its_failure_is_an_answer() {
    let edge = shared();
    for code in [Code::Internal, Code::NotFound, Code::ResourceExhausted] {
        let (key, status) = (format!("answer-{}", code as i32), (code as i32).to_string());
        assert_eq!(read(edge, &[(KEY, &key), (STATUS, &status)]).await, code);
        assert_eq!(edge.calls.of(&key).len(), 1, "{code:?}");
    }
}

#[tokio::test]
async fn a_write_that_reached_a_service_is_never_sent_again() {
    let edge = shared();
    let token = bearer(&edge.token());
    // Nor can a client ask for it.
    let metadata = [
        ("authorization", &*token),
        (KEY, "write"),
        (FAIL, "1"),
        ("x-envoy-retry-on", "unavailable"),
        ("x-envoy-retry-grpc-on", "unavailable"),
        ("x-envoy-max-retries", "5"),
    ];
    let called =
        edge.grpc::<_, CreateOrderResponse>(CREATE_ORDER, CreateOrderRequest::default(), &metadata).await;
    assert_eq!(called.unwrap_err().code(), Code::Unavailable);
    assert_eq!(edge.calls.of("write").len(), 1);
}

#[tokio::test]
async fn no_read_fails_when_one_of_two_pods_dies_under_load() {
    const CALLS: usize = 2_000;
    let mut edge = Edge::start(2, |_| {});
    let channel = edge.channel();
    let done = AtomicUsize::new(0);
    let mut victim = Some(edge.stubs.remove(0));
    let mut results = stream::iter(0..CALLS)
        .map(|_| {
            grpc::<_, GetProductResponse>(channel.clone(), GET_PRODUCT, GetProductRequest::default(), &[])
        })
        .buffer_unordered(32);
    while let Some(result) = results.next().await {
        result.unwrap();
        if done.fetch_add(1, Relaxed) == CALLS / 4 {
            drop(victim.take());
        }
    }
    assert_eq!(done.into_inner(), CALLS);
}

#[tokio::test]
async fn a_large_write_finds_the_living_pod() {
    let mut edge = Edge::start(2, |config| {
        // So that the dead pod is still thought to be well.
        config.limits.health_interval = std::time::Duration::from_hours(1);
    });
    let token = bearer(&edge.token());
    drop(edge.stubs.remove(0));
    for _ in 0..30 {
        let product = Product { description: "x".repeat(1 << 20), ..Default::default() };
        let message = CreateProductRequest { product: Some(product), ..Default::default() };
        let metadata = [("authorization", &*token), (KEY, "large")];
        edge.grpc::<_, CreateProductResponse>(CREATE_PRODUCT, message, &metadata).await.unwrap();
    }
    let calls = edge.calls.of("large");
    assert_eq!(calls.len(), 30);
    // Else the dead one was never tried.
    assert!(calls.iter().any(|call| call.header("x-envoy-attempt-count") == "2"));
}
