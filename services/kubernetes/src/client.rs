//! The way to the API server.

use std::{fs, path::Path};

use anyhow::Context as _;
use kube::Client;

/// Where a pod finds the namespace that it runs in.
const NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/// The name of the machine, which in a pod is the pod's.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Connects as the pod's service account, or outside of a cluster as the kubeconfig says.
///
/// # Errors
///
/// There is neither, or it can't be read.
pub async fn connect() -> anyhow::Result<Client> {
    platform::run::install_crypto();
    Client::try_default().await.context("find the Kubernetes API server")
}

/// The namespace of this pod; `None` outside of a cluster.
pub fn own_namespace() -> Option<String> {
    read(Path::new(NAMESPACE))
}

/// Who this process is among the candidates for a lease: the pod's name (or the machine's) and something that no other process of
/// that name ever had, because a pod that restarts must not inherit what the one before it held.
pub fn identity(pod: Option<&str>) -> String {
    let host = || read(Path::new(HOST_NAME)).unwrap_or_else(|| "sipup".to_owned());
    let name = pod.map_or_else(host, str::to_owned);
    format!("{name}_{}", uuid::Uuid::new_v4().simple())
}

fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_never_has_the_identity_of_one_before_it() {
        let (one, two) = (identity(Some("jobs-7f9c")), identity(Some("jobs-7f9c")));
        assert!(one.starts_with("jobs-7f9c_") && two.starts_with("jobs-7f9c_"));
        assert_ne!(one, two);
        assert!(identity(None).split_once('_').is_some_and(|(host, _)| !host.is_empty()));
    }
}
