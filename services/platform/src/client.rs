//! Calls to another service: balanced over its living pods, always with a deadline, with the trace, tried again where that is safe.
//!
//! tonic's own balancing keeps endpoints that died and never resolves a name again, so this keeps its own list: names are resolved
//! every 5 s and at once when a pod can't be reached, an address joins once a connection to it stands, and leaves when it can't be
//! reached.

mod peers;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use opentelemetry::global;
use tonic::{Code, Status, body::Body};
use tower::ServiceExt as _;
use tracing::{Instrument as _, Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use self::peers::{Peer, Peers};
use crate::{Tasks, deadline, telemetry::HeaderInjector};

/// The time that a call gets where its caller has no deadline.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a service is: one or more `http://host:port`, separated by commas. A name may stand for many addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUrl(Vec<Authority>);

/// Host and port of one URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The text is no list of service URLs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be http://host:port, or several separated by commas")]
pub struct NotAServiceUrl;

impl std::str::FromStr for ServiceUrl {
    type Err = NotAServiceUrl;

    fn from_str(text: &str) -> Result<Self, NotAServiceUrl> {
        text.split(',').map(authority).collect::<Option<Vec<_>>>().map(Self).ok_or(NotAServiceUrl)
    }
}

fn authority(text: &str) -> Option<Authority> {
    let uri: http::Uri = text.trim().parse().ok()?;
    (uri.scheme_str() == Some("http") && uri.path() == "/").then_some(())?;
    Some(Authority { host: uri.host()?.trim_matches(['[', ']']).to_owned(), port: uri.port_u16()? })
}

/// A channel to a service, for a generated client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Channel {
    peers: Arc<Peers>,
    target: &'static str,
}

impl Channel {
    /// Connects to `target` at `url` in the background. A service that is away delays nothing: calls to it are refused with
    /// UNAVAILABLE until it is there.
    pub fn connect(target: &'static str, url: &ServiceUrl, tasks: &Tasks) -> Self {
        let peers = Arc::new(Peers::new(target, url.0.clone()));
        tasks.spawn_until_stop("peers", Arc::clone(&peers).maintain());
        Self { peers, target }
    }

    /// Whether a connection stands.
    ///
    /// # Errors
    ///
    /// In words for the operator.
    pub fn ready(&self) -> Result<(), String> {
        if self.peers.is_empty() { Err(format!("no connection to {}", self.target)) } else { Ok(()) }
    }

    async fn send(self, request: http::Request<Body>) -> Result<http::Response<Body>, Status> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let left = deadline::remaining().unwrap_or(DEFAULT_TIMEOUT);
        if !head.headers.contains_key("grpc-timeout")
            && let Ok(value) = http::HeaderValue::try_from(deadline::format(left))
        {
            head.headers.insert("grpc-timeout", value);
        }
        let context = Span::current().context();
        global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&context, &mut HeaderInjector(&mut head.headers));
        });
        let outcome = tokio::time::timeout(left, self.attempts(&head, &body)).await;
        outcome.unwrap_or_else(|_| {
            Err(Status::deadline_exceeded(format!("{} did not answer in time", self.target)))
        })
    }

    /// One attempt, and one more at another pod where the first can't have had an effect.
    async fn attempts(
        &self,
        head: &http::request::Parts,
        body: &Bytes,
    ) -> Result<http::Response<Body>, Status> {
        let peer = self.pick(None)?;
        let first = self.attempt(&peer, head, body).await;
        if !worth_another(head.uri.path(), &first) {
            return first.map_err(Failure::into_status);
        }
        if matches!(first, Err(Failure::Unreached(_))) {
            self.peers.remove(&peer);
        }
        let Ok(other) = self.pick(Some(&peer)) else { return first.map_err(Failure::into_status) };
        tracing::debug!(target = self.target, "trying another pod");
        self.attempt(&other, head, body).await.map_err(Failure::into_status)
    }

    fn pick(&self, not: Option<&Peer>) -> Result<Arc<Peer>, Status> {
        self.peers.pick(not).ok_or_else(|| Status::unavailable(format!("{} is not available", self.target)))
    }

    async fn attempt(
        &self,
        peer: &Peer,
        head: &http::request::Parts,
        body: &Bytes,
    ) -> Result<http::Response<Body>, Failure> {
        let request = http::Request::from_parts(head.clone(), Body::new(Full::new(body.clone())));
        peer.channel().oneshot(request).await.map_err(Failure::from)
    }
}

/// Why there is no answer.
enum Failure {
    /// The request did not leave.
    Unreached(String),
    /// The connection broke: the request may have had an effect.
    Broken(String),
}

impl From<tonic::transport::Error> for Failure {
    fn from(error: tonic::transport::Error) -> Self {
        let text = crate::status::chain(&error);
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(error) = cause {
            if error.is::<tonic::ConnectError>() {
                return Self::Unreached(text);
            }
            cause = error.source();
        }
        Self::Broken(text)
    }
}

impl Failure {
    fn into_status(self) -> Status {
        let (Self::Unreached(text) | Self::Broken(text)) = self;
        tracing::warn!(error = %text, "call failed on its way");
        Status::unavailable("another service can't be reached")
    }
}

/// Reads may be made twice whatever happened; anything else only if it did not leave.
fn worth_another(path: &str, outcome: &Result<http::Response<Body>, Failure>) -> bool {
    match outcome {
        Err(Failure::Unreached(_)) => true,
        Err(Failure::Broken(_)) => is_read(path),
        Ok(response) => {
            let status =
                response.headers().get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()));
            status == Some(Code::Unavailable) && is_read(path)
        }
    }
}

fn is_read(path: &str) -> bool {
    calls::reads(path.rsplit('/').next().unwrap_or_default())
}

impl tower::Service<http::Request<Body>> for Channel {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Status>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let span = tracing::info_span!(
            "rpc.client",
            otel.name = request.uri().path().trim_start_matches('/'),
            otel.kind = "client",
            rpc.system = "grpc",
            server.address = self.target,
            rpc.grpc.status_code = Empty,
        );
        let call = self.clone().send(request);
        Box::pin(
            async move {
                let outcome = call.await;
                if let Err(status) = &outcome {
                    Span::current().record("rpc.grpc.status_code", status.code() as i32);
                }
                outcome
            }
            .instrument(span),
        )
    }
}

#[cfg(test)]
mod tests;
