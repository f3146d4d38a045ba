//! What tests share.

pub(crate) mod adapter;
pub(crate) mod api_server;
pub(crate) mod limiter;
pub(crate) mod pki;

use std::time::Duration;

/// Waits until `condition` holds; fails after ten seconds.
pub(crate) async fn until<T>(what: &str, condition: impl AsyncFn() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap_or_else(|_| panic!("never: {what}"))
}
