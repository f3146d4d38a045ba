//! What the demo's buying company has agreed on: a little off all nuts, and more off one of them in volume.

use super::DemoProduct;

/// The price list of the demo.
pub const PRICE_LIST_ID: &str = "contract";
/// Its name.
pub const PRICE_LIST_NAME: &str = "Contract 2026";

/// The category that costs less.
const CATEGORY: &str = "nuts";
/// What is left of its list prices.
const PERCENT: i64 = 95;
/// The product that costs half from [`VOLUME`] units on. The README orders it.
const VOLUME_SKU: &str = "NT934-M3-ZN-NRD";
/// Units.
const VOLUME: i32 = 100;

/// A price to be seeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoPrice<'a> {
    /// The product's SKU.
    pub sku: &'a str,
    /// The smallest quantity that has the price.
    pub min_quantity: i32,
    /// Price in cents of a [`super::CURRENCY`] unit.
    pub price_minor: i64,
}

/// The agreed prices of those of `products` that have one.
pub fn prices(products: &[DemoProduct]) -> impl Iterator<Item = DemoPrice<'_>> {
    let agreed = products.iter().filter(|product| product.category_id == CATEGORY);
    agreed.flat_map(|product| {
        let (sku, price) = (product.sku.as_str(), product.price_minor);
        // To the nearest cent.
        let contract = DemoPrice { sku, min_quantity: 1, price_minor: (price * PERCENT + 50) / 100 };
        let volume = DemoPrice { sku, min_quantity: VOLUME, price_minor: price / 2 };
        [Some(contract), (sku == VOLUME_SKU).then_some(volume)].into_iter().flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::{super::products, *};
    use crate::{
        price_list::{PriceListId, price_list_name, quantity},
        product::{Price, Sku},
    };

    #[test]
    fn every_price_could_be_set_and_is_not_above_the_list_price() {
        PriceListId::parse("id", PRICE_LIST_ID).unwrap();
        price_list_name(PRICE_LIST_NAME.to_owned()).unwrap();
        let products: Vec<DemoProduct> = products(10_000).collect();
        let (mut all, mut lower) = (0, 0);
        for price in prices(&products) {
            Sku::parse(price.sku).unwrap();
            quantity("min_quantity", price.min_quantity).unwrap();
            Price::new(price.price_minor, super::super::CURRENCY).unwrap();
            let list = products.iter().find(|product| product.sku == price.sku).unwrap().price_minor;
            assert!(price.price_minor > 0 && price.price_minor <= list, "{price:?}");
            all += 1;
            lower += i32::from(price.price_minor < list);
        }
        // A nut of a few cents can't cost 5 % less.
        assert!(lower > all / 2, "{lower} of {all}");
    }

    #[test]
    fn the_product_that_the_readme_orders_costs_less_in_volume_however_few_are_seeded() {
        let products: Vec<DemoProduct> = products(500).collect();
        let of_nut: Vec<_> = prices(&products).filter(|price| price.sku == VOLUME_SKU).collect();
        assert_eq!(of_nut.iter().map(|price| price.min_quantity).collect::<Vec<_>>(), [1, VOLUME]);
        assert!(of_nut[1].price_minor < of_nut[0].price_minor, "{of_nut:?}");
    }
}
