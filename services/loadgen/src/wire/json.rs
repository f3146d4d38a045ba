//! Answers in the JSON form of their contracts: names in camel case, 64-bit numbers as text, zeros left out.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::call::{self, Answer};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Money {
    currency_code: String,
    #[serde(deserialize_with = "number")]
    minor_units: i64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Product {
    id: String,
    sku: String,
    category_id: String,
    price: Money,
    update_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OneProduct {
    product: Product,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Products {
    products: Vec<Product>,
    not_found: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Line {
    sku: String,
    quantity: i32,
    unit_price: Money,
    total: Money,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Order {
    id: String,
    company_id: String,
    buyer_id: String,
    total: Money,
    create_time: Option<Timestamp>,
    lines: Vec<Line>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OneOrder {
    order: Order,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Orders {
    orders: Vec<Order>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct User {
    id: String,
    company_id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Me {
    user: User,
}

/// `google.rpc.Status`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) code: Option<i64>,
    pub(super) message: String,
    pub(super) details: Vec<Detail>,
}

/// A detail of an error; the reason is that of `google.rpc.ErrorInfo`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Detail {
    pub(super) reason: String,
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn micros(time: Option<Timestamp>) -> i64 {
    time.map_or(0, Timestamp::as_microsecond)
}

impl From<Product> for call::Product {
    fn from(product: Product) -> Self {
        Self {
            id: product.id,
            sku: product.sku,
            category: product.category_id,
            currency: product.price.currency_code,
            price: product.price.minor_units,
            version: micros(product.update_time),
        }
    }
}

impl From<Order> for call::Order {
    fn from(order: Order) -> Self {
        let line = |line: Line| call::Line {
            sku: line.sku,
            quantity: line.quantity,
            unit_price: line.unit_price.minor_units,
            total: line.total.minor_units,
        };
        Self {
            id: order.id,
            company: order.company_id,
            buyer: order.buyer_id,
            total: order.total.minor_units,
            created: micros(order.create_time),
            lines: order.lines.into_iter().map(line).collect(),
        }
    }
}

impl From<OneProduct> for Answer {
    fn from(answer: OneProduct) -> Self {
        Self::Product(answer.product.into())
    }
}

impl From<Products> for Answer {
    fn from(answer: Products) -> Self {
        let found = answer.products.into_iter().map(Into::into).collect();
        Self::Products { found, missing: answer.not_found.len() }
    }
}

impl From<OneOrder> for Answer {
    fn from(answer: OneOrder) -> Self {
        Self::Order(answer.order.into())
    }
}

impl From<Orders> for Answer {
    fn from(answer: Orders) -> Self {
        Self::Orders(answer.orders.into_iter().map(Into::into).collect())
    }
}

impl From<Me> for Answer {
    fn from(answer: Me) -> Self {
        Self::Me { user: answer.user.id, company: answer.user.company_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_with_its_totals() {
        let text = r#"{"order":{"id":"o","companyId":"c","buyerId":"b","state":"ORDER_STATE_PLACED",
            "lines":[{"lineNumber":1,"sku":"A-1","quantity":3,"unitPrice":{"currencyCode":"EUR","minorUnits":"250"},
            "total":{"currencyCode":"EUR","minorUnits":"750"}}],"total":{"currencyCode":"EUR","minorUnits":"750"},
            "createTime":"2026-01-02T03:04:05.000006Z"}}"#;
        let order: call::Order = serde_json::from_str::<OneOrder>(text).unwrap().order.into();
        assert_eq!((order.total, order.lines[0].unit_price, order.lines[0].quantity), (750, 250, 3));
        assert_eq!((order.company.as_str(), order.created % 1_000_000), ("c", 6));
    }
}
