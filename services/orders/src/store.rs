//! Orders in the database: the only caller of the queries about them.

pub(crate) mod events;
pub(crate) mod inventory;

use jiff::Timestamp;
use platform::{
    Outcome, RequestKey,
    db::{Params, Row, Rows, Tx},
    idempotency,
};
use serde_json::Value;
use tokio::try_join;
use tracing::instrument;
use uuid::Uuid;

use crate::{
    draft::{Quantity, Sku},
    error::{Error, Shortage},
    money::{Amount, Currency},
    order::{Order, OrderId, OrderLine, OrderState, Step},
};

const CREATE_ORDER: &str = include_str!("../queries/create_order.sql");
const SELECT_ORDER: &str = include_str!("../queries/select_order.sql");
const LIST_ORDER_LINES: &str = include_str!("../queries/list_order_lines.sql");
const LIST_ORDERS: &str = include_str!("../queries/list_orders.sql");
const LIST_ORDERS_OF_COMPANY: &str = include_str!("../queries/list_orders_of_company.sql");
const CANCEL_ORDER: &str = include_str!("../queries/cancel_order.sql");
const SHIP_ORDER: &str = include_str!("../queries/ship_order.sql");

/// A column that the schema's constraints rule out.
const BROKEN_ROW: Error = Error::Unexpected("a row of an order breaks a rule of the schema");

/// Writes `order` with `response`, the answer to the request of `key`, and with `job`; takes its stock. A request that was carried
/// out before answers with what it answered then.
///
/// # Errors
///
/// Why nothing was written: the lines that are out of stock, or a key that can't be used.
#[instrument(name = "db.order.insert", skip_all, fields(order.id = %order.id), err(level = "debug"))]
pub(crate) async fn insert_order(
    tx: &Tx<'_>,
    order: &Order,
    key: &RequestKey,
    response: &[u8],
    job: Option<&Value>,
) -> Result<Outcome<()>, Error> {
    let products: Vec<Uuid> = order.lines.iter().map(|line| line.product_id).collect();
    let skus: Vec<&str> = order.lines.iter().map(|line| line.sku.as_str()).collect();
    let names: Vec<&str> = order.lines.iter().map(|line| line.name.as_str()).collect();
    let quantities: Vec<i32> = order.lines.iter().map(|line| line.quantity.get()).collect();
    let prices: Vec<i64> = order.lines.iter().map(|line| line.unit_price.minor()).collect();
    let row = tx
        .query_one(
            CREATE_ORDER,
            &[
                &order.id.get(),
                &order.company_id,
                &order.buyer_id,
                &key.method(),
                &key.key(),
                &key.body_hash(),
                &response,
                &order.currency.code(),
                &order.purchase_order_number,
                &order.note,
                &products,
                &skus,
                &names,
                &quantities,
                &prices,
                &job,
                &order.created_at,
            ],
        )
        .await?;
    match row.get("outcome") {
        "created" => Ok(Outcome::Done(())),
        "replayed" => Ok(Outcome::Replayed(row.get::<_, Vec<u8>>("response").into())),
        "key_reused" => Err(idempotency::Error::KeyReused.into()),
        "busy" => Err(idempotency::Error::TwinRunning.into()),
        "stock" => Err(out_of_stock(row.get("detail"))),
        "clock" => Err(Error::Unexpected("this process and the database disagree about the time")),
        _ => Err(Error::Unexpected("create_order answered something new")),
    }
}

fn out_of_stock(lines: Value) -> Error {
    let lines = serde_json::from_value::<Vec<Shortage>>(lines);
    lines.map_or(Error::Unexpected("create_order explained itself in a new way"), Error::OutOfStock)
}

