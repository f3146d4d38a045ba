//! What the autoscaler is told.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use clap::ValueEnum;
use jiff::SignedDuration;
use platform::{Invalid, ServerArgs, args::duration, client::ServiceUrl};

use crate::certificate::Names;

/// The shortest life of a certificate: API servers need time to learn of each one.
const SHORTEST_LIFE: Duration = Duration::from_mins(1);
/// The longest: clients refuse what lasts longer.
const LONGEST_LIFE: Duration = Duration::from_hours(24 * 825);

/// What the autoscaler is told.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Ports and stop. The gRPC port is KEDA's.
    #[command(flatten)]
    pub server: ServerArgs,

    /// Where the limiter counts the users: `http://host:port`, several separated by commas.
    #[arg(long, env = "SIPUP_LIMITER_URL", default_value = "http://ratelimit:8080")]
    pub limiter_url: ServiceUrl,

    /// Users that one pod serves, for triggers of KEDA whose metadata lacks `usersPerPod`.
    #[arg(long, env = "SIPUP_USERS_PER_POD")]
    pub users_per_pod: Option<NonZeroU32>,

    /// Whether to answer HPAs at `custom.metrics.k8s.io`. Off, no API server is needed.
    #[arg(long, env = "SIPUP_CUSTOM_METRICS", default_value = "on")]
    pub custom_metrics: Switch,

    /// The rest counts only where they are answered.
    #[command(flatten)]
    pub adapter: AdapterArgs,
}

/// What the custom metrics API is told.
#[derive(clap::Args, Clone, Debug)]
pub struct AdapterArgs {
    /// Address for API servers, which some clusters let reach only 443 and 10250.
    #[arg(long, env = "SIPUP_TLS_LISTEN", default_value = "0.0.0.0:10250")]
    pub tls_listen: SocketAddr,

    /// The Service that the metric is of: the release's Envoy.
    #[arg(long, env = "SIPUP_SERVICE_NAME", default_value = "sipup-envoy")]
    pub service_name: String,

    /// The Service by which API servers reach this process.
    #[arg(long, env = "SIPUP_OWN_SERVICE", default_value = "sipup-autoscaler")]
    pub own_service: String,

    /// The namespace of both. Without it the pod's own.
    #[arg(long, env = "SIPUP_NAMESPACE")]
    pub namespace: Option<String>,

    /// The cluster's DNS domain.
    #[arg(long, env = "SIPUP_CLUSTER_DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,

    /// The Secret of the certificate, which must exist. Without it `<own service>-tls`.
    #[arg(long, env = "SIPUP_TLS_SECRET")]
    pub tls_secret: Option<String>,

    /// The Lease of whoever keeps the certificate, which must exist. Without it called as the own service.
    #[arg(long, env = "SIPUP_LEASE")]
    pub lease: Option<String>,

    /// This pod's name, by which it holds the lease. Without it the machine's.
    #[arg(long, env = "SIPUP_POD_NAME")]
    pub pod_name: Option<String>,

    /// How long a certificate is valid: 1m to 825 days. The next one comes when a third is left.
    #[arg(long, env = "SIPUP_CERTIFICATE_LIFETIME", default_value = "90d", value_parser = lifetime)]
    pub certificate_lifetime: SignedDuration,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

fn lifetime(text: &str) -> Result<SignedDuration, String> {
    let life = duration(text).map_err(|error| error.to_string())?;
    if !(SHORTEST_LIFE..=LONGEST_LIFE).contains(&life) {
        return Err("must be 1m to 825 days".to_owned());
    }
    SignedDuration::try_from(life).map_err(|error| error.to_string())
}

impl Args {
    /// Checks what clap can't: whether there is a cluster to answer, and names that make DNS names.
    ///
    /// # Errors
    ///
    /// Names the flag.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.custom_metrics == Switch::Off {
            return Ok(());
        }
        let in_cluster = kube::Config::incluster().is_ok();
        if !in_cluster && kube::config::Kubeconfig::read().is_err() {
            return Err(Invalid::new(
                "--custom-metrics",
                "must be off outside of a cluster: there is neither a service account nor a kubeconfig",
            ));
        }
        let namespace = kubernetes::own_namespace();
        self.adapter.names(namespace.as_deref()).map(drop)
    }
}

impl AdapterArgs {
    /// The namespace of the release; `own` is the pod's.
    ///
    /// # Errors
    ///
    /// Names the flag where there is neither.
    pub fn namespace(&self, own: Option<&str>) -> Result<String, Invalid> {
        let namespace = self.namespace.as_deref().or(own).map(str::to_owned);
        namespace.ok_or_else(|| Invalid::new("--namespace", "must be given outside of a pod"))
    }

    /// The names that the certificate is for.
    ///
    /// # Errors
    ///
    /// Names the flag.
    pub fn names(&self, own: Option<&str>) -> Result<Names, Invalid> {
        Names::of(&self.own_service, &self.namespace(own)?, &self.cluster_domain)
    }

    /// The Secret of the certificate.
    pub fn secret(&self) -> String {
        self.tls_secret.clone().unwrap_or_else(|| format!("{}-tls", self.own_service))
    }

    /// The Lease of whoever keeps it.
    pub fn lease(&self) -> String {
        self.lease.clone().unwrap_or_else(|| self.own_service.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_neither_too_short_to_be_noticed_nor_too_long_to_be_accepted() {
        assert_eq!(lifetime("2m"), Ok(SignedDuration::from_mins(2)));
        assert_eq!(lifetime("90d"), Ok(SignedDuration::from_hours(24 * 90)));
        for text in ["59s", "826d", "", "soon"] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }
}
