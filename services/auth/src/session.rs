//! Sessions: families of refresh tokens, of which only the newest counts.
//!
//! ```text
//!            log-in                 newest token: next generation
//!   (none) ─────────► live ◄──────────────────────────────────────┐
//!                      │ └────────────────────────────────────────┘
//!                      │   the one before, within the grace: the same successor again
//!                      ├──► revoked   log-out, or any older token: somebody else holds a copy
//!                      └──► expired   the newest token was not used for 30 days
//! ```

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// How long a refresh token works if it isn't used; each use starts it anew.
pub const LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a used refresh token gives the same successor: tabs that refresh at once agree, and a lost answer can be asked for again.
pub const GRACE: SignedDuration = SignedDuration::from_secs(15);

/// What a refresh token says: which session, and the how-manieth token of it. The text form is [`crate::macs`]'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session.
    pub session: Uuid,
    /// Counted from 0.
    pub generation: i32,
}

/// A session that was not revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Number of the newest refresh token.
    pub generation: i32,
    /// When that token was issued.
    pub rotated_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// What a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its newest refresh token works until it expires.
    Live(Live),
    /// None of its tokens will ever work again.
    Revoked,
}

/// Why a session was revoked, as the database keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its user logged out.
    Logout,
    /// One of its refresh tokens was used again after the grace.
    Reuse,
}

impl Reason {
    /// The name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Reuse => "reuse",
        }
    }
}

/// What presenting a refresh token leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The newest token was used: this is the session from now on.
    Rotate(Live),
    /// The one before was used within the grace: the newest token is given out again.
    Repeat(Live),
    /// An older token was used: revoke the session.
    Reuse,
    /// The session is over, or never had such a token.
    Refuse,
}

impl Live {
    /// A session that begins now.
    pub fn begin(now: Timestamp) -> Self {
        Self { generation: 0, rotated_at: now, expires_at: now + LIFE }
    }

    fn next(self, now: Timestamp) -> Self {
        Self { generation: self.generation.saturating_add(1), ..Self::begin(now) }
    }
}

impl State {
    /// Decides over a token of this session, presented at `now`.
    pub fn present(self, generation: i32, now: Timestamp) -> Step {
        let Self::Live(live) = self else { return Step::Refuse };
        if live.expires_at <= now || generation > live.generation {
            // A generation to come is seen only after the database was set back to a backup: nobody's fault, nobody's token.
            return Step::Refuse;
        }
        if generation == live.generation {
            return Step::Rotate(live.next(now));
        }
        if generation.saturating_add(1) == live.generation && now < live.rotated_at + GRACE {
            return Step::Repeat(live);
        }
        Step::Reuse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// A session whose newest token is the second one, issued at 100.
    fn state() -> State {
        State::Live(Live { generation: 1, rotated_at: at(100), expires_at: at(100) + LIFE })
    }

    #[test]
    fn the_newest_token_leads_to_the_next_and_slides_the_life() {
        let Step::Rotate(next) = state().present(1, at(5_000)) else { panic!("not rotated") };
        assert_eq!(next, Live { generation: 2, rotated_at: at(5_000), expires_at: at(5_000) + LIFE });
    }

    #[test]
    fn the_token_before_gives_the_same_successor_only_within_the_grace() {
        let State::Live(live) = state() else { unreachable!() };
        assert_eq!(state().present(0, at(114)), Step::Repeat(live));
        assert_eq!(state().present(0, at(115)), Step::Reuse);
    }

    #[test]
    fn a_token_before_that_is_reuse_even_within_the_grace() {
        let state = State::Live(Live { generation: 2, rotated_at: at(100), expires_at: at(1_000) });
        assert_eq!(state.present(0, at(101)), Step::Reuse);
    }

    #[test]
    fn an_ended_session_knows_no_token() {
        assert_eq!(State::Revoked.present(0, at(0)), Step::Refuse);
        assert_eq!(state().present(1, at(100) + LIFE), Step::Refuse);
        assert_eq!(state().present(0, at(100) + LIFE), Step::Refuse);
        assert_eq!(state().present(2, at(100)), Step::Refuse);
    }
}
