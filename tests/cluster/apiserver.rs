//! The API that the autoscaler adds to the cluster.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::{
    announce,
    helm::{self, chart},
    kubectl::run,
    release::{MAIN, namespace},
    scaling::metric,
    wait,
};

/// Certificates that live two minutes, watched for long enough to see two of them end.
const LIFETIME: &str = "autoscaler.certificateLifetime=2m";
const WATCHED: Duration = Duration::from_mins(5);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The HPA's metric is answered without a break while certificates come and go.
pub(crate) fn certificate_rotates() -> anyhow::Result<()> {
    helm::upgrade("helm", MAIN.0, &chart(), &[LIFETIME])?;
    MAIN.until_ready()?;
    wait::until("the metric is known", Duration::from_mins(6), || metric(MAIN, "catalog"))?;
    let path = format!(
        "/apis/custom.metrics.k8s.io/v1beta2/namespaces/{}/services/{}/active_users",
        namespace(),
        MAIN.object("envoy")
    );
    let (mut serials, mut asked) = (std::collections::BTreeSet::new(), 0_u32);
    let begun = Instant::now();
    while begun.elapsed() < WATCHED {
        run("kubectl", &["get", "--raw", &path])?;
        asked += 1;
        serials.insert(MAIN.secret("autoscaler-tls", "tls.crt")?);
        thread::sleep(LOOK_EVERY);
    }
    ensure!(serials.len() >= 3, "only {} certificates in {WATCHED:?}", serials.len());
    announce(&format!("{asked} requests in {WATCHED:?} over {} certificates, none failed", serials.len()));
    helm::upgrade("helm", MAIN.0, &chart(), &[])?;
    MAIN.until_ready().map(drop)
}
