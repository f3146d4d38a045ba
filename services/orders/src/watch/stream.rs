//! One watch, from its client's side: what has happened, what happens, and that it is alive.

use std::vec;

use futures::{Stream, stream::unfold};
use platform::{Caller, Verifier, grpc::Lifetime};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Seat;
use crate::event::OrderEvent;

/// What a watch tells its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// What happened; none: nothing new, but the watch is alive.
    pub(crate) event: Option<OrderEvent>,
    /// Position of the last event that the client has been told of.
    pub(crate) position: i32,
}

struct Telling {
    seat: Seat,
    earlier: vec::IntoIter<OrderEvent>,
    position: i32,
    alive: Interval,
    lifetime: Lifetime,
    caller: Caller,
    verifier: Verifier,
}

/// Tells the events `earlier`, which begin behind `position`, and then those of `seat`, until `lifetime` is over. Nothing is asked for
/// or made ahead of a client that doesn't read.
pub(crate) fn stream(
    seat: Seat,
    earlier: Vec<OrderEvent>,
    position: i32,
    lifetime: Lifetime,
    caller: Caller,
    verifier: Verifier,
) -> impl Stream<Item = Told> + Send {
    // The first of them comes at once: the client has been told all so far.
    let mut alive = interval(seat.place.watches.args().watch_heartbeat);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let earlier = earlier.into_iter();
    let telling = Telling { seat, earlier, position, alive, lifetime, caller, verifier };
    unfold(telling, async |mut telling| {
        let told = telling.next().await?;
        Some((told, telling))
    })
}

impl Telling {
    async fn next(&mut self) -> Option<Told> {
        if let Some(event) = self.earlier.next() {
            return Some(self.told(event));
        }
        tokio::select! {
            biased;
            () = self.lifetime.over() => None,
            event = self.seat.next() => {
                self.alive.reset();
                event.map(|event| self.told(event))
            }
            // Why it ends is what the client is told when it resumes.
            _ = self.alive.tick() => (!self.verifier.has_ended(self.caller.session_id))
                .then_some(Told { event: None, position: self.position }),
        }
    }

    fn told(&mut self, event: OrderEvent) -> Told {
        self.position = event.seq;
        Told { position: event.seq, event: Some(event) }
    }
}
