//! How many acts a limit admits within any window: bursts around the ends of fixed windows, and a caller that never stops.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{
    Bench,
    limiter::Limiter,
    load::{self, Call, Outcome},
    rules::{Shape, TIGHT},
};

/// Callers of a burst.
const CALLERS: usize = 50;
/// A burst begins this long before the end of a fixed window and ends this long after it.
const AROUND: Duration = Duration::from_millis(450);
/// How long the caller that never stops goes on.
const STEADY: Duration = Duration::from_secs(6);

/// Prints the worst window of each limiter.
pub(crate) async fn run(bench: &Bench) -> anyhow::Result<()> {
    bench.say(&format!("\nadmitted within one sliding window, limit {TIGHT}"));
    bench.say("load                                       window     peer     ours");
    let second = (Shape::TightSecond, Duration::from_secs(1));
    let minute = (Shape::TightMinute, Duration::from_mins(1));
    let mut worst = [0, 0];
    for _ in 0..bench.args.repeats {
        for (limiter, worst) in [&bench.peer, &bench.ours].into_iter().zip(&mut worst) {
            *worst = burst(bench, limiter, second).await?.max(*worst);
        }
    }
    bench.say(&format!("bursts around the end of a second, worst      1 s{:>9}{:>9}", worst[0], worst[1]));
    let steady = [steady(bench, &bench.peer).await?, steady(bench, &bench.ours).await?];
    bench.say(&format!(
        "without a pause for 6 s, worst                1 s{:>9}{:>9}",
        steady[0].0, steady[1].0
    ));
    bench.say(&format!(
        "without a pause for 6 s, mean                 1 s{:>9.0}{:>9.0}",
        steady[0].1, steady[1].1
    ));
    if bench.args.minutes {
        let worst = [burst(bench, &bench.peer, minute).await?, burst(bench, &bench.ours, minute).await?];
        bench
            .say(&format!("bursts around the end of a minute            60 s{:>9}{:>9}", worst[0], worst[1]));
    }
    Ok(())
}

/// Uses the limit up just before a fixed window ends, and tries again just after.
async fn burst(bench: &Bench, limiter: &Limiter, what: (Shape, Duration)) -> anyhow::Result<usize> {
    let (shape, window) = what;
    bench.cluster.clear()?;
    let clients = limiter.clients().await?;
    let into =
        Duration::from_nanos(u64::try_from(since_epoch().as_nanos() % window.as_nanos()).unwrap_or_default());
    let until =
        window.checked_sub(into + AROUND).unwrap_or_else(|| (window * 2).saturating_sub(into + AROUND));
    tokio::time::sleep(until).await;
    let calls = load::closed(&clients, CALLERS, AROUND * 2, shape).await;
    Ok(worst_window(&calls, window))
}

/// The worst second, and the mean of all after the first, of a caller that never stops.
async fn steady(bench: &Bench, limiter: &Limiter) -> anyhow::Result<(usize, f64)> {
    bench.cluster.clear()?;
    let clients = limiter.clients().await?;
    let begun = Instant::now();
    let calls = load::closed(&clients, CALLERS, STEADY, Shape::TightSecond).await;
    let later =
        |call: &&Call| call.outcome == Outcome::Allowed && call.sent >= begun + Duration::from_secs(1);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let mean = calls.iter().filter(later).count() as f64 / (STEADY.as_secs_f64() - 1.0);
    Ok((worst_window(&calls, Duration::from_secs(1)), mean))
}

/// The most calls that were both sent and admitted within one window: what is between is when they were counted, so it can only be more.
fn worst_window(calls: &[Call], window: Duration) -> usize {
    let mut admitted: Vec<&Call> = calls.iter().filter(|call| call.outcome == Outcome::Allowed).collect();
    admitted.sort_by_key(|call| call.sent);
    let within = |first: usize| {
        let end = admitted[first].sent + window;
        admitted[first..]
            .iter()
            .take_while(|call| call.sent <= end)
            .filter(|call| call.answered <= end)
            .count()
    };
    (0..admitted.len()).map(within).max().unwrap_or(0)
}

fn since_epoch() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "fixed windows end by the time of day")]
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
