//! Who watches which orders, and how they are told.
//!
//! One task per process asks the database for news of all watched orders at once, whoever and however many watch them, and only
//! while somebody does. The transaction that writes an event does nothing for it: a notification would have all commits wait for
//! one lock.
//!
//! No watch misses an event or gets one twice, because each goes on behind the last event that it was given, and positions have no
//! gaps. So it matters little that news may come from a replica: it only has them later.

mod stream;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use platform::{Access, Tasks, db::Db};
use tokio::{
    sync::{Notify, mpsc},
    time::{MissedTickBehavior, interval},
};
use uuid::Uuid;

pub(crate) use self::stream::{Told, stream};
use crate::{error::Error, event::OrderEvent, metrics::Metrics, order::OrderId, store};

/// How often the database is asked while somebody watches.
const EVERY: Duration = Duration::from_millis(200);
/// Events that a watch keeps for a client that is slow to read. One that reads nothing is not asked for until it does.
const BUFFERED: usize = 64;
/// Events of one order that one answer of the database may hold.
const PAGE: i64 = 64;
/// Orders that are asked for in one statement.
const BATCH: usize = 1_000;

/// Flags of watches.
#[derive(clap::Args, Clone, Debug)]
pub struct WatchArgs {
    /// The longest that a watch lasts before its client has to resume it.
    #[arg(long, env = "SIPUP_MAX_WATCH", default_value = "10m", value_parser = platform::args::duration)]
    pub max_watch: Duration,

    /// How often a watch without events says that it is alive: well below the 300 s after which the ingress drops it.
    #[arg(long, env = "SIPUP_WATCH_HEARTBEAT", default_value = "20s", value_parser = platform::args::duration)]
    pub watch_heartbeat: Duration,

    /// Watches open at once in this process; one more is refused with `RESOURCE_EXHAUSTED`.
    #[arg(long, env = "SIPUP_MAX_WATCHES", default_value_t = 5_000)]
    pub max_watches: usize,

    /// Watches of one user open at once in this process.
    #[arg(long, env = "SIPUP_MAX_WATCHES_PER_USER", default_value_t = 100)]
    pub max_watches_per_user: usize,
}

/// All watches of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Watches(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    args: WatchArgs,
    metrics: Metrics,
    state: Mutex<State>,
    /// The first watch has come.
    begun: Notify,
}

#[derive(Debug, Default)]
struct State {
    users: HashMap<Uuid, usize>,
    open: usize,
    last_id: u64,
    watches: HashMap<OrderId, Vec<Watch>>,
}

/// A watch as the asking task sees it.
#[derive(Debug)]
struct Watch {
    id: u64,
    /// Position of the last event that it was given.
    after: i32,
    events: mpsc::Sender<OrderEvent>,
}

/// The right to watch, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    watches: Watches,
    user: Uuid,
}

/// A place at an order: receives its events.
#[derive(Debug)]
pub(crate) struct Seat {
    place: Place,
    order: OrderId,
    id: u64,
    events: mpsc::Receiver<OrderEvent>,
}

impl Watches {
    /// Nobody watches yet. `tasks` keep asking `db` until the process ends.
    pub(crate) fn start(args: WatchArgs, db: Db, tasks: &Tasks, metrics: Metrics) -> Self {
        let inner = Inner { args, metrics, state: Mutex::default(), begun: Notify::new() };
        let watches = Self(Arc::new(inner));
        tasks.spawn_until_stop("watches", watches.clone().keep_asking(db));
        watches
    }

    pub(crate) fn args(&self) -> &WatchArgs {
        &self.0.args
    }

    /// A place for one more watch of `user`.
    ///
    /// # Errors
    ///
    /// The user has, or all together have, as many as they may.
    pub(crate) fn admit(&self, user: Uuid) -> Result<Place, Error> {
        let mut state = self.lock();
        let own = state.users.get(&user).copied().unwrap_or_default();
        if own >= self.0.args.max_watches_per_user || state.open >= self.0.args.max_watches {
            return Err(Error::TooManyWatches);
        }
        state.open += 1;
        state.users.insert(user, own + 1);
        self.0.metrics.watching(1);
        Ok(Place { watches: self.clone(), user })
    }

    /// Asks for news of all watched orders, again and again while there are any.
    async fn keep_asking(self, db: Db) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.lock().watches.is_empty() {
                self.0.begun.notified().await;
            }
            ticks.tick().await;
            if let Err(error) = self.ask(&db).await {
                // What is missed now comes with the next answer.
                tracing::debug!(%error, "no news of watched orders");
            }
        }
    }

    async fn ask(&self, db: &Db) -> Result<(), Error> {
        let (orders, after) = self.lock().wanted();
        for (orders, after) in orders.chunks(BATCH).zip(after.chunks(BATCH)) {
            let access = Access::system();
            let mut events = db
                .read("orders.events", &access, async |ro| {
                    store::events::list_new_events(ro, orders, after, PAGE).await
                })
                .await?;
            events.sort_unstable_by_key(|event| event.seq);
            let mut state = self.lock();
            for event in &events {
                state.tell(event);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The orders that somebody watches and has room for news of, and the earliest position that is known of each.
    fn wanted(&self) -> (Vec<Uuid>, Vec<i32>) {
        let earliest = |watches: &Vec<Watch>| {
            let ready = watches.iter().filter(|watch| watch.events.capacity() > 0);
            ready.map(|watch| watch.after).min()
        };
        let wanted = self.watches.iter().filter_map(|(order, watches)| Some((order, earliest(watches)?)));
        wanted.map(|(order, after)| (order.get(), after)).unzip()
    }

    /// Gives `event` to those who have all before it, and room. The others are behind their own position when it is next asked for.
    fn tell(&mut self, event: &OrderEvent) {
        for watch in self.watches.get_mut(&event.order_id).into_iter().flatten() {
            if watch.after + 1 == event.seq && watch.events.try_send(event.clone()).is_ok() {
                watch.after = event.seq;
            }
        }
    }

    fn leave(&mut self, order: OrderId, id: u64) {
        if let Some(watches) = self.watches.get_mut(&order) {
            watches.retain(|watch| watch.id != id);
            if watches.is_empty() {
                self.watches.remove(&order);
            }
        }
    }
}

impl Place {
    /// Watches `order` from behind position `after` on.
    pub(crate) fn at(self, order: OrderId, after: i32) -> Seat {
        let (sender, events) = mpsc::channel(BUFFERED);
        let mut state = self.watches.lock();
        state.last_id += 1;
        let id = state.last_id;
        state.watches.entry(order).or_default().push(Watch { id, after, events: sender });
        drop(state);
        self.watches.0.begun.notify_one();
        Seat { place: self, order, id, events }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.watches.lock();
        state.open -= 1;
        match state.users.get_mut(&self.user) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(state.users.remove(&self.user)),
        }
        self.watches.0.metrics.watching(-1);
    }
}

impl Seat {
    /// The next event, once there is one.
    pub(crate) async fn next(&mut self) -> Option<OrderEvent> {
        self.events.recv().await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.place.watches.lock().leave(self.order, self.id);
    }
}

#[cfg(test)]
mod tests;
