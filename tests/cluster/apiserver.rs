//! The API that the autoscaler adds to the cluster.

use std::{collections::BTreeSet, time::Duration};

use anyhow::ensure;
use tests::wait;

use crate::{
    announce,
    helm::{self, chart},
    kubectl::run,
    release::{MAIN, namespace},
    scaling::metric,
};

/// Certificates that live two minutes, watched for long enough to see two of them end.
const LIFETIME: &str = "autoscaler.certificateLifetime=2m";
const WATCHED: Duration = Duration::from_mins(5);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The HPA's metric is answered without a break while certificates come and go.
pub(crate) fn certificate_rotates() -> anyhow::Result<()> {
    helm::upgrade("helm", MAIN.0, &chart(), &[LIFETIME])?;
    MAIN.until_ready()?;
    wait::blocking("the metric is known", Duration::from_mins(6), || metric(MAIN, "catalog"))?;
    let path = format!(
        "/apis/custom.metrics.k8s.io/v1beta2/namespaces/{}/services/{}/active_users",
        namespace(),
        MAIN.object("envoy")
    );
    let mut serials = BTreeSet::new();
    let asked = wait::throughout(WATCHED, LOOK_EVERY, || {
        run("kubectl", &["get", "--raw", &path])?;
        serials.insert(MAIN.secret("autoscaler-tls", "tls.crt")?);
        Ok(())
    })?;
    ensure!(serials.len() >= 3, "only {} certificates in {WATCHED:?}", serials.len());
    announce(&format!("{asked} requests in {WATCHED:?} over {} certificates, none failed", serials.len()));
    helm::upgrade("helm", MAIN.0, &chart(), &[])?;
    MAIN.until_ready().map(drop)
}
