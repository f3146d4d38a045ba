//! A span and the figures of each call, to its very end: the trailers of the last byte, or the moment the caller hangs up.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use axum::{body::Body, extract::State, middleware::Next, response::Response};
use bytes::Bytes;
use calls::Class;
use http_body::{Body as HttpBody, Frame};
use opentelemetry::{
    KeyValue, global,
    metrics::{Histogram, Meter, UpDownCounter},
};
use tonic::Code;
use tracing::{Instrument as _, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::stack::Stack;
use crate::telemetry::HeaderExtractor;

/// The method label of calls that no permission table lists: a caller must not make new time series.
pub const METHOD_UNKNOWN: &str = "unknown";

/// Rate, errors and duration of calls, by method. Streams are kept apart: open for minutes by design, they would hide how long calls take
/// and how many are in flight.
#[derive(Clone, Debug)]
pub(super) struct CallMetrics {
    calls: Figures,
    streams: Figures,
}

#[derive(Clone, Debug)]
struct Figures {
    duration: Histogram<f64>,
    in_flight: UpDownCounter<i64>,
}

impl CallMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let seconds =
            vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
        let calls = Figures {
            duration: meter
                .f64_histogram("rpc.server.duration")
                .with_unit("s")
                .with_description("Time from a call's headers to its last byte, by method and status")
                .with_boundaries(seconds)
                .build(),
            in_flight: meter
                .i64_up_down_counter("rpc.server.in_flight")
                .with_description("Calls in flight")
                .build(),
        };
        let streams = Figures {
            duration: meter
                .f64_histogram("rpc.server.stream.duration")
                .with_unit("s")
                .with_description("Time from a stream's headers to its last byte, by method and status")
                .with_boundaries(vec![0.1, 1.0, 10.0, 60.0, 300.0, 600.0, 3_600.0])
                .build(),
            in_flight: meter
                .i64_up_down_counter("rpc.server.streams")
                .with_description("Streams that are open")
                .build(),
        };
        Self { calls, streams }
    }
}

/// Outermost: sees every call whatever becomes of it, and gives all inner layers their span. Health checks, many and alike, pass.
pub(super) async fn observe(
    State(stack): State<Arc<Stack>>,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if path.starts_with("/grpc.health.v1.") {
        return next.run(request).await;
    }
    let method = if stack.permissions.knows(path) {
        path.trim_start_matches('/').to_owned()
    } else {
        METHOD_UNKNOWN.into()
    };
    let span = span(path, request.headers());
    let metrics = &stack.metrics;
    let figures = if stack.class(path) == Some(Class::Stream) { &metrics.streams } else { &metrics.calls };
    let mut call = Call::begin(method, span.clone(), figures.clone());
    let response = next.run(request).instrument(span).await;
    // A refusal is all said by its headers, and nobody looks at a body that is known to be empty.
    if let Some(code) = status_of(response.headers()) {
        call.finish(code);
    }
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, Body::new(ObservedBody { body, call }))
}

fn span(path: &str, headers: &http::HeaderMap) -> Span {
    let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    let span = tracing::info_span!(
        "rpc.server",
        otel.name = path.trim_start_matches('/'),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = service,
        rpc.method = method,
        rpc.grpc.status_code = Empty,
        enduser.id = Empty,
    );
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&HeaderExtractor(headers)));
    // Refused only where telemetry is off.
    let _ = span.set_parent(parent);
    span
}

/// Errors mostly come without a body, and so with their status among the headers.
fn status_of(headers: &http::HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}

/// One call from its beginning; what was not finished when this is dropped was cancelled.
struct Call {
    method: String,
    span: Span,
    metrics: Figures,
    begun: Instant,
    finished: bool,
}

impl Call {
    fn begin(method: String, span: Span, metrics: Figures) -> Self {
        metrics.in_flight.add(1, &[KeyValue::new("rpc.method", method.clone())]);
        Self { method, span, metrics, begun: Instant::now(), finished: false }
    }

    fn finish(&mut self, code: Code) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.span.record("rpc.grpc.status_code", code as i32);
        if matches!(
            code,
            Code::Unknown | Code::DeadlineExceeded | Code::Internal | Code::Unavailable | Code::DataLoss
        ) {
            self.span.record("otel.status_code", "ERROR");
        }
        let method = KeyValue::new("rpc.method", self.method.clone());
        self.metrics.in_flight.add(-1, std::slice::from_ref(&method));
        let status = KeyValue::new("rpc.grpc.status_code", name(code));
        self.metrics.duration.record(self.begun.elapsed().as_secs_f64(), &[method, status]);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(Code::Cancelled);
    }
}

/// The codes by the names that alerts use.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

pin_project_lite::pin_project! {
    struct ObservedBody {
        #[pin]
        body: Body,
        call: Call,
    }
}

impl HttpBody for ObservedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.project();
        let frame = {
            // Streams do their work while they are read.
            let _entered = this.call.span.enter();
            ready!(this.body.poll_frame(context))
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(code) = frame.trailers_ref().and_then(status_of) {
                    this.call.finish(code);
                }
            }
            Some(Err(_)) => this.call.finish(Code::Unknown),
            None => this.call.finish(Code::Ok),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
