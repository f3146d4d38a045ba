//! Hash slots.

use std::ops::RangeInclusive;

/// All hash slots of a cluster.
pub(crate) const SLOTS: u16 = 16_384;

/// Consecutive slots.
pub(crate) type Range = RangeInclusive<u16>;

/// The slots that the nth of `primaries` gets when a cluster is created.
pub(crate) fn share(nth: usize, primaries: usize) -> Range {
    let start = |nth: usize| u16::try_from(usize::from(SLOTS) * nth / primaries).unwrap_or(SLOTS);
    start(nth)..=start(nth + 1) - 1
}

/// The slots of `all` that are in none of `taken`.
pub(crate) fn missing<'a>(all: &Range, taken: impl IntoIterator<Item = &'a Range>) -> Vec<Range> {
    let mut free = vec![true; usize::from(SLOTS)];
    for slot in taken.into_iter().cloned().flatten() {
        free[usize::from(slot)] = false;
    }
    let mut missing: Vec<Range> = Vec::new();
    for slot in all.clone().filter(|slot| free[usize::from(*slot)]) {
        match missing.last_mut() {
            Some(last) if *last.end() + 1 == slot => *last = *last.start()..=slot,
            _ => missing.push(slot..=slot),
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_all_slots_and_none_twice() {
        for primaries in 1..10 {
            let shares: Vec<Range> = (0..primaries).map(|nth| share(nth, primaries)).collect();
            assert_eq!(missing(&(0..=SLOTS - 1), &shares), [], "{primaries}");
            let sum: usize = shares.into_iter().map(Iterator::count).sum();
            assert_eq!(sum, usize::from(SLOTS), "{primaries}");
        }
    }

    #[test]
    fn gaps_are_found_at_both_ends_and_in_between() {
        assert_eq!(missing(&(0..=9), &[2..=3, 5..=7]), [0..=1, 4..=4, 8..=9]);
        assert_eq!(missing(&(0..=9), &[]), [0..=9]);
    }
}
