//! Forms the cluster: introduces the nodes, gives slots to the masters, makes the others replicas.
//!
//! Each step first looks at what is there, so that the same run completes a half-formed cluster and leaves a whole one
//! as it is.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::valkey::MASTERS;
use crate::valkey::resp::Connection;
use crate::wait;

/// All hash slots of a cluster.
const SLOTS: u16 = 16_384;
/// After a restart the nodes first have to hear from one another.
const BOUND: Duration = Duration::from_secs(30);
/// An introduction takes a few rounds of gossip; one that took longer was lost.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether a node has read its data and takes commands.
pub(super) async fn answers(node: SocketAddr) -> bool {
    call(node, &["PING"]).await.is_ok_and(|answer| answer == "PONG")
}

/// Makes one cluster of `nodes`, who talk with one another `bus_offset` ports higher, and waits until it serves every slot.
pub(super) async fn form(nodes: &[SocketAddr], bus_offset: u16) -> Result<()> {
    // Before they meet: then an introduction tells who has what, and nobody waits for the gossip to get around.
    give_slots(nodes).await?;
    introduce(nodes, bus_offset).await?;
    reach("agree about the masters", || masters_are_known(nodes)).await?;
    make_replicas(nodes).await?;
    reach("become whole", || all_are(nodes, is_whole)).await
}

/// Gives each slot that nobody has to the master whose third it belongs to.
async fn give_slots(nodes: &[SocketAddr]) -> Result<()> {
    let mut taken = vec![false; usize::from(SLOTS)];
    for node in nodes {
        let state = State::of(*node).await.map_err(|err| failed(&err))?;
        taken.iter_mut().zip(state.slots()).for_each(|(taken, here)| *taken |= here);
    }
    for (index, node) in nodes.iter().take(MASTERS).enumerate() {
        let third = |nth: usize| usize::from(SLOTS) * nth / MASTERS;
        let free = (third(index)..third(index + 1)).filter(|slot| !taken[*slot]).map(|slot| slot.to_string());
        let mut words = vec!["CLUSTER".to_owned(), "ADDSLOTS".to_owned()];
        words.extend(free);
        if words.len() > 2 {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            call(*node, &words).await.map_err(|err| failed(&err))?;
        }
    }
    Ok(())
}

