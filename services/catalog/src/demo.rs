//! Products to try things with: industrial goods with real sizes and materials, made by rule.
//!
//! The n-th product is the same on every machine and for every number asked for, so that two runs of a seed agree. Families take turns;
//! each goes through its sizes, materials and makers in a fixed order that looks mixed.

// Tables read better with several values to a line.
#[rustfmt::skip]
mod axes;
mod families;
#[rustfmt::skip]
mod makers;
mod prices;
mod shelves;

use families::{FAMILIES, Family};
use shelves::SHELVES;

pub use prices::{DemoPrice, PRICE_LIST_ID, PRICE_LIST_NAME, prices};

/// The currency of all prices here.
pub const CURRENCY: &str = "EUR";

/// A product to be seeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoProduct {
    /// Article number, unique.
    pub sku: String,
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// The maker. The names are made up.
    pub brand: &'static str,
    /// One of [`categories`].
    pub category_id: &'static str,
    /// Price in cents of a [`CURRENCY`] unit.
    pub price_minor: i64,
    /// Unit of sale.
    pub unit: &'static str,
    /// How many are on the shelf.
    pub stock: i32,
}

/// A category to be seeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoCategory {
    /// Its id.
    pub id: &'static str,
    /// The category above, which comes before it; none at the top.
    pub parent_id: Option<&'static str>,
    /// What people read.
    pub name: &'static str,
}

/// The categories of all products here, parents first.
pub fn categories() -> impl Iterator<Item = DemoCategory> {
    SHELVES.iter().flat_map(|shelf| {
        let top = DemoCategory { id: shelf.id, parent_id: None, name: shelf.name };
        let below =
            shelf.boards.iter().map(|(id, name)| DemoCategory { id, parent_id: Some(shelf.id), name });
        std::iter::once(top).chain(below)
    })
}

/// The first `n` products.
pub fn products(n: usize) -> impl Iterator<Item = DemoProduct> {
    // In each round every family gives one, until it has no more; then all begin again with another series.
    (0_u32..)
        .flat_map(|series| {
            let rounds = FAMILIES.iter().map(Family::variants).max().unwrap_or(0);
            (0..rounds).flat_map(move |round| {
                let willing = FAMILIES.iter().filter(move |family| round < family.variants());
                willing.map(move |family| family.product(round, series))
            })
        })
        .take(n)
}

impl Family {
    /// How many products differ in size, material or maker.
    fn variants(&self) -> usize {
        self.axes.iter().map(|axis| axis.len()).product::<usize>() * self.brands.len()
    }

    /// The product of a round, different in each round below [`Family::variants`].
    fn product(&self, round: usize, series: u32) -> DemoProduct {
        let mut rest = mixed(round, self.variants());
        // In thousandths of a cent: small things would lose their differences.
        let mut price = self.price * 1_000;
        let (mut name, mut sku) = (self.name.to_owned(), self.code.to_owned());
        for (place, axis) in self.axes.iter().enumerate() {
            let value = &axis[rest % axis.len()];
            rest /= axis.len();
            name = name.replace(&format!("{{{place}}}"), value.label);
            price = price * value.permille / 1_000;
            sku = format!("{sku}-{}", value.code);
        }
        let brand = &self.brands[rest % self.brands.len()];
        price = price * brand.permille / 1_000;
        sku = format!("{sku}-{}", brand.code);
        if series > 0 {
            sku = format!("{sku}-S{}", series + 1);
            name = format!("{name}, series {}", series + 1);
        }
        let description = format!("{name}. {} Made by {}.", self.about, brand.label);
        DemoProduct {
            stock: stock(&sku),
            sku,
            name,
            description,
            brand: brand.label,
            category_id: self.category,
            price_minor: rounded(price / 1_000),
            unit: self.unit,
        }
    }
}

