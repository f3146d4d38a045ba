//! The penalties that this process has seen. They hold here until they end, also while Redis, which decides over them, is away.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};

use super::Held;

/// Remembered at most, some 150 bytes each.
const MOST: usize = 100_000;

/// Penalties by the principals' texts. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whether there is any: most processes never see one, and then no call takes the lock.
    any: AtomicBool,
    seen: Mutex<HashMap<String, Block>>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    ends: Timestamp,
    level: u32,
}

impl Blocks {
    /// Remembers what was said about the principal `tag` at `now`.
    pub(super) fn saw(&self, tag: &str, penalty: Option<Held>, now: Timestamp) {
        if penalty.is_none() && !self.0.any.load(Ordering::Relaxed) {
            return;
        }
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match penalty {
            None => drop(seen.remove(tag)),
            Some(held) => remember(&mut seen, tag, held, now),
        }
        self.0.any.store(!seen.is_empty(), Ordering::Relaxed);
    }

    /// The penalty that holds for `tag` at `now`.
    pub(super) fn held(&self, tag: &str, now: Timestamp) -> Option<Held> {
        if !self.0.any.load(Ordering::Relaxed) {
            return None;
        }
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let block = seen.get(tag).filter(|block| now < block.ends)?;
        let left = block.ends.duration_since(now).try_into().ok()?;
        Some(Held { left, level: block.level, began: false })
    }
}

fn remember(seen: &mut HashMap<String, Block>, tag: &str, held: Held, now: Timestamp) {
    let left = SignedDuration::try_from(held.left).unwrap_or(SignedDuration::ZERO);
    let block = Block { ends: now.saturating_add(left).unwrap_or(now), level: held.level };
    if let Some(known) = seen.get_mut(tag) {
        *known = block;
        return;
    }
    if seen.len() >= MOST {
        seen.retain(|_, block| now < block.ends);
    }
    if seen.len() < MOST {
        seen.insert(tag.to_owned(), block);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn held(seconds: u64, level: u32) -> Held {
        Held { left: Duration::from_secs(seconds), level, began: true }
    }

    #[test]
    fn a_penalty_holds_to_its_end_or_until_it_is_said_to_be_gone() {
        let blocks = Blocks::default();
        let now: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
        assert_eq!(blocks.held("a", now), None);
        blocks.saw("a", Some(held(10, 2)), now);
        blocks.saw("b", Some(held(10, 1)), now);
        let later = now + SignedDuration::from_secs(9);
        assert_eq!(blocks.held("a", later), Some(Held { began: false, ..held(1, 2) }));
        assert_eq!(blocks.held("a", later + SignedDuration::from_secs(1)), None);
        blocks.saw("b", None, later);
        assert_eq!(blocks.held("b", later), None);
        assert_eq!(blocks.held("c", later), None);
    }

    #[test]
    fn penalties_that_have_ended_make_room_and_no_more_than_so_many_are_kept() {
        let blocks = Blocks::default();
        let now: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
        for number in 0..=MOST {
            blocks.saw(&number.to_string(), Some(held(10, 1)), now);
        }
        assert_eq!(blocks.held(&MOST.to_string(), now), None);
        let later = now + SignedDuration::from_secs(10);
        blocks.saw("new", Some(held(10, 1)), later);
        assert!(blocks.held("new", later).is_some());
        assert_eq!(blocks.0.seen.lock().unwrap().len(), 1);
    }
}
