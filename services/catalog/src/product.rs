//! Products: what can be ordered.

mod filter;
mod order_by;
mod price;

use std::fmt;

use jiff::Timestamp;
use platform::Invalid;
use uuid::Uuid;

pub use self::{
    filter::{MAX_FILTER, ProductFilter},
    order_by::{OrderBy, SortKey},
    price::{Currency, MAX_PRICE, Price, price_minor},
};
use crate::{category::CategoryId, etag::Etag, text};

/// The longest name, in characters.
pub const MAX_NAME: usize = 200;
/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 20_000;
/// The longest brand, in characters.
pub const MAX_BRAND: usize = 100;
/// The longest unit of sale, in characters.
pub const MAX_UNIT: usize = 40;
/// The unit of sale where none is said.
pub const DEFAULT_UNIT: &str = "piece";

/// The article number that buyers order by: 1 to 64 characters of `A-Z a-z 0-9 . + _ / -`, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sku(String);

impl Sku {
    /// The longest SKU, in characters.
    pub const MAX: usize = 64;

    /// Reads a SKU.
    ///
    /// # Errors
    ///
    /// Names `sku`.
    pub fn parse(text: impl Into<String>) -> Result<Self, Invalid> {
        let text = text.into();
        if !Self::is_valid(&text) {
            let rule = "must be 1 to 64 characters of A-Z, a-z, 0-9 and .+_/-, the first a letter or digit";
            return Err(Invalid::new("sku", rule));
        }
        Ok(Self(text))
    }

    fn is_valid(text: &str) -> bool {
        text.len() <= Self::MAX
            && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+_/-".contains(&byte))
    }

    /// The text of the SKU.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A product as somebody wants it to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductDraft {
    /// The article number.
    pub sku: Sku,
    /// 1 to 200 characters.
    pub name: String,
    /// Up to 20,000 characters.
    pub description: String,
    /// The maker, up to 100 characters; empty where nobody says.
    pub brand: String,
    /// Where it stands.
    pub category_id: CategoryId,
    /// The list price of one unit.
    pub price: Price,
    /// The unit of sale, 1 to 40 characters.
    pub unit: String,
    /// Whether it can be ordered.
    pub active: bool,
}

/// Checks the name of a product.
///
/// # Errors
///
/// Names `name`.
pub fn product_name(text: String) -> Result<String, Invalid> {
    text::line("name", text, 1, MAX_NAME)
}

/// Checks a description.
///
/// # Errors
///
/// Names `description`.
pub fn description(text: String) -> Result<String, Invalid> {
    text::lines("description", text, MAX_DESCRIPTION)
}

/// Checks a brand; it may be empty.
///
/// # Errors
///
/// Names `brand`.
pub fn brand(text: String) -> Result<String, Invalid> {
    text::line("brand", text, 0, MAX_BRAND)
}

/// Checks a unit of sale; [`DEFAULT_UNIT`] where it is left out.
///
/// # Errors
///
/// Names `unit`.
pub fn unit(text: String) -> Result<String, Invalid> {
    if text.is_empty() { Ok(DEFAULT_UNIT.to_owned()) } else { text::line("unit", text, 1, MAX_UNIT) }
}

/// A product as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Given by this service.
    pub id: Uuid,
    /// The article number.
    pub sku: Sku,
    /// What people read.
    pub name: String,
    /// Plain text.
    pub description: String,
    /// The maker.
    pub brand: String,
    /// Where it stands.
    pub category_id: CategoryId,
    /// The list price of one unit.
    pub price: Price,
    /// The unit of sale.
    pub unit: String,
    /// Whether it can be ordered.
    pub active: bool,
    /// Counts the changes, from 1.
    pub version: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Product {
    /// The first version of `draft`.
    pub fn new(id: Uuid, draft: ProductDraft, now: Timestamp) -> Self {
        Self {
            id,
            sku: draft.sku,
            name: draft.name,
            description: draft.description,
            brand: draft.brand,
            category_id: draft.category_id,
            price: draft.price,
            unit: draft.unit,
            active: draft.active,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Identifies this version.
    pub fn etag(&self) -> Etag {
        Etag::new(self.version, self.created_at)
    }
}

/// What is to change about a product; the rest is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductChange {
    /// The new name.
    pub name: Option<String>,
    /// The new description.
    pub description: Option<String>,
    /// The new maker.
    pub brand: Option<String>,
    /// Where it is moved to.
    pub category_id: Option<CategoryId>,
    /// The new list price.
    pub price: Option<Price>,
    /// The new unit of sale.
    pub unit: Option<String>,
    /// Whether it can be ordered from now on.
    pub active: Option<bool>,
}

impl ProductChange {
    /// What `product` becomes.
    pub fn apply(self, product: &mut Product) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut product.name, self.name);
        set(&mut product.description, self.description);
        set(&mut product.brand, self.brand);
        set(&mut product.category_id, self.category_id);
        set(&mut product.price, self.price);
        set(&mut product.unit, self.unit);
        set(&mut product.active, self.active);
    }
}

/// What a batch does with a row whose SKU exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictPolicy {
    /// Refuses the row.
    Reject,
    /// Leaves the product as it is.
    Skip,
    /// Gives the product the values of the row.
    Update,
}

impl ConflictPolicy {
    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Skip => "skip",
            Self::Update => "update",
        }
    }
}

/// What became of one row of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// A product was added.
    Created(Uuid),
    /// A product was changed.
    Updated(Uuid),
    /// The product is as it should be, or was to be left alone.
    Unchanged(Uuid),
    /// The row was refused.
    Rejected(Rejection),
}

/// Why a row of a batch was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A field is not valid.
    Invalid(Invalid),
    /// A product has this SKU.
    SkuTaken,
    /// No category has this id.
    CategoryNotFound,
    /// An earlier row of the batch has this SKU; `first` is its index.
    Duplicate {
        /// Counted from 0.
        first: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_an_article_number() {
        for text in ["a", "0", "libstdc++6", "A.b+c_d/e-f", &"x".repeat(64)] {
            assert!(Sku::parse(text).is_ok(), "{text}");
        }
        for text in ["", "-a", ".a", "a b", "ä", "a\n", "a\0", &"x".repeat(65)] {
            assert_eq!(Sku::parse(text).unwrap_err().field, "sku", "{text}");
        }
    }

    #[test]
    fn refusals_name_the_field() {
        assert_eq!(product_name(String::new()).unwrap_err().field, "name");
        assert_eq!(description("x".repeat(20_001)).unwrap_err().field, "description");
        assert_eq!(brand("x".repeat(101)).unwrap_err().field, "brand");
        assert_eq!(unit("x".repeat(41)).unwrap_err().field, "unit");
        assert_eq!(unit(String::new()), Ok(DEFAULT_UNIT.to_owned()));
    }
}
