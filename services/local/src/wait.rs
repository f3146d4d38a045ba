//! Bounded waiting for a condition that nothing announces.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks until `condition` holds; `false` if it still does not after `bound`.
pub(crate) async fn until<C: Future<Output = bool>>(
    bound: Duration,
    mut condition: impl FnMut() -> C,
) -> bool {
    let end = Instant::now() + bound;
    loop {
        if condition().await {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        sleep(INTERVAL).await;
    }
}