/// Goes through 0 to `count` - 1 once, in steps of about 0.618 of it, which share no divisor with it.
fn mixed(round: usize, count: usize) -> usize {
    let mut step = (count * 618 / 1_000).max(1);
    while gcd(step, count) != 1 {
        step += 1;
    }
    round * step % count
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A price as people write it: it ends in 0, 5 or 9, and costs at least 2 cents.
fn rounded(cents: i64) -> i64 {
    match cents {
        ..=2 => 2,
        3..100 => cents,
        100..1_000 => cents / 5 * 5,
        _ => cents / 100 * 100 - 1,
    }
}

/// How many are there: for some nothing, for most some hundreds. A hash of the SKU decides.
fn stock(sku: &str) -> i32 {
    // FNV-1a, as it never changes between releases.
    let hash =
        sku.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let within = i32::try_from(hash >> 16).unwrap_or(0);
    match hash % 20 {
        0 => 0,
        1..=3 => within % 20 + 1,
        4..=16 => within % 900 + 100,
        _ => within % 9_000 + 1_000,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{
        category::{CategoryId, category_name},
        product::{Price, Sku, brand, description, product_name, unit},
    };

    #[test]
    fn every_product_could_be_added() {
        let ids: HashSet<&str> = categories().map(|category| category.id).collect();
        for product in products(60_000) {
            Sku::parse(product.sku.as_str()).unwrap();
            product_name(product.name.clone()).unwrap();
            description(product.description).unwrap();
            brand(product.brand.to_owned()).unwrap();
            unit(product.unit.to_owned()).unwrap();
            Price::new(product.price_minor, CURRENCY).unwrap();
            assert!(product.price_minor > 0 && product.stock >= 0, "{}", product.sku);
            assert!(ids.contains(product.category_id), "{}", product.category_id);
            assert!(!product.name.contains(['{', '}']), "{}", product.name);
        }
    }

    #[test]
    fn skus_are_unique_and_names_nearly_so() {
        let skus: HashSet<String> = products(60_000).map(|product| product.sku).collect();
        assert_eq!(skus.len(), 60_000);
        let names: HashSet<(String, &str)> =
            products(10_000).map(|product| (product.name, product.brand)).collect();
        assert_eq!(names.len(), 10_000);
    }

    #[test]
    fn the_first_products_are_the_same_however_many_are_asked_for() {
        let (few, many): (Vec<_>, Vec<_>) = (products(500).collect(), products(5_000).take(500).collect());
        assert_eq!(few, many);
        // Known by heart: a change would make seeds of two releases differ.
        let bolt = &few[0];
        assert_eq!(
            (bolt.sku.as_str(), bolt.name.as_str()),
            ("HB933-M3-6-ST88-NRD", "Hex bolt M3×6 DIN 933 steel 8.8 zinc plated")
        );
        assert_eq!((bolt.price_minor, bolt.stock, bolt.brand), (4, 561, "Nordfix"));
    }

    #[test]
    fn every_category_is_valid_used_and_behind_its_parent() {
        let mut seen = HashSet::new();
        for category in categories() {
            CategoryId::parse("id", category.id).unwrap();
            category_name(category.name.to_owned()).unwrap();
            assert!(category.parent_id.is_none_or(|parent| seen.contains(parent)), "{}", category.id);
            assert!(seen.insert(category.id), "{} comes twice", category.id);
        }
        let used: HashSet<&str> = products(1_000).map(|product| product.category_id).collect();
        let boards: HashSet<&str> = categories()
            .filter(|category| category.parent_id.is_some())
            .map(|category| category.id)
            .collect();
        assert_eq!(used, boards);
    }

    #[test]
    fn some_products_are_sold_out_and_most_are_not() {
        let stocks: Vec<i32> = products(10_000).map(|product| product.stock).collect();
        let empty = stocks.iter().filter(|stock| **stock == 0).count();
        assert!((200..1_000).contains(&empty), "{empty}");
    }
}
