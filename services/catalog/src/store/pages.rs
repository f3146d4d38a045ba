//! Pages of products: the statements, made of two templates, and their parameters.
//!
//! The set of statements is closed: order × direction × conditions, made once. Each is prepared by a test.

use std::{collections::HashMap, sync::LazyLock};

use platform::db::{self, Rows};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::ToSql;
use tracing::instrument;
use uuid::Uuid;

use super::products::product;
use crate::product::{MAX_PRICE, OrderBy, Product, ProductFilter, SortKey};

const LIST_PRODUCTS: &str = include_str!("../../queries/list_products.sql");
const LIST_PRODUCTS_BELOW: &str = include_str!("../../queries/list_products_below.sql");
/// Stands before the tags of a line.
const TAGS: &str = "--|";

/// The last row of a page: the next page begins behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cursor {
    /// In a list by SKU.
    Sku(String),
    /// In a list by name.
    Name(String, Uuid),
    /// In a list by price.
    Price(i64, Uuid),
}

impl Cursor {
    /// Where `product` stands in a list sorted by `key`.
    pub(crate) fn at(product: &Product, key: SortKey) -> Self {
        match key {
            SortKey::Sku => Self::Sku(product.sku.to_string()),
            SortKey::Name => Self::Name(product.name.clone(), product.id),
            SortKey::Price => Self::Price(product.price.minor(), product.id),
        }
    }
}

/// Up to `limit` products behind `after`.
#[instrument(name = "db.product.list", skip_all, fields(filter = %filter, order_by = %order), err(level = "debug"))]
pub(crate) async fn list_products(
    rows: &impl Rows,
    filter: &ProductFilter,
    order: OrderBy,
    after: Option<&Cursor>,
    limit: i64,
) -> Result<Vec<Product>, db::Error> {
    let shape = Shape::of(filter, order, after);
    let statement = STATEMENTS.get(&shape).expect("every shape has a statement");
    let values = Values::new(filter, after, limit);
    let params: Vec<&(dyn ToSql + Sync)> = statement.params.iter().map(|param| values.get(*param)).collect();
    Ok(rows.query(&statement.sql, &params).await?.iter().map(product).collect())
}

/// Every statement that lists products, for a test that prepares each.
pub fn page_statements() -> impl Iterator<Item = &'static str> {
    STATEMENTS.values().map(|statement| statement.sql.as_str())
}

static STATEMENTS: LazyLock<HashMap<Shape, Statement>> =
    LazyLock::new(|| Shape::all().map(|shape| (shape, Statement::new(shape))).collect());

/// What tells one statement from another.
#[expect(clippy::struct_excessive_bools, reason = "a set of independent conditions")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Shape {
    order: OrderBy,
    category: bool,
    brand: bool,
    sku: bool,
    price: bool,
    after: bool,
}

impl Shape {
    fn of(filter: &ProductFilter, order: OrderBy, after: Option<&Cursor>) -> Self {
        Self {
            order,
            category: filter.category_id.is_some(),
            brand: filter.brand.is_some(),
            sku: filter.sku.is_some(),
            price: filter.min_price.is_some() || filter.max_price.is_some(),
            after: after.is_some(),
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let orders = SortKey::ALL
            .into_iter()
            .flat_map(|key| [false, true].map(|descending| OrderBy { key, descending }));
        orders.flat_map(|order| {
            (0..32_u8).map(move |bits| {
                let [category, brand, sku, price, after] = [1, 2, 4, 8, 16].map(|bit| bits & bit != 0);
                Self { order, category, brand, sku, price, after }
            })
        })
    }

    fn has(self, tag: &str) -> bool {
        match tag {
            "brand" => self.brand,
            "every_brand" => !self.brand,
            "sku" => self.sku,
            "price" => self.price,
            "after" => self.after,
            "by_sku" => self.order.key == SortKey::Sku,
            "by_name" => self.order.key == SortKey::Name,
            "by_price" => self.order.key == SortKey::Price,
            "asc" => !self.order.descending,
            "desc" => self.order.descending,
            _ => unreachable!("the templates have no tag {tag}"),
        }
    }
}

/// A parameter of the templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Param {
    Category,
    Active,
    Brand,
    Sku,
    MinPrice,
    MaxPrice,
    AfterSku,
    AfterName,
    AfterPrice,
    AfterId,
    Limit,
}

