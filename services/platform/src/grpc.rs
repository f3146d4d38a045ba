//! The gRPC side of a process: its services and the layers that every call passes.

mod connection;
mod lifetime;
mod observe;
mod stack;

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use calls::Class;
use opentelemetry::metrics::Meter;
use prost::Message as _;
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tower::Service;

pub(crate) use self::connection::accept;
pub use self::{lifetime::Lifetime, observe::METHOD_UNKNOWN};
use self::{observe::CallMetrics, stack::Stack};
use crate::{
    args::ServerArgs,
    permissions::{PermissionMap, Permissions},
    verifier::Verifier,
};

/// The metadata that carries log positions both ways.
pub const POSITION_HEADER: &str = "sipup-lsn";

/// The gRPC services of a process.
#[derive(Debug)]
pub struct Rpc {
    routes: RoutesBuilder,
    tables: Vec<Permissions>,
    descriptors: &'static [u8],
    verifier: Option<Verifier>,
}

impl Rpc {
    /// No service yet. Tokens are checked by `verifier`; reflection answers from `descriptors`.
    pub fn new(verifier: Verifier, descriptors: &'static [u8]) -> Self {
        Self { routes: Routes::builder(), tables: Vec::new(), descriptors, verifier: Some(verifier) }
    }

    /// No service yet, for services that only other services reach: nobody has a token, a token that is sent is not looked at, and only
    /// methods for anyone can be called.
    pub fn internal(descriptors: &'static [u8]) -> Self {
        Self { routes: Routes::builder(), tables: Vec::new(), descriptors, verifier: None }
    }

    /// Adds a service, callable as its table says.
    #[must_use]
    pub fn add<S>(mut self, table: Permissions, service: S) -> Self
    where
        S: Service<http::Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        assert_eq!(table.service(), S::NAME, "the permission table belongs to another service");
        self.routes.add_service(service);
        self.tables.push(table);
        self
    }

    /// The verifier that the services' callers are checked by, if they have tokens.
    pub(crate) fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_ref()
    }

    /// Full names of the services, for health checks.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.tables.iter().map(Permissions::service).collect()
    }

    /// Health, reflection and the services behind all layers.
    pub(crate) fn into_routes<H>(
        mut self,
        health: H,
        args: &ServerArgs,
        meter: &Meter,
    ) -> anyhow::Result<Routes>
    where
        H: Service<http::Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        H::Response: axum::response::IntoResponse,
        H::Future: Send + 'static,
    {
        self.routes.add_service(health);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(self.descriptors)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        // Many clients, Python's among them, still ask for the older of the two.
        let (current, older) = (reflection().build_v1()?, reflection().build_v1alpha()?);
        self.routes.add_service(current).add_service(older);
        let stack = Stack {
            permissions: PermissionMap::new(&self.tables),
            verifier: self.verifier,
            calls: Arc::new(tokio::sync::Semaphore::new(args.max_calls)),
            max_call_time: args.max_call_time,
            max_long_call_time: args.max_long_call_time,
            classes: classes(self.descriptors)?,
            metrics: CallMetrics::new(meter),
        };
        Ok(Routes::from(stack::apply(Arc::new(stack), self.routes.routes().into_axum_router())))
    }
}

/// Settings of connections, the same for every server of ours.
pub(crate) fn server(args: &ServerArgs) -> tonic::transport::Server {
    #[expect(clippy::disallowed_methods, reason = "this is where the common settings are made")]
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .http2_adaptive_window(Some(false))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        // As many as the ingress sends; the default of 200 would make a connection for every 200 watches.
        .max_concurrent_streams(Some(1_024))
        // GOAWAY after this age, and no end by force: calls have their deadline, streams their `Lifetime`. With a grace period tonic
        // 0.14 cuts the connection when that is over and never says GOAWAY.
        .max_connection_age(args.max_connection_age)
}

/// The classes of methods by their paths, `/sipup.orders.v1.OrderService/WatchOrder`, of those that have one.
fn classes(descriptors: &[u8]) -> anyhow::Result<HashMap<String, Class>> {
    let set = prost_types::FileDescriptorSet::decode(descriptors)?;
    let mut classes = HashMap::new();
    for file in &set.file {
        for service in &file.service {
            classes.extend(service.method.iter().filter_map(|method| {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                Some((path, Class::of(method)?))
            }));
        }
    }
    Ok(classes)
}

#[cfg(test)]
mod tests;