/// Introduces every node to every other, unless they met before and find one another by themselves.
async fn introduce(nodes: &[SocketAddr], bus_offset: u16) -> Result<()> {
    let met = || all_are(nodes, |state| state.is_in_touch_with(nodes.len()));
    let know_each_other = || all_are(nodes, |state| nodes.iter().all(|node| state.knows(*node)));
    if know_each_other().await && wait::until(PATIENCE, met).await {
        return Ok(());
    }
    for (index, node) in nodes.iter().enumerate() {
        // Distinct epochs spare new masters a vote about whose claim is newer. Refused by nodes that know others.
        let _ = call(*node, &["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]).await;
    }
    reach("find one another", || async {
        for (index, node) in nodes.iter().enumerate() {
            for other in &nodes[index + 1..] {
                let (ip, port, bus) = (other.ip().to_string(), other.port(), other.port() + bus_offset);
                let _ = call(*node, &["CLUSTER", "MEET", &ip, &port.to_string(), &bus.to_string()]).await;
            }
        }
        wait::until(PATIENCE, met).await
    })
    .await
}

/// Every node knows which three have the slots: only then can the others be told whom to follow.
async fn masters_are_known(nodes: &[SocketAddr]) -> bool {
    all_are(nodes, |state| state.followers().len() == MASTERS && state.slots().iter().all(|taken| *taken))
        .await
}

/// Lets each master without slots follow the one with the fewest followers.
async fn make_replicas(nodes: &[SocketAddr]) -> Result<()> {
    let mut followers = State::of(nodes[0]).await.map_err(|err| failed(&err))?.followers();
    for node in nodes {
        let own = State::of(*node).await.map_err(|err| failed(&err))?;
        if !own.is_spare_master() {
            continue;
        }
        let Some((master, count)) = followers.iter_mut().min_by_key(|(_, count)| **count) else { break };
        call(*node, &["CLUSTER", "REPLICATE", master]).await.map_err(|err| failed(&err))?;
        *count += 1;
    }
    Ok(())
}

/// All slots are served, and a node that follows has its copy.
fn is_whole(state: &State) -> bool {
    let follows = !state.info("master_host").is_empty();
    state.info("cluster_state") == "ok"
        && state.info("cluster_slots_ok") == SLOTS.to_string()
        && !state.is_spare_master()
        && (!follows || state.info("master_link_status") == "up")
}

async fn all_are(nodes: &[SocketAddr], holds: impl Fn(&State) -> bool) -> bool {
    for node in nodes {
        if !State::of(*node).await.is_ok_and(|state| holds(&state)) {
            return false;
        }
    }
    true
}

async fn reach<C: Future<Output = bool>>(goal: &str, condition: impl FnMut() -> C) -> Result<()> {
    if wait::until(BOUND, condition).await {
        return Ok(());
    }
    Err(Error::Valkey(format!("the nodes did not {goal} within {} s", BOUND.as_secs())))
}

async fn call(node: SocketAddr, words: &[&str]) -> io::Result<String> {
    Connection::open(node).await?.call(words).await
}

fn failed(err: &io::Error) -> Error {
    Error::Valkey(err.to_string())
}

/// What one node says about the cluster.
struct State {
    info: BTreeMap<String, String>,
    nodes: Vec<Node>,
}

/// One line of `CLUSTER NODES`: id, address, flags, master, ping, pong, epoch, link, slots.
struct Node {
    id: String,
    address: String,
    flags: String,
    master: String,
    is_linked: bool,
    slots: Vec<(u16, u16)>,
}

impl State {
    async fn of(node: SocketAddr) -> io::Result<Self> {
        let mut connection = Connection::open(node).await?;
        let mut info = BTreeMap::new();
        for words in [&["CLUSTER", "INFO"], &["INFO", "replication"]] {
            let text = connection.call(words).await?;
            let pairs = text.lines().filter_map(|line| line.split_once(':'));
            info.extend(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())));
        }
        let nodes = connection.call(&["CLUSTER", "NODES"]).await?;
        Ok(Self { info, nodes: nodes.lines().filter_map(Node::parse).collect() })
    }

    fn info(&self, name: &str) -> &str {
        self.info.get(name).map_or("", String::as_str)
    }

    /// Whether this node knows one, maybe itself, at this address.
    fn knows(&self, node: SocketAddr) -> bool {
        self.nodes.iter().any(|known| known.address.split('@').next() == Some(&node.to_string()))
    }

    /// Whether this node has a link to each of `count` nodes, itself among them, and to no stranger.
    fn is_in_touch_with(&self, count: usize) -> bool {
        let in_touch = |node: &Node| {
            node.is_linked && !node.flags.contains("handshake") && !node.flags.contains("noaddr")
        };
        self.nodes.len() == count && self.nodes.iter().all(in_touch)
    }

    /// Which slots somebody has.
    fn slots(&self) -> Vec<bool> {
        let mut taken = vec![false; usize::from(SLOTS)];
        for (first, last) in self.nodes.iter().flat_map(|node| &node.slots) {
            taken[usize::from(*first)..=usize::from(*last)].fill(true);
        }
        taken
    }

    /// The masters that have slots, each with the number of its followers.
    fn followers(&self) -> BTreeMap<String, usize> {
        let masters = self.nodes.iter().filter(|node| !node.slots.is_empty());
        let count = |id: &str| self.nodes.iter().filter(|node| node.master == id).count();
        masters.map(|node| (node.id.clone(), count(&node.id))).collect()
    }

    /// Whether this node itself is a master that has nothing to serve.
    fn is_spare_master(&self) -> bool {
        self.nodes.iter().any(|node| {
            node.flags.contains("myself") && node.flags.contains("master") && node.slots.is_empty()
        })
    }
}

impl Node {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, address, flags, master, _, _, _, connection, slots @ ..] = words.as_slice() else {
            return None;
        };
        let slots = slots.iter().filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            // Ranges in brackets are slots on the move, which another node has.
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last && last < SLOTS).then_some((first, last))
        });
        let slots = slots.collect();
        let is_linked = *connection == "connected";
        Some(Self {
            id: (*id).to_owned(),
            address: (*address).to_owned(),
            flags: (*flags).to_owned(),
            master: (*master).to_owned(),
            is_linked,
            slots,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_answer_tells_slots_followers_and_spare_masters() {
        let text = "\
a 127.0.0.1:1@2 master - 0 0 1 connected 0-5460 [5461->-b]
b 127.0.0.1:3@4 myself,master - 0 0 2 connected
c 127.0.0.1:5@6 slave a 0 0 1 connected
d 127.0.0.1:7@8 handshake - 0 0 0 connected 16383
";
        let state = State { info: BTreeMap::new(), nodes: text.lines().filter_map(Node::parse).collect() };
        assert_eq!(state.followers(), BTreeMap::from([("a".to_owned(), 1), ("d".to_owned(), 0)]));
        assert!(state.is_spare_master());
        assert!(!state.is_in_touch_with(4), "one is still shaking hands");
        assert_eq!(state.slots().iter().filter(|taken| **taken).count(), 5462);
    }
}
