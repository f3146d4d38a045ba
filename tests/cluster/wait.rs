//! Waiting for a cluster to become what it was told to be.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How often a condition is looked at. Each look is a process or two.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Asks `probe` until it answers something, for at most `limit`, and says how long that took. An error of the probe is "not yet".
///
/// # Errors
///
/// The limit passed; says `what` was waited for, and the probe's last error.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<(T, Duration)> {
    let begun = Instant::now();
    loop {
        let last = match probe() {
            Ok(Some(found)) => return Ok((found, begun.elapsed())),
            Ok(None) => String::from("not yet"),
            Err(error) => format!("{error:#}"),
        };
        anyhow::ensure!(begun.elapsed() < limit, "waited {limit:?} in vain: {what}: {last}");
        thread::sleep(LOOK_EVERY);
    }
}
