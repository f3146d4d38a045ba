//! A backend that does as the headers of a call tell it, and remembers every call.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    response::Response,
};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use prost::Message;
use proto::{catalog, orders};
use tokio::{net::TcpListener, runtime::Runtime, task::JoinSet};
use tonic::Code;

/// Names a call, so that its test finds it in [`Calls`].
pub(crate) const KEY: &str = "x-test-key";
/// How many calls of one key are answered UNAVAILABLE.
pub(crate) const FAIL: &str = "x-test-fail";
/// A gRPC code to answer with.
pub(crate) const STATUS: &str = "x-test-status";
/// Never answers.
pub(crate) const HANG: &str = "x-test-hang";
/// Bytes of text to answer with.
pub(crate) const PAD: &str = "x-test-pad";

/// A call as a backend saw it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) backend: String,
    pub(crate) pod: SocketAddr,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) message: Bytes,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn decode<M: Message + Default>(&self) -> M {
        M::decode(self.message.clone()).unwrap()
    }
}

/// Every call that reached a backend.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<Mutex<HashMap<String, Vec<Call>>>>);

impl Calls {
    pub(crate) fn of(&self, key: &str) -> Vec<Call> {
        self.0.lock().unwrap().get(key).cloned().unwrap_or_default()
    }

    /// Adds a call and returns how many its key has now.
    fn add(&self, key: &str, call: Call) -> usize {
        let mut calls = self.0.lock().unwrap();
        let calls = calls.entry(key.to_owned()).or_default();
        calls.push(call);
        calls.len()
    }
}

/// A server with a runtime of its own, so that it can be killed with all of its connections.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    /// What it says when its health is asked for.
    pub(crate) healthy: Arc<AtomicBool>,
    runtime: Option<Runtime>,
}

impl Stub {
    /// Serves gRPC as `backend`.
    pub(crate) fn grpc(backend: &str, calls: Calls) -> Self {
        let backend = backend.to_owned();
        let healthy = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&healthy);
        let mut stub = Self::serve(async move |listener: TcpListener| {
            let pod = listener.local_addr().unwrap();
            let router = Router::new().fallback(async move |request: Request| {
                if request.uri().path() == "/grpc.health.v1.Health/Check" {
                    // `status`: SERVING or NOT_SERVING
                    return success(&[8, if asked.load(Relaxed) { 1 } else { 2 }]);
                }
                answer(backend, pod, calls, request).await
            });
            let service = TowerToHyperService::new(router);
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                connections.spawn(async move {
                    // Not with tonic's server, which ends calls by itself when their `grpc-timeout` is over.
                    let server = auto::Builder::new(TokioExecutor::new()).http2_only();
                    server.serve_connection(TokioIo::new(stream), service).await
                });
            }
        });
        stub.healthy = healthy;
        stub
    }

    /// Serves `text` at `path` over HTTP/1.1.
    pub(crate) fn http(path: &str, text: String) -> Self {
        let router = Router::new().route(path, axum::routing::get(async move || text));
        Self::serve(async |listener| axum::serve(listener, router).await.unwrap())
    }

    pub(crate) fn serve<F>(server: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let entered = runtime.enter();
        let listener = TcpListener::from_std(listener).unwrap();
        drop(entered);
        runtime.spawn(server(listener));
        Self { address, healthy: Arc::default(), runtime: Some(runtime) }
    }
}

impl Drop for Stub {
    /// As a killed process: nothing is said goodbye to.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(backend: String, pod: SocketAddr, calls: Calls, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    // A stream is answered while the caller still holds it open.
    if path.starts_with("/grpc.reflection.") {
        return success(&[]);
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let message = body.slice(5.min(body.len())..);
    let call = Call { backend, pod, path, headers: head.headers, message };
    let count = calls.add(call.header(KEY), call.clone());
    if count <= call.header(FAIL).parse().unwrap_or(0) {
        return failure(Code::Unavailable);
    }
    if let Ok(code) = call.header(STATUS).parse::<i32>() {
        return failure(Code::from(code));
    }
    if call.headers.contains_key(HANG) {
        futures::future::pending::<()>().await;
    }
    success(&reply(&call))
}

fn reply(call: &Call) -> Vec<u8> {
    let padding = "long ".repeat(call.header(PAD).parse().unwrap_or(0) / 5);
    match call.path.rsplit('/').next() {
        Some("GetProduct") => {
            let id = call.decode::<catalog::v1::GetProductRequest>().id;
            let product = catalog::v1::Product { id, description: padding, ..Default::default() };
            catalog::v1::GetProductResponse { product: Some(product) }.encode_to_vec()
        }
        Some("CreateOrder") => {
            let note = call.decode::<orders::v1::CreateOrderRequest>().note;
            let order = orders::v1::Order { note, ..Default::default() };
            orders::v1::CreateOrderResponse { order: Some(order) }.encode_to_vec()
        }
        // `overall_code`: over the limit for a certain user, else OK.
        Some("ShouldRateLimit") if call.message.windows(6).any(|bytes| bytes == b"denied") => vec![8, 2],
        Some("ShouldRateLimit") => vec![8, 1],
        _ => Vec::new(),
    }
}

fn success(message: &[u8]) -> Response {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    let body = Full::new(frame.freeze()).with_trailers(async { Some(Ok(trailers)) });
    Response::builder()
        .header("content-type", "application/grpc")
        .header("sipup-lsn", "1-2A")
        .header("idempotent-replayed", "true")
        .header("etag", "\"7\"")
        .header("cache-control", "max-age=5")
        .body(Body::new(body))
        .unwrap()
}

/// Trailers only, as tonic answers when a handler returns an error.
fn failure(code: Code) -> Response {
    Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", code as i32)
        .header("grpc-message", "as told")
        .body(Body::empty())
        .unwrap()
}
