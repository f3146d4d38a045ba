//! A release under test, and what can be asked of it.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use serde_json::Value;
use tests::wait;

use crate::{
    kubectl::{get, kubectl, list, name},
    settings::Settings,
};

/// How long pods may take to be ready again.
const READY_WITHIN: Duration = Duration::from_mins(4);

/// A release in the tests' namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Release(pub &'static str);

/// The release that most tests work on.
pub(crate) const MAIN: Release = Release("sipup");

impl Release {
    /// The name of one of its objects.
    pub(crate) fn object(self, component: &str) -> String {
        format!("{}-{component}", self.fullname())
    }

    fn fullname(self) -> String {
        if self.0.contains("sipup") { self.0.to_owned() } else { format!("{}-sipup", self.0) }
    }

    /// The ingress, as clients in the cluster's network reach it.
    pub(crate) fn url(self) -> anyhow::Result<String> {
        let service = get(&["service", &self.object("envoy")])?;
        let address = service["spec"]["clusterIP"].as_str().context("the ingress has an address")?;
        Ok(format!("http://{address}:80"))
    }

    /// Replicas that a Deployment is told to have.
    pub(crate) fn replicas(self, component: &str) -> anyhow::Result<i64> {
        let deployment = get(&["deployment", &self.object(component)])?;
        deployment["spec"]["replicas"].as_i64().context("a number of replicas")
    }

    /// Its Deployments, by component.
    pub(crate) fn deployments(self) -> anyhow::Result<Vec<String>> {
        Ok(list(&["deployments", "--selector", &self.selector()])?.iter().map(component).collect())
    }

    /// Names of the pods of a component that run.
    pub(crate) fn pods(self, component: &str) -> anyhow::Result<Vec<String>> {
        Ok(self.running(component)?.iter().map(name).collect())
    }

    /// What tells them from later pods of the same names.
    pub(crate) fn uids(self, component: &str) -> anyhow::Result<Vec<String>> {
        let uid = |pod: &Value| pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        Ok(self.running(component)?.iter().map(uid).collect())
    }

    fn running(self, component: &str) -> anyhow::Result<Vec<Value>> {
        let selector = format!("{},app.kubernetes.io/component={component}", self.selector());
        let mut pods = list(&["pods", "--selector", &selector])?;
        pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        Ok(pods)
    }

    /// Selects all of its objects.
    pub(crate) fn selector(self) -> String {
        format!("app.kubernetes.io/instance={}", self.0)
    }

    /// Waits until every Deployment and `StatefulSet` has all its replicas ready and none of an older kind, and says how long it took.
    ///
    /// # Errors
    ///
    /// That does not happen in four minutes.
    pub(crate) fn until_ready(self) -> anyhow::Result<Duration> {
        let ((), took) = wait::blocking("all pods ready", READY_WITHIN, || {
            let sets = list(&["deployments,statefulsets", "--selector", &self.selector()])?;
            let late: Vec<String> = sets.iter().filter(|set| !is_complete(set)).map(name).collect();
            anyhow::ensure!(late.is_empty(), "not ready: {}", late.join(", "));
            Ok(Some(()))
        })?;
        Ok(took)
    }

    /// A value of one of its Secrets.
    pub(crate) fn secret(self, secret: &str, key: &str) -> anyhow::Result<String> {
        self.read_secret(secret, &format!("{{{{index .data \"{key}\" | base64decode}}}}"))
    }

    /// Writes those values of one of its Secrets whose names end in `suffix` into a folder.
    pub(crate) fn write_secret(self, secret: &str, suffix: &str, folder: &Path) -> anyhow::Result<()> {
        let names = self.read_secret(secret, "{{range $name, $value := .data}}{{$name}} {{end}}")?;
        let names: Vec<&str> = names.split_whitespace().filter(|name| name.ends_with(suffix)).collect();
        anyhow::ensure!(!names.is_empty(), "{secret} has no *{suffix}");
        for name in names {
            std::fs::write(folder.join(name), self.secret(secret, name)?)?;
        }
        Ok(())
    }

    fn read_secret(self, secret: &str, template: &str) -> anyhow::Result<String> {
        kubectl(&["get", "secret", &self.object(secret), "--output", &format!("go-template={template}")])
    }

    /// Runs a statement on the primary as its owner, and answers the first column of the first row.
    pub(crate) fn sql(self, statement: &str) -> anyhow::Result<String> {
        let pod = format!("{}-0", self.object("postgres-primary"));
        let shell = ["exec", &pod, "--container", "postgres", "--", "psql", "-U", "postgres", "-d", "sipup"];
        let text = kubectl(&[&shell[..], &["-At", "-v", "ON_ERROR_STOP=1", "-c", statement]].concat())?;
        Ok(text.trim().to_owned())
    }
}

/// Deletes pods at once and without waiting.
pub(crate) fn delete_pods(names: &[String]) -> anyhow::Result<()> {
    let mut arguments = vec!["delete", "pod", "--wait=false"];
    arguments.extend(names.iter().map(String::as_str));
    kubectl(&arguments).map(drop)
}

/// What an object is of the release.
fn component(object: &Value) -> String {
    object["metadata"]["labels"]["app.kubernetes.io/component"].as_str().unwrap_or_default().to_owned()
}

/// The namespace of the tests.
pub(crate) fn namespace() -> &'static str {
    &Settings::here().namespace
}

/// Whether a Deployment or `StatefulSet` is what its newest template says, ready and with nothing left of an older one.
fn is_complete(set: &Value) -> bool {
    let (spec, status) = (&set["spec"], &set["status"]);
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let seen = status["observedGeneration"] == set["metadata"]["generation"];
    seen && count("readyReplicas") == wanted
        && count("updatedReplicas") == wanted
        && count("replicas") == wanted
}
