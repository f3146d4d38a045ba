//! Many products at once.

use std::collections::{HashMap, hash_map::Entry};

use platform::{Invalid, Outcome, db::Tx};
use proto::catalog::v1 as pb;
use uuid::Uuid;

use super::{Catalog, Write};
use crate::{
    convert::batch_answer,
    error::Error,
    product::{ConflictPolicy, ProductDraft, Rejection, RowOutcome},
    store,
};

/// A batch, sorted out: which rows go to the database, and what is known of the others already.
struct Batch {
    /// The index of the row, the id that it would get, and its values. No SKU comes twice.
    good: Vec<(usize, Uuid, ProductDraft)>,
    /// By index.
    rejected: Vec<(usize, Rejection)>,
}

impl Catalog {
    /// Every valid row in one statement. Of rows with one SKU the first is taken.
    pub(crate) async fn batch_create_products(
        &self,
        write: &Write,
        rows: Vec<Result<ProductDraft, Invalid>>,
        policy: ConflictPolicy,
    ) -> Result<Outcome<pb::BatchCreateProductsResponse>, Error> {
        let now = self.clock.now();
        let batch = Batch::new(rows, || self.clock.uuid_v7());
        self.db
            .tx("catalog.batch_create_products", &write.access, async |tx| {
                if let Some(answer) = write.replayed(tx).await? {
                    return Ok(Outcome::Replayed(answer));
                }
                let outcomes = batch.put(tx, policy, now, write.by()).await?;
                write.done(tx, batch_answer(outcomes)).await
            })
            .await
    }
}

impl Batch {
    fn new(rows: Vec<Result<ProductDraft, Invalid>>, new_id: impl Fn() -> Uuid) -> Self {
        let mut first_of = HashMap::with_capacity(rows.len());
        let mut batch = Self { good: Vec::with_capacity(rows.len()), rejected: Vec::new() };
        for (index, row) in rows.into_iter().enumerate() {
            match row {
                Err(invalid) => batch.rejected.push((index, Rejection::Invalid(invalid))),
                Ok(draft) => match first_of.entry(draft.sku.clone()) {
                    Entry::Occupied(first) => {
                        batch.rejected.push((index, Rejection::Duplicate { first: *first.get() }));
                    }
                    Entry::Vacant(place) => {
                        place.insert(index);
                        batch.good.push((index, new_id(), draft));
                    }
                },
            }
        }
        batch
    }

    /// What became of each row, in their order.
    async fn put(
        &self,
        tx: &Tx<'_>,
        policy: ConflictPolicy,
        now: jiff::Timestamp,
        by: Uuid,
    ) -> Result<Vec<RowOutcome>, Error> {
        let drafts: Vec<(Uuid, &ProductDraft)> =
            self.good.iter().map(|(_, id, draft)| (*id, draft)).collect();
        let put = if drafts.is_empty() {
            Vec::new()
        } else {
            store::put_products(tx, &drafts, policy, now, by).await?
        };
        let written = self.good.iter().map(|(index, ..)| *index).zip(put);
        let rejected = self.rejected.iter().map(|(index, why)| (*index, RowOutcome::Rejected(why.clone())));
        let mut outcomes: Vec<(usize, RowOutcome)> = written.chain(rejected).collect();
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        category::CategoryId,
        product::{Price, Sku},
    };

    fn row(sku: &str) -> Result<ProductDraft, Invalid> {
        Ok(ProductDraft {
            sku: Sku::parse(sku)?,
            name: "a".into(),
            description: String::new(),
            brand: String::new(),
            category_id: CategoryId::parse("category_id", "c")?,
            price: Price::new(1, "EUR")?,
            unit: "piece".into(),
            active: true,
        })
    }

    #[test]
    fn of_rows_with_one_sku_the_first_valid_one_is_taken() {
        let rows = vec![row("A"), row("!"), row("B"), row("A"), row("!"), row("A")];
        let batch = Batch::new(rows, Uuid::now_v7);
        assert_eq!(batch.good.iter().map(|(index, ..)| *index).collect::<Vec<_>>(), [0, 2]);
        let duplicates: Vec<_> = batch
            .rejected
            .iter()
            .filter(|(_, why)| *why == Rejection::Duplicate { first: 0 })
            .map(|(index, _)| *index)
            .collect();
        assert_eq!((duplicates, batch.rejected.len()), (vec![3, 5], 4));
    }
}
