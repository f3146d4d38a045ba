//! Keeps the pools at their size: shared with the other pods, warm, and without connections that nobody needs or that are dead.

use std::{
    collections::HashSet,
    net::IpAddr,
    time::{Duration, Instant},
};

use tokio::net::lookup_host;

use super::{DbArgs, pool::Pool};

/// How often the number of live pods is looked up.
const COUNT_PODS_EVERY: Duration = Duration::from_secs(5);
/// A pod with fewer connections could not work, however many pods there are.
const FEWEST: usize = 4;

/// What a pool is kept by.
#[derive(Clone, Debug)]
pub(crate) struct Keeper {
    budget: usize,
    warm: usize,
    own_name: Option<String>,
    idle_timeout: Duration,
    check_interval: Duration,
}

impl Keeper {
    pub(crate) fn new(args: &DbArgs) -> Self {
        Self {
            budget: usize::from(args.database_pool_budget),
            warm: usize::from(args.database_pool_warm),
            own_name: args.database_own_name.clone(),
            idle_timeout: args.database_idle_timeout,
            check_interval: args.database_check_interval,
        }
    }

    /// Sizes the pools before the first call needs them.
    pub(crate) async fn start(&self, pools: &[Pool]) {
        // Until the name resolves, as few as there can be: other pods may have the rest.
        let pods = self.live_pods().await.unwrap_or(self.budget);
        self.resize(pools, pods);
    }

    /// Keeps the pools for ever.
    pub(crate) async fn keep(self, pools: Vec<Pool>) {
        let every =
            COUNT_PODS_EVERY.min(self.check_interval).min(self.idle_timeout).max(Duration::from_millis(10));
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut checked_at = Instant::now();
        loop {
            ticks.tick().await;
            if let Some(pods) = self.live_pods().await {
                self.resize(&pools, pods);
            }
            for pool in &pools {
                pool.retire(self.idle_timeout);
            }
            if checked_at.elapsed() >= self.check_interval {
                futures::future::join_all(pools.iter().map(Pool::check)).await;
                checked_at = Instant::now();
            }
        }
    }

    fn resize(&self, pools: &[Pool], pods: usize) {
        let (size, warm) = (share(self.budget, pods), self.warm.div_ceil(pods.max(1)));
        for pool in pools {
            pool.resize(size, warm);
        }
    }

    /// How many pods share the budget. None if the name does not resolve: nothing then changes.
    async fn live_pods(&self) -> Option<usize> {
        let Some(name) = &self.own_name else { return Some(1) };
        match lookup_host((name.as_str(), 0)).await {
            Ok(addresses) => {
                Some(addresses.map(|address| address.ip()).collect::<HashSet<IpAddr>>().len().max(1))
            }
            Err(error) => {
                tracing::debug!(name, %error, "own name not resolved");
                None
            }
        }
    }
}

/// One pod's part of the budget.
fn share(budget: usize, pods: usize) -> usize {
    budget.div_ceil(pods.max(1)).clamp(FEWEST.min(budget), budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_share_the_budget_and_each_has_enough_to_work_with() {
        assert_eq!([1, 2, 3, 12, 13, 100].map(|pods| share(50, pods)), [50, 25, 17, 5, 4, 4]);
        assert_eq!([0, 1, 5].map(|pods| share(2, pods)), [2, 2, 2]);
    }
}
