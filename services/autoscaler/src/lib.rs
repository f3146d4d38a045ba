#![doc = include_str!("../README.md")]

use std::sync::Arc;

use anyhow::Context as _;
use futures::StreamExt as _;
use kubernetes::{Lease, Timing};
use platform::{Context, Rpc, client::Channel};
use proto::externalscaler::external_scaler_server::ExternalScalerServer;
use tokio::{net::TcpListener, sync::Notify};

pub mod args;
pub mod authorize;
pub mod bundle;
pub mod certificate;
pub mod cluster;
pub mod custom_metrics;
pub mod error;
pub mod front_proxy;
pub mod grpc;
pub mod metrics;
pub mod permissions;
pub mod rotation;
pub mod tls;
pub mod trigger;
pub mod users;

pub use self::args::{AdapterArgs, Args, Switch};
use self::{
    authorize::Authorizer,
    certificate::{Broken, Names, Stored},
    cluster::Cluster,
    custom_metrics::CustomMetrics,
    front_proxy::FrontProxy,
    metrics::Metrics,
    rotation::Rotation,
    tls::{Peer, Tls, TlsListener},
    users::Users,
};

/// Serves until told to stop.
///
/// # Errors
///
/// An argument makes no sense, there is no API server though one is needed, or a port can't be bound.
pub async fn serve(args: Args, context: Context) -> anyhow::Result<()> {
    args.check()?;
    let adapter = match args.custom_metrics {
        Switch::Off => None,
        Switch::On => {
            let listen = args.adapter.tls_listen;
            let listener = TcpListener::bind(listen).await.with_context(|| format!("listen on {listen}"))?;
            Some((kubernetes::connect().await?, listener))
        }
    };
    serve_with(adapter, args, context).await
}

/// As [`serve`], with the custom metrics API on a listener and an API server of the caller's choice, or without it.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_with(
    adapter: Option<(kubernetes::Client, TcpListener)>,
    args: Args,
    mut context: Context,
) -> anyhow::Result<()> {
    let metrics = Metrics::new(&context.meter);
    let limiter = Channel::connect("ratelimit", &args.limiter_url, &context.tasks);
    let users = Users::new(limiter, &context, metrics.clone());
    if let Some((client, listener)) = adapter {
        start_adapter(client, listener, &args, &mut context, users.clone(), metrics)?;
    }
    let grpc = grpc::Grpc {
        users,
        users_per_pod: args.users_per_pod,
        look_every: grpc::LOOK_EVERY,
        terminating: context.terminating.clone(),
    };
    let rpc = Rpc::internal(proto::DESCRIPTORS).add(permissions::KEDA, ExternalScalerServer::new(grpc));
    context.serve(&args.server, rpc).await
}

