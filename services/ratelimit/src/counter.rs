//! The algorithms on their own: what `lua/check.lua` does, for the counters that a pod keeps while Redis is away. Times are milliseconds
//! of one clock.

use std::{collections::VecDeque, time::Duration};

use crate::{
    rule::Algorithm,
    store::{Standing, Verdict},
};

/// Sub-buckets of a window.
const WIDTHS: u64 = 20;
/// A window touches one more.
const SLOTS: usize = 21;

/// The acts of one principal under one limit.
#[derive(Clone, Debug)]
pub(crate) enum Counter {
    Ring {
        width: u64,
        newest: u64,
        counts: VecDeque<u32>,
    },
    Exact {
        window: u64,
        acts: VecDeque<u64>,
    },
    /// Theoretical arrival time and time of one act, in microseconds.
    Rate {
        interval: u64,
        arrival: u64,
    },
}

impl Counter {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Window(window) => {
                let counts = std::iter::repeat_n(0, SLOTS).collect();
                Self::Ring { width: millis(window).div_ceil(WIDTHS).max(1), newest: 0, counts }
            }
            Algorithm::Exact(window) => Self::Exact { window: millis(window), acts: VecDeque::new() },
            Algorithm::Rate(interval) => {
                Self::Rate { interval: u64::try_from(interval.as_micros()).unwrap_or(u64::MAX), arrival: 0 }
            }
        }
    }

    /// Where the limit stands before an act of `cost`.
    pub(crate) fn look(&mut self, now: u64, limit: u32, cost: u32) -> Standing {
        match self {
            Self::Ring { width, newest, counts } => look_at_ring(*width, newest, counts, now, limit, cost),
            Self::Exact { window, acts } => look_at_acts(*window, acts, now, limit, cost),
            Self::Rate { interval, arrival } => look_at_rate(*interval, *arrival, now, limit, cost),
        }
    }

    /// Counts an act that there is room for, at the same time as it was looked for.
    pub(crate) fn count(&mut self, now: u64, cost: u32) {
        match self {
            Self::Ring { counts, .. } => {
                if let Some(count) = counts.front_mut() {
                    *count = count.saturating_add(cost);
                }
            }
            Self::Exact { acts, .. } => acts.extend(std::iter::repeat_n(now, cost as usize)),
            Self::Rate { interval, arrival } => {
                *arrival = (*arrival).max(now * 1_000) + *interval * u64::from(cost);
            }
        }
    }

    /// Takes an act back.
    pub(crate) fn refund(&mut self, cost: u32, stamp: i64) {
        let stamp = u64::try_from(stamp).unwrap_or(0);
        match self {
            Self::Ring { newest, counts, .. } => {
                let index = newest.checked_sub(stamp).and_then(|age| usize::try_from(age).ok());
                if let Some(count) = index.and_then(|index| counts.get_mut(index)) {
                    *count = count.saturating_sub(cost);
                }
            }
            Self::Exact { acts, .. } => {
                let mut left = cost;
                acts.retain(|act| {
                    let taken = left > 0 && *act == stamp;
                    left -= u32::from(taken);
                    !taken
                });
            }
            // A pod takes more from its rate than an act costs; the stamp knows how much.
            Self::Rate { interval, arrival } => *arrival = arrival.saturating_sub(*interval * stamp),
        }
    }
}

fn look_at_ring(
    width: u64,
    newest: &mut u64,
    counts: &mut VecDeque<u32>,
    now: u64,
    limit: u32,
    cost: u32,
) -> Standing {
    let current = (now / width).max(*newest);
    let passed = usize::try_from(current - *newest).unwrap_or(SLOTS).min(SLOTS);
    for _ in 0..passed {
        counts.pop_back();
        counts.push_front(0);
    }
    *newest = current;
    let used: u64 = counts.iter().copied().map(u64::from).sum();
    let left = width - now % width;
    // How long the sub-bucket with this index, from the newest on, still counts.
    let counts_for = |index: usize| Duration::from_millis((SLOTS - 1 - index) as u64 * width + left);
    let mut excess = (used + u64::from(cost)).saturating_sub(u64::from(limit));
    let room = excess == 0;
    let mut wait = if room { Duration::ZERO } else { Duration::from_millis(width * WIDTHS) };
    for (index, count) in counts.iter().enumerate().rev() {
        if excess > 0 && excess <= u64::from(*count) {
            wait = counts_for(index);
        }
        excess = excess.saturating_sub(u64::from(*count));
    }
    let busy = if room && cost > 0 { Some(0) } else { counts.iter().position(|count| *count > 0) };
    let free = u64::from(limit).saturating_sub(used);
    let remaining = u32::try_from(free).unwrap_or(u32::MAX);
    let stamp = i64::try_from(current).unwrap_or(i64::MAX);
    Standing {
        verdict: verdict(room),
        remaining,
        reset: busy.map_or(Duration::ZERO, counts_for),
        wait,
        stamp,
    }
}

fn look_at_acts(window: u64, acts: &mut VecDeque<u64>, now: u64, limit: u32, cost: u32) -> Standing {
    while acts.front().is_some_and(|act| act + window <= now) {
        acts.pop_front();
    }
    let used = u32::try_from(acts.len()).unwrap_or(u32::MAX);
    let excess = used.saturating_add(cost).saturating_sub(limit);
    let counts_for = |act: u64| Duration::from_millis((act + window).saturating_sub(now));
    let wait = match excess.checked_sub(1) {
        None => Duration::ZERO,
        Some(last) => acts.get(last as usize).map_or(Duration::from_millis(window), |act| counts_for(*act)),
    };
    let latest = if excess == 0 && cost > 0 { Some(now) } else { acts.back().copied() };
    Standing {
        verdict: verdict(excess == 0),
        remaining: limit.saturating_sub(used),
        reset: latest.map_or(Duration::ZERO, counts_for),
        wait,
        stamp: i64::try_from(now).unwrap_or(i64::MAX),
    }
}

fn look_at_rate(interval: u64, arrival: u64, now: u64, burst: u32, cost: u32) -> Standing {
    let now = now.saturating_mul(1_000);
    let arrival = arrival.max(now);
    let (next, full) = (arrival + interval * u64::from(cost), interval * u64::from(burst));
    let wait = (next - now).saturating_sub(full);
    let after = if wait == 0 { next } else { arrival };
    Standing {
        verdict: verdict(wait == 0),
        remaining: u32::try_from(full.saturating_sub(arrival - now) / interval.max(1)).unwrap_or(u32::MAX),
        reset: Duration::from_micros(after - now),
        wait: Duration::from_micros(wait),
        stamp: cost.into(),
    }
}

fn verdict(room: bool) -> Verdict {
    if room { Verdict::Within } else { Verdict::Beyond }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
