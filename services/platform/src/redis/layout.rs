//! Which server has which keys.

use fred::{interfaces::ClusterInterface as _, types::cluster::ClusterRouting};

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
