//! Price lists: what was agreed with companies, and with which.

mod rows;

use std::fmt;

use jiff::Timestamp;
use platform::Invalid;
use uuid::Uuid;

pub(crate) use self::rows::Rows;
pub use self::rows::{PriceRejection, PriceRowOutcome};
use crate::{
    etag::Etag,
    product::{Currency, Price, Sku},
    text,
};

/// The longest name of a price list, in characters.
pub const MAX_PRICE_LIST_NAME: usize = 100;
/// The largest quantity of an item.
pub const MAX_QUANTITY: i32 = 1_000_000;

/// The name of a price list in requests: 1 to 63 characters of `a-z 0-9 -`, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PriceListId(String);

impl PriceListId {
    /// Reads an id that stands in `field`.
    ///
    /// # Errors
    ///
    /// Names `field`.
    pub fn parse(field: &'static str, text: impl Into<String>) -> Result<Self, Invalid> {
        text::slug(field, text.into()).map(Self)
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PriceListId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A price list as somebody wants it to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceListDraft {
    /// Its id.
    pub id: PriceListId,
    /// What the seller's staff reads: 1 to 100 characters.
    pub name: String,
    /// The currency of its prices.
    pub currency: Currency,
}

/// Checks the name of a price list.
///
/// # Errors
///
/// Names `name`.
pub fn price_list_name(text: String) -> Result<String, Invalid> {
    text::line("name", text, 1, MAX_PRICE_LIST_NAME)
}

/// A price list as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceList {
    /// Its id.
    pub id: PriceListId,
    /// What the seller's staff reads.
    pub name: String,
    /// The currency of its prices.
    pub currency: Currency,
    /// Counts the changes of the list's own fields, from 1.
    pub version: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When its own fields were last changed.
    pub updated_at: Timestamp,
}

impl PriceList {
    /// The first version of `draft`.
    pub fn new(draft: PriceListDraft, now: Timestamp) -> Self {
        let PriceListDraft { id, name, currency } = draft;
        Self { id, name, currency, version: 1, created_at: now, updated_at: now }
    }

    /// Identifies this version.
    pub fn etag(&self) -> Etag {
        Etag::new(self.version, self.created_at)
    }
}

/// What is to change about a price list; none of it is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceListChange {
    /// The new name.
    pub name: Option<String>,
}

impl PriceListChange {
    /// What `list` becomes.
    pub fn apply(self, list: &mut PriceList) {
        if let Some(name) = self.name {
            list.name = name;
        }
    }
}

/// How many units an item has, or a price begins at.
///
/// # Errors
///
/// Names `field` if they are not 1 to [`MAX_QUANTITY`].
pub fn quantity(field: &'static str, units: i32) -> Result<i32, Invalid> {
    if (1..=MAX_QUANTITY).contains(&units) {
        Ok(units)
    } else {
        Err(Invalid::new(field, "must be 1 to 1,000,000"))
    }
}

/// The price of a SKU from a quantity on, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPrice {
    /// The product's SKU.
    pub sku: Sku,
    /// The smallest quantity that has the price.
    pub min_quantity: i32,
    /// The price of one unit.
    pub price: Price,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// A price that is to be set or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceChange {
    /// The product's SKU.
    pub sku: Sku,
    /// The smallest quantity that has the price.
    pub min_quantity: i32,
    /// The price of one unit; none removes it.
    pub price: Option<Price>,
}

/// Which price list a company is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The company.
    pub company_id: Uuid,
    /// Its price list, or none.
    pub price_list_id: Option<PriceListId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_at_least_one_and_bounded() {
        for units in [1, 2, MAX_QUANTITY] {
            assert_eq!(quantity("quantity", units), Ok(units));
        }
        for units in [0, -1, MAX_QUANTITY + 1, i32::MIN, i32::MAX] {
            assert_eq!(quantity("quantity", units).unwrap_err().field, "quantity", "{units}");
        }
    }

    #[test]
    fn an_id_is_a_slug_and_a_name_a_line() {
        assert!(PriceListId::parse("id", "contract-2027").is_ok());
        assert_eq!(PriceListId::parse("price_list_id", "Contract").unwrap_err().field, "price_list_id");
        assert_eq!(price_list_name("x".repeat(101)).unwrap_err().field, "name");
        assert_eq!(price_list_name(String::new()).unwrap_err().field, "name");
    }
}
