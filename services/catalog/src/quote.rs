//! What items cost a company.

use uuid::Uuid;

use crate::{price_list::PriceListId, product::Price};

/// So many units of what a SKU names, if it names anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The SKU as it was asked.
    pub sku: String,
    /// How many units, 1 to [`crate::price_list::MAX_QUANTITY`].
    pub quantity: i32,
}

/// A price that holds from a quantity on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The smallest quantity that has the price.
    pub min_quantity: i32,
    /// The price of one unit.
    pub price: Price,
}

/// What one item costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The product.
    pub product_id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether it can be ordered.
    pub active: bool,
    /// What one unit costs those who have no price list.
    pub list_price: Price,
    /// What was agreed for this quantity, and the list that says so.
    pub agreed: Option<(PriceListId, Tier)>,
    /// What was agreed for a larger quantity: the nearest.
    pub next: Option<Tier>,
}

impl Quote {
    /// What one unit costs the company.
    pub fn unit_price(&self) -> Price {
        self.agreed.as_ref().map_or(self.list_price, |(_, tier)| tier.price)
    }
}

/// What items cost; for each item in the order asked, none where no product has its SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotes(Vec<(Item, Option<Quote>)>);

impl Quotes {
    /// `quotes` of some of `items`, each with its place among them.
    pub fn new(items: Vec<Item>, quotes: impl IntoIterator<Item = (usize, Quote)>) -> Self {
        let mut all: Vec<(Item, Option<Quote>)> = items.into_iter().map(|item| (item, None)).collect();
        for (place, quote) in quotes {
            if let Some((_, empty)) = all.get_mut(place) {
                *empty = Some(quote);
            }
        }
        Self(all)
    }
}

impl IntoIterator for Quotes {
    type Item = (Item, Option<Quote>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(minor: i64, agreed: Option<i64>) -> Quote {
        let price = |minor| Price::new(minor, "EUR").unwrap();
        let id = PriceListId::parse("id", "a").unwrap();
        Quote {
            product_id: Uuid::nil(),
            name: "A".into(),
            active: true,
            list_price: price(minor),
            agreed: agreed.map(|minor| (id, Tier { min_quantity: 1, price: price(minor) })),
            next: None,
        }
    }

    #[test]
    fn an_agreed_price_holds_even_where_it_is_higher_and_the_list_price_where_there_is_none() {
        assert_eq!(quote(5, None).unit_price().minor(), 5);
        assert_eq!(quote(5, Some(4)).unit_price().minor(), 4);
        assert_eq!(quote(5, Some(6)).unit_price().minor(), 6);
        assert_eq!(quote(5, Some(0)).unit_price().minor(), 0);
    }

    #[test]
    fn quotes_stand_at_the_places_of_their_items_whatever_their_order() {
        let items: Vec<Item> = ["A", "?", "A"].map(|sku| Item { sku: sku.into(), quantity: 1 }).into();
        let quotes = Quotes::new(items, [(2, quote(3, None)), (0, quote(1, None))]);
        let prices: Vec<Option<i64>> =
            quotes.into_iter().map(|(_, quote)| quote.map(|quote| quote.unit_price().minor())).collect();
        assert_eq!(prices, [Some(1), None, Some(3)]);
    }
}
