//! Pods that are replaced while calls are on their way.

use std::time::Duration;

use tests::wait;

use crate::{
    announce,
    helm::{self, chart, helm},
    kubectl::kubectl,
    release::{MAIN, delete_pods},
    settings::Settings,
    traffic::Flow,
};

/// `kubectl rollout restart` of all that can be restarted at once.
pub(crate) fn restart_of_everything() -> anyhow::Result<()> {
    let flow = Flow::start(MAIN)?;
    let deployments = MAIN.deployments()?;
    for component in &deployments {
        kubectl(&["rollout", "restart", &format!("deployment/{}", MAIN.object(component))])?;
    }
    let took = MAIN.until_ready()?;
    until_old_pods_are_gone()?;
    flow.stop_without_failure(&format!("restart of {} in {took:.0?}", deployments.join(", ")))?;
    Ok(())
}

/// One pod of each Deployment is deleted, all in the same moment: what an evicted node does.
pub(crate) fn one_pod_of_each_kind() -> anyhow::Result<()> {
    let flow = Flow::start(MAIN)?;
    let mut victims = Vec::new();
    for component in MAIN.deployments()? {
        victims.extend(MAIN.pods(&component)?.into_iter().take(1));
    }
    delete_pods(&victims)?;
    let took = MAIN.until_ready()?;
    until_old_pods_are_gone()?;
    flow.stop_without_failure(&format!("{} pods deleted, back in {took:.0?}", victims.len()))?;
    Ok(())
}

/// A changed template, and back again. Without an autoscaler `kubectl scale` owns the number of replicas, with one the HPA does.
pub(crate) fn upgrade_and_rollback() -> anyhow::Result<()> {
    helm::upgrade("helm", MAIN.0, &chart(), &["services.catalog.autoscaling.enabled=false"])?;
    kubectl(&["scale", &format!("deployment/{}", MAIN.object("catalog")), "--replicas=3"])?;
    MAIN.until_ready()?;

    let flow = Flow::start(MAIN)?;
    let mark = "defaults.podAnnotations.sipup-test=changed";
    helm::upgrade("helm", MAIN.0, &chart(), &["services.catalog.autoscaling.enabled=false", mark])?;
    anyhow::ensure!(MAIN.replicas("catalog")? == 3, "an upgrade changed what kubectl scale had set");
    helm(&["rollback", MAIN.0, "--wait", "--timeout", "8m"])?;
    anyhow::ensure!(MAIN.replicas("catalog")? == 3, "a rollback changed what kubectl scale had set");
    let took = MAIN.until_ready()?;
    until_old_pods_are_gone()?;
    flow.stop_without_failure("upgrade and rollback")?;
    announce(&format!("ready {took:.0?} after the rollback"));

    // As it was, for the tests to come.
    helm::upgrade("helm", MAIN.0, &chart(), &[])?;
    MAIN.until_ready().map(drop)
}

/// From the chart that people have to the one that they get.
pub(crate) fn upgrade_from_previous() -> anyhow::Result<()> {
    let Some(previous) = &Settings::here().previous_chart else {
        announce("SKIPPED: SIPUP_TEST_PREVIOUS_CHART names no chart to upgrade from");
        return Ok(());
    };
    helm::upgrade("helm", MAIN.0, previous, &[])?;
    MAIN.until_ready()?;
    until_old_pods_are_gone()?;
    let flow = Flow::start(MAIN)?;
    // A chart that differs in nothing that a pod sees would replace none.
    helm::upgrade("helm", MAIN.0, &chart(), &["defaults.podAnnotations.sipup-test=upgraded"])?;
    let took = MAIN.until_ready()?;
    until_old_pods_are_gone()?;
    flow.stop_without_failure(&format!("upgrade from the chart before, ready after {took:.0?}"))?;
    helm::upgrade("helm", MAIN.0, &chart(), &[])?;
    MAIN.until_ready().map(drop)
}

/// Draining pods still answer: traffic has to go on until the last of them has ended.
pub(crate) fn until_old_pods_are_gone() -> anyhow::Result<()> {
    wait::blocking("terminating pods are gone", Duration::from_mins(3), || {
        let pods = crate::kubectl::list(&["pods", "--selector", &MAIN.selector()])?;
        let ending = pods.iter().filter(|pod| !pod["metadata"]["deletionTimestamp"].is_null()).count();
        anyhow::ensure!(ending == 0, "{ending} pods are ending");
        Ok(Some(()))
    })
    .map(drop)
}
