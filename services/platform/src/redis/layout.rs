//! Which server has which keys.

use std::fmt;

use fred::{
    clients::Client,
    error::Error,
    interfaces::{ClusterInterface as _, EventInterface as _},
    types::{cluster::ClusterRouting, config::Server},
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Redis;

/// The servers of a cluster, by numbers that mean something within one layout only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// First and last slot of each range, and the server that has it.
    ranges: Vec<(u16, u16, usize)>,
}

impl Layout {
    /// The number of the server that has this hash slot. None if nobody is known to.
    pub fn server(&self, slot: u16) -> Option<usize> {
        let range = self.ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
        range.map(|(.., server)| *server)
    }

    fn of(routing: &ClusterRouting) -> Self {
        let mut servers = Vec::new();
        let ranges = routing.slots().iter().map(|range| {
            let server = servers.iter().position(|known| *known == &range.primary).unwrap_or_else(|| {
                servers.push(&range.primary);
                servers.len() - 1
            });
            (range.start, range.end, server)
        });
        Self { ranges: ranges.collect() }
    }
}

impl Redis {
    /// What the client knows at present. It may be outdated: a server that is asked for another's keys says so.
    pub fn layout(&self) -> Layout {
        self.0.client.cached_cluster_state().as_ref().map(Layout::of).unwrap_or_default()
    }

    /// The losses of connections from now on.
    pub fn losses(&self) -> Losses {
        Losses { client: self.0.client.clone(), errors: self.0.client.error_rx() }
    }
}

/// Tells of servers whose connection is lost, sooner than any command fails.
pub struct Losses {
    client: Client,
    errors: Receiver<(Error, Option<Server>)>,
}

impl Losses {
    /// First and last slot of each range of the next server that is lost. None when there is no client any more.
    pub async fn next(&mut self) -> Option<Vec<(u16, u16)>> {
        loop {
            match self.errors.recv().await {
                Ok((_, Some(server))) => {
                    let slots = self.slots_of(&server);
                    if !slots.is_empty() {
                        return Some(slots);
                    }
                }
                // Who has missed some is told of the failures by commands.
                Ok((_, None)) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn slots_of(&self, server: &Server) -> Vec<(u16, u16)> {
        let routing = self.client.cached_cluster_state();
        let ranges = routing.as_ref().map_or(&[][..], ClusterRouting::slots).iter();
        ranges.filter(|range| range.primary == *server).map(|range| (range.start, range.end)).collect()
    }
}

impl fmt::Debug for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Losses").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_found_with_the_server_of_its_range() {
        let layout = Layout { ranges: vec![(0, 99, 0), (200, 299, 1), (300, 16_383, 0)] };
        let found = [0, 99, 100, 200, 299, 300, 16_383].map(|slot| layout.server(slot));
        assert_eq!(found, [Some(0), Some(0), None, Some(1), Some(1), Some(0), Some(0)]);
    }
}
