//! One round: look, decide, say.

use std::{collections::BTreeSet, io, net::SocketAddr, time::Duration};

use futures::future::join_all;
use platform::Secret;
use tokio::time::{Instant, timeout};

use crate::{
    Resolve,
    decide::{Cluster, Command, Member, Order},
    resp::Connection,
    view::View,
};

/// A resolver that takes longer has no answer.
const RESOLVE_WITHIN: Duration = Duration::from_secs(1);
/// Valkey gives a take-over this long; asked again within it, it would begin anew.
const TAKE_OVER_EVERY: Duration = Duration::from_secs(6);

/// The nodes of a cluster.
#[derive(Clone, Debug)]
pub struct Members {
    /// Their host names, by ordinal. Each node must announce its own (`cluster-announce-hostname`).
    pub hosts: Vec<String>,
    /// The port of all.
    pub port: u16,
    /// The ordinal of the node that is kept.
    pub ordinal: usize,
    /// Where that node is.
    pub node: SocketAddr,
    /// How many share the slots when the cluster is created.
    pub primaries: usize,
}

/// Keeps one node.
#[derive(Debug)]
pub struct Keeper<R> {
    members: Members,
    password: Secret,
    resolver: R,
    strangers: BTreeSet<String>,
    took_over: Option<Instant>,
}

impl<R: Resolve + Sync> Keeper<R> {
    /// Keeps the node of `members` that it says, with the password that all have.
    pub fn new(members: Members, password: Secret, resolver: R) -> Self {
        Self { members, password, resolver, strangers: BTreeSet::new(), took_over: None }
    }

    /// Looks at all nodes and repairs what is wrong with its own. What fails is left to the next round.
    pub async fn round(&mut self) {
        let cluster = self.look().await;
        self.tell_of_strangers(&cluster);
        for order in cluster.decide() {
            self.say(&order).await;
        }
    }

    async fn look(&self) -> Cluster {
        let hosts = self.members.hosts.iter().enumerate();
        let members = hosts.map(async |(nth, host)| {
            let view = self.view(nth, host).await;
            if let Err(error) = &view {
                tracing::debug!(%host, %error, "no answer");
            }
            Member { host: host.clone(), view: view.ok() }
        });
        let members = join_all(members).await;
        Cluster { own: self.members.ordinal, primaries: self.members.primaries, members }
    }

    async fn view(&self, nth: usize, host: &str) -> io::Result<View> {
        if nth == self.members.ordinal {
            return View::of(self.members.node, &self.password).await;
        }
        let ip = timeout(RESOLVE_WITHIN, self.resolver.resolve(host)).await??;
        View::of((ip, self.members.port).into(), &self.password).await
    }

    /// Once when they appear, not in every round.
    fn tell_of_strangers(&mut self, cluster: &Cluster) {
        let strangers: BTreeSet<String> = cluster.strangers().map(str::to_owned).collect();
        for host in strangers.difference(&self.strangers) {
            tracing::warn!(%host, "somebody of another cluster answers here: left alone");
        }
        self.strangers = strangers;
    }

    async fn say(&mut self, order: &Order) {
        if order.command == Command::TakeOver {
            if self.took_over.is_some_and(|last| last.elapsed() < TAKE_OVER_EVERY) {
                return;
            }
            self.took_over = Some(Instant::now());
        }
        let words = words(&order.command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = async { Connection::open(order.to, &self.password).await?.call(&words).await };
        match said.await {
            Ok(_) => tracing::info!(node = %order.to, command = words.join(" "), "repaired"),
            // An epoch is refused to whom has one; all else is a race with another keeper or with the nodes themselves.
            Err(error) => tracing::debug!(node = %order.to, command = words.join(" "), %error, "refused"),
        }
    }
}

fn words(command: &Command) -> Vec<String> {
    let mut words = vec!["CLUSTER".to_owned()];
    match command {
        Command::SetEpoch(epoch) => words.extend(["SET-CONFIG-EPOCH".to_owned(), epoch.to_string()]),
        Command::Meet(at) => words.extend(["MEET".to_owned(), at.ip().to_string(), at.port().to_string()]),
        Command::Serve(range) => {
            words.extend(["ADDSLOTSRANGE".to_owned(), range.start().to_string(), range.end().to_string()]);
        }
        Command::Follow(primary) => words.extend(["REPLICATE".to_owned(), primary.clone()]),
        Command::Forget(id) => words.extend(["FORGET".to_owned(), id.clone()]),
        Command::TakeOver => words.extend(["FAILOVER".to_owned(), "FORCE".to_owned()]),
    }
    words
}
