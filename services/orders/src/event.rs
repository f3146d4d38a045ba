//! What happens to orders.

use jiff::Timestamp;
use uuid::Uuid;

use crate::order::OrderId;

/// Something that happened to an order. Never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    /// The order.
    pub order_id: OrderId,
    /// Place among the order's events, from 1, without gaps: given under the order's row lock, so it is also their order in time.
    pub seq: i32,
    /// What happened; none if a newer release wrote it.
    pub kind: Option<EventKind>,
    /// When.
    pub at: Timestamp,
    /// Who did it; none: the system.
    pub actor: Option<Uuid>,
    /// Why; empty where nobody said.
    pub reason: String,
}

/// What can happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It was placed.
    Placed,
    /// It was handed to the carrier.
    Shipped,
    /// It was called off.
    Cancelled,
}

impl EventKind {
    /// The kind that the database calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "placed" => Some(Self::Placed),
            "shipped" => Some(Self::Shipped),
            "cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }
}
