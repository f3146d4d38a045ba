//! Prices of lists, and what items cost by them.

use platform::{Access, Invalid, Outcome, page::PageSize};
use proto::catalog::v1 as pb;
use uuid::Uuid;

use super::{Catalog, Page, Write, price_lists::find_price_list};
use crate::{
    convert::price_answer,
    error::Error,
    price_list::{ListedPrice, PriceChange, PriceListId, Rows as Batch},
    quote::{Item, Quotes},
    store,
};

impl Catalog {
    /// What `items` cost `company`, whose scope `access` must have: the database shows nobody else's prices to it.
    pub(crate) async fn price_items(
        &self,
        access: &Access,
        company: Uuid,
        items: Vec<Item>,
    ) -> Result<Quotes, Error> {
        let quotes = self
            .db
            .read("catalog.price_items", access, async |ro| store::price_items(ro, company, &items).await)
            .await?;
        Ok(Quotes::new(items, quotes))
    }

    pub(crate) async fn list_prices(
        &self,
        access: &Access,
        reader: &str,
        id: &PriceListId,
        size: PageSize,
        token: &str,
    ) -> Result<Page<ListedPrice>, Error> {
        let bound_to = ["ListPrices", id.as_str(), reader];
        // No SKU is empty: every price stands behind it.
        let after: (String, i32) = self.tokens.open(&bound_to, token)?.unwrap_or_default();
        let mut items = self
            .db
            .read("catalog.list_prices", access, async |ro| {
                let list = find_price_list(ro, id).await?;
                Ok::<_, Error>(store::list_prices(ro, &list, &after, size.limit()).await?)
            })
            .await?;
        let last = size.cut(&mut items).map(|last| (last.sku.to_string(), last.min_quantity));
        Ok(Page { items, next: last.map(|last| self.tokens.seal(&bound_to, &last)).unwrap_or_default() })
    }

    /// Every valid row in one statement. Of rows about one tier the first is taken.
    pub(crate) async fn batch_set_prices(
        &self,
        write: &Write,
        id: PriceListId,
        rows: Vec<Result<PriceChange, Invalid>>,
    ) -> Result<Outcome<pb::BatchSetPricesResponse>, Error> {
        let now = self.clock.now();
        let batch = Batch::sort(rows, |row| (row.sku.clone(), row.min_quantity));
        self.db
            .tx("catalog.batch_set_prices", &write.access, async |tx| {
                if let Some(answer) = write.replayed(tx).await? {
                    return Ok(Outcome::Replayed(answer));
                }
                store::lock_price_list(tx, &id).await?;
                let set = store::set_prices(tx, &id, &batch.good, now, write.by()).await?;
                write.done(tx, price_answer(batch.outcomes(set))).await
            })
            .await
    }
}
