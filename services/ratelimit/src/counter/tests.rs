//! Against a model that remembers every act.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// What one caller does: waits this long, then acts with this cost, and may take it back.
#[derive(Clone, Debug)]
struct Step {
    wait: u64,
    cost: u32,
    refund: bool,
}

fn steps(window: u64) -> impl Strategy<Value = Vec<Step>> {
    // Bursts at one instant, steady traffic, pauses of about a window.
    let wait = prop_oneof![3 => Just(0), 3 => 0..window / 10, 1 => 0..window * 2];
    let step = (wait, 1_u32..4, prop::bool::weighted(0.1)).prop_map(|(wait, cost, refund)| Step {
        wait,
        cost,
        refund,
    });
    prop::collection::vec(step, 1..400)
}

/// Runs `steps`; answers the acts that stayed, by time.
fn admitted(algorithm: Algorithm, limit: u32, start: u64, steps: &[Step]) -> Vec<(u64, u32)> {
    let (mut counter, mut now, mut acts) = (Counter::new(algorithm), start, Vec::new());
    for step in steps {
        now += step.wait;
        let standing = counter.look(now, limit, step.cost);
        if standing.verdict == Verdict::Within {
            counter.count(now, step.cost);
            if step.refund {
                counter.refund(step.cost, standing.stamp);
            } else {
                acts.push((now, step.cost));
            }
        }
    }
    acts
}

/// The most that any window of this length holds.
fn fullest(acts: &[(u64, u32)], window: u64) -> u32 {
    let sum_from = |first: usize| {
        let end = acts[first].0 + window;
        acts[first..].iter().take_while(|(at, _)| *at < end).map(|(_, cost)| cost).sum()
    };
    (0..acts.len()).map(sum_from).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn no_window_ever_holds_more_than_the_limit(
        limit in 1_u32..60, window in 20_u64..5_000, start in 0_u64..100_000, steps in steps(1_000), exact: bool,
    ) {
        let length = Duration::from_millis(window);
        let algorithm = if exact { Algorithm::Exact(length) } else { Algorithm::Window(length) };
        let acts = admitted(algorithm, limit, start, &steps);
        prop_assert!(fullest(&acts, window) <= limit);
    }

    #[test]
    fn a_steady_caller_gets_at_least_95_percent(
        limit in 20_u32..500, window in 1_000_u64..60_000, start in 0_u64..100_000, every in 1_u64..20,
    ) {
        let mut counter = Counter::new(Algorithm::Window(Duration::from_millis(window)));
        let (mut granted, windows) = (0_u32, 20);
        let end = start + window * windows;
        // Never less often than the limit allows.
        let every = every.min((window / u64::from(limit)).max(1));
        for now in (start..end).step_by(usize::try_from(every).unwrap()) {
            if counter.look(now, limit, 1).verdict == Verdict::Within {
                counter.count(now, 1);
                granted += 1;
            }
        }
        let due = f64::from(limit) * f64::from(u32::try_from(windows).unwrap());
        // Widths are whole milliseconds, which matters only in the shortest windows.
        let width = window.div_ceil(WIDTHS) * WIDTHS;
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let least = 0.95 * due * window as f64 / width as f64 - f64::from(limit) * 0.05;
        prop_assert!(f64::from(granted) >= least, "{granted} of {due}");
    }

    #[test]
    fn who_waits_as_told_is_admitted(
        limit in 1_u32..60, window in 20_u64..5_000, start in 0_u64..100_000, steps in steps(1_000), kind in 0..3,
    ) {
        let length = Duration::from_millis(window);
        let algorithm = match kind {
            0 => Algorithm::Window(length),
            1 => Algorithm::Exact(length),
            _ => Algorithm::Rate(length),
        };
        let (mut counter, mut now) = (Counter::new(algorithm), start);
        for step in &steps {
            now += step.wait;
            let cost = step.cost.min(limit);
            let mut standing = counter.look(now, limit, cost);
            if standing.verdict == Verdict::Beyond {
                now += u64::try_from(standing.wait.as_micros().div_ceil(1_000)).unwrap();
                standing = counter.look(now, limit, cost);
            }
            prop_assert_eq!(standing.verdict, Verdict::Within);
            counter.count(now, cost);
        }
    }

    #[test]
    fn a_rate_never_gives_more_than_a_burst_and_what_time_brings(
        burst in 1_u32..50, interval in 1_u64..100, start in 0_u64..100_000, steps in steps(1_000),
    ) {
        let steps: Vec<Step> = steps.into_iter().map(|step| Step { refund: false, ..step }).collect();
        let acts = admitted(Algorithm::Rate(Duration::from_millis(interval)), burst, start, &steps);
        for length in [1, interval * 5, interval * 100] {
            let brought = u32::try_from(length / interval).unwrap() + 1;
            prop_assert!(fullest(&acts, length) <= burst + brought);
        }
    }

    #[test]
    fn what_was_taken_back_leaves_the_limit_as_it_was(
        limit in 1_u32..20, window in 20_u64..5_000, start in 0_u64..100_000, before in steps(1_000), kind in 0..3,
    ) {
        let length = Duration::from_millis(window);
        let algorithm = match kind {
            0 => Algorithm::Window(length),
            1 => Algorithm::Exact(length),
            _ => Algorithm::Rate(length),
        };
        let (mut counter, mut now) = (Counter::new(algorithm), start);
        for step in &before {
            now += step.wait;
            if counter.look(now, limit, step.cost).verdict == Verdict::Within {
                counter.count(now, step.cost);
            }
        }
        now += 1;
        let standing = counter.look(now, limit, 1);
        if standing.verdict == Verdict::Within {
            counter.count(now, 1);
            counter.refund(1, standing.stamp);
        }
        prop_assert_eq!(counter.look(now, limit, 1).remaining, standing.remaining);
    }
}

#[test]
fn a_clock_that_goes_back_opens_no_window() {
    let mut counter = Counter::new(Algorithm::Window(Duration::from_secs(1)));
    for _ in 0..5 {
        assert_eq!(counter.look(10_000, 5, 1).verdict, Verdict::Within);
        counter.count(10_000, 1);
    }
    assert_eq!(counter.look(9_500, 5, 1).verdict, Verdict::Beyond);
}
