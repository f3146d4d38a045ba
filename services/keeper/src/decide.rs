//! What is wrong, and which commands repair it. No input or output here, so every case is a test away.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use crate::{
    nodes::Node,
    slots::{self, Range},
    view::View,
};

/// All nodes in the order of their ordinals, as far as they answer.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Which of them this keeper keeps.
    pub(crate) own: usize,
    /// How many share the slots when the cluster is created.
    pub(crate) primaries: usize,
    pub(crate) members: Vec<Member>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Member {
    /// The name that it has to announce.
    pub(crate) host: String,
    /// What it said, if it answered.
    pub(crate) view: Option<View>,
}

impl Member {
    /// What it said, unless somebody else said it who has its address now.
    pub(crate) fn trusted(&self) -> Option<&View> {
        self.view.as_ref().filter(|view| view.myself.host == self.host)
    }
}

/// A command, and the node that it is said to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) to: SocketAddr,
    pub(crate) command: Command,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Begin with this epoch; distinct ones spare new primaries a vote about whose claim is newer.
    SetEpoch(usize),
    /// Be introduced to the node at this address.
    Meet(SocketAddr),
    /// Serve these slots.
    Serve(Range),
    /// Follow this primary.
    Follow(String),
    /// Drop what is known about this id.
    Forget(String),
    /// Take the slots of the primary, which has lost them.
    TakeOver,
}

impl Cluster {
    /// What has to be said now.
    pub(crate) fn decide(&self) -> Vec<Order> {
        let Some(own) = self.members[self.own].trusted() else { return Vec::new() };
        let to = own.address;
        let mut orders: Vec<Order> = self.introductions(own).map(|at| Command::Meet(at).to(to)).collect();
        orders.extend(self.losses(own).into_iter().map(|command| command.to(to)));
        orders.extend(self.primary_for(own).map(|id| Command::Follow(id).to(to)));
        if self.own == 0 {
            orders.extend(self.creation(own).unwrap_or_default());
        }
        orders
    }

    /// Members that answer where we looked, and are of another cluster.
    pub(crate) fn strangers(&self) -> impl Iterator<Item = &str> {
        let own = self.members[self.own].trusted();
        let is_strange = move |member: &&Member| match (member.trusted(), own) {
            (None, _) => member.view.is_some(),
            (Some(view), Some(own)) => !view.is_blank() && !own.is_blank() && !share(own, view),
            (Some(_), None) => false,
        };
        self.members.iter().filter(is_strange).map(|member| member.host.as_str())
    }

    fn trusted_others(&self) -> impl Iterator<Item = &View> {
        let others = self.members.iter().enumerate().filter(|(nth, _)| *nth != self.own);
        others.filter_map(|(_, member)| member.trusted())
    }

    /// Where the nodes are that our node does not know, or does not reach where it thinks they are.
    fn introductions(&self, own: &View) -> impl Iterator<Item = SocketAddr> {
        let is_due = |other: &&View| match own.find(&other.myself.id) {
            Some(known) => known.ip != Some(other.address.ip()) || !known.is_linked,
            None => !is_pending(own, other),
        };
        // Two who know nobody stay apart: they are introduced when the cluster is created, all at once.
        let may_meet = |other: &&View| {
            share(own, other)
                || (own.is_blank() && other.is_in_service())
                || (other.is_blank() && own.is_in_service())
        };
        self.trusted_others().filter(is_due).filter(may_meet).map(|other| other.address)
    }

    /// Whether a node that `own` knows by its id lost its data: another id has its name.
    fn is_lost(&self, own: &View, node: &Node) -> bool {
        let mut members = self.members.iter().filter_map(Member::trusted);
        members.any(|view| {
            let has_its_name = view.myself.host == node.host && view.myself.id != node.id;
            has_its_name && (view.is_blank() || share(own, view))
        })
    }

    /// Ids that nobody has any more.
    fn losses(&self, own: &View) -> Vec<Command> {
        let mut commands = Vec::new();
        for lost in own.known().filter(|node| self.is_lost(own, node)) {
            let follows = |node: &Node| node.primary.as_ref() == Some(&lost.id);
            if lost.slots.is_empty() || !own.known().chain([&own.myself]).any(follows) {
                commands.push(Command::Forget(lost.id.clone()));
            } else if follows(&own.myself) {
                // It has its copy. The others may see nothing wrong, since somebody answers at the primary's address.
                commands.push(Command::TakeOver);
            }
        }
        commands
    }

