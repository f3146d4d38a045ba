//! The highest rate that still meets the objectives.

/// A search doubles the rate until the objectives fail, then halves the gap until it is this share of the rate.
const PRECISION: f64 = 0.05;
/// A rate that nothing refuses is not searched beyond this.
const MOST: f64 = 500_000.0;
/// A search that is repeated begins this far below what was found before.
const BELOW: f64 = 0.7;

/// What repeated searches found.
#[derive(Clone, Debug, PartialEq)]
pub struct Knee {
    /// Each search's highest rate that met the objectives; 0 where not even the first rate did.
    pub rates: Vec<f64>,
}

impl Knee {
    /// The middle one.
    pub fn median(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or(0.0)
    }

    /// The lowest and the highest.
    pub fn spread(&self) -> (f64, f64) {
        let fold = |start, by: fn(f64, f64) -> f64| self.rates.iter().copied().fold(start, by);
        (fold(f64::INFINITY, f64::min), fold(0.0, f64::max))
    }
}

/// Searches `repetitions` times from `first` calls per second on. `trial` answers whether a rate meets the objectives, or `None` if
/// the search is to end.
pub async fn find(first: f64, repetitions: usize, mut trial: impl AsyncFnMut(f64) -> Option<bool>) -> Knee {
    let mut knee = Knee { rates: Vec::new() };
    for _ in 0..repetitions {
        let from = knee.rates.last().filter(|rate| **rate > 0.0).map_or(first, |rate| rate * BELOW);
        let Some(rate) = search(from, &mut trial).await else { break };
        knee.rates.push(rate);
    }
    knee
}

async fn search(first: f64, trial: &mut impl AsyncFnMut(f64) -> Option<bool>) -> Option<f64> {
    let (mut good, mut rate) = (0.0, first);
    let mut bad = loop {
        if !trial(rate).await? {
            break rate;
        }
        good = rate;
        if rate >= MOST {
            return Some(good);
        }
        rate = (rate * 2.0).min(MOST);
    };
    // Where even the first rate was too much, the search goes down, but not for ever.
    while bad - good > PRECISION * bad && bad > first / 64.0 {
        let middle = f64::midpoint(good, bad);
        if trial(middle).await? {
            good = middle;
        } else {
            bad = middle;
        }
    }
    Some(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_knee_is_found_within_its_precision_as_often_as_asked() {
        let mut trials = 0;
        let knee = find(100.0, 5, async |rate| {
            trials += 1;
            Some(rate <= 2_857.0)
        })
        .await;
        assert_eq!(knee.rates.len(), 5);
        let (least, most) = knee.spread();
        assert!(least > 2_857.0 * 0.93 && most <= 2_857.0, "{knee:?}");
        assert!(trials < 60, "{trials}");
    }

    #[tokio::test]
    async fn a_knee_below_the_first_rate_is_found_too() {
        let knee = find(1_000.0, 1, async |rate| Some(rate <= 100.0)).await;
        assert!((90.0..=100.0).contains(&knee.median()), "{knee:?}");
    }

    #[tokio::test]
    async fn nothing_is_found_where_nothing_is_good_enough_and_an_interrupted_search_keeps_what_it_has() {
        assert_eq!(find(1_000.0, 1, async |_| Some(false)).await.rates, [0.0]);
        let mut left = 30;
        let knee = find(100.0, 50, async |rate| {
            left -= 1;
            (left > 0).then_some(rate < 500.0)
        })
        .await;
        assert!(!knee.rates.is_empty() && knee.rates.len() < 50);
    }
}
