//! Rows of `price_lists` and `company_price_lists`.

use jiff::Timestamp;
use platform::db::{self, Rows, Tx};
use tokio_postgres::Row;
use tracing::instrument;
use uuid::Uuid;

use super::CHECKED;
use crate::{
    error::Error,
    price_list::{Assignment, PriceList, PriceListId, PriceRejection, PriceRowOutcome},
    product::Currency,
};

const SELECT_PRICE_LIST: &str = include_str!("../../queries/select_price_list.sql");
const LOCK_PRICE_LIST: &str = include_str!("../../queries/lock_price_list.sql");
const LIST_PRICE_LISTS: &str = include_str!("../../queries/list_price_lists.sql");
const INSERT_PRICE_LIST: &str = include_str!("../../queries/insert_price_list.sql");
const UPDATE_PRICE_LIST: &str = include_str!("../../queries/update_price_list.sql");
const DELETE_PRICE_LIST: &str = include_str!("../../queries/delete_price_list.sql");
const LIST_PRICE_LIST_ASSIGNMENTS: &str = include_str!("../../queries/list_price_list_assignments.sql");
const ASSIGN_PRICE_LISTS: &str = include_str!("../../queries/assign_price_lists.sql");

/// The price list `id`.
#[instrument(name = "db.price_list.select", skip_all, fields(price_list.id = %id), err(level = "debug"))]
pub(crate) async fn select_price_list(
    rows: &impl Rows,
    id: &PriceListId,
) -> Result<Option<PriceList>, db::Error> {
    Ok(rows.query_opt(SELECT_PRICE_LIST, &[&id.as_str()]).await?.as_ref().map(price_list))
}

/// The price list `id`, kept from changing until `tx` ends, and its prices from being set by somebody else.
#[instrument(name = "db.price_list.lock", skip_all, fields(price_list.id = %id), err(level = "debug"))]
pub(crate) async fn lock_price_list(tx: &Tx<'_>, id: &PriceListId) -> Result<PriceList, Error> {
    let row = tx.query_opt(LOCK_PRICE_LIST, &[&id.as_str()]).await?;
    row.as_ref().map(price_list).ok_or_else(|| Error::PriceListNotFound { id: id.clone() })
}

/// Up to `limit` price lists by id, those behind `after`.
#[instrument(name = "db.price_list.list", skip_all, err(level = "debug"))]
pub(crate) async fn list_price_lists(
    rows: &impl Rows,
    after: &str,
    limit: i64,
) -> Result<Vec<PriceList>, db::Error> {
    Ok(rows.query(LIST_PRICE_LISTS, &[&after, &limit]).await?.iter().map(price_list).collect())
}

/// Adds `list`.
#[instrument(name = "db.price_list.insert", skip_all, fields(price_list.id = %list.id), err(level = "debug"))]
pub(crate) async fn insert_price_list(tx: &Tx<'_>, list: &PriceList, by: Uuid) -> Result<(), Error> {
    let l = list;
    tx.execute(
        INSERT_PRICE_LIST,
        &[&l.id.as_str(), &l.name, &l.currency.as_str(), &l.version, &l.created_at, &by],
    )
    .await
    .map(drop)
    .map_err(|error| match error.constraint() {
        Some("price_lists_pkey") => Error::PriceListExists { id: l.id.clone() },
        _ => error.into(),
    })
}

/// Gives the row of `list` its values. The caller holds its lock.
#[instrument(name = "db.price_list.update", skip_all, fields(price_list.id = %list.id), err(level = "debug"))]
pub(crate) async fn update_price_list(tx: &Tx<'_>, list: &PriceList, by: Uuid) -> Result<(), Error> {
    let l = list;
    match tx.execute(UPDATE_PRICE_LIST, &[&l.id.as_str(), &l.name, &l.version, &l.updated_at, &by]).await? {
        1 => Ok(()),
        _ => Err(Error::PriceListNotFound { id: l.id.clone() }),
    }
}

/// Removes the price list `id` with its prices, unless a company has it. The caller holds its lock.
#[instrument(name = "db.price_list.delete", skip_all, fields(price_list.id = %id), err(level = "debug"))]
pub(crate) async fn delete_price_list(tx: &Tx<'_>, id: &PriceListId) -> Result<(), Error> {
    match tx.execute(DELETE_PRICE_LIST, &[&id.as_str()]).await {
        Ok(1) => Ok(()),
        Ok(_) => Err(Error::PriceListNotFound { id: id.clone() }),
        Err(error) => Err(match error.constraint() {
            Some("company_price_lists_price_list_fk") => Error::PriceListInUse { id: id.clone() },
            _ => error.into(),
        }),
    }
}

/// Up to `limit` of the companies that have the price list `id`, those behind `after`.
#[instrument(name = "db.price_list.list_assignments", skip_all, fields(price_list.id = %id), err(level = "debug"))]
pub(crate) async fn list_assignments(
    rows: &impl Rows,
    id: &PriceListId,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>, db::Error> {
    let rows = rows.query(LIST_PRICE_LIST_ASSIGNMENTS, &[&id.as_str(), &after, &limit]).await?;
    Ok(rows.iter().map(|row| row.get("company_id")).collect())
}

/// Gives companies, which differ, their price lists. Answers what became of each, in their order.
#[instrument(name = "db.price_list.assign", skip_all, fields(rows = assignments.len()), err(level = "debug"))]
pub(crate) async fn assign_price_lists(
    tx: &Tx<'_>,
    assignments: &[Assignment],
    now: Timestamp,
    by: Uuid,
) -> Result<Vec<PriceRowOutcome>, db::Error> {
    let companies: Vec<Uuid> = assignments.iter().map(|row| row.company_id).collect();
    let lists: Vec<Option<&str>> =
        assignments.iter().map(|row| row.price_list_id.as_ref().map(PriceListId::as_str)).collect();
    let rows = tx.query(ASSIGN_PRICE_LISTS, &[&companies, &lists, &now, &by]).await?;
    Ok(rows.iter().map(row_outcome).collect())
}

/// Reads what became of a row of a batch.
pub(super) fn row_outcome(row: &Row) -> PriceRowOutcome {
    match row.get("outcome") {
        "created" => PriceRowOutcome::Created,
        "updated" => PriceRowOutcome::Updated,
        "removed" => PriceRowOutcome::Removed,
        "product_not_found" => PriceRowOutcome::Rejected(PriceRejection::ProductNotFound),
        "currency_mismatch" => PriceRowOutcome::Rejected(PriceRejection::CurrencyMismatch),
        "price_list_not_found" => PriceRowOutcome::Rejected(PriceRejection::PriceListNotFound),
        _ => PriceRowOutcome::Unchanged,
    }
}

fn price_list(row: &Row) -> PriceList {
    PriceList {
        id: PriceListId::parse("id", row.get::<_, String>("id")).expect(CHECKED),
        name: row.get("name"),
        currency: Currency::parse(row.get("currency")).expect(CHECKED),
        version: row.get("version"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    }
}
