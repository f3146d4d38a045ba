//! Sick and busy backends: calls go elsewhere, or are refused at once.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use futures::future::select;
use proto::catalog::v1::{GetProductRequest, GetProductResponse};
use tonic::Code;

use crate::{
    edge::Edge,
    poll::eventually,
    stub::{HANG, KEY},
};

const GET_PRODUCT: &str = "/sipup.catalog.v1.CatalogService/GetProduct";
const PATIENCE: Duration = Duration::from_secs(20);

async fn read(edge: &Edge, metadata: &[(&'static str, &str)]) -> Code {
    let called =
        edge.grpc::<_, GetProductResponse>(GET_PRODUCT, GetProductRequest::default(), metadata).await;
    called.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn a_pod_that_says_it_is_leaving_gets_no_more_calls() {
    let edge = Edge::start(2, |config| config.limits.health_interval = Duration::from_millis(50));
    let [leaving, staying] = [edge.stubs[0].address, edge.stubs[1].address];
    edge.stubs[0].healthy.store(false, Relaxed);
    let mut round = 0;
    let left = eventually(PATIENCE, async || {
        round += 1;
        let key = format!("round-{round}");
        for _ in 0..20 {
            assert_eq!(read(&edge, &[(KEY, &key)]).await, Code::Ok);
        }
        let pods: Vec<_> = edge.calls.of(&key).iter().map(|call| call.pod).collect();
        assert!(pods.iter().all(|pod| [leaving, staying].contains(pod)));
        pods.iter().all(|pod| *pod == staying).then_some(())
    });
    assert!(left.await.is_some());

    // While no other is left, one that is leaving is better than none.
    edge.stubs[1].healthy.store(false, Relaxed);
    let panicked = eventually(PATIENCE, async || {
        assert_eq!(read(&edge, &[(KEY, "panic")]).await, Code::Ok);
        edge.calls.of("panic").iter().any(|call| call.pod == leaving).then_some(())
    });
    assert!(panicked.await.is_some());
}

#[tokio::test]
async fn calls_above_what_a_backend_may_have_are_refused_at_once() {
    let edge = Edge::start(1, |config| config.limits.requests_per_backend = 1);
    let waiting = std::pin::pin!(read(&edge, &[(HANG, "1"), (KEY, "waiting")]));
    let second = std::pin::pin!(async {
        eventually(PATIENCE, async || (!edge.calls.of("waiting").is_empty()).then_some(())).await.unwrap();
        read(&edge, &[]).await
    });
    match select(waiting, second).await {
        futures::future::Either::Left((code, _)) => panic!("what hangs was answered {code:?}"),
        futures::future::Either::Right((code, _)) => assert_eq!(code, Code::Unavailable),
    }
}
