//! The pods of another service that can be reached.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tonic::transport::{Channel, Endpoint};

use super::Authority;

/// How often names are resolved.
const RESOLVE_EVERY: Duration = Duration::from_secs(5);
/// The least time between two looks, however many calls fail.
const AT_MOST_EVERY: Duration = Duration::from_millis(100);
/// The longest that a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A pod with a connection.
#[derive(Debug)]
pub(super) struct Peer {
    address: SocketAddr,
    channel: Channel,
}

impl Peer {
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }
}

/// The pods with a connection, kept by a task.
#[derive(Debug)]
pub(super) struct Peers {
    target: &'static str,
    names: Vec<Authority>,
    connected: Mutex<Vec<Arc<Peer>>>,
    turn: AtomicUsize,
    look: Notify,
}

impl Peers {
    pub(super) fn new(target: &'static str, names: Vec<Authority>) -> Self {
        Self { target, names, connected: Mutex::default(), turn: AtomicUsize::new(0), look: Notify::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connected().is_empty()
    }

    /// The next pod in turn, other than `not`.
    pub(super) fn pick(&self, not: Option<&Peer>) -> Option<Arc<Peer>> {
        let connected = self.connected();
        if connected.is_empty() {
            self.look.notify_one();
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        (0..connected.len())
            .map(|step| &connected[(turn + step) % connected.len()])
            .find(|peer| not.is_none_or(|not| peer.address != not.address))
            .map(Arc::clone)
    }

    /// Takes a pod that can't be reached off the list, and looks again soon.
    pub(super) fn remove(&self, peer: &Peer) {
        self.connected().retain(|other| other.address != peer.address);
        self.look.notify_one();
    }

    /// Resolves and connects for ever.
    pub(super) async fn maintain(self: Arc<Self>) {
        loop {
            self.refresh().await;
            tokio::time::sleep(AT_MOST_EVERY).await;
            // Without any pod, not even the first call after one has started should be refused.
            let routine = if self.is_empty() { AT_MOST_EVERY } else { RESOLVE_EVERY };
            // Whichever is first: the routine, or a call that found a pod gone.
            let _ = tokio::time::timeout(routine, self.look.notified()).await;
        }
    }

    /// Addresses that are new join once a connection stands; addresses that are gone leave with their calls still running.
    async fn refresh(&self) {
        let Some(addresses) = self.resolve().await else { return };
        self.connected().retain(|peer| addresses.contains(&peer.address));
        let known: HashSet<SocketAddr> = self.connected().iter().map(|peer| peer.address).collect();
        let joining = addresses.difference(&known).map(|address| self.join(*address));
        futures::future::join_all(joining).await;
    }

    async fn join(&self, address: SocketAddr) {
        match endpoint(address).connect().await {
            Ok(channel) => {
                tracing::debug!(target = self.target, %address, "pod joined");
                self.connected().push(Arc::new(Peer { address, channel }));
            }
            Err(error) => tracing::debug!(target = self.target, %address, %error, "pod not reached"),
        }
    }

    /// None where no name could be resolved: better the pods that were there than none.
    async fn resolve(&self) -> Option<HashSet<SocketAddr>> {
        let lookups = self.names.iter().map(|name| tokio::net::lookup_host((name.host.as_str(), name.port)));
        let found: Vec<_> =
            futures::future::join_all(lookups).await.into_iter().filter_map(Result::ok).collect();
        (!found.is_empty()).then(|| found.into_iter().flatten().collect())
    }

    fn connected(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Peer>>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    // The display form of a socket address is an authority.
    Endpoint::try_from(format!("http://{address}"))
        .expect("a socket address makes a URL")
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(Duration::from_secs(30)))
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
}
