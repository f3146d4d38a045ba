//! Orders, and how they change.

use jiff::Timestamp;
use platform::{Clock, Invalid};
use uuid::Uuid;

use crate::{
    draft::{Quantity, Sku},
    money::{Amount, Currency},
};

/// Names an order: a UUIDv7, whose time says in which partition the order is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrderId(Uuid);

impl OrderId {
    /// The id of an order that is placed now.
    pub fn new(clock: &Clock) -> Self {
        Self(clock.uuid_v7())
    }

    /// The id of `text`.
    ///
    /// # Errors
    ///
    /// Names `id` if it is not a UUID.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map(Self).map_err(|_| Invalid::new("id", "must be a UUID"))
    }

    /// As a UUID.
    pub fn get(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for OrderId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl std::fmt::Display for OrderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an order stands. The closed machine of its life:
///
/// ```text
///               Ship
///  ● ──► Placed ──────► Shipped
///          │
///          │    Cancel
///          └──────────► Cancelled
/// ```
///
/// `Shipped` and `Cancelled` are final. The step that led there may be asked for again and changes nothing; the other one is
/// refused. Each move is one row in `order_events`, written under the order's row lock by the function of its name in the
/// database, which a test holds against [`OrderState::after`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// Stock is taken; nothing has left the warehouse.
    Placed = 1,
    /// Handed to the carrier.
    Shipped = 2,
    /// Called off; the stock was given back.
    Cancelled = 3,
}

/// What can be asked of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// Hand it to the carrier.
    Ship,
    /// Call it off.
    Cancel,
}

/// What became of a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The order has moved.
    Moved,
    /// It stood there already.
    Unchanged,
    /// Its state forbids it.
    Refused,
}

impl OrderState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Placed, Self::Shipped, Self::Cancelled];

    /// What `transition` does in this state.
    pub fn after(self, transition: Transition) -> Step {
        match (self, transition) {
            (Self::Placed, Transition::Ship | Transition::Cancel) => Step::Moved,
            (Self::Shipped, Transition::Ship) | (Self::Cancelled, Transition::Cancel) => Step::Unchanged,
            (Self::Shipped, Transition::Cancel) | (Self::Cancelled, Transition::Ship) => Step::Refused,
        }
    }

    /// The number that stands for it in the database and in the contract.
    pub fn number(self) -> i16 {
        self as i16
    }

    /// The state of a number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|state| i32::from(state.number()) == number)
    }
}

impl Transition {
    /// Every transition.
    pub const ALL: [Self; 2] = [Self::Ship, Self::Cancel];

    /// The state that it leads to.
    pub fn target(self) -> OrderState {
        match self {
            Self::Ship => OrderState::Shipped,
            Self::Cancel => OrderState::Cancelled,
        }
    }
}

/// An order. In lists it comes without its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub id: OrderId,
    /// The company that ordered.
    pub company_id: Uuid,
    /// The user who ordered.
    pub buyer_id: Uuid,
    /// Where it stands.
    pub state: OrderState,
    /// What all its amounts are counted in.
    pub currency: Currency,
    /// The sum of the lines.
    pub total: Amount,
    /// What was ordered.
    pub lines: Vec<OrderLine>,
    /// The buyer's own reference; empty where not given.
    pub purchase_order_number: String,
    /// A remark for the seller; empty where not given.
    pub note: String,
    /// When it was placed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// One position of an order: what the catalogue said at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// Place in the order, from 1.
    pub number: i16,
    /// The product.
    pub product_id: Uuid,
    /// Its SKU.
    pub sku: Sku,
    /// Its name.
    pub name: String,
    /// How many units.
    pub quantity: Quantity,
    /// The price of one.
    pub unit_price: Amount,
    /// The price of all of them.
    pub total: Amount,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placed_order_moves_and_a_final_one_stays() {
        for transition in Transition::ALL {
            for state in OrderState::ALL {
                let expected = match state {
                    OrderState::Placed => Step::Moved,
                    state if state == transition.target() => Step::Unchanged,
                    _ => Step::Refused,
                };
                assert_eq!(state.after(transition), expected, "{state:?} {transition:?}");
            }
        }
    }

    #[test]
    fn every_state_reads_back_from_its_number_and_nothing_else_does() {
        for state in OrderState::ALL {
            assert_eq!(OrderState::from_number(state.number().into()), Some(state));
        }
        for number in [i32::MIN, -1, 0, 4, 65_537, i32::MAX] {
            assert_eq!(OrderState::from_number(number), None);
        }
    }

    #[test]
    fn an_id_is_a_uuid() {
        let id = OrderId::new(&Clock::system());
        assert_eq!(OrderId::parse(&id.to_string()), Ok(id));
        assert!(OrderId::parse("17").is_err() && OrderId::parse("").is_err());
    }
}
