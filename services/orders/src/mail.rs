//! The e-mail that confirms an order, as the job that sends it later.

use platform::{Caller, telemetry};
use serde_json::{Value, json};

use crate::order::{Order, OrderLine};

/// How often the mail is tried: over some 17 minutes, in which a mail server comes back.
const MAX_ATTEMPTS: u8 = 10;

/// The job that tells `caller` of `order`, in the form that the schema's functions enqueue. Its arguments hold everything that
/// the mail says, so that whoever sends it needs nothing of ours; their form is a contract with the kind `email` of the jobs
/// service. None for a caller who reads no mail.
pub(crate) fn order_placed(order: &Order, caller: &Caller) -> Option<Value> {
    if caller.email.is_empty() {
        return None;
    }
    Some(json!({
        "queue": "email",
        "kind": "email",
        "max_attempts": MAX_ATTEMPTS,
        "trace": telemetry::traceparent(),
        "args": {
            "to": caller.email,
            "name": caller.name,
            "template": "order_placed",
            "order": {
                "id": order.id.get(),
                "company_id": order.company_id,
                "created_at": order.created_at,
                "currency": order.currency.code(),
                "total_minor": order.total.minor(),
                "purchase_order_number": order.purchase_order_number,
                "lines": order.lines.iter().map(line).collect::<Vec<_>>(),
            },
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
