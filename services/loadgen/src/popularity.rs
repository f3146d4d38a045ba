//! Few products are wanted often, many seldom.

use rand::{RngExt as _, rngs::StdRng};

/// Zipf's distribution over ranks from 0: the weight of rank `r` is `1 / (r + 1)^skew`.
#[derive(Debug)]
pub(crate) struct Popularity {
    /// Sums of weights up to each rank; the last is the sum of all.
    sums: Vec<f64>,
}

impl Popularity {
    pub(crate) fn new(count: usize, skew: f64) -> Self {
        let weights = (1..=count).map(|rank| (rank as f64).powf(-skew));
        let sums = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// A rank by its weight; 0 if there is none.
    pub(crate) fn pick(&self, random: &mut StdRng) -> usize {
        let target = random.random::<f64>() * self.sums.last().copied().unwrap_or(0.0);
        self.sums.partition_point(|sum| *sum <= target).min(self.sums.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn ranks_are_picked_by_zipfs_weights() {
        let (popularity, mut random) = (Popularity::new(1_000, 0.99), StdRng::seed_from_u64(3));
        let mut picked = vec![0_u32; 1_000];
        for _ in 0..100_000 {
            picked[popularity.pick(&mut random)] += 1;
        }
        let ratio = f64::from(picked[0]) / f64::from(picked[9]);
        assert!((ratio / 10_f64.powf(0.99) - 1.0).abs() < 0.15, "{ratio}");
        assert!(picked.iter().filter(|count| **count > 0).count() > 900);
    }

    #[test]
    fn a_skew_of_nothing_picks_all_alike() {
        let (popularity, mut random) = (Popularity::new(2, 0.0), StdRng::seed_from_u64(3));
        let first = (0..10_000).filter(|_| popularity.pick(&mut random) == 0).count();
        assert!(first.abs_diff(5_000) < 200, "{first}");
    }
}
