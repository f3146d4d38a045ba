//! Price lists, and the companies that have them.

use platform::{Access, Invalid, Outcome, db::Rows, page::PageSize};
use proto::catalog::v1 as pb;
use uuid::Uuid;

use super::{Catalog, Page, Write, not_before};
use crate::{
    convert::assignment_answer,
    error::Error,
    etag::Etag,
    price_list::{Assignment, PriceList, PriceListChange, PriceListDraft, PriceListId, Rows as Batch},
    store,
};

impl Catalog {
    pub(crate) async fn get_price_list(&self, access: &Access, id: PriceListId) -> Result<PriceList, Error> {
        self.db.read("catalog.get_price_list", access, async |ro| find_price_list(ro, &id).await).await
    }

    pub(crate) async fn list_price_lists(
        &self,
        access: &Access,
        reader: &str,
        size: PageSize,
        token: &str,
    ) -> Result<Page<PriceList>, Error> {
        let bound_to = ["ListPriceLists", reader];
        // No id is empty: every one stands behind it.
        let after: String = self.tokens.open(&bound_to, token)?.unwrap_or_default();
        let mut items = self
            .db
            .read("catalog.list_price_lists", access, async |ro| {
                store::list_price_lists(ro, &after, size.limit()).await
            })
            .await?;
        let last = size.cut(&mut items).map(|last| last.id.to_string());
        Ok(Page { items, next: last.map(|last| self.tokens.seal(&bound_to, &last)).unwrap_or_default() })
    }

    pub(crate) async fn create_price_list(
        &self,
        write: &Write,
        draft: PriceListDraft,
    ) -> Result<Outcome<pb::CreatePriceListResponse>, Error> {
        let list = PriceList::new(draft, self.clock.now());
        self.db
            .tx("catalog.create_price_list", &write.access, async |tx| {
                if let Some(answer) = write.replayed(tx).await? {
                    return Ok(Outcome::Replayed(answer));
                }
                store::insert_price_list(tx, &list, write.by()).await?;
                write.done(tx, list.clone().into()).await
            })
            .await
    }

    pub(crate) async fn update_price_list(
        &self,
        write: &Write,
        id: PriceListId,
        etag: Option<Etag>,
        change: PriceListChange,
    ) -> Result<Outcome<pb::UpdatePriceListResponse>, Error> {
        let now = self.clock.now();
        self.db
            .tx("catalog.update_price_list", &write.access, async |tx| {
                if let Some(answer) = write.replayed(tx).await? {
                    return Ok(Outcome::Replayed(answer));
                }
                let current = store::lock_price_list(tx, &id).await?;
                same_version(&current, etag.as_ref())?;
                let mut list = current.clone();
                change.clone().apply(&mut list);
                // A change to what is there already is none: it takes nobody's etag away.
                if list != current {
                    list.version += 1;
                    list.updated_at = not_before(current.updated_at, now);
                    store::update_price_list(tx, &list, write.by()).await?;
                }
                write.done(tx, list.into()).await
            })
            .await
    }

    pub(crate) async fn delete_price_list(
        &self,
        write: &Write,
        id: PriceListId,
        etag: Option<Etag>,
    ) -> Result<Outcome<()>, Error> {
        self.db
            .tx("catalog.delete_price_list", &write.access, async |tx| {
                if let Some(answer) = write.replayed(tx).await? {
                    return Ok(Outcome::Replayed(answer));
                }
                same_version(&store::lock_price_list(tx, &id).await?, etag.as_ref())?;
                store::delete_price_list(tx, &id).await?;
                write.done(tx, ()).await
            })
            .await
    }

    /// Companies that have the price list `id`.
    pub(crate) async fn list_assignments(
        &self,
        access: &Access,
        reader: &str,
        id: &PriceListId,
        size: PageSize,
        token: &str,
    ) -> Result<Page<Uuid>, Error> {
        let bound_to = ["ListPriceListAssignments", id.as_str(), reader];
        let after: Uuid = self.tokens.open(&bound_to, token)?.unwrap_or_default();
        let mut items = self
            .db
            .read("catalog.list_price_list_assignments", access, async |ro| {
                find_price_list(ro, id).await?;
                Ok::<_, Error>(store::list_assignments(ro, id, after, size.limit()).await?)
            })
            .await?;
        let last = size.cut(&mut items).copied();
        Ok(Page { items, next: last.map(|last| self.tokens.seal(&bound_to, &last)).unwrap_or_default() })
    }

    /// Every valid row in one statement. Of rows about one company the first is taken.
    pub(crate) async fn batch_assign_price_lists(
        &self,
        write: &Write,
        rows: Vec<Result<Assignment, Invalid>>,
    ) -> Result<Outcome<pb::BatchAssignPriceListsResponse>, Error> {
        let now = self.clock.now();
        let batch = Batch::sort(rows, |row| row.company_id);
        self.db
            .tx("catalog.batch_assign_price_lists", &write.access, async |tx| {
                if let Some(answer) = write.replayed(tx).await? {
                    return Ok(Outcome::Replayed(answer));
                }
                let assigned = store::assign_price_lists(tx, &batch.good, now, write.by()).await?;
                write.done(tx, assignment_answer(batch.outcomes(assigned))).await
            })
            .await
    }
}

/// The price list `id`.
pub(super) async fn find_price_list(rows: &impl Rows, id: &PriceListId) -> Result<PriceList, Error> {
    let list = store::select_price_list(rows, id).await?;
    list.ok_or_else(|| Error::PriceListNotFound { id: id.clone() })
}

/// Refuses to touch `current` for somebody who saw another version of it.
fn same_version(current: &PriceList, seen: Option<&Etag>) -> Result<(), Error> {
    match seen {
        Some(seen) if *seen != current.etag() => {
            Err(Error::EtagMismatch { what: format!("the price list {}", current.id) })
        }
        _ => Ok(()),
    }
}
