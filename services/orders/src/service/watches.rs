//! The use case of watching an order.

use futures::Stream;
use platform::{Access, Caller, Verifier, db::Db, grpc::Lifetime};

use crate::{
    error::Error,
    order::OrderId,
    store,
    watch::{self, Told, Watches},
};

/// Earlier events that a watch begins with; any beyond come as new ones do.
const EARLIER: i64 = 256;

/// Lets callers watch their orders. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Watching {
    db: Db,
    verifier: Verifier,
    watches: Watches,
}

impl Watching {
    pub(crate) fn new(db: Db, verifier: Verifier, watches: Watches) -> Self {
        Self { db, verifier, watches }
    }

    /// What happens to an order, from behind `position` on, until `lifetime` is over.
    ///
    /// What has happened is read on the caller's behalf, so that it sees what it did itself, and nothing of others; what happens later, by
    /// the one task that asks for everybody.
    ///
    /// # Errors
    ///
    /// The caller has no such order, or there are too many watches.
    pub(crate) async fn watch_order(
        &self,
        access: &Access,
        caller: Caller,
        id: OrderId,
        position: i32,
        lifetime: Lifetime,
    ) -> Result<impl Stream<Item = Told> + Send + use<>, Error> {
        let place = self.watches.admit(caller.user_id)?;
        let earlier = self
            .db
            .read("orders.watch", access, async |ro| {
                store::events::list_events(ro, id, position, EARLIER).await
            })
            .await?
            .ok_or(Error::OrderNotFound(id))?;
        let seat = place.at(id, earlier.last().map_or(position, |last| last.seq));
        Ok(watch::stream(seat, earlier, position, lifetime, caller, self.verifier.clone()))
    }

    /// The longest that a watch lasts.
    pub(crate) fn longest(&self) -> std::time::Duration {
        self.watches.args().max_watch
    }
}
