//! From where on a worker looks for jobs.
//!
//! Claimed jobs leave dead index entries behind, and a snapshot that somebody holds keeps them for as long as it lives. A claim that
//! began at the oldest entry would step over all of them, so it begins a little before the oldest job of the claim before: the
//! low-water mark. A job whose transaction took longer to commit than that stands below the mark; two sweeps find it.

use std::time::Duration;

use tokio::time::Instant;

/// How far below the oldest job of the last claim the next one begins: the time that short transactions take to commit.
const MARGIN_MICROS: i64 = 5_000_000;
/// How often a claim looks back by [`LONGEST_WRITE`].
const RECENT_EVERY: Duration = Duration::from_secs(1);
/// How often a claim looks at everything: for what even that missed.
const ALL_EVERY: Duration = Duration::from_mins(1);
/// The longest that a transaction which enqueues may take: twice the longest call, which is 60 s.
pub(crate) const LONGEST_WRITE: Duration = Duration::from_mins(2);

/// Where a claim begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the first job there is.
    Beginning,
    /// At jobs that became ready [`LONGEST_WRITE`] ago, by the database's clock.
    Recent,
    /// At this place in the lane.
    Pos(i64),
}

/// The low-water mark of one worker.
#[derive(Debug)]
pub(crate) struct Mark {
    pos: Option<i64>,
    swept_recent: Instant,
    /// None until the sweep at start-up.
    swept_all: Option<Instant>,
}

impl Mark {
    pub(crate) fn new(now: Instant) -> Self {
        Self { pos: None, swept_recent: now, swept_all: None }
    }

    /// Where the claim at `now` begins.
    pub(crate) fn next(&self, now: Instant) -> Start {
        if self.swept_all.is_none_or(|at| now.duration_since(at) >= ALL_EVERY) {
            return Start::Beginning;
        }
        match self.pos {
            Some(pos) if now.duration_since(self.swept_recent) < RECENT_EVERY => Start::Pos(pos),
            _ => Start::Recent,
        }
    }

    /// The claim that began at `from` at `now` has succeeded, with `oldest` as its oldest job if it found any. A claim that failed
    /// is not told, so that its sweep is made up for.
    pub(crate) fn claimed(&mut self, from: Start, now: Instant, oldest: Option<i64>) {
        match from {
            Start::Beginning => (self.swept_all, self.swept_recent) = (Some(now), now),
            Start::Recent => self.swept_recent = now,
            Start::Pos(_) => {}
        }
        if let Some(oldest) = oldest {
            self.pos = Some(oldest.saturating_sub(MARGIN_MICROS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> (Mark, Instant) {
        let now = Instant::now();
        let mut mark = Mark::new(now);
        assert_eq!(mark.next(now), Start::Beginning);
        mark.claimed(Start::Beginning, now, Some(50_000_000));
        (mark, now)
    }

    #[test]
    fn a_claim_begins_five_seconds_below_the_oldest_job_of_the_last_one() {
        let (mut mark, now) = started();
        assert_eq!(mark.next(now), Start::Pos(45_000_000));
        mark.claimed(Start::Pos(45_000_000), now, None);
        assert_eq!(mark.next(now), Start::Pos(45_000_000));
        mark.claimed(Start::Pos(45_000_000), now, Some(60_000_000));
        assert_eq!(mark.next(now), Start::Pos(55_000_000));
    }

    #[test]
    fn a_sweep_that_finds_an_old_job_lowers_the_mark_for_its_neighbours() {
        let (mut mark, now) = started();
        mark.claimed(Start::Recent, now, Some(20_000_000));
        assert_eq!(mark.next(now), Start::Pos(15_000_000));
    }

    #[test]
    fn recent_jobs_are_swept_each_second_and_all_each_minute() {
        let (mut mark, start) = started();
        let mut sweeps = (0, 0);
        for tenth in 1..=1_200 {
            let now = start + Duration::from_millis(100) * tenth;
            let from = mark.next(now);
            match from {
                Start::Beginning => sweeps.1 += 1,
                Start::Recent => sweeps.0 += 1,
                Start::Pos(_) => {}
            }
            mark.claimed(from, now, None);
        }
        assert_eq!(sweeps, (118, 2));
    }

    #[test]
    fn a_sweep_that_failed_is_made_again() {
        let now = Instant::now();
        let mark = Mark::new(now);
        assert_eq!(mark.next(now), Start::Beginning);
        assert_eq!(mark.next(now + RECENT_EVERY), Start::Beginning);
    }

    #[test]
    fn before_anything_was_claimed_recent_jobs_are_looked_at() {
        let now = Instant::now();
        let mut mark = Mark::new(now);
        mark.claimed(Start::Beginning, now, None);
        assert_eq!(mark.next(now), Start::Recent);
    }
}
