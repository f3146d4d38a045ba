//! The use cases of orders: who owns a transaction, and what happens in which order.

pub(crate) mod inventory;
pub(crate) mod watches;

use bytes::Bytes;
use platform::{
    Access, Caller, Clock, Outcome, RequestKey, Scope,
    db::{self, Db, Tx},
    idempotency::{self, Claim},
    page::PageSize,
};
use prost::Message;
use proto::orders::v1 as pb;

use crate::{
    catalog::{Catalog, Token},
    draft::OrderDraft,
    error::Error,
    mail,
    metrics::Metrics,
    order::{Order, OrderId, OrderState, Step, Transition},
    store,
};

/// Places, shows and changes orders. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    db: Db,
    clock: Clock,
    catalog: Catalog,
    metrics: Metrics,
}

impl Orders {
    pub(crate) fn new(db: Db, clock: Clock, catalog: Catalog, metrics: Metrics) -> Self {
        Self { db, clock, catalog, metrics }
    }

    /// Places `draft` at what the catalogue says that it costs the company of `token`, once for `key`.
    ///
    /// # Errors
    ///
    /// Why nothing was written; or, if the database went away while committing, that nobody knows. A repeat with the same key
    /// tells.
    pub(crate) async fn create_order(
        &self,
        access: &Access,
        caller: &Caller,
        token: &Token,
        key: &RequestKey,
        draft: OrderDraft,
    ) -> Result<Outcome<pb::CreateOrderResponse>, Error> {
        // On the heap, because it is large, and every layer around it would move it.
        let outcome = Box::pin(self.place_once(access, caller, token, key, draft)).await;
        if let Err(error) = &outcome {
            self.metrics.refused(error);
        }
        outcome
    }

    async fn place_once(
        &self,
        access: &Access,
        caller: &Caller,
        token: &Token,
        key: &RequestKey,
        draft: OrderDraft,
    ) -> Result<Outcome<pb::CreateOrderResponse>, Error> {
        // Before the transaction: no lock is held while another service is asked.
        let products = self.catalog.products(&draft, token, access.session.position()).await;
        let placed = products.and_then(|products| {
            Ok(draft.place(&products, OrderId::new(&self.clock), caller, self.clock.now())?)
        });
        let order = match placed {
            Ok(order) => order,
            Err(refusal) => return self.answer_of_twin(access, caller, key, refusal).await,
        };
        let job = mail::order_placed(&order, caller);
        let response = pb::CreateOrderResponse { order: Some(order.clone().into()) };
        let bytes = response.encode_to_vec();
        let inserted = self
            .db
            .tx("orders.create", access, async |tx| {
                store::insert_order(tx, &order, key, &bytes, job.as_ref()).await
            })
            .await?;
        Ok(match inserted {
            Outcome::Replayed(earlier) => Outcome::Replayed(earlier),
            Outcome::Done(()) => {
                self.metrics.placed(&order);
                Outcome::Done(response)
            }
        })
    }

    /// The answer to a request that can't be carried out as things are: the catalogue is away, or its prices have changed. A twin of the
    /// request may have been carried out before that, or be about to: then its order exists, and a refusal would deny it.
    ///
    /// Asked only now, so that a request that goes well costs one transaction: that one finds an earlier answer by itself.
    async fn answer_of_twin(
        &self,
        access: &Access,
        caller: &Caller,
        key: &RequestKey,
        refusal: Error,
    ) -> Result<Outcome<pb::CreateOrderResponse>, Error> {
        let found = self
            .db
            .tx("orders.find_twin", access, async |tx| match key.claim(tx, caller.company_id).await? {
                Claim::Replayed(response) => Ok(response),
                Claim::New => Err(Twinless::Refused),
            })
            .await;
        match found {
            Ok(response) => Ok(Outcome::Replayed(response)),
            Err(Twinless::Refused) => Err(refusal),
            Err(Twinless::Failed(error)) => Err(error.into()),
        }
    }

    /// One order with its lines.
    ///
    /// # Errors
    ///
    /// The caller has none of this id.
    pub(crate) async fn get_order(&self, access: &Access, id: OrderId) -> Result<Order, Error> {
        let found = self.db.read("orders.get", access, async |ro| store::find_order(ro, id).await).await?;
        found.ok_or(Error::OrderNotFound(id))
    }