impl Param {
    /// By name. No name is the beginning of another.
    const NAMES: [(&'static str, Self); 11] = [
        (":category", Self::Category),
        (":active", Self::Active),
        (":brand", Self::Brand),
        (":sku", Self::Sku),
        (":min_price", Self::MinPrice),
        (":max_price", Self::MaxPrice),
        (":after_sku", Self::AfterSku),
        (":after_name", Self::AfterName),
        (":after_price", Self::AfterPrice),
        (":after_id", Self::AfterId),
        (":limit", Self::Limit),
    ];
}

/// One statement and the parameters that it takes, in the order of their numbers.
#[derive(Debug)]
struct Statement {
    sql: String,
    params: Vec<Param>,
}

impl Statement {
    fn new(shape: Shape) -> Self {
        let template = if shape.category { LIST_PRODUCTS_BELOW } else { LIST_PRODUCTS };
        let mut lines = template.lines();
        // The first line says what the statement does: logs show it. The other comments are about the template.
        let headline = lines.next().unwrap_or_default();
        let body: Vec<&str> = lines
            .filter(|line| !line.starts_with("--"))
            .filter_map(|line| match line.split_once(TAGS) {
                None => Some(line),
                Some((line, tags)) => {
                    tags.split_whitespace().all(|tag| shape.has(tag)).then_some(line.trim_end())
                }
            })
            .collect();
        let mut sql = body.join("\n");
        let mut params = Vec::new();
        for (name, param) in Param::NAMES {
            if sql.contains(name) {
                params.push(param);
                sql = sql.replace(name, &format!("${}", params.len()));
            }
        }
        Self { sql: format!("{headline}\n{sql}"), params }
    }
}

/// The values of one call, where the parameters find them.
struct Values<'a> {
    category: &'a str,
    active: bool,
    brand: &'a str,
    sku: &'a str,
    min_price: i64,
    max_price: i64,
    after_text: &'a str,
    after_price: i64,
    after_id: Uuid,
    limit: i64,
}

impl<'a> Values<'a> {
    fn new(filter: &'a ProductFilter, after: Option<&'a Cursor>, limit: i64) -> Self {
        let (after_text, after_price, after_id) = match after {
            None => ("", 0, Uuid::nil()),
            Some(Cursor::Sku(sku)) => (sku.as_str(), 0, Uuid::nil()),
            Some(Cursor::Name(name, id)) => (name.as_str(), 0, *id),
            Some(Cursor::Price(price, id)) => ("", *price, *id),
        };
        Self {
            category: filter.category_id.as_ref().map_or("", |id| id.as_str()),
            active: filter.active.unwrap_or(true),
            brand: filter.brand.as_deref().unwrap_or_default(),
            sku: filter.sku.as_ref().map_or("", |sku| sku.as_str()),
            min_price: filter.min_price.unwrap_or(0),
            max_price: filter.max_price.unwrap_or(MAX_PRICE),
            after_text,
            after_price,
            after_id,
            limit,
        }
    }

    fn get(&self, param: Param) -> &(dyn ToSql + Sync) {
        match param {
            Param::Category => &self.category,
            Param::Active => &self.active,
            Param::Brand => &self.brand,
            Param::Sku => &self.sku,
            Param::MinPrice => &self.min_price,
            Param::MaxPrice => &self.max_price,
            Param::AfterSku | Param::AfterName => &self.after_text,
            Param::AfterPrice => &self.after_price,
            Param::AfterId => &self.after_id,
            Param::Limit => &self.limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_keeps_the_lines_of_its_tags_and_numbers_its_parameters() {
        let order = OrderBy { key: SortKey::Name, descending: true };
        let filter = ProductFilter::parse("brand = \"x\"").unwrap();
        let shape = Shape::of(&filter, order, Some(&Cursor::Name(String::new(), Uuid::nil())));
        let statement = Statement::new(shape);
        assert!(statement.sql.starts_with("-- Lists one page of products of all categories.\nSELECT"));
        assert!(statement.sql.contains(
            "p.active = $1\n   AND p.brand = $2\n   AND (p.name, p.id) < ($3, $4)\n ORDER BY p.name || '' DESC"
        ));
        assert!(statement.sql.ends_with("LIMIT $5"));
        assert_eq!(
            statement.params,
            [Param::Active, Param::Brand, Param::AfterName, Param::AfterId, Param::Limit]
        );
    }

    #[test]
    fn every_statement_has_one_order_and_no_leftovers() {
        assert_eq!(STATEMENTS.len(), 6 * 32);
        for (shape, statement) in STATEMENTS.iter() {
            let orders = statement.sql.matches("ORDER BY").count();
            let each_category_in_order = shape.category && shape.order.key == SortKey::Sku;
            assert_eq!(orders, if each_category_in_order { 2 } else { 1 }, "{}", statement.sql);
            assert!(!statement.sql.contains(':') && !statement.sql.contains(TAGS), "{}", statement.sql);
        }
    }
}
