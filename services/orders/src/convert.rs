//! Between the contract's messages and the domain.

use jiff::Timestamp;
use platform::Invalid;
use proto::{orders::v1 as pb, r#type::v1::Money};

use crate::{
    draft::OrderDraft,
    event::{EventKind, OrderEvent},
    inventory::{Adjustments, Inventory},
    money::{Amount, Currency},
    order::{Order, OrderLine, OrderState},
};

impl TryFrom<pb::CreateOrderRequest> for OrderDraft {
    type Error = Vec<Invalid>;

    fn try_from(request: pb::CreateOrderRequest) -> Result<Self, Vec<Invalid>> {
        let items = request.items.into_iter().map(|item| (item.sku, item.quantity)).collect();
        Self::new(items, request.purchase_order_number, request.note)
    }
}

impl TryFrom<pb::BatchAdjustInventoryRequest> for Adjustments {
    type Error = Vec<Invalid>;

    fn try_from(request: pb::BatchAdjustInventoryRequest) -> Result<Self, Vec<Invalid>> {
        Self::new(request.adjustments.into_iter().map(|change| (change.sku, change.delta)).collect())
    }
}

/// The state that a list is filtered by; none where the caller wants all.
pub(crate) fn state_filter(state: i32) -> Result<Option<OrderState>, Invalid> {
    if state == i32::from(pb::OrderState::Unspecified) {
        return Ok(None);
    }
    let known = OrderState::from_number(state);
    known.map(Some).ok_or_else(|| Invalid::new("state", "must be ORDER_STATE_PLACED, _SHIPPED or _CANCELLED"))
}

impl From<Order> for pb::Order {
    fn from(order: Order) -> Self {
        let currency = order.currency;
        Self {
            id: order.id.to_string(),
            company_id: order.company_id.to_string(),
            buyer_id: order.buyer_id.to_string(),
            state: pb::OrderState::from(order.state).into(),
            lines: order.lines.into_iter().map(|it| line(it, currency)).collect(),
            total: Some(money(order.total, currency)),
            purchase_order_number: order.purchase_order_number,
            note: order.note,
            create_time: Some(timestamp(order.created_at)),
            update_time: Some(timestamp(order.updated_at)),
        }
    }
}

impl From<OrderState> for pb::OrderState {
    fn from(state: OrderState) -> Self {
        match state {
            OrderState::Placed => Self::Placed,
            OrderState::Shipped => Self::Shipped,
            OrderState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<OrderEvent> for pb::OrderEvent {
    fn from(event: OrderEvent) -> Self {
        let kind = match event.kind {
            None => pb::OrderEventType::Unspecified,
            Some(EventKind::Placed) => pb::OrderEventType::Placed,
            Some(EventKind::Shipped) => pb::OrderEventType::Shipped,
            Some(EventKind::Cancelled) => pb::OrderEventType::Cancelled,
        };
        Self {
            order_id: event.order_id.to_string(),
            sequence_number: event.seq,
            r#type: kind.into(),
            time: Some(timestamp(event.at)),
            actor_id: event.actor.map(|id| id.to_string()).unwrap_or_default(),
            reason: event.reason,
        }
    }
}

impl From<Inventory> for pb::Inventory {
    fn from(inventory: Inventory) -> Self {
        Self {
            sku: inventory.sku.to_string(),
            on_hand: inventory.on_hand,
            update_time: Some(timestamp(inventory.updated_at)),
        }
    }
}

fn line(line: OrderLine, currency: Currency) -> pb::OrderLine {
    pb::OrderLine {
        line_number: line.number.into(),
        product_id: line.product_id.to_string(),
        sku: line.sku.to_string(),
        name: line.name,
        quantity: line.quantity.get(),
        unit_price: Some(money(line.unit_price, currency)),
        total: Some(money(line.total, currency)),
    }
}

fn money(amount: Amount, currency: Currency) -> Money {
    Money { currency_code: currency.to_string(), minor_units: amount.minor() }
}

fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    // The contract's form counts nanoseconds forward from the second, also before 1970.
    let nanos = at.as_nanosecond();
    let seconds = nanos.div_euclid(1_000_000_000);
    prost_types::Timestamp {
        seconds: i64::try_from(seconds).unwrap_or_default(),
        nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_states_are_the_contracts() {
        for state in OrderState::ALL {
            assert_eq!(i32::from(pb::OrderState::from(state)), i32::from(state.number()));
            assert_eq!(state_filter(state.number().into()), Ok(Some(state)));
        }
        assert_eq!(state_filter(0), Ok(None));
        assert!(state_filter(4).is_err() && state_filter(-1).is_err());
    }

    #[test]
    fn times_before_1970_count_forward_too() {
        let at = timestamp(Timestamp::from_nanosecond(-1).unwrap());
        assert_eq!((at.seconds, at.nanos), (-1, 999_999_999));
    }
}
