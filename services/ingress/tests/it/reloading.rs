//! A configuration in files, changed while Envoy runs.

use std::time::Duration;

use ingress::LocalLimit;

use crate::{
    edge::{Edge, ORIGIN},
    envoy::Form,
    poll::eventually,
};

const PATIENCE: Duration = Duration::from_secs(20);
const OTHER: &str = "https://new.example";

/// Whether pages of this origin may read answers.
async fn may_read(edge: &Edge, origin: &str) -> bool {
    let reply = edge.get("/v1/products/7", &[("origin", origin)]).await;
    assert_eq!(reply.status, 200);
    reply.header("access-control-allow-origin") == origin
}

#[tokio::test]
async fn changed_routes_hold_soon_and_no_call_fails_meanwhile() {
    let mut edge = Edge::start_as(Form::Files, 1, |_| {});
    assert!(may_read(&edge, ORIGIN).await && !may_read(&edge, OTHER).await);
    edge.envoy.reconfigure(|config| config.cors_origins = vec![OTHER.into()]);
    let changed = eventually(PATIENCE, async || may_read(&edge, OTHER).await.then_some(())).await;
    assert!(changed.is_some() && !may_read(&edge, ORIGIN).await);
}

#[tokio::test]
async fn a_changed_filter_holds_soon() {
    let mut edge = Edge::start_as(Form::Files, 1, |_| {});
    let limit = LocalLimit { per_second: 1, burst: 1, addresses: 100 };
    edge.envoy.reconfigure(|config| config.local_limit = Some(limit));
    let refused =
        eventually(PATIENCE, async || (edge.get("/v1/products/7", &[]).await.status == 429).then_some(()));
    assert!(refused.await.is_some());
}

#[tokio::test]
async fn other_pods_of_a_service_get_its_calls_soon() {
    let mut edge = Edge::start_as(Form::Files, 2, |config| {
        let ingress::Endpoints::Static(pods) = &mut config.backends[0].endpoints else { return };
        pods.truncate(1);
    });
    let second = edge.stubs[1].address;
    edge.envoy.reconfigure(|config| config.backends[0].endpoints = ingress::Endpoints::Static(vec![second]));
    let called = eventually(PATIENCE, async || {
        let headers = [(crate::stub::KEY, "moved")];
        assert_eq!(edge.get("/v1/products/7", &headers).await.status, 200);
        edge.calls.of("moved").iter().any(|call| call.pod == second).then_some(())
    });
    assert!(called.await.is_some());
}
