//! Where each user's last write stands, for reads whose caller echoes nothing.

use std::time::Duration;

use super::{
    commit::Written,
    replica::{Follower, Freshness},
};
use crate::{Position, Session, redis::Redis};

/// Stands in Redis for the place of a write that nobody knows. Later than any: a position that is known doesn't take its place, since
/// that of the other write may be later still. So for as long as positions are kept, the user's reads go to the primary.
const SOMEWHERE: Position = Position { timeline: u32::MAX, lsn: u64::MAX };

/// What a read must have reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// This position, or nothing in particular.
    Known(Option<Position>),
    /// Nobody can say: only the primary is sure to have it.
    Unknown,
}

/// Positions by user, kept in Redis for as long as a replica that is read from may lack them.
#[derive(Clone, Debug)]
pub(crate) struct Positions {
    redis: Option<Redis>,
    keep_for: Duration,
    settle_within: Duration,
}

impl Positions {
    pub(crate) fn new(redis: Option<Redis>, keep_for: Duration, settle_within: Duration) -> Self {
        Self { redis, keep_for, settle_within }
    }

    /// What a read of `session` must have reached.
    pub(crate) async fn wanted(&self, session: &Session) -> Wanted {
        if session.has_lost_track() {
            return Wanted::Unknown;
        }
        match (session.position(), session.user(), &self.redis) {
            (Some(position), _, _) => Wanted::Known(Some(position)),
            (None, None, _) => Wanted::Known(None),
            (None, Some(user), Some(redis)) => match Box::pin(redis.position(user)).await {
                Ok(Some(SOMEWHERE)) | Err(_) => Wanted::Unknown,
                Ok(position) => Wanted::Known(position),
            },
            (None, Some(_), None) => Wanted::Unknown,
        }
    }

    /// Remembers where `session` has written, for this call and for the user's next.
    ///
    /// If Redis doesn't take it, another pod could read an older state for this user: the answer then waits, bounded, until the
    /// replica has the write.
    pub(crate) async fn wrote(&self, session: &Session, written: Written, follower: &Follower) {
        let position = match written {
            Written::Unsaid => return,
            Written::Before(position) => {
                session.record(position);
                position
            }
            Written::Somewhere => {
                session.lose_track();
                SOMEWHERE
            }
        };
        let (Some(user), Some(redis)) = (session.user(), &self.redis) else { return };
        // Boxed, as above: the client's futures are large, and most callers never poll them.
        let recorded = Box::pin(redis.record_position(user, position, self.keep_for)).await;
        if recorded.is_err() && follower.freshness(Some(position)) == Freshness::Behind {
            follower.reached(position, self.settle_within).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_user_who_says_nothing_reads_from_the_primary_when_nobody_knows() {
        let positions = Positions::new(None, Duration::ZERO, Duration::ZERO);
        let at = Position { timeline: 1, lsn: 7 };
        let user = Some(Uuid::nil());
        assert_eq!(positions.wanted(&Session::new(user, None)).await, Wanted::Unknown);
        assert_eq!(positions.wanted(&Session::new(user, Some(at))).await, Wanted::Known(Some(at)));
        assert_eq!(positions.wanted(&Session::new(None, None)).await, Wanted::Known(None));
    }

    #[tokio::test]
    async fn a_call_that_has_lost_track_of_its_writes_reads_from_the_primary_whatever_it_asks_for() {
        let positions = Positions::new(None, Duration::ZERO, Duration::ZERO);
        let session = Session::new(None, Some(Position { timeline: 1, lsn: 7 }));
        session.lose_track();
        assert_eq!(positions.wanted(&session).await, Wanted::Unknown);
    }
}
