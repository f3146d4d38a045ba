//! What one node sees.

use std::{collections::BTreeSet, io, net::SocketAddr};

use platform::Secret;

use crate::{
    nodes::Node,
    resp::Connection,
    slots::{self, Range, SLOTS},
};

/// A node's own account of itself and of its cluster.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Where it was asked.
    pub(crate) address: SocketAddr,
    /// Itself.
    pub(crate) myself: Node,
    /// The others that it knows, those included whose introduction is not over.
    pub(crate) others: Vec<Node>,
    /// How many keys it holds.
    pub(crate) keys: u64,
}

impl View {
    /// Asks the node at `address`.
    pub(crate) async fn of(address: SocketAddr, password: &Secret) -> io::Result<Self> {
        let mut connection = Connection::open(address, password).await?;
        let keys = connection.call(&["DBSIZE"]).await?.parse().map_err(io::Error::other)?;
        let nodes = connection.call(&["CLUSTER", "NODES"]).await?;
        Self::new(address, &nodes, keys).ok_or_else(|| io::Error::other("a node that does not know itself"))
    }

    /// Reads the answer to `CLUSTER NODES`.
    pub(crate) fn new(address: SocketAddr, nodes: &str, keys: u64) -> Option<Self> {
        let (mut myself, others): (Vec<Node>, Vec<Node>) =
            nodes.lines().filter_map(Node::parse).partition(|node| node.is_myself);
        Some(Self { address, myself: myself.pop()?, others, keys })
    }

    /// The others that it really knows.
    pub(crate) fn known(&self) -> impl Iterator<Item = &Node> {
        self.others.iter().filter(|node| !node.is_handshake)
    }

    /// One of them, or itself.
    pub(crate) fn find(&self, id: &str) -> Option<&Node> {
        self.known().chain([&self.myself]).find(|node| node.id == id)
    }

    /// The ids of all that it knows, itself included.
    pub(crate) fn ids(&self) -> BTreeSet<&str> {
        self.known().chain([&self.myself]).map(|node| node.id.as_str()).collect()
    }

    /// Whether nothing would be lost with it: it knows nobody, serves nothing and holds nothing.
    pub(crate) fn is_blank(&self) -> bool {
        self.known().next().is_none() && self.myself.slots.is_empty() && self.keys == 0
    }

    /// Whether it is in a cluster in which somebody serves something.
    pub(crate) fn is_in_service(&self) -> bool {
        self.known().chain([&self.myself]).any(|node| !node.slots.is_empty())
    }

    /// Whether it is a primary that serves nothing.
    pub(crate) fn is_spare(&self) -> bool {
        self.myself.primary.is_none() && self.myself.slots.is_empty() && self.keys == 0
    }

    /// The slots that, as it sees it, none of the nodes that `counts` serves.
    pub(crate) fn unserved(&self, counts: impl Fn(&Node) -> bool) -> Vec<Range> {
        let serving = self.known().chain([&self.myself]).filter(|node| counts(node));
        slots::missing(&(0..=SLOTS - 1), serving.flat_map(|node| &node.slots))
    }
}
