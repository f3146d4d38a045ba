//! A release comes, is tried, and goes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tests::{
    clients::{Client, order_of},
    trace::OrderTrace,
    wait,
};
use tokio::runtime::Runtime;
use tonic::Request;
use uuid::Uuid;

use crate::{
    announce,
    helm::{self, chart, helm},
    kubectl::{apply, kubectl, list, name, run},
    release::{MAIN, Release, namespace},
    settings::Settings,
};

const SECOND: Release = Release("second");

/// Into a namespace that enforces the strictest Pod Security, with nothing else in the cluster.
pub(crate) fn from_nothing() -> anyhow::Result<()> {
    let levels = ["enforce", "warn", "audit"]
        .map(|mode| format!("    pod-security.kubernetes.io/{mode}: restricted\n"))
        .concat();
    let name = namespace();
    apply(&format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels:\n{levels}"))?;
    let begun = Instant::now();
    let complaints = helm::upgrade("helm", MAIN.0, &chart(), &[])?;
    MAIN.until_ready()?;
    announce(&format!("installed, all ready after {:.0?}", begun.elapsed()));
    ensure!(!complaints.contains("PodSecurity"), "the API server warns: {complaints}");
    let refused = list(&["events", "--field-selector", "reason=FailedCreate"])?;
    ensure!(refused.is_empty(), "pods were refused: {refused:?}");
    Ok(())
}

/// What a person runs after an install.
pub(crate) fn helm_test() -> anyhow::Result<()> {
    announce(&helm(&["test", MAIN.0])?);
    Ok(())
}

/// From a client's `traceparent` to the e-mail that a worker sends later, through the cluster's ingress.
pub(crate) fn one_trace() -> anyhow::Result<()> {
    let caller = "00f067aa0ba902b7";
    let trace = Uuid::new_v4().simple().to_string();
    let wrong = Runtime::new()?.block_on(async {
        let client = Client::connect(&MAIN.url()?).await?.register("Traced").await?;
        let sku = client.products(1).await?.into_iter().next().context("a product")?.sku;
        let mut request = Request::new(order_of(&[(&sku, 1)]));
        request.metadata_mut().insert("traceparent", format!("00-{trace}-{caller}-01").parse()?);
        request.metadata_mut().insert("idempotency-key", Uuid::now_v7().to_string().parse()?);
        client.orders().create_order(request).await?;
        let collector = helm::collector()?;
        let edges = async || OrderTrace(collector.trace(&trace)).wrong_edges(caller);
        anyhow::Ok(wait::until("every span of the order", edges).await)
    })?;
    ensure!(wrong.is_empty(), "edges that are missing: {wrong:?}");
    announce(&format!("{} spans of one order, every edge there", helm::collector()?.trace(&trace).len()));
    Ok(())
}

/// The release's own opinion of its size.
pub(crate) fn capacity_is_as_planned() -> anyhow::Result<()> {
    let program = tests::stack::binary()?;
    let program = program.to_str().expect("a path in UTF-8");
    // Until people have been counted for a whole window, their number is unknown, and the HPAs say so.
    let (said, took) = wait::blocking("every size is as planned", Duration::from_mins(4), || {
        run(program, &["verify", "capacity", "--release", MAIN.0, "--namespace", namespace()]).map(Some)
    })?;
    announce(&said);
    announce(&format!("as planned after {took:.0?}"));
    Ok(())
}

/// Beside the first, in the same namespace: its HPA goes by CPU, since the API of metrics belongs to the first. Installed by Helm 3
/// where there is one, which keeps what `kubectl scale` has set as Helm 4 does.
pub(crate) fn second_release() -> anyhow::Result<()> {
    let program = Settings::here().helm3.as_deref().unwrap_or("helm");
    let fixed = "services.orders.autoscaling.enabled=false";
    helm::upgrade(program, SECOND.0, &chart(), &[fixed])?;
    let took = SECOND.until_ready()?;
    helm(&["test", SECOND.0])?;
    let metrics = crate::scaling::hpa(SECOND, "catalog")?["spec"]["metrics"].clone();
    let users = metrics.as_array().is_some_and(|all| all.iter().any(|metric| metric["type"] == "Object"));
    ensure!(!users, "the second release's HPA asks for a metric that is not its own: {metrics}");
    announce(&format!("a second release is ready, {took:.0?} after {program}"));
    kubectl(&["scale", &format!("deployment/{}", SECOND.object("orders")), "--replicas=2"])?;
    helm::upgrade(program, SECOND.0, &chart(), &[fixed, "defaults.podAnnotations.sipup-test=changed"])?;
    ensure!(SECOND.replicas("orders")? == 2, "an upgrade by {program} changed what kubectl scale had set");
    run(program, &["rollback", SECOND.0, "--namespace", namespace(), "--wait", "--timeout", "8m"])?;
    ensure!(SECOND.replicas("orders")? == 2, "a rollback by {program} changed what kubectl scale had set");
    helm(&["uninstall", SECOND.0, "--wait"])?;
    ensure!(!MAIN.pods("catalog")?.is_empty(), "the first release went with the second");
    helm(&["test", MAIN.0]).map(drop)
}

/// Volumes and generated Secrets stay, since data without its passwords is lost; everything else goes.
pub(crate) fn uninstall() -> anyhow::Result<()> {
    helm(&["uninstall", MAIN.0, "--wait"])?;
    let ((), took) = wait::blocking("nothing unexpected is left", Duration::from_mins(3), || {
        let left = left_behind()?;
        let unexpected: Vec<&String> = left
            .iter()
            .filter(|object| {
                !object.starts_with("secrets/") && !object.starts_with("persistentvolumeclaims/")
            })
            .collect();
        ensure!(unexpected.is_empty(), "left behind: {unexpected:?}");
        Ok(Some(()))
    })?;
    announce(&format!("left {took:.0?} after uninstall: {}", left_behind()?.join(", ")));
    kubectl(&["delete", "secrets,persistentvolumeclaims", "--selector", &MAIN.selector()])?;
    run("kubectl", &["delete", "namespace", namespace(), "--timeout=3m"]).map(drop)
}

/// Every object of the release, in the namespace and outside.
fn left_behind() -> anyhow::Result<Vec<String>> {
    let kinds = run("kubectl", &["api-resources", "--verbs=list", "--namespaced", "--output=name"])?;
    let namespaced =
        kinds.lines().filter(|kind| !kind.starts_with("events") && !kind.contains("metrics.k8s.io"));
    let mut left = Vec::new();
    for kind in namespaced.chain(["apiservices", "clusterroles", "clusterrolebindings"]) {
        let objects = list(&[kind, "--selector", &MAIN.selector()])?;
        left.extend(objects.iter().map(|object| format!("{kind}/{}", name(object))));
    }
    Ok(left)
}
