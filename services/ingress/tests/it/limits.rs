//! The local limit: one bucket per client address.

use std::net::IpAddr;

use http::Method;
use ingress::LocalLimit;
use proto::catalog::v1::{GetProductRequest, GetProductResponse};
use tonic::Code;

use crate::edge::{Edge, http};

#[tokio::test]
async fn an_address_over_its_limit_is_told_when_to_come_back_and_others_go_on() {
    let limit = LocalLimit { per_second: 1, burst: 3, addresses: 100 };
    let edge = Edge::start(1, |config| config.local_limit = Some(limit));
    let from = async |source: &str, headers: &[(&str, &str)]| {
        let source: IpAddr = source.parse().unwrap();
        http(edge.envoy.listen, Some(source), Method::GET, "/v1/products/7", headers, "".into()).await
    };
    let mut refused = None;
    for _ in 0..50 {
        let reply = from("127.0.0.2", &[("x-forwarded-for", "10.9.8.7")]).await;
        if reply.status == 429 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.expect("one address can't go on for ever, whatever it says it is");
    assert_eq!(refused.error(), (429, 8));
    let seconds = refused.header("retry-after");
    assert!(seconds.parse::<u32>().is_ok(), "{refused:?}");
    let details = refused.json()["details"].clone();
    assert_eq!(details[1]["retryDelay"], format!("{seconds}s"), "{details}");
    assert_eq!(details[2]["violations"][0]["description"], refused.json()["message"], "{details}");
    assert_eq!(from("127.0.0.3", &[]).await.status, 200);
}

#[tokio::test]
async fn grpc_and_grpc_web_callers_are_refused_in_their_own_words() {
    let limit = LocalLimit { per_second: 1, burst: 1, addresses: 100 };
    let edge = Edge::start(1, |config| config.local_limit = Some(limit));
    let path = "/sipup.catalog.v1.CatalogService/GetProduct";
    let mut refused = None;
    for _ in 0..50 {
        let called = edge.grpc::<_, GetProductResponse>(path, GetProductRequest::default(), &[]).await;
        if let Err(status) = called {
            refused = Some(status);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.metadata().contains_key("retry-after"), "{refused:?}");

    let headers = [("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1")];
    let mut seen = Vec::new();
    for _ in 0..50 {
        let reply = http(edge.envoy.listen, None, Method::POST, path, &headers, vec![0; 5].into()).await;
        seen.push(reply.header("grpc-status").to_owned());
        if reply.header("grpc-status") == "8" {
            return;
        }
    }
    panic!("never refused with RESOURCE_EXHAUSTED: {seen:?}");
}
