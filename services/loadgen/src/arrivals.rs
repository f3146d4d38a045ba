//! When calls are due: decided ahead, whatever the server does.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};

/// How arrivals are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Independent of each other, as those of many people are.
    #[default]
    Poisson,
    /// Evenly spaced.
    Constant,
}

/// The times of arrivals, as distances from the start: a rate that rises evenly from zero during the ramp and then stays.
#[derive(Debug)]
pub(crate) struct Schedule {
    arrivals: Arrivals,
    rate: f64,
    ramp: f64,
    end: f64,
    /// How many arrivals are expected up to the current one: the time axis on which the rate is one.
    expected: f64,
    random: StdRng,
}

impl Schedule {
    pub(crate) fn new(arrivals: Arrivals, rate: f64, ramp: Duration, duration: Duration, seed: u64) -> Self {
        Self {
            arrivals,
            rate,
            ramp: ramp.as_secs_f64(),
            end: (ramp + duration).as_secs_f64(),
            expected: 0.0,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// When the expected number of arrivals reaches `expected`.
    fn time_of(&self, expected: f64) -> f64 {
        let in_ramp = self.rate * self.ramp / 2.0;
        if expected < in_ramp {
            (2.0 * expected * self.ramp / self.rate).sqrt()
        } else {
            self.ramp + (expected - in_ramp) / self.rate
        }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.expected += match self.arrivals {
            Arrivals::Constant => 1.0,
            Arrivals::Poisson => exponential(&mut self.random),
        };
        let time = self.time_of(self.expected);
        (time < self.end).then(|| Duration::from_secs_f64(time))
    }
}

/// A draw from the exponential distribution with mean 1.
pub(crate) fn exponential(random: &mut StdRng) -> f64 {
    -(1.0 - random.random::<f64>()).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn constant_arrivals_are_evenly_spaced() {
        let times: Vec<Duration> =
            Schedule::new(Arrivals::Constant, 4.0, Duration::ZERO, SECOND, 1).collect();
        assert_eq!(times, [250, 500, 750].map(Duration::from_millis));
    }

    #[test]
    fn a_ramp_offers_half_the_calls_of_the_full_rate() {
        let schedule = Schedule::new(Arrivals::Constant, 1_000.0, 10 * SECOND, 10 * SECOND, 1);
        let (ramp, full): (Vec<Duration>, Vec<Duration>) = schedule.partition(|time| *time < 10 * SECOND);
        assert!(
            ramp.len().abs_diff(5_000) <= 1 && full.len().abs_diff(10_000) <= 1,
            "{} {}",
            ramp.len(),
            full.len()
        );
        let first_half = ramp.iter().filter(|time| **time < 5 * SECOND).count();
        assert!(first_half.abs_diff(1_250) <= 1, "{first_half}");
    }

    #[test]
    fn poisson_arrivals_have_the_mean_and_the_spread_of_chance() {
        let times: Vec<f64> = Schedule::new(Arrivals::Poisson, 1_000.0, Duration::ZERO, 20 * SECOND, 7)
            .map(|time| time.as_secs_f64())
            .collect();
        assert!(times.len().abs_diff(20_000) < 600, "{}", times.len());
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // The standard deviation of an exponential distribution is its mean.
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "{}", variance.sqrt() / mean);
    }
}
