//! The e-mail that confirms an order, as the job that sends it later.

use platform::{Caller, telemetry};
use serde_json::{Value, json};

use crate::order::{Order, OrderLine};

/// The job that tells `caller` of `order`, for the queue's enqueue function: everything that the mail says, so that whoever sends
/// it needs nothing of ours. None for a caller who reads no mail.
pub(crate) fn order_placed(order: &Order, caller: &Caller) -> Option<Value> {
    if caller.email.is_empty() {
        return None;
    }
    Some(json!({
        "queue": "email",
        "kind": "email",
        "trace": telemetry::traceparent(),
        "args": {
            "template": "order_placed",
            "to": caller.email,
            "name": caller.name,
            "order_id": order.id.get(),
            "company_id": order.company_id,
            "placed_at": order.created_at,
            "purchase_order_number": order.purchase_order_number,
            "note": order.note,
            "currency": order.currency.code(),
            "total_minor": order.total.minor(),
            "lines": order.lines.iter().map(line).collect::<Vec<_>>(),
        },
    }))
}

fn line(line: &OrderLine) -> Value {
    json!({
        "line_number": line.number,
        "sku": line.sku.as_str(),
        "name": line.name,
        "quantity": line.quantity.get(),
        "unit_price_minor": line.unit_price.minor(),
        "total_minor": line.total.minor(),
    })
}
