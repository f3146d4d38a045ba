//! Single products, and lists of them.

use std::collections::HashMap;

use platform::{Access, Outcome};
use proto::catalog::v1 as pb;
use uuid::Uuid;

use super::{Catalog, Page, ProductPage, Write, not_before};
use crate::{
    error::Error,
    etag::Etag,
    product::{Product, ProductChange, ProductDraft, Sku},
    store::{self, Cursor},
};

/// Products by key, and the keys that name none; both in the order asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) products: Vec<Product>,
    pub(crate) not_found: Vec<String>,
}

impl Catalog {
    pub(crate) async fn get_product(&self, access: &Access, id: Uuid) -> Result<Product, Error> {
        let product = self
            .db
            .read("catalog.get_product", access, async |ro| store::select_product(ro, id).await)
            .await?;
        product.ok_or(Error::ProductNotFound { id })
    }

    /// Keys that could be no product's are not found either: one mistyped article must not hide a hundred others.
    pub(crate) async fn batch_get_products(
        &self,
        access: &Access,
        ids: Vec<String>,
        skus: Vec<String>,
    ) -> Result<Found, Error> {
        let uuids: Vec<Uuid> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let valid: Vec<&str> =
            skus.iter().map(String::as_str).filter(|sku| Sku::parse(*sku).is_ok()).collect();
        let products = self
            .db
            .read("catalog.batch_get_products", access, async |ro| {
                store::select_products(ro, &uuids, &valid).await
            })
            .await?;
        let by_id: HashMap<Uuid, &Product> = products.iter().map(|product| (product.id, product)).collect();
        let by_sku: HashMap<&str, &Product> =
            products.iter().map(|product| (product.sku.as_str(), product)).collect();
        let mut found = Found::default();
        let asked = ids
            .iter()
            .map(|id| (id, id.parse().ok().and_then(|id: Uuid| by_id.get(&id))))
            .chain(skus.iter().map(|sku| (sku, by_sku.get(sku.as_str()))));
        for (key, product) in asked {
            match product {
                Some(product) => found.products.push((*product).clone()),
                None => found.not_found.push(key.clone()),
            }
        }
        Ok(found)
    }

    pub(crate) async fn list_products(
        &self,
        access: &Access,
        page: ProductPage,
    ) -> Result<Page<Product>, Error> {
        let (filter, order) = (page.filter.to_string(), page.order.to_string());
        let bound_to = ["ListProducts", filter.as_str(), order.as_str(), page.reader.as_str()];
        let after: Option<Cursor> = self.tokens.open(&bound_to, &page.token)?;
        let mut items = self
            .db
            .read("catalog.list_products", access, async |ro| {
                store::list_products(ro, &page.filter, page.order, after.as_ref(), page.size.limit()).await
            })
            .await?;
        let last = page.size.cut(&mut items).map(|last| Cursor::at(last, page.order.key));
        Ok(Page { items, next: last.map(|last| self.tokens.seal(&bound_to, &last)).unwrap_or_default() })
    }

    pub(crate) async fn create_product(
        &self,
        write: &Write,
        draft: ProductDraft,
    ) -> Result<Outcome<pb::CreateProductResponse>, Error> {
        let product = Product::new(self.clock.uuid_v7(), draft, self.clock.now());
        // Boxed, for it takes some 16 kB.
        let done = self.db.tx("catalog.create_product", &write.access, async |tx| {
            if let Some(answer) = write.replayed(tx).await? {
                return Ok(Outcome::Replayed(answer));
            }
            store::insert_product(tx, &product, write.by()).await?;
            write.done(tx, product.clone().into()).await
        });
        Box::pin(done).await
    }

    pub(crate) async fn update_product(
        &self,
        write: &Write,
        id: Uuid,
        etag: Option<Etag>,
        change: ProductChange,
    ) -> Result<Outcome<pb::UpdateProductResponse>, Error> {
        let now = self.clock.now();
        // Boxed, for it takes some 16 kB.
        let done = self.db.tx("catalog.update_product", &write.access, async |tx| {
            if let Some(answer) = write.replayed(tx).await? {
                return Ok(Outcome::Replayed(answer));
            }
            let current = store::lock_product(tx, id).await?.ok_or(Error::ProductNotFound { id })?;
            same_version(&current, etag.as_ref())?;
            let mut product = current.clone();
            change.clone().apply(&mut product);
            // A change to what is there already is none: it takes nobody's etag away.
            if product != current {
                product.version += 1;
                product.updated_at = not_before(current.updated_at, now);
                store::update_product(tx, &product, write.by()).await?;
            }
            write.done(tx, product.into()).await
        });
        Box::pin(done).await
    }

    pub(crate) async fn delete_product(
        &self,
        write: &Write,
        id: Uuid,
        etag: Option<Etag>,
    ) -> Result<Outcome<()>, Error> {
        self.db
            .tx("catalog.delete_product", &write.access, async |tx| {
                if let Some(answer) = write.replayed(tx).await? {
                    return Ok(Outcome::Replayed(answer));
                }
                let current = store::lock_product(tx, id).await?.ok_or(Error::ProductNotFound { id })?;
                same_version(&current, etag.as_ref())?;
                store::delete_product(tx, id).await?;
                write.done(tx, ()).await
            })
            .await
    }
}

/// Refuses to touch `current` for somebody who saw another version of it.
fn same_version(current: &Product, seen: Option<&Etag>) -> Result<(), Error> {
    match seen {
        Some(seen) if *seen != current.etag() => {
            Err(Error::EtagMismatch { what: format!("the product {}", current.id) })
        }
        _ => Ok(()),
    }
}