    /// A page of the orders that the caller may see, newest first, and the last of it if there is another page.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub(crate) async fn list_orders(
        &self,
        access: &Access,
        state: Option<OrderState>,
        after: Option<OrderId>,
        size: PageSize,
    ) -> Result<(Vec<Order>, Option<OrderId>), Error> {
        // Row-level security says the same; named in the statement, it finds the index.
        let company = match access.scope {
            Scope::Company(company) => Some(company),
            Scope::Public | Scope::Seller | Scope::System => None,
        };
        let mut orders = self
            .db
            .read("orders.list", access, async |ro| {
                store::list_orders(ro, company, after, state, size.limit()).await
            })
            .await?;
        let next = size.cut(&mut orders).map(|last| last.id);
        Ok((orders, next))
    }

    /// Calls an order off because of `reason`, and gives its stock back.
    ///
    /// # Errors
    ///
    /// The caller has no such order, or it is shipped.
    pub(crate) async fn cancel_order(
        &self,
        access: &Access,
        caller: &Caller,
        key: Option<&RequestKey>,
        id: OrderId,
        reason: &str,
    ) -> Result<Outcome<pb::CancelOrderResponse>, Error> {
        let now = self.clock.now();
        let cancel = async |tx: &Tx<'_>| {
            if let Some(response) = replay(tx, key, caller).await? {
                return Ok(Outcome::Replayed(response));
            }
            let step = store::cancel_order(tx, id, caller.user_id, reason, now).await?;
            let order = changed(tx, id, Transition::Cancel, step).await?;
            let response = pb::CancelOrderResponse { order: Some(order.into()) };
            remember(tx, key, caller, &response).await?;
            Ok(Outcome::Done(response))
        };
        self.db.tx("orders.cancel", access, cancel).await
    }

    /// Marks an order as handed to the carrier.
    ///
    /// # Errors
    ///
    /// There is no such order, or it is cancelled.
    pub(crate) async fn ship_order(
        &self,
        access: &Access,
        caller: &Caller,
        key: Option<&RequestKey>,
        id: OrderId,
    ) -> Result<Outcome<pb::ShipOrderResponse>, Error> {
        let now = self.clock.now();
        let ship = async |tx: &Tx<'_>| {
            if let Some(response) = replay(tx, key, caller).await? {
                return Ok(Outcome::Replayed(response));
            }
            let step = store::ship_order(tx, id, caller.user_id, now).await?;
            let order = changed(tx, id, Transition::Ship, step).await?;
            let response = pb::ShipOrderResponse { order: Some(order.into()) };
            remember(tx, key, caller, &response).await?;
            Ok(Outcome::Done(response))
        };
        self.db.tx("orders.ship", access, ship).await
    }
}

/// Why a request's twin has no answer for it. Either way the transaction is undone, and the key is free again.
enum Twinless {
    /// There is no twin.
    Refused,
    /// Nobody knows.
    Failed(idempotency::Error),
}

impl From<idempotency::Error> for Twinless {
    fn from(error: idempotency::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<db::Error> for Twinless {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Claims the key of a request that has one, as the first statement of its transaction; the answer that it had, if it had one.
async fn replay(tx: &Tx<'_>, key: Option<&RequestKey>, caller: &Caller) -> Result<Option<Bytes>, Error> {
    let Some(key) = key else { return Ok(None) };
    match key.claim(tx, caller.company_id).await? {
        Claim::New => Ok(None),
        Claim::Replayed(response) => Ok(Some(response)),
    }
}

/// Leaves the answer with the key of a request that has one.
async fn remember(
    tx: &Tx<'_>,
    key: Option<&RequestKey>,
    caller: &Caller,
    response: &impl Message,
) -> Result<(), Error> {
    match key {
        Some(key) => Ok(key.store(tx, caller.company_id, response).await?),
        None => Ok(()),
    }
}

/// The order as `step` has left it.
async fn changed(
    tx: &Tx<'_>,
    id: OrderId,
    transition: Transition,
    step: Option<Step>,
) -> Result<Order, Error> {
    match step.ok_or(Error::OrderNotFound(id))? {
        Step::Moved | Step::Unchanged => store::find_order(tx, id).await?.ok_or(Error::OrderNotFound(id)),
        Step::Refused => Err(Error::Refused { id, transition }),
    }
}