/// Starts everything about `custom.metrics.k8s.io` in the background.
fn start_adapter(
    client: kubernetes::Client,
    listener: TcpListener,
    args: &Args,
    context: &mut Context,
    users: Users,
    metrics: Metrics,
) -> anyhow::Result<()> {
    let own = kubernetes::own_namespace();
    let namespace = args.adapter.namespace(own.as_deref())?;
    let names = args.adapter.names(own.as_deref())?;
    let cluster = Cluster::new(client.clone(), &namespace, &args.adapter.own_service, &args.adapter.secret());
    let tls = Tls::new(context.clock.clone());
    let (certificate, front_proxy) = (tls.clone(), tls.clone());
    context.readiness.add("certificate", move || std::future::ready(certificate.has_certificate())).lasting();
    context.readiness.add("front proxy", move || std::future::ready(front_proxy.has_front_proxy())).lasting();

    let changed = Arc::new(Notify::new());
    let following = Following {
        tls: tls.clone(),
        cluster: cluster.clone(),
        names: names.clone(),
        metrics: metrics.clone(),
        changed: Arc::clone(&changed),
        context: context.clone(),
    };
    context.tasks.spawn_until_stop("certificate", following.clone().follow_secret());
    context.tasks.spawn_until_stop("front proxy", following.follow_front_proxy());
    let rotation = {
        let (clock, metrics) = (context.clock.clone(), metrics.clone());
        let lifetime = args.adapter.certificate_lifetime;
        move || Rotation::new(cluster.clone(), names.clone(), lifetime, clock.clone(), metrics.clone())
    };
    keep_certificate(client.clone(), &namespace, &args.adapter, context, rotation, changed);

    let api = CustomMetrics {
        users,
        tls: tls.clone(),
        authorizer: Authorizer::new(client, context.clock.clone()),
        clock: context.clock.clone(),
        namespace,
        service: args.adapter.service_name.clone(),
        metrics,
    };
    let listener = TlsListener::start(listener, tls, &context.tasks)?;
    tracing::info!(tls = %axum::serve::Listener::local_addr(&listener)?, "listening for API servers");
    let (terminating, delay) = (context.terminating.clone(), args.server.readiness_delay);
    let closed = async move {
        terminating.cancelled().await;
        tokio::time::sleep(delay).await;
    };
    drop(context.tasks.spawn("custom metrics", async move {
        let service = api.into_router().into_make_service_with_connect_info::<Peer>();
        if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(closed).await {
            tracing::error!(%error, "the custom metrics API failed");
        }
    }));
    Ok(())
}

/// Takes part in the election of whoever keeps the certificate.
fn keep_certificate(
    client: kubernetes::Client,
    namespace: &str,
    args: &AdapterArgs,
    context: &Context,
    rotation: impl Fn() -> Rotation + Send + Sync + 'static,
    changed: Arc<Notify>,
) {
    let identity = kubernetes::identity(args.pod_name.as_deref());
    let clock = context.clock.clone();
    let lease = Lease::new(client, namespace, &args.lease(), identity, Timing::default(), clock);
    let stop = context.terminating.clone();
    drop(context.tasks.spawn("lease", async move {
        lease
            .run(stop, |_| {
                let (rotation, changed) = (rotation(), Arc::clone(&changed));
                async move { rotation.keep(&changed).await }
            })
            .await;
    }));
}

/// What every replica follows, whoever keeps the certificate.
#[derive(Clone)]
struct Following {
    tls: Tls,
    cluster: Cluster,
    names: Names,
    metrics: Metrics,
    changed: Arc<Notify>,
    context: Context,
}

impl Following {
    /// What can't be served is left to be repaired; what was served before goes on.
    async fn follow_secret(self) {
        let mut secrets = std::pin::pin!(self.cluster.watch_secret());
        while let Some(data) = secrets.next().await {
            self.changed.notify_one();
            match Stored::read(&data, &self.names, self.context.clock.now()) {
                Ok(stored) => match self.tls.serve(&stored) {
                    Ok(()) => {
                        tracing::info!(ends = %stored.ends, "serving with the Secret's certificate");
                        self.metrics.certificate_in_use(stored.ends);
                    }
                    Err(error) => tracing::error!(%error, "the certificate can't be served"),
                },
                // As the chart leaves it, until the first holder of the lease comes by.
                Err(Broken::Missing(key)) => tracing::info!(key, "nothing to serve in the Secret"),
                Err(broken) => {
                    tracing::warn!(error = platform::status::chain(&broken), "the Secret can't be served");
                }
            }
        }
    }

    /// A description that can't be read changes nothing: the one before it was valid.
    async fn follow_front_proxy(self) {
        let mut configs = std::pin::pin!(self.cluster.watch_config());
        while let Some(data) = configs.next().await {
            let believed = FrontProxy::parse(&data).map_err(|invalid| invalid.to_string());
            let believed =
                believed.and_then(|front| self.tls.believe(front).map_err(|error| error.to_string()));
            if let Err(error) = believed {
                tracing::error!(error, "API servers can't be known by their ConfigMap");
            }
        }
    }
}
