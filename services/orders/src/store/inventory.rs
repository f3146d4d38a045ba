//! Stock in the database: the only caller of the queries about it.

use jiff::Timestamp;
use platform::db::{Row, Rows, Tx};
use tracing::instrument;
use uuid::Uuid;

use crate::{
    draft::Sku,
    error::Error,
    inventory::{Adjustment, Adjustments, Inventory},
};

const SELECT_STOCK: &str = include_str!("../../queries/select_stock.sql");
const ADJUST_STOCK: &str = include_str!("../../queries/adjust_stock.sql");

/// What became of an adjustment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adjusted {
    /// Done; this is the stock now.
    Done(i32),
    /// It would leave less than nothing, or too much; this is the stock as it is.
    Refused(i32),
    /// Not done, because another was refused.
    Skipped,
}

/// The stock of `sku`, if any was ever recorded.
#[instrument(name = "db.stock.get", skip_all, fields(sku = %sku), err(level = "debug"))]
pub(crate) async fn find_stock(rows: &impl Rows, sku: &Sku) -> Result<Option<Inventory>, Error> {
    let row = rows.query_opt(SELECT_STOCK, &[&sku.as_str()]).await?;
    Ok(row.map(|row| Inventory {
        sku: sku.clone(),
        on_hand: row.get("on_hand"),
        updated_at: row.get("updated_at"),
    }))
}

/// Makes all of `adjustments` or none; what became of each, in their order.
#[instrument(name = "db.stock.adjust", skip_all, fields(count = adjustments.as_slice().len()), err(level = "debug"))]
pub(crate) async fn adjust_stock(
    tx: &Tx<'_>,
    adjustments: &Adjustments,
    now: Timestamp,
    actor: Uuid,
) -> Result<Vec<Adjusted>, Error> {
    let skus: Vec<&str> = adjustments.as_slice().iter().map(|change| change.sku().as_str()).collect();
    let deltas: Vec<i32> = adjustments.as_slice().iter().map(Adjustment::delta).collect();
    tx.query(ADJUST_STOCK, &[&skus, &deltas, &now, &actor]).await?.iter().map(adjusted).collect()
}

fn adjusted(row: &Row) -> Result<Adjusted, Error> {
    let on_hand = row.get("on_hand");
    match row.get("outcome") {
        "adjusted" => Ok(Adjusted::Done(on_hand)),
        "refused" => Ok(Adjusted::Refused(on_hand)),
        "skipped" => Ok(Adjusted::Skipped),
        _ => Err(Error::Unexpected("adjust_stock answered something new")),
    }
}
