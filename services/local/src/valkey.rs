//! A Valkey cluster: the nodes as processes, formed by commands.

mod cluster;
mod resp;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::account::Account;
use crate::error::Result;
use crate::files;
use crate::postgres::Durability;
use crate::process::{Ending, Environment, Spec, Stage};
use crate::supervisor::Supervisor;

/// The masters of every cluster here, the fewest that Valkey calls one.
pub(crate) const MASTERS: usize = 3;

/// A node reads its append-only file first.
const READY_BOUND: Duration = Duration::from_secs(30);
/// It writes out its state when it ends.
const STOP_BOUND: Duration = Duration::from_secs(5);

/// A running cluster.
#[derive(Clone, Debug)]
pub(crate) struct Valkey {
    nodes: Vec<SocketAddr>,
}

/// What a cluster is made from.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The folder with `valkey-server`.
    pub programs: PathBuf,
    /// Where the nodes keep their data.
    pub folder: PathBuf,
    /// Receives the logs.
    pub logs: PathBuf,
    /// One port per node; the first three nodes are made masters, the others their replicas.
    pub ports: Vec<u16>,
    /// What is added to a node's port for the port on which the nodes talk with one another.
    pub bus_offset: u16,
    /// Whether the data outlives the processes.
    pub durability: Durability,
}

impl Valkey {
    /// Starts the nodes under `supervisor`, forms the cluster where it isn't whole, and waits until it serves.
    ///
    /// # Errors
    /// When a node does not start or the cluster does not come together.
    pub(crate) async fn start(options: &Options, supervisor: &Supervisor) -> Result<Self> {
        let mut nodes = Vec::new();
        for (index, port) in options.ports.iter().enumerate() {
            let folder = options.folder.join(index.to_string());
            files::private_folder(&folder)?;
            files::write_whole(
                &folder.join("valkey.conf"),
                options.configuration(*port, &folder).as_bytes(),
            )?;
            supervisor.start(options.node(index, &folder))?;
            nodes.push(SocketAddr::from((Ipv4Addr::LOCALHOST, *port)));
        }
        for (index, node) in nodes.iter().enumerate() {
            supervisor.ready(&name(index), READY_BOUND, || cluster::answers(*node)).await?;
        }
        cluster::form(&nodes, options.bus_offset).await?;
        Ok(Self { nodes })
    }

    /// The addresses of the nodes, masters first as long as nothing failed over.
    pub(crate) fn nodes(&self) -> &[SocketAddr] {
        &self.nodes
    }
}

impl Options {
    fn configuration(&self, port: u16, folder: &Path) -> String {
        let bus = port + self.bus_offset;
        let append_only = if self.durability == Durability::Kept { "yes" } else { "no" };
        format!(
            "# Written at each start.\n\
             port {port}\ncluster-port {bus}\nbind 127.0.0.1\ndir \"{}\"\n\
             cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 3000\n\
             cluster-require-full-coverage no\nappendonly {append_only}\nsave \"\"\n\
             repl-diskless-sync-delay 0\n\
             maxmemory 64mb\nmaxmemory-policy volatile-lru\n",
            folder.display()
        )
    }

    fn node(&self, index: usize, folder: &Path) -> Spec {
        Spec {
            name: name(index),
            stage: Stage::Valkey,
            program: self.programs.join("valkey-server"),
            args: vec![folder.join("valkey.conf").into()],
            env: Environment::default(),
            log: self.logs.join(format!("{}.log", name(index))),
            account: Account::Own,
            ending: Ending::terminate(STOP_BOUND),
        }
    }
}

fn name(index: usize) -> String {
    format!("valkey-{index}")
}

#[cfg(test)]
mod tests;
