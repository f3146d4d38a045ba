//! The configuration in one piece, or in files that Envoy reads again when they change.

use std::path::Path;

use serde_json::Value;

use crate::{
    Config, Error, Rpc,
    api::{ConfigSource, DiscoveryResponse, DynamicResources, Rds, RouteSpecifier, StaticResources, json},
    bootstrap, clusters, listeners, routes, rpcs, tls,
};

/// File of the listeners.
pub(crate) const LDS: &str = "lds.yaml";
/// File of the clusters.
pub(crate) const CDS: &str = "cds.yaml";
/// File of the routes.
pub(crate) const RDS: &str = "rds.yaml";
/// File that names the certificate.
pub(crate) const SDS: &str = "sds.yaml";

/// Where a part of the configuration finds the others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// All in one.
    Whole,
    /// Each in its file in this folder.
    Files(&'a Path),
}

impl Place<'_> {
    pub(crate) fn routes(self, config: &Config, rpcs: &[Rpc]) -> RouteSpecifier {
        match self {
            Self::Whole => RouteSpecifier::RouteConfig(routes::configuration(config, rpcs)),
            // Apart from the listeners, because a changed listener cuts its streams and a changed route does not.
            Self::Files(folder) => RouteSpecifier::Rds(Rds {
                config_source: ConfigSource::file(folder, RDS),
                route_config_name: routes::NAME,
            }),
        }
    }
}

/// A configuration in files.
///
/// All but the bootstrap are read again when their folder is swapped as the kubelet swaps a mounted `ConfigMap`. Writing
/// into a file in place goes unnoticed.
#[derive(Clone, Debug)]
pub struct Files {
    /// What `envoy -c` reads, fixed until Envoy restarts.
    pub bootstrap: Value,
    /// `lds.yaml`: where clients connect, and the filters. A change cuts streams after Envoy's drain time.
    pub lds: Value,
    /// `cds.yaml`: the services.
    pub cds: Value,
    /// `rds.yaml`: routes with their time-outs, limits and retries. A change disturbs nobody.
    pub rds: Value,
    /// `sds.yaml`: where the certificate is, if there is one.
    pub sds: Option<Value>,
}

impl Config {
    /// The same as [`Config::render`], as a JSON value.
    ///
    /// # Errors
    /// If a field can't be meant, or an RPC has no class; the error names it.
    pub fn bootstrap(&self) -> Result<Value, Error> {
        let rpcs = self.checked()?;
        let mut listeners = listeners::edges(self, &rpcs, Place::Whole);
        listeners.push(listeners::metrics(self));
        let mut clusters = clusters::changing(self);
        clusters.push(clusters::admin(self));
        Ok(json(&bootstrap::of(self, StaticResources { listeners, clusters }, None)))
    }

    /// The configuration in files for the folder `folder`, from which Envoy will read all but the bootstrap.
    ///
    /// # Errors
    /// If a field can't be meant, or an RPC has no class; the error names it.
    pub fn files(&self, folder: &Path) -> Result<Files, Error> {
        let rpcs = self.checked()?;
        let place = Place::Files(folder);
        // What probes and monitoring need is there even if the files are refused.
        let fixed = StaticResources {
            listeners: vec![listeners::metrics(self)],
            clusters: vec![clusters::admin(self)],
        };
        let dynamic = DynamicResources {
            lds_config: ConfigSource::file(folder, LDS),
            cds_config: ConfigSource::file(folder, CDS),
        };
        let sds = self.tls.as_ref().map(|tls| json(&DiscoveryResponse::new(&[tls::secret(tls)])));
        Ok(Files {
            bootstrap: json(&bootstrap::of(self, fixed, Some(dynamic))),
            lds: json(&DiscoveryResponse::new(&listeners::edges(self, &rpcs, place))),
            cds: json(&DiscoveryResponse::new(&clusters::changing(self))),
            rds: json(&DiscoveryResponse::new(&[routes::configuration(self, &rpcs)])),
            sds,
        })
    }

    fn checked(&self) -> Result<Vec<Rpc>, Error> {
        self.check()?;
        rpcs()
    }
}