/// The order of `id` with its lines, if the caller has one.
#[instrument(name = "db.order.get", skip_all, fields(order.id = %id), err(level = "debug"))]
pub(crate) async fn find_order(rows: &impl Rows, id: OrderId) -> Result<Option<Order>, Error> {
    let id = id.get();
    let params: Params<'_> = &[&id];
    // Sent together: the second does not wait for the answer to the first.
    let (found, lines) =
        try_join!(rows.query_opt(SELECT_ORDER, params), rows.query(LIST_ORDER_LINES, params))?;
    let Some(row) = found else { return Ok(None) };
    let lines = lines.iter().map(line).collect::<Option<_>>().ok_or(BROKEN_ROW)?;
    let order = order(&row).ok_or(BROKEN_ROW)?;
    Ok(Some(Order { lines, ..order }))
}

/// Up to `limit` orders behind `after`, newest first, without lines: of `company`, or of all that the caller's role may see.
#[instrument(name = "db.order.list", skip_all, err(level = "debug"))]
pub(crate) async fn list_orders(
    rows: &impl Rows,
    company: Option<Uuid>,
    after: Option<OrderId>,
    state: Option<OrderState>,
    limit: i64,
) -> Result<Vec<Order>, Error> {
    let after = after.map(OrderId::get);
    let state = state.map(OrderState::number);
    let found = match company {
        Some(company) => rows.query(LIST_ORDERS_OF_COMPANY, &[&company, &after, &state, &limit]).await?,
        None => rows.query(LIST_ORDERS, &[&after, &state, &limit]).await?,
    };
    found.iter().map(order).collect::<Option<_>>().ok_or(BROKEN_ROW)
}

/// Calls an order off because of `reason`; nothing if the caller has no such order.
#[instrument(name = "db.order.cancel", skip_all, fields(order.id = %id), err(level = "debug"))]
pub(crate) async fn cancel_order(
    tx: &Tx<'_>,
    id: OrderId,
    actor: Uuid,
    reason: &str,
    now: Timestamp,
) -> Result<Option<Step>, Error> {
    step(&tx.query_one(CANCEL_ORDER, &[&id.get(), &actor, &reason, &now]).await?)
}

/// Marks an order as shipped; nothing if there is no such order.
#[instrument(name = "db.order.ship", skip_all, fields(order.id = %id), err(level = "debug"))]
pub(crate) async fn ship_order(
    tx: &Tx<'_>,
    id: OrderId,
    actor: Uuid,
    now: Timestamp,
) -> Result<Option<Step>, Error> {
    step(&tx.query_one(SHIP_ORDER, &[&id.get(), &actor, &now]).await?)
}

fn step(row: &Row) -> Result<Option<Step>, Error> {
    match row.get("outcome") {
        "cancelled" | "shipped" => Ok(Some(Step::Moved)),
        "unchanged" => Ok(Some(Step::Unchanged)),
        "not_cancellable" | "not_shippable" => Ok(Some(Step::Refused)),
        "not_found" => Ok(None),
        _ => Err(Error::Unexpected("a change of an order answered something new")),
    }
}

fn order(row: &Row) -> Option<Order> {
    Some(Order {
        id: row.get::<_, Uuid>("id").into(),
        company_id: row.get("company_id"),
        buyer_id: row.get("buyer_id"),
        state: OrderState::from_number(row.get::<_, i16>("state").into())?,
        currency: Currency::parse(row.get("currency"))?,
        total: Amount::new(row.get("total_minor"))?,
        lines: Vec::new(),
        purchase_order_number: row.get("purchase_order_number"),
        note: row.get("note"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    })
}

fn line(row: &Row) -> Option<OrderLine> {
    let quantity = Quantity::new(row.get("quantity")).ok()?;
    let unit_price = Amount::new(row.get("price_minor"))?;
    Some(OrderLine {
        number: row.get("line_no"),
        product_id: row.get("product_id"),
        sku: Sku::parse(row.get::<_, String>("sku")).ok()?,
        name: row.get("name"),
        quantity,
        unit_price,
        total: unit_price.times(quantity)?,
    })
}
