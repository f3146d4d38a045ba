//! Waiting for something to become true that nobody announces: bounded, and asking ever less often.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take on a busy machine.
pub const LIMIT: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Asks `probe` until it answers something, at most [`LIMIT`]. Asks ever less often: hundreds that wait must not keep from working
/// what they wait for.
///
/// # Panics
///
/// When it never does; says `what` was waited for.
pub async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        for pause in pauses() {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(pause).await;
        }
        unreachable!("pauses do not end")
    };
    tokio::time::timeout(LIMIT, found).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// As [`until`], for programs without a runtime and with a limit of their own; says how long it took. An error of the probe is "not yet".
///
/// # Errors
///
/// The limit passed; says `what` was waited for, and the probe's last error.
pub fn blocking<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<(T, Duration)> {
    let begun = Instant::now();
    for pause in pauses() {
        let last = match probe() {
            Ok(Some(found)) => return Ok((found, begun.elapsed())),
            Ok(None) => String::from("not yet"),
            Err(error) => format!("{error:#}"),
        };
        anyhow::ensure!(begun.elapsed() < limit, "waited {limit:?} in vain: {what}: {last}");
        thread::sleep(pause);
    }
    unreachable!("pauses do not end")
}

/// Looks again and again for `time`, with a pause of `every` between; answers how often.
///
/// # Errors
///
/// The first look that failed.
pub fn throughout(
    time: Duration,
    every: Duration,
    mut look: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<u32> {
    let (begun, mut looks) = (Instant::now(), 0);
    while begun.elapsed() < time {
        look()?;
        looks += 1;
        thread::sleep(every);
    }
    Ok(looks)
}

fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST_PAUSE), |pause| Some(LONGEST_PAUSE.min(*pause * 2)))
}
