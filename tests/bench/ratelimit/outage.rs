//! What callers notice when the cluster fails: one of three masters killed, or all of them hanging.

use std::time::{Duration, Instant};

use futures::future::join;

use crate::{
    Bench,
    limiter::Limiter,
    load::{self, Call, Outcome},
    rules::{FEW, Shape},
};

/// Users, each of whom tries twice as often as allowed.
const USERS: usize = 30;
/// How long all is well, then not, then again.
const PHASE: Duration = Duration::from_secs(5);
/// The step of a time line.
const STEP: Duration = Duration::from_millis(100);

/// How the cluster fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Killed,
    Hanging,
}

/// Prints what each limiter did.
pub(crate) async fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let allowed = u32::try_from(USERS)? * FEW;
    let rate = allowed * 2;
    let seconds = PHASE.as_secs();
    bench.say(&format!(
        "\nfailures: {rate} calls/s of {USERS} users who may {allowed}/s; {seconds} s well, {seconds} s failed, {seconds} s well again"
    ));
    bench.say(
        "failure               limiter   failed calls   failed for   allowed/limit   p99 before   first 1 s   from 1 s on   back after   allowed/limit after",
    );
    for (name, failure) in [("1 master killed", Failure::Killed), ("all masters hang", Failure::Hanging)] {
        for ours in [false, true] {
            bench.cluster.clear()?;
            let limiter = if ours { &bench.ours } else { &bench.peer };
            let (who, told) = (limiter.name, observe(&mut bench.cluster, limiter, failure, rate).await?);
            bench.say(&format!("{name:<22}{who:<8}{told}"));
            // Both masters and limiters forget the failure before the next one.
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }
    Ok(())
}

async fn observe(
    cluster: &mut crate::cluster::Cluster,
    limiter: &Limiter,
    failure: Failure,
    rate: u32,
) -> anyhow::Result<String> {
    let clients = limiter.clients().await?;
    load::closed(&clients, USERS, Duration::from_secs(1), Shape::Few(USERS)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = Instant::now();
    let load = load::open(&clients, rate, PHASE * 3, Shape::Few(USERS));
    let fail = async {
        tokio::time::sleep_until((begun + PHASE).into()).await;
        let failed = Instant::now();
        match failure {
            Failure::Killed => cluster.kill(1)?,
            Failure::Hanging => cluster.pause(true)?,
        }
        tokio::time::sleep_until((begun + PHASE * 2).into()).await;
        match failure {
            Failure::Killed => cluster.revive(1)?,
            Failure::Hanging => cluster.pause(false)?,
        }
        anyhow::Ok((failed, Instant::now()))
    };
    let (calls, times) = join(load, fail).await;
    let (failed, revived) = times?;
    Ok(tell(&calls, begun, failed, revived))
}

fn tell(calls: &[Call], begun: Instant, failed: Instant, revived: Instant) -> String {
    let due = |from: Instant, to: Instant| -> Vec<Call> {
        calls.iter().filter(|call| call.due >= from && call.due < to).copied().collect()
    };
    let second = Duration::from_secs(1);
    let (before, outage) = (due(begun + second, failed), due(failed, revived));
    let (first, later) = (due(failed, failed + second), due(failed + second, revived));
    let after = due(revived + second * 2, begun + PHASE * 3);
    let errors: Vec<&Call> = calls.iter().filter(|call| call.outcome == Outcome::Failed).collect();
    let last_error = errors.iter().map(|call| call.answered).max();
    let failed_for = last_error.map_or(0.0, |last| last.saturating_duration_since(failed).as_secs_f64());
    format!(
        "{:>14}{failed_for:>11.1} s{:>16.2}{:>10.1} ms{:>9.0} ms{:>11.0} ms{:>11.1} s{:>22.2}",
        errors.len(),
        share(&outage, revived - failed),
        load::quantile(&before, 0.99),
        load::quantile(&first, 0.99),
        load::quantile(&later, 0.99),
        back_after(calls, revived),
        share(&after, PHASE.saturating_sub(second * 2)),
    )
}

/// What was allowed of what the limit allows.
#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn share(calls: &[Call], time: Duration) -> f64 {
    let allowed = calls.iter().filter(|call| call.outcome == Outcome::Allowed).count() as f64;
    allowed / (USERS as f64 * f64::from(FEW) * time.as_secs_f64())
}

/// Seconds until the last step with an error or a slow answer, after the cluster was well again.
fn back_after(calls: &[Call], revived: Instant) -> f64 {
    let bad = |call: &&Call| call.outcome == Outcome::Failed || call.latency() > STEP;
    let last = calls.iter().filter(bad).map(|call| call.answered).max();
    last.map_or(0.0, |last| last.saturating_duration_since(revived).as_secs_f64())
}
