//! Traces over OTLP, Prometheus metrics and JSON logs, set up once for each process.

mod log_line;
mod propagation;

use std::{fmt, sync::Arc, time::Duration};

use anyhow::Context as _;
use opentelemetry::{
    global,
    metrics::{Meter, MeterProvider as _},
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::Level;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    layer::SubscriberExt as _,
    reload,
    util::SubscriberInitExt as _,
};

pub use self::propagation::{HeaderExtractor, HeaderInjector, link_to, traceparent};
use crate::args::TelemetryArgs;

/// The longest that the last spans may take to leave when the process stops.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// The telemetry of a process.
#[derive(Clone, Debug)]
pub struct Telemetry {
    registry: prometheus::Registry,
    meters: SdkMeterProvider,
    tracers: SdkTracerProvider,
    filter: Option<LogFilter>,
    service: &'static str,
}

impl Telemetry {
    /// Sets telemetry up for `service`. Call it inside the runtime: the exporter opens its channel there.
    ///
    /// # Errors
    ///
    /// The filter or the URL is not valid.
    pub fn start(service: &'static str, args: &TelemetryArgs) -> anyhow::Result<Self> {
        let filter = filter(&args.log).context("read --log")?;
        let mut telemetry = Self::unconnected(service, args)?;
        let (filter, handle) = reload::Layer::new(filter);
        // What is logged does not decide what is traced: a quiet process still hands the trace on.
        let traces = tracing_opentelemetry::layer()
            .with_tracer(telemetry.tracers.tracer(service))
            .with_filter(filter_fn(|metadata| metadata.is_span() && *metadata.level() <= Level::INFO));
        let logs = tracing_subscriber::fmt::layer()
            .event_format(log_line::LogLine::new(service))
            .with_writer(std::io::stderr)
            // Else the formatter would prepare the fields of every span, whether or not a line is written.
            .with_filter(filter.and(filter_fn(is_event)));
        // A subscriber that is there already belongs to a test or to another service of this process: it stays.
        let installed = tracing_subscriber::registry().with(traces).with(logs).try_init().is_ok();
        telemetry.filter = installed.then(|| LogFilter::new(handle));
        Ok(telemetry)
    }

    fn unconnected(service: &'static str, args: &TelemetryArgs) -> anyhow::Result<Self> {
        global::set_text_map_propagator(TraceContextPropagator::new());
        let resource = Resource::builder().with_service_name(format!("sipup-{service}")).build();
        let registry = prometheus::Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .with_resource_selector(opentelemetry_prometheus::ResourceSelector::None)
            .scope_info_enabled(false)
            .build()
            .context("make the metrics exporter")?;
        let meters =
            SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(exporter).build();
        let mut tracers = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(args.trace_ratio))));
        if let Some(url) = &args.otlp_url {
            let exporter = opentelemetry_otlp::SpanExporter::builder()
                .with_tonic()
                .with_endpoint(url.to_string())
                .with_timeout(EXPORT_TIMEOUT)
                .build()
                .context("make the trace exporter")?;
            tracers = tracers.with_batch_exporter(exporter);
        }
        Ok(Self { registry, meters, tracers: tracers.build(), filter: None, service })
    }

    /// Makes the instruments of the process's crates.
    pub fn meter(&self) -> Meter {
        self.meters.meter("sipup")
    }

    /// All metrics in Prometheus' text format.
    pub fn metrics(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }

    /// What is logged at present; absent where another owner of this process decides.
    pub fn log_filter(&self) -> Option<String> {
        (self.filter.as_ref()?.current)()
    }

    /// Logs by `filter` from now on.
    ///
    /// # Errors
    ///
    /// In words for the operator: the filter is not valid, or another owner of this process decides.
    pub fn set_log_filter(&self, filter: &str) -> Result<(), String> {
        let handle = self.filter.as_ref().ok_or("the log filter of this process can't be changed")?;
        let filter = self::filter(filter).map_err(|error| error.to_string())?;
        (handle.change)(filter)
    }

    /// Sends what is left. Blocks: call it where blocking is allowed.
    pub fn shut_down(&self) {
        for outcome in [self.tracers.shutdown(), self.meters.shutdown()] {
            if let Err(error) = outcome {
                tracing::debug!(service = self.service, %error, "telemetry ended with an error");
            }
        }
    }
}

fn is_event(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.is_event()
}

/// The filter of what is logged, whatever stack of layers it sits in.
#[derive(Clone)]
struct LogFilter {
    current: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    change: Arc<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>,
}

impl LogFilter {
    fn new<S: 'static>(handle: reload::Handle<EnvFilter, S>) -> Self {
        let handles = handle.clone();
        Self {
            current: Arc::new(move || handles.with_current(ToString::to_string).ok()),
            change: Arc::new(move |filter| handle.reload(filter).map_err(|error| error.to_string())),
        }
    }
}

impl fmt::Debug for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogFilter")
    }
}

/// The filter that `text` describes, but for what must never be logged: below `info`, tokio-postgres writes the parameters of
/// statements.
fn filter(text: &str) -> anyhow::Result<EnvFilter> {
    Ok(EnvFilter::try_new(text)?.add_directive("tokio_postgres=info".parse()?))
}

/// The trace that the current span belongs to, in hexadecimal.
pub fn current_trace_id() -> Option<String> {
    let context = tracing::Span::current().context();
    let span = context.span();
    let context = span.span_context();
    context.is_valid().then(|| context.trace_id().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_counter_is_rendered_with_its_unit_and_label() {
        let args = TelemetryArgs { otlp_url: None, trace_ratio: 1.0, log: "info".into() };
        let telemetry = Telemetry::unconnected("test", &args).unwrap();
        let counter = telemetry.meter().u64_counter("calls").build();
        counter.add(2, &[opentelemetry::KeyValue::new("method", "Get")]);
        let text = telemetry.metrics();
        assert!(text.contains("calls_total{method=\"Get\"} 2"), "{text}");
    }

    #[test]
    fn no_filter_lets_parameters_of_statements_into_the_log() {
        for text in ["trace", "tokio_postgres=trace", "tokio_postgres::prepare=debug,info"] {
            assert!(filter(text).unwrap().to_string().contains("tokio_postgres=info"), "{text}");
        }
    }

    #[test]
    fn a_filter_that_is_not_valid_is_refused_before_anything_starts() {
        let args = TelemetryArgs { otlp_url: None, trace_ratio: 1.0, log: "a=b=c".into() };
        assert!(Telemetry::start("test", &args).is_err());
    }
}
