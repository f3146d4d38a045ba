//! On whose behalf the database is used, and what that somebody has already seen.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use uuid::Uuid;

use crate::Position;

/// Whose rows a transaction may reach. The database enforces it by row-level security.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nobody's: tables without an owner only.
    Public,
    /// One company's.
    Company(Uuid),
    /// Every company's, for the seller's staff: the role `svc_<schema>_seller`.
    Seller,
    /// Every company's, for work that nobody asked for by name: the role `svc_<schema>_system`.
    System,
}

/// What one call knows of earlier writes, and remembers of its own. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Session(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    user: Option<Uuid>,
    asked: Option<Position>,
    wrote: Mutex<Option<Position>>,
    lost_track: AtomicBool,
}

impl Session {
    /// A call of `user` (if known) that must not see a state before `asked` (if it said so).
    pub fn new(user: Option<Uuid>, asked: Option<Position>) -> Self {
        Self(Arc::new(Inner { user, asked, ..Inner::default() }))
    }

    /// The user whose last write reads must not miss.
    pub fn user(&self) -> Option<Uuid> {
        self.0.user
    }

    /// The position that reads must have reached: what the caller asked for or this call wrote, whichever is later.
    pub fn position(&self) -> Option<Position> {
        self.0.asked.max(self.wrote())
    }

    /// Where this call's last commit stands, if it made one.
    pub fn wrote(&self) -> Option<Position> {
        *self.0.wrote.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a commit.
    pub fn record(&self, position: Position) {
        let mut wrote = self.0.wrote.lock().unwrap_or_else(PoisonError::into_inner);
        *wrote = (*wrote).max(Some(position));
    }

    /// Whether this call has, or may have, written something that nobody knows the place of: only the primary is sure to show it.
    pub fn has_lost_track(&self) -> bool {
        self.0.lost_track.load(Ordering::Acquire)
    }

    /// Remembers that something was, or may have been, committed without it being known where.
    pub fn lose_track(&self) {
        self.0.lost_track.store(true, Ordering::Release);
    }
}

/// What every use of the database needs: whose rows, and how fresh.
#[derive(Clone, Debug)]
pub struct Access {
    /// Whose rows.
    pub scope: Scope,
    /// How fresh.
    pub session: Session,
}

impl Access {
    /// `scope` within the call that `session` belongs to.
    pub fn new(scope: Scope, session: Session) -> Self {
        Self { scope, session }
    }

    /// Work of the system itself: every row, no earlier write to heed.
    pub fn system() -> Self {
        Self::new(Scope::System, Session::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reads_at_its_own_write_or_later() {
        let at = |lsn| Position { timeline: 1, lsn };
        let session = Session::new(None, Some(at(5)));
        assert_eq!(session.position(), Some(at(5)));
        session.record(at(9));
        session.clone().record(at(7));
        assert_eq!((session.position(), session.wrote()), (Some(at(9)), Some(at(9))));
    }
}
