//! Why the order service refuses a call, and what its callers are told.

use std::time::Duration;

use platform::{Code, Details, Invalid, Precondition, ServiceError, db, idempotency};
use serde::Deserialize;
use tonic::Status;

use crate::{
    draft::Sku,
    inventory,
    order::{OrderId, Transition},
    pricing::{Unpriceable, Unsold, UnsoldItem},
};

/// When a watch that found no place may find one.
const WATCH_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Every way in which a call can fail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Fields that can't be right.
    #[error("{}", list(.0))]
    Invalid(Vec<Invalid>),
    /// No such order, for this caller.
    #[error("no order {0}")]
    OrderNotFound(OrderId),
    /// Nobody ever recorded stock of this SKU.
    #[error("no stock of {0} was ever recorded")]
    StockNotFound(Sku),
    /// Less is in stock than is wanted.
    #[error("not enough in stock")]
    OutOfStock(Vec<Shortage>),
    /// The catalogue does not let it be sold like this.
    #[error("{}", unpriceable(.0))]
    Unpriceable(Unpriceable),
    /// The order's state forbids this step.
    #[error("order {id} can't be {}", past_tense(*.transition))]
    Refused {
        /// Which order.
        id: OrderId,
        /// Which step.
        transition: Transition,
    },
    /// This user, or this process, watches as many orders as it may.
    #[error("too many orders are being watched")]
    TooManyWatches,
    /// The catalogue did not answer.
    #[error("the catalogue is not available")]
    Catalog(#[source] Status),
    /// The caller's token was not good any more when the catalogue was asked in the caller's name.
    #[error("the token ran out, or its session ended, while the order was placed")]
    Token(#[source] Status),
    /// The request's key can't be used.
    #[error(transparent)]
    Key(#[from] idempotency::Error),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] db::Error),
    /// Somebody said what the contract with them rules out.
    #[error("unexpected: {0}")]
    Unexpected(&'static str),
}

/// What the stock lacks for one line of a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Shortage {
    /// The list in the request that the line stands in.
    #[serde(skip, default = "items")]
    pub(crate) list: &'static str,
    /// Place in that list, from 1.
    pub(crate) line: usize,
    /// Of what.
    pub(crate) sku: String,
    /// How many units are asked for.
    pub(crate) wanted: i32,
    /// How many there are.
    pub(crate) available: i32,
}

fn items() -> &'static str {
    "items"
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(vec![invalid])
    }
}

impl From<Vec<Invalid>> for Error {
    fn from(invalid: Vec<Invalid>) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<Unpriceable> for Error {
    fn from(refused: Unpriceable) -> Self {
        Self::Unpriceable(refused)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        platform::status::to_status(&error)
    }
}

impl ServiceError for Error {
    const DOMAIN: &'static str = "orders.sipup";

    fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::OrderNotFound(_) | Self::StockNotFound(_) => Code::NotFound,
            Self::OutOfStock(_) | Self::Unpriceable(_) | Self::Refused { .. } => Code::FailedPrecondition,
            Self::Catalog(status) => match status.code() {
                tonic::Code::DeadlineExceeded => Code::DeadlineExceeded,
                // A pod of an earlier release does not know the call, while both are there.
                tonic::Code::Unavailable
                | tonic::Code::ResourceExhausted
                | tonic::Code::Cancelled
                | tonic::Code::Unimplemented => Code::Unavailable,
                // The request was ours: if the catalogue finds fault with it, so do we.
                _ => Code::Internal,
            },
            Self::Token(_) => Code::Unauthenticated,
            Self::TooManyWatches => Code::ResourceExhausted,
            Self::Key(error) => error.code(),
            Self::Db(error) => error.code(),
            Self::Unexpected(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_FIELD",
            Self::OrderNotFound(_) => "ORDER_NOT_FOUND",
            Self::StockNotFound(_) => "STOCK_NOT_FOUND",
            Self::OutOfStock(_) => "OUT_OF_STOCK",
            Self::Unpriceable(Unpriceable::Items(items)) => {
                items.first().map_or("INTERNAL", |item| kind(item.why))
            }
            Self::Unpriceable(Unpriceable::MixedCurrencies(..)) => "MIXED_CURRENCIES",
            Self::Unpriceable(Unpriceable::TotalTooLarge) => "TOTAL_TOO_LARGE",
            Self::Refused { transition: Transition::Cancel, .. } => "NOT_CANCELLABLE",
            Self::Refused { transition: Transition::Ship, .. } => "NOT_SHIPPABLE",
            Self::TooManyWatches => "TOO_MANY_WATCHES",
            Self::Catalog(_) => "CATALOG",
            Self::Token(_) => "TOKEN_EXPIRED",
            Self::Key(error) => error.reason(),
            Self::Db(_) => "DATABASE",
            Self::Unexpected(_) => "INTERNAL",
        }
    }

