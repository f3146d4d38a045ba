//! Answers in the JSON form of their contracts: names in camel case, 64-bit numbers as text, zeros left out.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use proto::jobs::v1::ReportState;

use crate::{
    call::{self, Answer},
    orders_report, price,
};

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
#[serde(default)]
pub(super) struct Products {
    products: Vec<Product>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PricedItem {
    sku: String,
    quantity: i32,
    product_id: String,
    list_price: Money,
    unit_price: Money,
    price_list_id: String,
    min_quantity: i32,
    next_tier: Option<PriceTier>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PriceTier {
    min_quantity: i32,
    unit_price: Money,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PricedItems {
    items: Vec<PricedItem>,
    not_found: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Report {
    id: String,
    company_id: String,
    state: String,
    #[serde(deserialize_with = "number")]
    rows: i64,
    #[serde(deserialize_with = "number")]
    bytes: i64,
    sha256: String,
    error: String,
    create_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OneReport {
    report: Report,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Reports {
    reports: Vec<Report>,
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
        Self::Products(answer.products.into_iter().map(Into::into).collect())
    }
}

impl From<PricedItem> for price::Priced {
    fn from(item: PricedItem) -> Self {
        let (list, unit, next) = (&item.list_price, &item.unit_price, item.next_tier.as_ref());
        let next_currency = next.map(|tier| tier.unit_price.currency_code.as_str());
        Self {
            currency: Self::one_currency(&list.currency_code, &unit.currency_code, next_currency),
            list_price: list.minor_units,
            unit_price: unit.minor_units,
            next: next.map(|tier| price::Tier {
                min_quantity: tier.min_quantity,
                price: tier.unit_price.minor_units,
            }),
            sku: item.sku,
            quantity: item.quantity,
            product: item.product_id,
            price_list: item.price_list_id,
            min_quantity: item.min_quantity,
        }
    }
}

impl From<PricedItems> for Answer {
    fn from(answer: PricedItems) -> Self {
        let items = answer.items.into_iter().map(Into::into).collect();
        Self::Priced { items, missing: answer.not_found.len() }
    }
}

impl From<Report> for orders_report::Report {
    fn from(report: Report) -> Self {
        Self {
            id: report.id,
            company: report.company_id,
            state: ReportState::from_str_name(&report.state).unwrap_or_default(),
            rows: report.rows,
            bytes: report.bytes,
            sha256: report.sha256,
            error: report.error,
            created: micros(report.create_time),
        }
    }
}

impl From<OneReport> for Answer {
    fn from(answer: OneReport) -> Self {
        Self::Report(answer.report.into())
    }
}

impl From<Reports> for Answer {
    fn from(answer: Reports) -> Self {
        Self::Reports(answer.reports.into_iter().map(Into::into).collect())
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

    #[test]
    fn a_price_is_read_with_its_tiers_and_another_currency_shows() {
        let text = r#"{"items":[{"sku":"A-1","quantity":2,"productId":"p","active":true,
            "listPrice":{"currencyCode":"EUR","minorUnits":"100"},"unitPrice":{"currencyCode":"EUR","minorUnits":"90"},
            "priceListId":"l","minQuantity":1,"nextTier":{"minQuantity":3,"unitPrice":{"currencyCode":"EUR","minorUnits":"80"}}}],
            "notFound":["B-1"]}"#;
        let read = |text: &str| match serde_json::from_str::<PricedItems>(text).unwrap().into() {
            Answer::Priced { mut items, missing } => (items.remove(0), missing),
            other => panic!("{other:?}"),
        };
        let (item, missing) = read(text);
        assert_eq!((missing, item.list_price, item.unit_price, item.min_quantity), (1, 100, 90, 1));
        assert_eq!(item.next, Some(price::Tier { min_quantity: 3, price: 80 }));
        assert_eq!((item.currency.as_str(), item.price_list.as_str()), ("EUR", "l"));
        assert_eq!(read(&text.replacen("EUR", "USD", 1)).0.currency, "mixed");
    }

    #[test]
    fn a_report_is_read_with_its_state() {
        let text = r#"{"report":{"id":"r","companyId":"c","state":"REPORT_STATE_READY","rows":"3","bytes":"4","sha256":"5"}}"#;
        let report: orders_report::Report = serde_json::from_str::<OneReport>(text).unwrap().report.into();
        assert_eq!((report.state, report.rows, report.bytes), (ReportState::Ready, 3, 4));
    }
}
