//! W3C trace context in and out of headers, and into the jobs that run later.

use opentelemetry::{
    global,
    propagation::{Extractor, Injector},
    trace::TraceContextExt as _,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Reads trace context from headers.
#[derive(Debug)]
pub struct HeaderExtractor<'a>(pub &'a http::HeaderMap);

impl Extractor for HeaderExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Writes trace context to headers.
#[derive(Debug)]
pub struct HeaderInjector<'a>(pub &'a mut http::HeaderMap);

impl Injector for HeaderInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(key), http::HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

/// One header as a carrier.
#[derive(Default)]
struct Traceparent(Option<String>);

impl Injector for Traceparent {
    fn set(&mut self, key: &str, value: String) {
        if key == "traceparent" {
            self.0 = Some(value);
        }
    }
}

impl Extractor for Traceparent {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == "traceparent")
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

/// The current span as a W3C `traceparent`, to be stored with work that runs later.
pub fn traceparent() -> Option<String> {
    let mut carrier = Traceparent::default();
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.0
}

/// Continues the trace of `traceparent` in `span`, and links to the span that caused it. Anything else than a valid
/// `traceparent` changes nothing.
///
/// The job belongs to the same trace, so that one view shows the call and all that came of it; the link stays where a backend
/// cuts long traces.
pub fn link_to(span: &Span, traceparent: &str) {
    let carrier = Traceparent(Some(traceparent.to_owned()));
    let context = global::get_text_map_propagator(|propagator| propagator.extract(&carrier));
    let cause = context.span().span_context().clone();
    if cause.is_valid() {
        // Refused only where telemetry is off.
        let _ = span.set_parent(context);
        span.add_link(cause);
    }
}
