//! The tree of categories.

use platform::{Access, Outcome, db::Tx, page::PageSize};
use proto::catalog::v1 as pb;

use super::{Catalog, Page, Write, not_before};
use crate::{
    category::{Category, CategoryChange, CategoryDraft, CategoryId},
    error::Error,
    etag::Etag,
    store::{self, ParentVerdict},
};

impl Catalog {
    pub(crate) async fn get_category(&self, access: &Access, id: CategoryId) -> Result<Category, Error> {
        let category = self
            .db
            .read("catalog.get_category", access, async |ro| store::select_category(ro, &id).await)
            .await?;
        category.ok_or(Error::CategoryNotFound { id })
    }

    pub(crate) async fn list_categories(
        &self,
        access: &Access,
        reader: &str,
        size: PageSize,
        token: &str,
    ) -> Result<Page<Category>, Error> {
        let bound_to = ["ListCategories", reader];
        // No id is empty: every one stands behind it.
        let after: String = self.tokens.open(&bound_to, token)?.unwrap_or_default();
        let mut items = self
            .db
            .read("catalog.list_categories", access, async |ro| {
                store::list_categories(ro, &after, size.limit()).await
            })
            .await?;
        let last = size.cut(&mut items).map(|last| last.id.to_string());
        Ok(Page { items, next: last.map(|last| self.tokens.seal(&bound_to, &last)).unwrap_or_default() })
    }

    pub(crate) async fn create_category(
        &self,
        write: &Write,
        draft: CategoryDraft,
    ) -> Result<Outcome<pb::CreateCategoryResponse>, Error> {
        let now = self.clock.now();
        let CategoryDraft { id, parent_id, name } = draft;
        let category = Category { id, parent_id, name, version: 1, created_at: now, updated_at: now };
        self.db
            .tx("catalog.create_category", &write.access, async |tx| {
                if let Some(answer) = write.replayed(tx).await? {
                    return Ok(Outcome::Replayed(answer));
                }
                if category.parent_id.is_some() {
                    // Something that exists is told so, whatever is wrong with the place asked for.
                    if store::select_category(tx, &category.id).await?.is_some() {
                        return Err(Error::CategoryExists { id: category.id.clone() });
                    }
                    stand_below(tx, &category).await?;
                }
                store::insert_category(tx, &category, write.by()).await?;
                write.done(tx, category.clone().into()).await
            })
            .await
    }

    pub(crate) async fn update_category(
        &self,
        write: &Write,
        id: CategoryId,
        etag: Option<Etag>,
        change: CategoryChange,
    ) -> Result<Outcome<pb::UpdateCategoryResponse>, Error> {
        let now = self.clock.now();
        self.db
            .tx("catalog.update_category", &write.access, async |tx| {
                if let Some(answer) = write.replayed(tx).await? {
                    return Ok(Outcome::Replayed(answer));
                }
                // The tree is locked before the category: its verdict must come first, though the category may turn out missing.
                let verdict = match &change.parent_id {
                    Some(parent) => store::check_category_parent(tx, &id, parent.as_ref()).await?,
                    None => ParentVerdict::Fine,
                };
                let missing = || Error::CategoryNotFound { id: id.clone() };
                let current = store::lock_category(tx, &id).await?.ok_or_else(missing)?;
                if etag.as_ref().is_some_and(|seen| *seen != current.etag()) {
                    return Err(Error::EtagMismatch { what: format!("the category {id}") });
                }
                let mut category = current.clone();
                change.clone().apply(&mut category);
                accept(verdict, &category)?;
                if category != current {
                    category.version += 1;
                    category.updated_at = not_before(current.updated_at, now);
                    store::update_category(tx, &category, write.by()).await?;
                }
                write.done(tx, category.into()).await
            })
            .await
    }

    pub(crate) async fn delete_category(&self, write: &Write, id: CategoryId) -> Result<Outcome<()>, Error> {
        self.db
            .tx("catalog.delete_category", &write.access, async |tx| {
                if let Some(answer) = write.replayed(tx).await? {
                    return Ok(Outcome::Replayed(answer));
                }
                store::delete_category(tx, &id).await?;
                write.done(tx, ()).await
            })
            .await
    }
}

/// Makes sure that `category` may stand where it wants to, until `tx` ends.
async fn stand_below(tx: &Tx<'_>, category: &Category) -> Result<(), Error> {
    let verdict = store::check_category_parent(tx, &category.id, category.parent_id.as_ref()).await?;
    accept(verdict, category)
}

fn accept(verdict: ParentVerdict, category: &Category) -> Result<(), Error> {
    match (verdict, &category.parent_id) {
        (ParentVerdict::NotFound, Some(parent)) => Err(Error::ShelfNotFound { id: parent.clone() }),
        (ParentVerdict::Cycle, _) => Err(Error::CategoryCycle { id: category.id.clone() }),
        (ParentVerdict::Fine | ParentVerdict::NotFound, _) => Ok(()),
    }
}
