//! One row of a file, whatever its format.

use platform::Invalid;
use proto::{catalog::v1 as pb, r#type::v1::Money};

use super::{BadRow, slug::category_slug};
use crate::{
    category::{CategoryId, MAX_CATEGORY_NAME},
    product::{Price, ProductDraft, Sku, brand, description, product_name, unit},
};

/// The currency where a row names none.
pub const DEFAULT_CURRENCY: &str = "EUR";

/// The text of a row, before anything of it is checked. Left out is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// Article number.
    pub sku: String,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Maker.
    pub brand: String,
    /// Name of the category.
    pub category: String,
    /// Price in major units.
    pub price: String,
    /// Currency of the price.
    pub currency: String,
    /// Unit of sale.
    pub unit: String,
}

/// A product of a file, checked as the service will check it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line that it begins on, from 1.
    pub line: u64,
    /// The product.
    pub product: ProductDraft,
    /// What to call the category if it has to be added.
    pub category_name: String,
}

impl Row {
    /// Checks `values`, which stand on `line`.
    ///
    /// # Errors
    ///
    /// Names the first field at fault.
    pub fn new(line: u64, values: Values) -> Result<Self, BadRow> {
        let price = Self::price(&values);
        Self::with_price(line, values, price)
    }

    fn price(values: &Values) -> Result<Price, Invalid> {
        let currency = if values.currency.is_empty() { DEFAULT_CURRENCY } else { &values.currency };
        Price::from_decimal(&values.price, currency)
    }

    /// As [`Row::new`], with a price that is known already.
    pub(super) fn with_price(
        line: u64,
        values: Values,
        price: Result<Price, Invalid>,
    ) -> Result<Self, BadRow> {
        Self::checked(line, values, price).map_err(|Invalid { field, problem }| BadRow {
            line,
            field,
            problem,
        })
    }

    fn checked(line: u64, values: Values, price: Result<Price, Invalid>) -> Result<Self, Invalid> {
        let category_name = category_name(&values.category)?;
        Ok(Self {
            line,
            product: ProductDraft {
                sku: Sku::parse(values.sku)?,
                name: product_name(values.name)?,
                description: description(values.description)?,
                brand: brand(values.brand)?,
                category_id: CategoryId::parse("category", category_slug(&category_name))?,
                price: price?,
                unit: unit(values.unit)?,
                active: true,
            },
            category_name,
        })
    }

    /// The row as the contract says it.
    pub fn to_message(&self) -> pb::Product {
        let product = &self.product;
        pb::Product {
            sku: product.sku.to_string(),
            name: product.name.clone(),
            description: product.description.clone(),
            brand: product.brand.clone(),
            category_id: product.category_id.to_string(),
            price: Some(Money {
                currency_code: product.price.currency_code().to_owned(),
                minor_units: product.price.minor(),
            }),
            unit: product.unit.clone(),
            ..pb::Product::default()
        }
    }
}

fn category_name(text: &str) -> Result<String, Invalid> {
    crate::text::line("category", text.trim().to_owned(), 1, MAX_CATEGORY_NAME)
}
