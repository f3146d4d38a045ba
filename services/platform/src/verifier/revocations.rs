//! Sessions that were ended while some of their access tokens still live.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::{
    Access, Clock, Scope, Session, Tasks,
    db::{self, Db, Rows as _},
};

/// How often the list is read: an ended session is refused within a second everywhere.
const EVERY: Duration = Duration::from_millis(500);
/// How old the list may get before tokens are refused rather than believed.
const TRUSTED_FOR: SignedDuration = SignedDuration::from_secs(15);
/// How far back the list goes: the longest life of an access token, and some skew.
const LOOK_BACK: SignedDuration = SignedDuration::from_mins(11);

const SELECT_REVOKED_SESSIONS: &str = include_str!("../../queries/select_revoked_sessions.sql");

/// The ended sessions, as last read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Revocations(Option<Arc<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    sessions: ArcSwap<HashSet<Uuid>>,
    /// Microseconds since 1970.
    read_at: AtomicI64,
}

impl Revocations {
    /// Nothing is ever ended: for tests without a database.
    pub fn none() -> Self {
        Self(None)
    }

    /// Reads the list from `db` for as long as the process lives.
    pub fn poll(db: Db, clock: Clock, tasks: &Tasks) -> Self {
        let inner = Arc::new(Inner::default());
        let reader = Arc::clone(&inner);
        tasks.spawn_until_stop("revocations", async move {
            let mut ticks = tokio::time::interval(EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let now = clock.now();
                match read(&db, now).await {
                    Ok(sessions) => {
                        reader.sessions.store(Arc::new(sessions));
                        reader.read_at.store(now.as_microsecond(), Ordering::Release);
                    }
                    Err(error) => tracing::debug!(%error, "ended sessions not read"),
                }
            }
        });
        Self(Some(inner))
    }

    pub(super) fn are_fresh(&self, now: Timestamp) -> bool {
        self.0.as_ref().is_none_or(|inner| {
            let age = now.as_microsecond().saturating_sub(inner.read_at.load(Ordering::Acquire));
            SignedDuration::from_micros(age) <= TRUSTED_FOR
        })
    }

    pub(super) fn contains(&self, session: Uuid) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.sessions.load().contains(&session))
    }
}

/// From the primary: a replica may lag by more than the second that is promised.
async fn read(db: &Db, now: Timestamp) -> Result<HashSet<Uuid>, db::Error> {
    let since = now - LOOK_BACK;
    let access = Access::new(Scope::Public, Session::default());
    db.tx("auth.revocations", &access, async |tx| {
        let rows = tx.query(SELECT_REVOKED_SESSIONS, &[&since]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    })
    .await
}
