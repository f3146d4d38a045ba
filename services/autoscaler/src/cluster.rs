//! What the autoscaler asks of the API server, and nothing else: the README beside this crate lists the rights that it takes.

use std::{collections::BTreeMap, time::Duration};

use futures::{Stream, StreamExt as _};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watch_object},
    },
};
use serde_json::json;

use crate::bundle::Bundle;

/// The versions that are served, the preferred one first.
pub const VERSIONS: [&str; 2] = ["v1beta2", "v1beta1"];
/// The API's group.
pub const GROUP: &str = "custom.metrics.k8s.io";

/// Where API servers publish by what they may be known.
const CONFIG: (&str, &str) = ("kube-system", "extension-apiserver-authentication");
/// How long an answer may take: certificates have time, but not for ever.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// What the API server did not do.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Somebody else wrote in between.
    #[error("{0} was changed by somebody else")]
    Conflict(String),
    /// It is not there.
    #[error("{0} is not there")]
    Missing(String),
    /// Any other refusal.
    #[error("{0}: the API server refused")]
    Refused(String, #[source] Box<kube::Error>),
    /// No answer.
    #[error("{0}: the API server did not answer within 5 s")]
    Late(String),
}

/// The objects of the autoscaler.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    secrets: Api<Secret>,
    services: Api<APIService>,
    secret: String,
    namespace: String,
    service: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// What an `APIService` trusts.
#[derive(Debug)]
pub enum Registration {
    /// It is registered for us: its version and its bundle.
    Ours(String, Option<Bundle>),
    /// It is somebody else's, or not there. Nothing of ours to change.
    Foreign(String),
}

impl Cluster {
    /// Asks by `client` about `secret` in `namespace`, and for the registrations of `service` there.
    pub fn new(client: Client, namespace: &str, service: &str, secret: &str) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), namespace),
            services: Api::all(client.clone()),
            client,
            secret: secret.to_owned(),
            namespace: namespace.to_owned(),
            service: service.to_owned(),
        }
    }

    /// The Secret as it is now.
    ///
    /// # Errors
    ///
    /// It is not there, or the API server does not answer.
    pub async fn secret(&self) -> Result<Secret, ClusterError> {
        answer(&format!("Secret {}", self.secret), self.secrets.get(&self.secret)).await
    }

    /// Writes `data` into the Secret, if it still is as it was in `read`.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Conflict`] where it is not.
    pub async fn replace_secret(
        &self,
        mut read: Secret,
        data: BTreeMap<String, ByteString>,
    ) -> Result<(), ClusterError> {
        read.data.get_or_insert_default().extend(data);
        let params = PostParams::default();
        let written = self.secrets.replace(&self.secret, &params, &read);
        answer(&format!("Secret {}", self.secret), written).await.map(drop)
    }

    /// How `version` of the API is registered.
    ///
    /// # Errors
    ///
    /// The API server does not answer.
    pub async fn registration(&self, version: &str) -> Result<Registration, ClusterError> {
        let name = format!("{version}.{GROUP}");
        let found = match answer(&format!("APIService {name}"), self.services.get(&name)).await {
            Err(ClusterError::Missing(what)) => {
                return Ok(Registration::Foreign(format!("{what} is not there")));
            }
            found => found?,
        };
        let spec = found.spec.unwrap_or_default();
        let service = spec.service.unwrap_or_default();
        let (namespace, owner) = (service.namespace.unwrap_or_default(), service.name.unwrap_or_default());
        if (&namespace, &owner) != (&self.namespace, &self.service) {
            return Ok(Registration::Foreign(format!("APIService {name} is of Service {namespace}/{owner}")));
        }
        let bundle = spec.ca_bundle.and_then(|bytes| Bundle::parse(&bytes.0));
        Ok(Registration::Ours(found.metadata.resource_version.unwrap_or_default(), bundle))
    }

    /// Makes API servers trust `bundle`, if the registration still has the version `resource_version`.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Conflict`] where it has another one.
    pub async fn trust(
        &self,
        version: &str,
        resource_version: &str,
        bundle: &Bundle,
    ) -> Result<(), ClusterError> {
        let name = format!("{version}.{GROUP}");
        let patch = Patch::Merge(json!({
            "metadata": {"resourceVersion": resource_version},
            "spec": {"caBundle": ByteString(bundle.to_pem().into_bytes())},
        }));
        let params = PatchParams::default();
        let patched = self.services.patch(&name, &params, &patch);
        answer(&format!("APIService {name}"), patched).await.map(drop)
    }

    /// The Secret's data, at once and whenever it changes; empty where there is no Secret.
    pub fn watch_secret(&self) -> impl Stream<Item = BTreeMap<String, ByteString>> + Send + use<> {
        let secrets = watch_object(self.secrets.clone(), &self.secret).default_backoff();
        told(secrets, "Secret").map(|secret| secret.and_then(|secret| secret.data).unwrap_or_default())
    }

    /// By what API servers may be known, at once and whenever it changes.
    pub fn watch_config(&self) -> impl Stream<Item = BTreeMap<String, String>> + Send + use<> {
        let maps = Api::<ConfigMap>::namespaced(self.client.clone(), CONFIG.0);
        let maps = watch_object(maps, CONFIG.1).default_backoff();
        told(maps, "ConfigMap").map(|map| map.and_then(|map| map.data).unwrap_or_default())
    }

    /// For questions about permissions.
    pub fn client(&self) -> Client {
        self.client.clone()
    }
}

/// Errors of a watch are told; it goes on by itself.
fn told<K: Send>(
    watch: impl Stream<Item = Result<K, watcher::Error>> + Send,
    what: &'static str,
) -> impl Stream<Item = K> + Send {
    watch.filter_map(move |event| {
        let event = event.inspect_err(|error| {
            tracing::warn!(error = platform::status::chain(error), what, "the watch is taken up again");
        });
        std::future::ready(event.ok())
    })
}

async fn answer<T>(
    what: &str,
    asked: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ClusterError> {
    let outcome = tokio::time::timeout(ANSWERS_WITHIN, asked).await;
    outcome.map_err(|_| ClusterError::Late(what.to_owned()))?.map_err(|error| match &error {
        kube::Error::Api(status) if status.code == 409 => ClusterError::Conflict(what.to_owned()),
        kube::Error::Api(status) if status.code == 404 => ClusterError::Missing(what.to_owned()),
        _ => ClusterError::Refused(what.to_owned(), Box::new(error)),
    })
}
