//! Waiting for a condition, for a bounded time.

use std::{
    thread,
    time::{Duration, Instant},
};

const STEP: Duration = Duration::from_millis(20);

/// The first `Some`, or `None` when the time is over. Blocks the thread.
pub(crate) fn until<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let found = condition();
        if found.is_some() || Instant::now() > end {
            return found;
        }
        thread::sleep(STEP);
    }
}

/// The first `Some`, or `None` when the time is over.
pub(crate) async fn eventually<T>(
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let found = condition().await;
        if found.is_some() || Instant::now() > end {
            return found;
        }
        tokio::time::sleep(STEP).await;
    }
}
