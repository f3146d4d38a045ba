//! Rows of `products`.

use jiff::Timestamp;
use platform::db::{self, Rows, Tx};
use tokio_postgres::Row;
use tracing::instrument;
use uuid::Uuid;

use super::CHECKED;
use crate::{
    category::CategoryId,
    error::Error,
    product::{ConflictPolicy, Price, Product, ProductDraft, Rejection, RowOutcome, Sku},
};

const SELECT_PRODUCT: &str = include_str!("../../queries/select_product.sql");
const SELECT_PRODUCTS: &str = include_str!("../../queries/select_products.sql");
const LOCK_PRODUCT: &str = include_str!("../../queries/lock_product.sql");
const INSERT_PRODUCT: &str = include_str!("../../queries/insert_product.sql");
const UPDATE_PRODUCT: &str = include_str!("../../queries/update_product.sql");
const DELETE_PRODUCT: &str = include_str!("../../queries/delete_product.sql");
const PUT_PRODUCTS: &str = include_str!("../../queries/put_products.sql");

/// The product `id`.
#[instrument(name = "db.product.select", skip_all, fields(product.id = %id), err(level = "debug"))]
pub(crate) async fn select_product(rows: &impl Rows, id: Uuid) -> Result<Option<Product>, db::Error> {
    Ok(rows.query_opt(SELECT_PRODUCT, &[&id]).await?.as_ref().map(product))
}

/// The products that have one of `ids` or `skus`, in no order.
#[instrument(name = "db.product.select_many", skip_all, fields(ids = ids.len(), skus = skus.len()), err(level = "debug"))]
pub(crate) async fn select_products(
    rows: &impl Rows,
    ids: &[Uuid],
    skus: &[&str],
) -> Result<Vec<Product>, db::Error> {
    Ok(rows.query(SELECT_PRODUCTS, &[&ids, &skus]).await?.iter().map(product).collect())
}

/// The product `id`, kept from changing until `tx` ends.
#[instrument(name = "db.product.lock", skip_all, fields(product.id = %id), err(level = "debug"))]
pub(crate) async fn lock_product(tx: &Tx<'_>, id: Uuid) -> Result<Option<Product>, db::Error> {
    Ok(tx.query_opt(LOCK_PRODUCT, &[&id]).await?.as_ref().map(product))
}

/// Adds `product`.
#[instrument(name = "db.product.insert", skip_all, fields(product.id = %product.id), err(level = "debug"))]
pub(crate) async fn insert_product(tx: &Tx<'_>, product: &Product, by: Uuid) -> Result<(), Error> {
    let p = product;
    let inserted = tx
        .execute(
            INSERT_PRODUCT,
            &[
                &p.id,
                &p.sku.as_str(),
                &p.name,
                &p.description,
                &p.brand,
                &p.category_id.as_str(),
                &p.price.minor(),
                &p.price.currency_code(),
                &p.unit,
                &p.active,
                &p.version,
                &p.created_at,
                &by,
            ],
        )
        .await;
    inserted.map(drop).map_err(|error| refused(error, product))
}

/// Gives the row of `product` its values. The caller holds its lock.
#[instrument(name = "db.product.update", skip_all, fields(product.id = %product.id), err(level = "debug"))]
pub(crate) async fn update_product(tx: &Tx<'_>, product: &Product, by: Uuid) -> Result<(), Error> {
    let p = product;
    let updated = tx
        .execute(
            UPDATE_PRODUCT,
            &[
                &p.id,
                &p.name,
                &p.description,
                &p.brand,
                &p.category_id.as_str(),
                &p.price.minor(),
                &p.price.currency_code(),
                &p.unit,
                &p.active,
                &p.version,
                &p.updated_at,
                &by,
            ],
        )
        .await;
    match updated {
        Ok(1) => Ok(()),
        Ok(_) => Err(Error::ProductNotFound { id: p.id }),
        Err(error) => Err(refused(error, product)),
    }
}

/// Removes the product `id`. Answers whether it was there.
#[instrument(name = "db.product.delete", skip_all, fields(product.id = %id), err(level = "debug"))]
pub(crate) async fn delete_product(tx: &Tx<'_>, id: Uuid) -> Result<bool, db::Error> {
    Ok(tx.execute(DELETE_PRODUCT, &[&id]).await? == 1)
}

/// Adds `drafts`, whose SKUs differ, under the ids beside them. Answers what became of each, in their order. One round trip.
#[instrument(name = "db.product.put_many", skip_all, fields(rows = drafts.len()), err(level = "debug"))]
pub(crate) async fn put_products(
    tx: &Tx<'_>,
    drafts: &[(Uuid, &ProductDraft)],
    policy: ConflictPolicy,
    now: Timestamp,
    by: Uuid,
) -> Result<Vec<RowOutcome>, db::Error> {
    fn column<'a, T>(drafts: &[(Uuid, &'a ProductDraft)], of: impl Fn(&'a ProductDraft) -> T) -> Vec<T> {
        drafts.iter().map(|(_, draft)| of(draft)).collect()
    }
    let ids: Vec<Uuid> = drafts.iter().map(|(id, _)| *id).collect();
    let rows = tx
        .query(
            PUT_PRODUCTS,
            &[
                &ids,
                &column(drafts, |draft| draft.sku.as_str()),
                &column(drafts, |draft| draft.name.as_str()),
                &column(drafts, |draft| draft.description.as_str()),
                &column(drafts, |draft| draft.brand.as_str()),
                &column(drafts, |draft| draft.category_id.as_str()),
                &column(drafts, |draft| draft.price.minor()),
                &column(drafts, |draft| draft.price.currency_code()),
                &column(drafts, |draft| draft.unit.as_str()),
                &column(drafts, |draft| draft.active),
                &policy.name(),
                &now,
                &by,
            ],
        )
        .await?;
    Ok(rows.iter().map(row_outcome).collect())
}

fn row_outcome(row: &Row) -> RowOutcome {
    let id = || row.get::<_, Uuid>("id");
    match row.get("outcome") {
        "created" => RowOutcome::Created(id()),
        "updated" => RowOutcome::Updated(id()),
        "sku_taken" => RowOutcome::Rejected(Rejection::SkuTaken),
        "category_not_found" => RowOutcome::Rejected(Rejection::CategoryNotFound),
        _ => RowOutcome::Unchanged(id()),
    }
}

/// What a constraint that `product` breaks means.
fn refused(error: db::Error, product: &Product) -> Error {
    match error.constraint() {
        Some("products_sku_key") => Error::SkuTaken { sku: product.sku.clone() },
        Some("products_category_fk") => Error::ShelfNotFound { id: product.category_id.clone() },
        _ => error.into(),
    }
}

/// Reads a row that has all columns of a product.
pub(super) fn product(row: &Row) -> Product {
    Product {
        id: row.get("id"),
        sku: Sku::parse(row.get::<_, String>("sku")).expect(CHECKED),
        name: row.get("name"),
        description: row.get("description"),
        brand: row.get("brand"),
        category_id: CategoryId::parse("category_id", row.get::<_, String>("category_id")).expect(CHECKED),
        price: Price::new(row.get("price_minor"), row.get("currency")).expect(CHECKED),
        unit: row.get("unit"),
        active: row.get("active"),
        version: row.get("version"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    }
}
