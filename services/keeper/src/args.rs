//! The sidecar: flags, and a round every second.

use std::{net::SocketAddr, time::Duration};

use platform::{Context, Invalid, Secret};
use tokio::time::{MissedTickBehavior, interval};

use crate::{Dns, Keeper, Members};

/// What a keeper is told about its cluster.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The name of its own pod, `<name>-<ordinal>`.
    #[arg(long, env = "SIPUP_POD_NAME")]
    pub pod: String,
    /// The name of the `StatefulSet`.
    #[arg(long, env = "SIPUP_VALKEY_NAME")]
    pub name: String,
    /// What follows a pod's name in its host name: `<headless service>.<namespace>.svc.<cluster domain>`.
    #[arg(long, env = "SIPUP_VALKEY_DOMAIN")]
    pub domain: String,
    /// How many nodes there are: the replicas of the `StatefulSet`.
    #[arg(long, env = "SIPUP_VALKEY_NODES", default_value_t = 6)]
    pub nodes: usize,
    /// How many of them share the slots when the cluster is created; the others follow them.
    #[arg(long, env = "SIPUP_VALKEY_PRIMARIES", default_value_t = 3)]
    pub primaries: usize,
    /// Its own node.
    #[arg(long, env = "SIPUP_VALKEY_NODE", default_value = "127.0.0.1:6379")]
    pub node: SocketAddr,
    /// The password of all nodes.
    #[arg(long, env = "SIPUP_VALKEY_PASSWORD", hide_env_values = true)]
    pub password: Secret,
    /// The time between two looks.
    #[arg(long, env = "SIPUP_VALKEY_INTERVAL", default_value = "1s", value_parser = platform::args::duration)]
    pub interval: Duration,
}

impl Args {
    /// The keeper of this pod.
    ///
    /// # Errors
    /// If the numbers can't be right, or the pod is none of the `StatefulSet`.
    pub fn keeper(&self) -> Result<Keeper<Dns>, Invalid> {
        if !(1..=self.nodes).contains(&self.primaries) {
            return Err(Invalid::new("--primaries", "must be 1 to the number of nodes"));
        }
        if self.interval.is_zero() {
            return Err(Invalid::new("--interval", "must be more than zero"));
        }
        let ordinal = self.pod.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('-'));
        let ordinal =
            ordinal.and_then(|ordinal| ordinal.parse().ok()).filter(|ordinal| *ordinal < self.nodes);
        let ordinal = ordinal.ok_or_else(|| {
            Invalid::new("--pod", format!("must be `{}-0` to `{0}-{}`", self.name, self.nodes - 1))
        })?;
        let hosts = (0..self.nodes).map(|nth| format!("{}-{nth}.{}", self.name, self.domain)).collect();
        let members =
            Members { hosts, port: self.node.port(), ordinal, node: self.node, primaries: self.primaries };
        Ok(Keeper::new(members, self.password.clone(), Dns))
    }
}

/// Keeps watch until the process is told to stop.
///
/// # Errors
/// If the flags can't be right. What fails later is tried again.
pub async fn serve(args: Args, context: Context) -> anyhow::Result<()> {
    let mut keeper = args.keeper()?;
    let mut rounds = interval(args.interval);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = context.terminating.cancelled() => return Ok(()),
            _ = rounds.tick() => keeper.round().await,
        }
    }
}
