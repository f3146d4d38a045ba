//! What the catalogue does: one method for each call of the contract. Owns the transactions and the order of effects.
//!
//! Locks are taken in one order, or two callers deadlock: idempotency key, tree of categories, category, price list, product, prices or
//! company.

mod batches;
mod categories;
mod price_lists;
mod prices;
mod products;

use bytes::Bytes;
use jiff::Timestamp;
use platform::{
    Access, Caller, Clock, Outcome, RequestKey,
    db::{Db, Tx},
    idempotency::Claim,
    page::{PageSize, PageTokens},
};
use prost::Message;
use uuid::Uuid;

use crate::{
    error::Error,
    product::{OrderBy, ProductFilter},
};

/// The use cases of the catalogue. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    db: Db,
    clock: Clock,
    tokens: PageTokens,
}

/// Who writes, under which key.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) caller: Caller,
    pub(crate) access: Access,
    pub(crate) key: Option<RequestKey>,
}

/// Which page of products somebody wants.
#[derive(Clone, Debug)]
pub(crate) struct ProductPage {
    /// Who reads, and so whose page tokens are good: nobody goes on in somebody else's list.
    pub(crate) reader: String,
    pub(crate) filter: ProductFilter,
    pub(crate) order: OrderBy,
    pub(crate) size: PageSize,
    pub(crate) token: String,
}

/// Rows of a page, and the token of the next one: empty on the last.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: String,
}

impl Catalog {
    pub(crate) fn new(db: Db, clock: Clock, tokens: PageTokens) -> Self {
        Self { db, clock, tokens }
    }
}

impl Write {
    /// The user who writes.
    fn by(&self) -> Uuid {
        self.caller.user_id
    }

    /// The answer that this write had, if it was made before. The first statement of every write.
    async fn replayed(&self, tx: &Tx<'_>) -> Result<Option<Bytes>, Error> {
        let Some(key) = &self.key else { return Ok(None) };
        match key.claim(tx, self.caller.company_id).await? {
            Claim::New => Ok(None),
            Claim::Replayed(answer) => Ok(Some(answer)),
        }
    }

    /// Leaves `answer` with the key, for repeats. The last statement of every write.
    async fn done<M: Message>(&self, tx: &Tx<'_>, answer: M) -> Result<Outcome<M>, Error> {
        if let Some(key) = &self.key {
            key.store(tx, self.caller.company_id, &answer).await?;
        }
        Ok(Outcome::Done(answer))
    }
}

/// When something that was last changed at `before` is changed now. Never earlier, though the clocks of two pods differ.
fn not_before(before: Timestamp, now: Timestamp) -> Timestamp {
    now.max(before)
}
