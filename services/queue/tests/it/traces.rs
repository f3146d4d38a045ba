use std::sync::{Arc, Mutex};

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    propagation::TraceContextPropagator,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use queue::WorkerOptions;
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::fixture::{Fixture, obedient_probes, until};

/// Keeps what is exported.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

#[tokio::test]
async fn a_job_continues_the_trace_that_enqueued_it_and_links_to_its_cause() {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();

    let fixture = Fixture::new().await;
    let call = tracing::info_span!("call");
    let cause = call.context().span().span_context().clone();
    let id = fixture.enqueue("traced").instrument(call).await;
    let _worker = fixture.worker(&obedient_probes(), WorkerOptions::default());
    fixture.until_state(id, "done").await;

    let of_the_job = |span: &&SpanData| {
        span.name == "job.probe"
            && span
                .attributes
                .iter()
                .any(|a| a.key.as_str() == "job.id" && a.value.as_str() == id.to_string())
    };
    until("the job's span has ended", async || kept.0.lock().unwrap().iter().any(|span| of_the_job(&span)))
        .await;
    let spans = kept.0.lock().unwrap().clone();
    let span = spans.iter().find(of_the_job).unwrap();
    assert_eq!(span.span_context.trace_id(), cause.trace_id());
    // The span that enqueued is that of the transaction, below the call's.
    let parent = spans.iter().find(|other| other.span_context.span_id() == span.parent_span_id).unwrap();
    assert_eq!((&*parent.name, parent.parent_span_id), ("db.test.enqueue", cause.span_id()));
    let linked: Vec<_> = span.links.iter().map(|link| link.span_context.span_id()).collect();
    assert_eq!(linked, [span.parent_span_id]);
}
