//! Events of orders in the database: the only caller of the queries about them.

use platform::db::{Params, Row, Rows};
use tokio::try_join;
use tracing::instrument;
use uuid::Uuid;

use super::SELECT_ORDER;
use crate::{
    error::Error,
    event::{EventKind, OrderEvent},
    order::OrderId,
};

const LIST_ORDER_EVENTS: &str = include_str!("../../queries/list_order_events.sql");
const LIST_NEW_EVENTS: &str = include_str!("../../queries/list_new_events.sql");

/// Up to `limit` events of the order behind position `after`, if the caller has such an order.
#[instrument(name = "db.order_event.list", skip_all, fields(order.id = %order), err(level = "debug"))]
pub(crate) async fn list_events(
    rows: &impl Rows,
    order: OrderId,
    after: i32,
    limit: i64,
) -> Result<Option<Vec<OrderEvent>>, Error> {
    let id = order.get();
    let (one, behind): (Params<'_>, Params<'_>) = (&[&id], &[&id, &after, &limit]);
    // Sent together: the second does not wait for the answer to the first.
    let (found, events) =
        try_join!(rows.query_opt(SELECT_ORDER, one), rows.query(LIST_ORDER_EVENTS, behind))?;
    Ok(found.map(|_| events.iter().map(event).collect()))
}

/// Up to `limit` events of each of `orders`, behind the position that stands beside it; those of one order in their order.
#[instrument(name = "db.order_event.list_new", skip_all, fields(count = orders.len()), err(level = "debug"))]
pub(crate) async fn list_new_events(
    rows: &impl Rows,
    orders: &[Uuid],
    after: &[i32],
    limit: i64,
) -> Result<Vec<OrderEvent>, Error> {
    Ok(rows.query(LIST_NEW_EVENTS, &[&orders, &after, &limit]).await?.iter().map(event).collect())
}

fn event(row: &Row) -> OrderEvent {
    OrderEvent {
        order_id: row.get::<_, Uuid>("order_id").into(),
        seq: row.get("seq"),
        kind: EventKind::from_name(row.get("kind")),
        at: row.get("at"),
        actor: row.get("actor"),
        reason: row.get::<_, Option<String>>("reason").unwrap_or_default(),
    }
}
