//! The data tier loses pods.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tests::wait;

use crate::{
    announce,
    kubectl::kubectl,
    release::{MAIN, delete_pods},
    traffic::{Flow, summary},
};

const NODES: usize = 6;

/// All nodes at once: new addresses for every one of them, and the same data.
pub(crate) fn valkey_restarts_as_a_whole() -> anyhow::Result<()> {
    let key = "{sipup-test}kept";
    valkey(&["SET", key, "yes"])?;
    // Data is on disk a second after it was written.
    valkey(&["WAITAOF", "1", "0", "5000"])?;
    let pods = MAIN.pods("valkey")?;
    ensure!(pods.len() == NODES, "a cluster of three masters and three replicas: {pods:?}");
    let old = MAIN.uids("valkey")?;
    delete_pods(&pods)?;
    let ((), took) = wait::blocking("the cluster is whole again", Duration::from_mins(3), || {
        let new = MAIN.uids("valkey")?.into_iter().filter(|uid| !old.contains(uid)).count();
        ensure!(new == NODES, "{new} new pods");
        let state = valkey(&["CLUSTER", "INFO"])?;
        ensure!(state.contains("cluster_state:ok"), "{state}");
        ensure!(state.contains("cluster_slots_ok:16384"), "{state}");
        let kept = valkey(&["GET", key])?;
        ensure!(kept.trim() == "yes", "the key is gone: {kept}");
        Ok(Some(()))
    })?;
    announce(&format!("all Valkey pods deleted: a whole cluster with its data after {took:.1?}"));
    MAIN.until_ready().map(drop)
}

/// The primary's pod goes and comes back: what was answered with success is there.
pub(crate) fn primary_restarts() -> anyhow::Result<()> {
    let flow = Flow::start(MAIN)?;
    let before = orders()?;
    delete_pods(&MAIN.pods("postgres-primary")?)?;
    let (_, took) = wait::blocking("orders are taken again", Duration::from_mins(3), || {
        let now = orders()?;
        Ok((now > before + 20).then_some(now))
    })?;
    MAIN.until_ready()?;
    let report = flow.stop()?;
    // The load tool reads each order that it placed, and calls one that is gone a wrong answer.
    ensure!(report.counts.wrong == 0, "answers were wrong: {}", summary(&report));
    announce(&format!("the primary's pod deleted: orders again after {took:.1?}; {}", summary(&report)));
    let oversold = MAIN.sql("SELECT count(*) FROM orders.stock WHERE on_hand < 0")?;
    ensure!(oversold == "0", "{oversold} products are oversold");
    Ok(())
}

/// Reads move to the primary for as long as the replica is away, and no call fails.
pub(crate) fn replica_is_away() -> anyhow::Result<()> {
    let replica = format!("statefulset/{}", MAIN.object("postgres-replica"));
    let flow = Flow::start(MAIN)?;
    kubectl(&["scale", &replica, "--replicas=0"])?;
    wait::blocking("the replica is gone", Duration::from_mins(2), || {
        Ok(MAIN.pods("postgres-replica")?.is_empty().then_some(()))
    })?;
    let without = orders()?;
    wait::blocking("orders go on without it", Duration::from_mins(1), || {
        Ok((orders()? > without + 50).then_some(()))
    })?;
    kubectl(&["scale", &replica, "--replicas=1"])?;
    let took = MAIN.until_ready()?;
    flow.stop_without_failure("the replica away and back")?;
    announce(&format!("the replica is ready again after {took:.1?}"));
    Ok(())
}

fn orders() -> anyhow::Result<u64> {
    MAIN.sql("SELECT count(*) FROM orders.orders")?.parse().context("a number of orders")
}

fn valkey(command: &[&str]) -> anyhow::Result<String> {
    let pod = format!("{}-0", MAIN.object("valkey"));
    let password = MAIN.secret("valkey", "password")?;
    let variable = format!("REDISCLI_AUTH={password}");
    let exec = ["exec", &pod, "--container", "valkey", "--", "env", &variable, "valkey-cli", "-c"];
    kubectl(&[&exec[..], command].concat())
}
