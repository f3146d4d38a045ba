//! Traces: Envoy's spans stand between the client's and the service's.

use std::{collections::BTreeMap, time::Duration};

use ingress::{Endpoints, Otlp};
use opentelemetry_proto::tonic::{collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span};

use crate::{
    edge::Edge,
    poll::eventually,
    stub::{Calls, KEY, Stub},
};

/// Every span that has been exported.
fn spans(collector: &Calls) -> Vec<Span> {
    let exported = collector.of("").into_iter().map(|call| call.decode::<ExportTraceServiceRequest>());
    let resources = exported.flat_map(|export| export.resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[tokio::test]
async fn the_trace_of_the_client_goes_on_through_envoy_to_the_service() {
    const CLIENT: &str = "00f067aa0ba902b7";
    let collector = Calls::default();
    let server = Stub::grpc("collector", collector.clone());
    let edge = Edge::start(1, |config| {
        config.otlp = Some(Otlp::new(Endpoints::Static(vec![server.address])));
    });
    let trace = |n: u8| format!("{n:032x}");
    // The first is not sampled by its client, which Envoy must respect.
    for n in 1..=5 {
        let traceparent = format!("00-{}-{CLIENT}-0{}", trace(n), u8::from(n > 1));
        let headers = [("traceparent", &*traceparent), (KEY, &*trace(n))];
        assert_eq!(edge.get("/v1/products/7", &headers).await.status, 200);
    }
    let all = eventually(Duration::from_secs(20), async || {
        let all = spans(&collector);
        (2..=5).all(|n| all.iter().filter(|span| hex(&span.trace_id) == trace(n)).count() == 2).then_some(all)
    });
    let all = all.await.expect("two spans of each call");

    for n in 2..=5 {
        let of_trace = all.iter().filter(|span| hex(&span.trace_id) == trace(n));
        let by_parent: BTreeMap<String, String> =
            of_trace.map(|span| (hex(&span.parent_span_id), hex(&span.span_id))).collect();
        let ingress = &by_parent[CLIENT];
        let attempt = &by_parent[ingress];
        let [call] = &edge.calls.of(&trace(n))[..] else { panic!("not called once") };
        assert_eq!(call.header("traceparent"), format!("00-{}-{attempt}-01", trace(n)));
    }
    assert!(all.iter().all(|span| hex(&span.trace_id) != trace(1)), "{all:?}");
    assert!(edge.calls.of(&trace(1))[0].header("traceparent").ends_with("-00"));
}