    fn details(&self) -> Details {
        match self {
            Self::Invalid(fields) => Details { fields: fields.clone(), ..Details::default() },
            Self::OrderNotFound(id) => resource("sipup.orders.v1.Order", id),
            Self::StockNotFound(sku) => resource("sipup.orders.v1.Inventory", sku),
            Self::OutOfStock(lines) => lacks(lines.iter().map(shortage)),
            Self::Unpriceable(Unpriceable::Items(items)) => lacks(items.iter().map(unsold)),
            Self::Key(idempotency::Error::KeyReused) => Details {
                fields: vec![Invalid::new("request_id", "was used for a request with another body")],
                ..Details::default()
            },
            Self::TooManyWatches => Details { retry_after: Some(WATCH_AGAIN_AFTER), ..Details::default() },
            Self::Unpriceable(Unpriceable::MixedCurrencies(..) | Unpriceable::TotalTooLarge)
            | Self::Refused { .. }
            | Self::Catalog(_)
            | Self::Token(_)
            | Self::Key(_)
            | Self::Db(_)
            | Self::Unexpected(_) => Details::default(),
        }
    }
}

impl Shortage {
    /// An adjustment that would leave less than nothing of `sku`.
    pub(crate) fn of_adjustment(index: usize, adjustment: &inventory::Adjustment, available: i32) -> Self {
        let (sku, wanted) = (adjustment.sku().to_string(), -adjustment.delta());
        Self { list: "adjustments", line: index + 1, sku, wanted, available }
    }
}

fn lacks(preconditions: impl Iterator<Item = Precondition>) -> Details {
    Details { preconditions: preconditions.collect(), ..Details::default() }
}

fn resource(kind: &'static str, name: &impl ToString) -> Details {
    Details { resource: Some((kind, name.to_string())), ..Details::default() }
}

fn shortage(line: &Shortage) -> Precondition {
    Precondition {
        kind: "OUT_OF_STOCK",
        subject: format!("{}[{}]", line.list, line.line.saturating_sub(1)),
        description: format!("{}: wanted {}, available {}", line.sku, line.wanted, line.available),
    }
}

fn unsold(item: &UnsoldItem) -> Precondition {
    let why = match item.why {
        Unsold::NotFound => "no product has this SKU",
        Unsold::Inactive => "the product is not sold at present",
    };
    Precondition {
        kind: kind(item.why),
        subject: format!("items[{}]", item.index),
        description: format!("{}: {why}", item.sku),
    }
}

fn kind(why: Unsold) -> &'static str {
    match why {
        Unsold::NotFound => "PRODUCT_NOT_FOUND",
        Unsold::Inactive => "PRODUCT_INACTIVE",
    }
}

fn unpriceable(refused: &Unpriceable) -> String {
    match refused {
        Unpriceable::Items(items) => format!("{} of the items can't be sold", items.len()),
        Unpriceable::MixedCurrencies(one, other) => {
            format!("an order is in one currency, not in {one} and {other}")
        }
        Unpriceable::TotalTooLarge => "the total is above 10^12 minor units".to_owned(),
    }
}

fn past_tense(transition: Transition) -> &'static str {
    match transition {
        Transition::Ship => "shipped: it is cancelled",
        Transition::Cancel => "cancelled: it is shipped",
    }
}

fn list(invalid: &[Invalid]) -> String {
    invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use proto::orders::v1::ErrorReason;
    use uuid::Uuid;

    use super::*;

    /// Reasons of this service's own; those of the platform's errors stand in no contract of a service.
    fn own() -> Vec<Error> {
        let id = OrderId::from(Uuid::nil());
        let sku = Sku::parse("A").unwrap();
        let unsold =
            |why| Unpriceable::Items(vec![UnsoldItem { index: 0, sku: Sku::parse("A").unwrap(), why }]);
        let euro = crate::money::Currency::parse("EUR").unwrap();
        vec![
            Invalid::new("id", "is wrong").into(),
            Error::OrderNotFound(id),
            Error::OutOfStock(Vec::new()),
            unsold(Unsold::NotFound).into(),
            unsold(Unsold::Inactive).into(),
            Unpriceable::MixedCurrencies(euro, euro).into(),
            Error::Refused { id, transition: Transition::Cancel },
            Error::Refused { id, transition: Transition::Ship },
            Error::StockNotFound(sku),
            Unpriceable::TotalTooLarge.into(),
            Error::TooManyWatches,
        ]
    }

    #[test]
    fn every_reason_of_the_contract_is_given_and_no_other() {
        let given: Vec<String> =
            own().iter().map(|error| format!("ERROR_REASON_{}", error.reason())).collect();
        let promised: Vec<&str> =
            (1..).map_while(|n| ErrorReason::try_from(n).ok()).map(|r| r.as_str_name()).collect();
        assert_eq!(given, promised);
    }

    #[test]
    fn a_lacking_line_is_found_by_its_place_in_the_request() {
        let from_database = r#"[{"line": 2, "sku": "A", "wanted": 5, "available": 3}]"#;
        let error = Error::OutOfStock(serde_json::from_str(from_database).unwrap());
        let details = error.details();
        assert_eq!(details.preconditions[0].subject, "items[1]");
        assert_eq!(details.preconditions[0].description, "A: wanted 5, available 3");
    }

    #[test]
    fn a_catalogue_that_is_away_is_not_our_fault_and_one_that_finds_fault_is() {
        assert_eq!(Error::Catalog(Status::unavailable("x")).code(), Code::Unavailable);
        assert_eq!(Error::Catalog(Status::unimplemented("x")).code(), Code::Unavailable);
        assert_eq!(Error::Catalog(Status::deadline_exceeded("x")).code(), Code::DeadlineExceeded);
        assert_eq!(Error::Catalog(Status::invalid_argument("x")).code(), Code::Internal);
        assert_eq!(Error::Token(Status::unauthenticated("x")).code(), Code::Unauthenticated);
    }
}
