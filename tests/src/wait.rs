//! Waiting for something to become true.

use std::time::Duration;

/// How long anything may take on a busy machine.
pub const LIMIT: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Asks `probe` until it answers something, at most [`LIMIT`].
///
/// # Panics
///
/// When it never does; says `what` was waited for.
pub async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(LIMIT, found).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}
