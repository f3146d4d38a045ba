//! An Envoy with a stub for each backend, and the clients to call it with.

use std::{
    net::{IpAddr, SocketAddr},
    sync::LazyLock,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use ingress::{Backend, Config, Endpoints};
use prost::Message;
use serde_json::{Value, json};
use tonic::{
    Status,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use crate::{
    envoy::{Envoy, Form},
    keys::Key,
    stub::{Calls, Stub},
};

/// The origin that may call from a browser.
pub(crate) const ORIGIN: &str = "https://shop.example";

pub(crate) struct Edge {
    pub(crate) envoy: Envoy,
    pub(crate) calls: Calls,
    pub(crate) key: Key,
    /// The stubs, catalog's first.
    pub(crate) stubs: Vec<Stub>,
    _jwks: Stub,
}

/// What came back over plain HTTP.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// HTTP status and gRPC code of an error, which must have the shape of `google.rpc.Status`.
    pub(crate) fn error(&self) -> (u16, i64) {
        let body = self.json();
        assert!(body["message"].is_string() && body["details"].is_array(), "{body}");
        (self.status, body["code"].as_i64().unwrap())
    }
}

/// The edge that all tests use that need nothing special.
pub(crate) fn shared() -> &'static Edge {
    static EDGE: LazyLock<Edge> = LazyLock::new(|| Edge::start_as(Form::Files, 1, |_| {}));
    &EDGE
}

impl Edge {
    /// Starts everything, with this many pods of catalog.
    pub(crate) fn start(pods: usize, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_as(Form::Whole, pods, change)
    }

    /// The same, with the configuration in this form.
    pub(crate) fn start_as(form: Form, pods: usize, change: impl FnOnce(&mut Config)) -> Self {
        let calls = Calls::default();
        let key = Key::new("key-1");
        let jwks = Stub::http("/jwks.json", key.set());
        let mut stubs = Vec::new();
        let backends = [("catalog", pods), ("orders", 1), ("auth", 1), ("jobs", 1)].map(|(name, pods)| {
            let first = stubs.len();
            stubs.extend((0..pods).map(|_| Stub::grpc(name, calls.clone())));
            Backend::new(name, fixed(&stubs[first..]))
        });
        let mut config = Config::new(backends.into(), Endpoints::Static(vec![jwks.address]));
        config.cors_origins = vec![ORIGIN.into()];
        config.local_limit = None;
        change(&mut config);
        Self { envoy: Envoy::start(config, form), calls, key, stubs, _jwks: jwks }
    }

    /// A token as auth issues them.
    pub(crate) fn token(&self) -> String {
        self.key.token(&json!({}))
    }

    /// A channel for gRPC.
    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.envoy.listen)).unwrap().connect_lazy()
    }

    /// One unary gRPC call, whatever its service.
    pub(crate) async fn grpc<M, R>(
        &self,
        path: &str,
        message: M,
        metadata: &[(&'static str, &str)],
    ) -> Result<tonic::Response<R>, Status>
    where
        M: Message + 'static,
        R: Message + Default + 'static,
    {
        grpc(self.channel(), path, message, metadata).await
    }

    /// One REST call; a body makes it JSON.
    pub(crate) async fn rest(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut headers = headers.to_vec();
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        http(self.envoy.listen, None, method, path, &headers, body.to_owned().into()).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.rest(Method::GET, path, headers, "").await
    }
}

pub(crate) fn fixed(stubs: &[Stub]) -> Endpoints {
    Endpoints::Static(stubs.iter().map(|stub| stub.address).collect())
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

pub(crate) async fn grpc<M, R>(
    channel: Channel,
    path: &str,
    message: M,
    metadata: &[(&'static str, &str)],
) -> Result<tonic::Response<R>, Status>
where
    M: Message + 'static,
    R: Message + Default + 'static,
{
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|problem| Status::unknown(problem.to_string()))?;
    let mut request = tonic::Request::new(message);
    fill(request.metadata_mut(), metadata);
    let codec = tonic_prost::ProstCodec::<M, R>::default();
    client.unary(request, path.parse().unwrap(), codec).await
}

fn fill(map: &mut MetadataMap, metadata: &[(&'static str, &str)]) {
    for (name, value) in metadata {
        map.insert(*name, value.parse().unwrap());
    }
}

/// One HTTP/1.1 call on a connection of its own, from `source` if given.
pub(crate) async fn http(
    address: SocketAddr,
    source: Option<IpAddr>,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Reply {
    let mut connector = HttpConnector::new();
    connector.set_local_address(source);
    let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector);
    let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = client.request(request.body(Full::new(body)).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { status: head.status.as_u16(), headers: head.headers, body }
}
