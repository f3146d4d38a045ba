//! The use cases of stock.

use jiff::Timestamp;
use platform::{
    Access, Caller, Clock, Invalid, Outcome, RequestKey,
    db::{Db, Tx},
};
use proto::orders::v1 as pb;

use super::{remember, replay};
use crate::{
    draft::Sku,
    error::{Error, Shortage},
    inventory::{Adjustment, Adjustments, Inventory, MAX_ON_HAND, place},
    store::inventory::{self as store, Adjusted},
};

/// Shows and changes stock. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Stock {
    db: Db,
    clock: Clock,
}

impl Stock {
    pub(crate) fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// The stock of one SKU.
    ///
    /// # Errors
    ///
    /// None was ever recorded.
    pub(crate) async fn get_inventory(&self, access: &Access, sku: Sku) -> Result<Inventory, Error> {
        let found = self.db.read("stock.get", access, async |ro| store::find_stock(ro, &sku).await).await?;
        found.ok_or(Error::StockNotFound(sku))
    }

    /// Makes all of `adjustments`, once for `key` if there is one.
    ///
    /// # Errors
    ///
    /// Names the ones that can't be made; then none was.
    pub(crate) async fn adjust_inventory(
        &self,
        access: &Access,
        caller: &Caller,
        key: Option<&RequestKey>,
        adjustments: Adjustments,
    ) -> Result<Outcome<pb::BatchAdjustInventoryResponse>, Error> {
        let now = self.clock.now();
        let adjust = async |tx: &Tx<'_>| {
            if let Some(response) = replay(tx, key, caller).await? {
                return Ok(Outcome::Replayed(response));
            }
            let adjusted = store::adjust_stock(tx, &adjustments, now, caller.user_id).await?;
            let stock = all_or_refusal(adjustments.as_slice(), &adjusted, now)?;
            let response =
                pb::BatchAdjustInventoryResponse { inventories: stock.into_iter().map(Into::into).collect() };
            remember(tx, key, caller, &response).await?;
            Ok(Outcome::Done(response))
        };
        self.db.tx("stock.adjust", access, adjust).await
    }
}

/// The stock after `asked`, or what keeps them from being made.
fn all_or_refusal(
    asked: &[Adjustment],
    adjusted: &[Adjusted],
    now: Timestamp,
) -> Result<Vec<Inventory>, Error> {
    let mut stock = Vec::with_capacity(asked.len());
    let (mut short, mut beyond) = (Vec::new(), Vec::new());
    for (index, (change, adjusted)) in asked.iter().zip(adjusted).enumerate() {
        match *adjusted {
            Adjusted::Done(on_hand) => {
                stock.push(Inventory { sku: change.sku().clone(), on_hand, updated_at: now });
            }
            Adjusted::Refused(on_hand) if i64::from(on_hand) + i64::from(change.delta()) > MAX_ON_HAND => {
                beyond.push(
                    Invalid::new("delta", "would make more than 2,000,000,000 units").within(place(index)),
                );
            }
            Adjusted::Refused(on_hand) => short.push(Shortage::of_adjustment(index, change, on_hand)),
            Adjusted::Skipped => {}
        }
    }
    if !short.is_empty() {
        return Err(Error::OutOfStock(short));
    }
    if !beyond.is_empty() {
        return Err(beyond.into());
    }
    if stock.len() == asked.len() {
        Ok(stock)
    } else {
        Err(Error::Unexpected("adjust_stock left a line out"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(of: &[(i32, Adjusted)]) -> Result<Vec<i32>, Error> {
        let asked: Vec<_> =
            of.iter().map(|(delta, _)| Adjustment::new("A".to_owned(), *delta).unwrap()).collect();
        let adjusted: Vec<_> = of.iter().map(|(_, adjusted)| *adjusted).collect();
        let stock = all_or_refusal(&asked, &adjusted, Timestamp::UNIX_EPOCH)?;
        Ok(stock.into_iter().map(|stock| stock.on_hand).collect())
    }

    #[test]
    fn a_refusal_names_the_line_that_lacks_and_what_there_is() {
        assert_eq!(outcome(&[(1, Adjusted::Done(4)), (-2, Adjusted::Done(0))]).unwrap(), [4, 0]);
        let Err(Error::OutOfStock(short)) = outcome(&[(1, Adjusted::Skipped), (-7, Adjusted::Refused(5))])
        else {
            panic!("must be refused")
        };
        assert_eq!((short[0].line, short[0].wanted, short[0].available), (2, 7, 5));
    }

    #[test]
    fn too_much_is_the_callers_mistake() {
        let refused = outcome(&[(1_000_000, Adjusted::Refused(1_999_999_999))]);
        assert!(matches!(refused, Err(Error::Invalid(fields)) if fields[0].field == "adjustments[0].delta"));
    }
}
