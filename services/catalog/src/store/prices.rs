//! Rows of `prices`, and what items cost by them.

use jiff::Timestamp;
use platform::db::{self, Rows, Tx};
use tokio_postgres::Row;
use tracing::instrument;
use uuid::Uuid;

use super::{CHECKED, price_lists::row_outcome};
use crate::{
    price_list::{ListedPrice, PriceChange, PriceList, PriceListId, PriceRowOutcome},
    product::{Price, Sku},
    quote::{Item, Quote, Tier},
};

const LIST_PRICES: &str = include_str!("../../queries/list_prices.sql");
const SET_PRICES: &str = include_str!("../../queries/set_prices.sql");
const PRICE_ITEMS: &str = include_str!("../../queries/price_items.sql");

/// Up to `limit` prices of `list` by SKU and quantity, those behind `after`.
#[instrument(name = "db.price.list", skip_all, fields(price_list.id = %list.id), err(level = "debug"))]
pub(crate) async fn list_prices(
    rows: &impl Rows,
    list: &PriceList,
    after: &(String, i32),
    limit: i64,
) -> Result<Vec<ListedPrice>, db::Error> {
    let rows = rows.query(LIST_PRICES, &[&list.id.as_str(), &after.0, &after.1, &limit]).await?;
    let price = |row: &Row| ListedPrice {
        sku: Sku::parse(row.get::<_, String>("sku")).expect(CHECKED),
        min_quantity: row.get("min_quantity"),
        price: Price::new(row.get("price_minor"), list.currency.as_str()).expect(CHECKED),
        updated_at: row.get("updated_at"),
    };
    Ok(rows.iter().map(price).collect())
}

/// Sets and removes prices of the list `id`, no two of which are about the same tier. The caller holds the list. Answers what became of
/// each, in their order.
#[instrument(name = "db.price.set_many", skip_all, fields(price_list.id = %id, rows = changes.len()), err(level = "debug"))]
pub(crate) async fn set_prices(
    tx: &Tx<'_>,
    id: &PriceListId,
    changes: &[PriceChange],
    now: Timestamp,
    by: Uuid,
) -> Result<Vec<PriceRowOutcome>, db::Error> {
    let skus: Vec<&str> = changes.iter().map(|change| change.sku.as_str()).collect();
    let quantities: Vec<i32> = changes.iter().map(|change| change.min_quantity).collect();
    let prices: Vec<Option<i64>> =
        changes.iter().map(|change| change.price.as_ref().map(Price::minor)).collect();
    let currencies: Vec<Option<&str>> =
        changes.iter().map(|change| change.price.as_ref().map(Price::currency_code)).collect();
    let rows =
        tx.query(SET_PRICES, &[&id.as_str(), &skus, &quantities, &prices, &currencies, &now, &by]).await?;
    Ok(rows.iter().map(row_outcome).collect())
}

/// What `items` cost `company`: for those whose SKU names a product, in no order, their place and what is to be paid.
#[instrument(name = "db.price.items", skip_all, fields(company.id = %company, items = items.len()), err(level = "debug"))]
pub(crate) async fn price_items(
    rows: &impl Rows,
    company: Uuid,
    items: &[Item],
) -> Result<Vec<(usize, Quote)>, db::Error> {
    // What could be no SKU is no product's either, and some of it no text for the database.
    let asked = || (0_i32..).zip(items).filter(|(_, item)| Sku::parse(item.sku.as_str()).is_ok());
    let places: Vec<i32> = asked().map(|(place, _)| place).collect();
    let skus: Vec<&str> = asked().map(|(_, item)| item.sku.as_str()).collect();
    let quantities: Vec<i32> = asked().map(|(_, item)| item.quantity).collect();
    let rows = rows.query(PRICE_ITEMS, &[&company, &places, &skus, &quantities]).await?;
    Ok(rows.iter().map(quote).collect())
}

fn quote(row: &Row) -> (usize, Quote) {
    let list_price = Price::new(row.get("price_minor"), row.get("currency")).expect(CHECKED);
    // A list counts only where it has the currency of the product.
    let tier = |quantity, minor| {
        let (min_quantity, minor): (Option<i32>, Option<i64>) = (row.get(quantity), row.get(minor));
        let price = Price::new(minor?, list_price.currency_code()).expect(CHECKED);
        Some(Tier { min_quantity: min_quantity?, price })
    };
    let list = row.get::<_, Option<String>>("price_list_id");
    let list = list.map(|id| PriceListId::parse("price_list_id", id).expect(CHECKED));
    let quote = Quote {
        product_id: row.get("id"),
        name: row.get("name"),
        active: row.get("active"),
        list_price,
        agreed: list.zip(tier("tier_quantity", "tier_minor")),
        next: tier("next_quantity", "next_minor"),
    };
    (usize::try_from(row.get::<_, i32>("place")).unwrap_or(usize::MAX), quote)
}
