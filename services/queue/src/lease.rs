//! The jobs that a worker holds. Their leases are extended until what became of them is recorded.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::store::{Store, Ticket};

/// The jobs that one worker holds, those that ended and are not recorded yet among them.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<HashMap<Ticket, Hold>>);

#[derive(Debug)]
struct Hold {
    /// Cancelled when somebody else has the job: its result is not wanted any more.
    lost: CancellationToken,
    /// The attempt has ended.
    ended: bool,
}

impl Leases {
    /// Holds a job from now on. What runs it ends when the answer is cancelled.
    pub(crate) fn hold(&self, ticket: Ticket) -> CancellationToken {
        let lost = CancellationToken::new();
        self.lock().insert(ticket, Hold { lost: lost.clone(), ended: false });
        lost
    }

    /// The attempt has ended; its lease is kept until [`release`](Self::release).
    pub(crate) fn end(&self, ticket: Ticket) {
        if let Some(hold) = self.lock().get_mut(&ticket) {
            hold.ended = true;
        }
    }

    /// What became of the job is recorded, or can't be.
    pub(crate) fn release(&self, ticket: Ticket) {
        self.lock().remove(&ticket);
    }

    /// The jobs that are held.
    pub(crate) fn tickets(&self) -> Vec<Ticket> {
        self.lock().keys().copied().collect()
    }

    /// Extends all leases three times as often as they would run out. Never ends.
    pub(crate) async fn keep(&self, store: &Store, lease: Duration) {
        let mut ticks = tokio::time::interval(lease / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.extend(store, lease).await;
        }
    }

    async fn extend(&self, store: &Store, lease: Duration) {
        let asked = self.tickets();
        if asked.is_empty() {
            return;
        }
        match store.extend_leases(&asked, lease).await {
            Ok(kept) => self.let_go(&asked, &kept),
            Err(error) => tracing::warn!(%error, jobs = asked.len(), "leases not extended"),
        }
    }

    /// Ends the attempts at jobs that were asked for and not kept. One that has ended meanwhile was recorded, not lost.
    fn let_go(&self, asked: &[Ticket], kept: &[Ticket]) {
        let mut held = self.lock();
        for ticket in asked.iter().filter(|ticket| !kept.contains(ticket)) {
            if held.get(ticket).is_some_and(|hold| !hold.ended)
                && let Some(hold) = held.remove(ticket)
            {
                tracing::warn!(job.id = %ticket.id, "the lease ran out, the attempt is dropped");
                hold.lost.cancel();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Ticket, Hold>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ticket() -> Ticket {
        Ticket { id: Uuid::now_v7(), token: Uuid::now_v7() }
    }

    #[test]
    fn an_attempt_whose_lease_ran_out_is_dropped_and_others_go_on() {
        let leases = Leases::default();
        let (lost, kept, new) = (ticket(), ticket(), ticket());
        let tokens = [lost, kept, new].map(|ticket| leases.hold(ticket));
        leases.let_go(&[lost, kept], &[kept]);
        assert_eq!(tokens.map(|token| token.is_cancelled()), [true, false, false]);
        assert_eq!(leases.tickets().len(), 2);
    }

    #[test]
    fn a_job_that_was_recorded_meanwhile_is_not_lost() {
        let leases = Leases::default();
        let ended = ticket();
        let token = leases.hold(ended);
        leases.end(ended);
        leases.let_go(&[ended], &[]);
        assert!(!token.is_cancelled());
        leases.release(ended);
        assert_eq!(leases.tickets(), []);
    }
}