    /// The primary that our node is to follow, if it has nothing to do: the one with the fewest replicas. Among equals the
    /// ordinals decide, since others may choose at the same time.
    fn primary_for(&self, own: &View) -> Option<String> {
        if !own.is_spare() || !own.unserved(|node| !self.is_lost(own, node)).is_empty() {
            return None;
        }
        let mut primaries: Vec<&Node> = own.known().filter(|node| !node.slots.is_empty()).collect();
        primaries.sort_by_key(|node| node.slots.iter().map(|range| *range.start()).min());
        let mut replicas: BTreeMap<&str, usize> = BTreeMap::new();
        for node in own.known().filter(|node| !self.is_lost(own, node)) {
            *replicas.entry(node.primary.as_deref().unwrap_or_default()).or_default() += 1;
        }
        let count = |node: &&Node| replicas.get(node.id.as_str()).copied().unwrap_or_default();
        let fewest = primaries.iter().map(count).min()?;
        let first = self.own % primaries.len();
        let in_turn = primaries.iter().cycle().skip(first).take(primaries.len());
        in_turn.into_iter().find(|node| count(node) == fewest).map(|node| node.id.clone())
    }

    /// What makes a cluster of nodes that are none yet, or gives slots to somebody that nobody has any more.
    ///
    /// Nothing unless every node answers and none knows an id beyond theirs: a node that is away may have the slots.
    fn creation(&self, own: &View) -> Option<Vec<Order>> {
        let views: Vec<&View> = self.members.iter().map(Member::trusted).collect::<Option<_>>()?;
        let ids: BTreeSet<&str> = views.iter().map(|view| view.myself.id.as_str()).collect();
        if ids.len() < views.len() || views.iter().any(|view| !view.ids().is_subset(&ids)) {
            return None;
        }
        let is_complete = |view: &&View| view.ids() == ids && view.known().all(|node| node.is_linked);
        if views.iter().all(is_complete) {
            return Some(self.distribution(&views));
        }
        // Slots or keys: then it is a cluster, and introductions are what it needs.
        let is_new = views.iter().all(|view| !view.is_in_service() && view.keys == 0);
        is_new.then(|| Self::gathering(own, &views))
    }

    fn gathering(own: &View, views: &[&View]) -> Vec<Order> {
        let alone = views.iter().enumerate().filter(|(_, view)| view.is_blank());
        let epochs = alone.map(|(nth, view)| Command::SetEpoch(nth + 1).to(view.address));
        let unknown =
            views.iter().filter(|view| own.find(&view.myself.id).is_none() && !is_pending(own, view));
        let meets = unknown.map(|view| Command::Meet(view.address).to(own.address));
        epochs.chain(meets).collect()
    }

    /// Gives each slot that nobody serves to whom it belongs at creation, or to the primary of that node.
    fn distribution(&self, views: &[&View]) -> Vec<Order> {
        let taken: Vec<&Range> = views.iter().flat_map(|view| &view.myself.slots).collect();
        let mut orders = Vec::new();
        for nth in 0..self.primaries {
            let primary = views[nth].myself.primary.as_deref();
            let Some(holder) = views
                .iter()
                .find(|view| Some(view.myself.id.as_str()) == primary)
                .or(primary.is_none().then_some(&views[nth]))
            else {
                continue;
            };
            let missing = slots::missing(&slots::share(nth, self.primaries), taken.iter().copied());
            orders.extend(missing.into_iter().map(|range| Command::Serve(range).to(holder.address)));
        }
        orders
    }
}

impl Command {
    const fn to(self, to: SocketAddr) -> Order {
        Order { to, command: self }
    }
}

/// Whether two nodes know somebody in common: then they are of one cluster.
fn share(one: &View, other: &View) -> bool {
    !one.ids().is_disjoint(&other.ids())
}

/// Whether they are being introduced.
fn is_pending(own: &View, other: &View) -> bool {
    own.others.iter().any(|node| node.is_handshake && node.ip == Some(other.address.ip()))
}

#[cfg(test)]
mod tests;
