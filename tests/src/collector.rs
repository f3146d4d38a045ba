//! An OTLP collector inside a test.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// One span, as far as tests look.
#[derive(Clone, Debug)]
pub struct Span {
    /// The process that made it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The trace, in hexadecimal.
    pub trace: String,
    /// Its own id, in hexadecimal.
    pub id: String,
    /// Its parent's id, in hexadecimal; empty without one.
    pub parent: String,
    /// Spans that it links to.
    pub links: Vec<String>,
}

/// Receives traces for as long as the test lives.
#[derive(Clone, Debug)]
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    ///
    /// No port can be bound.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_on(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Listens on a free port of `address`, on a thread of its own: tests that share it come and go with their runtimes.
    ///
    /// # Errors
    ///
    /// No port can be bound.
    pub fn start_on(address: IpAddr) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind((address, 0))?;
        listener.set_nonblocking(true)?;
        let collector = Self { address: listener.local_addr()?, spans: Arc::default() };
        #[expect(clippy::disallowed_methods, reason = "a collector has none of our layers")]
        let server = tonic::transport::Server::builder().add_service(
            TraceServiceServer::new(collector.clone())
                .accept_compressed(tonic::codec::CompressionEncoding::Gzip),
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let incoming = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener)?);
                server.serve_with_incoming(incoming).await?;
                anyhow::Ok(())
            })
        });
        Ok(collector)
    }

    /// What `--otlp-url` takes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans of a trace that have come so far.
    pub fn trace(&self, id: &str) -> Vec<Span> {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans.iter().filter(|span| span.trace == id).cloned().collect()
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        for resource in request.into_inner().resource_spans {
            let service =
                service_name(resource.resource.as_ref().map_or(&[], |resource| &resource.attributes));
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push(Span {
                    service: service.clone(),
                    name: span.name,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
                });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn service_name(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> String {
    let value = attributes.iter().find(|attribute| attribute.key == "service.name");
    match value.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(name)) => name.clone(),
        _ => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
