//! What a node knows about the nodes of its cluster: the answer to `CLUSTER NODES`.

use std::net::IpAddr;

use crate::slots::{Range, SLOTS};

/// One line: id, address, flags, primary, ping, pong, epoch, link, slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// The node's name for ever, kept beside its data.
    pub(crate) id: String,
    /// Where it was last seen; `None` when Valkey knows that it is no longer there.
    pub(crate) ip: Option<IpAddr>,
    /// The name that it announces.
    pub(crate) host: String,
    /// Whether this is the node that answered.
    pub(crate) is_myself: bool,
    /// Whether it has been introduced, and nothing is known about it yet. Its id is made up until then.
    pub(crate) is_handshake: bool,
    /// The id of the primary that it follows.
    pub(crate) primary: Option<String>,
    /// Whether there is a link to it.
    pub(crate) is_linked: bool,
    /// What it serves.
    pub(crate) slots: Vec<Range>,
}

impl Node {
    /// Reads a line; `None` if it is none.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, address, flags, primary, _ping, _pong, _epoch, state, slots @ ..] = words.as_slice() else {
            return None;
        };
        let (address, names) = address.split_once(',').unwrap_or((address, ""));
        let ip = address.split('@').next()?.rsplit_once(':')?.0;
        let flags: Vec<&str> = flags.split(',').collect();
        let has = |flag| flags.contains(&flag);
        Some(Self {
            id: (*id).to_owned(),
            ip: ip.parse().ok().filter(|_| !has("noaddr")),
            host: names.split(',').next().unwrap_or_default().to_owned(),
            is_myself: has("myself"),
            is_handshake: has("handshake"),
            primary: (*primary != "-").then(|| (*primary).to_owned()),
            is_linked: *state == "connected",
            slots: slots.iter().filter_map(|range| parse_range(range)).collect(),
        })
    }
}

/// Reads `7` or `0-5460`. What is in brackets is on the move, and another node's.
fn parse_range(text: &str) -> Option<Range> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < SLOTS).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_address_name_role_and_slots() {
        let line =
            "a1 10.0.0.7:6379@16379,v-0.v.ns.svc myself,master - 0 0 1 connected 0-5460 7000 [5461->-b2]";
        let node = Node::parse(line).unwrap();
        assert_eq!((node.id.as_str(), node.host.as_str()), ("a1", "v-0.v.ns.svc"));
        assert_eq!(node.ip, "10.0.0.7".parse().ok());
        assert_eq!(node.slots, [0..=5460, 7000..=7000]);
        assert!(node.is_myself && node.is_linked && node.primary.is_none());
    }

    #[test]
    fn a_node_without_an_address_has_none() {
        let gone = Node::parse("b2 :0@0,v-1.v.ns.svc master,noaddr - 0 0 2 disconnected").unwrap();
        assert_eq!((gone.ip, gone.is_linked), (None, false));
        let ipv6 = Node::parse("c3 fd00::7:6379@16379 slave a1 0 0 1 connected").unwrap();
        assert_eq!((ipv6.ip, ipv6.primary.as_deref()), ("fd00::7".parse().ok(), Some("a1")));
        assert_eq!(Node::parse("not a line"), None);
    }
}
