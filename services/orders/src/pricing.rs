//! From a draft and what the catalogue says to an order, or to the reason for each line that can't be sold.

use jiff::Timestamp;
use platform::Caller;
use uuid::Uuid;

use crate::{
    draft::{Item, OrderDraft, Sku},
    money::{Amount, Currency},
    order::{Order, OrderId, OrderLine, OrderState},
};

/// What the catalogue says of an item's product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What one unit costs the company at the item's quantity.
    pub price: Amount,
    /// What the price is counted in.
    pub currency: Currency,
    /// Whether it is sold at present.
    pub active: bool,
}

/// For each item of a draft, in their order, its product; none where no product has its SKU. Of two items with one SKU each has the price
/// of its own quantity.
pub type Products = Vec<Option<Product>>;

/// Why a draft can't become an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpriceable {
    /// These items can't be sold.
    Items(Vec<UnsoldItem>),
    /// The products are priced in these currencies.
    MixedCurrencies(Currency, Currency),
    /// The total is above [`crate::money::MAX_MINOR`].
    TotalTooLarge,
}

/// An item that can't be sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsoldItem {
    /// Its place in the draft, from 0.
    pub index: usize,
    /// Its SKU.
    pub sku: Sku,
    /// Why.
    pub why: Unsold,
}

/// Why an item can't be sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsold {
    /// No product has its SKU.
    NotFound,
    /// The product is not sold at present.
    Inactive,
}

impl OrderDraft {
    /// Places the draft at the prices of `products`, one for each item: everything of the order, save for the stock.
    ///
    /// # Errors
    ///
    /// Names every item that can't be sold; else what is wrong with the sum.
    pub fn place(
        self,
        products: &Products,
        id: OrderId,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Order, Unpriceable> {
        let found = look_up(self.items(), products)?;
        let currency = one_currency(&found)?;
        let mut total = Amount::ZERO;
        let mut lines = Vec::with_capacity(found.len());
        for (number, (item, product)) in (1_i16..).zip(found) {
            let line = line(number, item, product).ok_or(Unpriceable::TotalTooLarge)?;
            total = total.plus(line.total).ok_or(Unpriceable::TotalTooLarge)?;
            lines.push(line);
        }
        Ok(Order {
            id,
            company_id: caller.company_id,
            buyer_id: caller.user_id,
            state: OrderState::Placed,
            currency,
            total,
            lines,
            purchase_order_number: self.purchase_order_number().to_owned(),
            note: self.note().to_owned(),
            created_at: now,
            updated_at: now,
        })
    }
}

fn look_up<'a>(
    items: &'a [Item],
    products: &'a Products,
) -> Result<Vec<(&'a Item, &'a Product)>, Unpriceable> {
    let mut found = Vec::with_capacity(items.len());
    let mut unsold = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let why = match products.get(index).and_then(Option::as_ref) {
            Some(product) if product.active => {
                found.push((item, product));
                continue;
            }
            Some(_) => Unsold::Inactive,
            None => Unsold::NotFound,
        };
        unsold.push(UnsoldItem { index, sku: item.sku.clone(), why });
    }
    if unsold.is_empty() { Ok(found) } else { Err(Unpriceable::Items(unsold)) }
}

fn one_currency(found: &[(&Item, &Product)]) -> Result<Currency, Unpriceable> {
    let mut currencies = found.iter().map(|(_, product)| product.currency);
    // A draft has at least one item.
    let first = currencies.next().ok_or(Unpriceable::Items(Vec::new()))?;
    match currencies.find(|currency| *currency != first) {
        None => Ok(first),
        Some(other) => Err(Unpriceable::MixedCurrencies(first, other)),
    }
}

fn line(number: i16, item: &Item, product: &Product) -> Option<OrderLine> {
    Some(OrderLine {
        number,
        product_id: product.id,
        sku: item.sku.clone(),
        name: product.name.clone(),
        quantity: item.quantity,
        unit_price: product.price,
        total: product.price.times(item.quantity)?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use platform::{Clock, Role};
    use proptest::prelude::*;

    use super::*;
    use crate::{draft::Quantity, money::MAX_MINOR};

    /// What is sold at present: SKU, price, currency, and whether it is active.
    fn products(
        of: impl IntoIterator<Item = (&'static str, i64, &'static str, bool)>,
    ) -> HashMap<&'static str, Product> {
        of.into_iter()
            .map(|(sku, price, currency, active)| {
                let (price, currency) = (Amount::new(price).unwrap(), Currency::parse(currency).unwrap());
                (sku, Product { id: Uuid::nil(), name: sku.to_owned(), price, currency, active })
            })
            .collect()
    }

    fn place(items: &[(&str, i32)], sold: &HashMap<&str, Product>) -> Result<Order, Unpriceable> {
        place_at(items, &items.iter().map(|(sku, _)| sold.get(sku).cloned()).collect())
    }

    fn place_at(items: &[(&str, i32)], products: &Products) -> Result<Order, Unpriceable> {
        let items = items.iter().map(|(sku, units)| ((*sku).to_owned(), *units)).collect();
        let draft = OrderDraft::new(items, String::new(), String::new()).unwrap();
        let caller = Caller {
            user_id: Uuid::max(),
            company_id: Uuid::max(),
            session_id: Uuid::max(),
            role: Role::Buyer,
            email: String::new(),
            name: String::new(),
            expires_at: Timestamp::MAX,
        };
        draft.place(products, OrderId::new(&Clock::system()), &caller, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_same_sku_twice_makes_two_lines() {
        let order =
            place(&[("A", 2), ("B", 1), ("A", 3)], &products([("A", 5, "EUR", true), ("B", 7, "EUR", true)]))
                .unwrap();
        let lines: Vec<_> =
            order.lines.iter().map(|line| (line.number, line.sku.as_str(), line.total.minor())).collect();
        assert_eq!(lines, [(1, "A", 10), (2, "B", 7), (3, "A", 15)]);
        assert_eq!((order.total.minor(), order.state), (32, OrderState::Placed));
    }

    #[test]
    fn lines_of_one_sku_are_charged_what_each_quantity_costs() {
        let sold = products([("A", 100, "EUR", true)]);
        let at = |minor| Some(Product { price: Amount::new(minor).unwrap(), ..sold["A"].clone() });
        let order = place_at(&[("A", 1), ("A", 10)], &vec![at(100), at(80)]).unwrap();
        let lines: Vec<_> =
            order.lines.iter().map(|line| (line.unit_price.minor(), line.total.minor())).collect();
        assert_eq!((lines, order.total.minor()), (vec![(100, 100), (80, 800)], 900));
    }

    #[test]
    fn every_item_that_can_not_be_sold_is_named() {
        let refused = place(
            &[("X", 1), ("A", 1), ("B", 1)],
            &products([("A", 1, "EUR", true), ("B", 1, "EUR", false)]),
        );
        let Err(Unpriceable::Items(items)) = refused else { panic!("{refused:?}") };
        let items: Vec<_> = items.iter().map(|item| (item.index, item.sku.as_str(), item.why)).collect();
        assert_eq!(items, [(0, "X", Unsold::NotFound), (2, "B", Unsold::Inactive)]);
    }

    #[test]
    fn an_order_is_in_one_currency() {
        let refused = place(&[("A", 1), ("B", 1)], &products([("A", 1, "EUR", true), ("B", 1, "USD", true)]));
        let (euro, dollar) = (Currency::parse("EUR").unwrap(), Currency::parse("USD").unwrap());
        assert_eq!(refused, Err(Unpriceable::MixedCurrencies(euro, dollar)));
    }

    #[test]
    fn a_total_may_reach_the_bound_and_not_pass_it() {
        let products = products([("A", MAX_MINOR, "EUR", true), ("B", 1, "EUR", true)]);
        assert_eq!(place(&[("A", 1)], &products).map(|order| order.total.minor()), Ok(MAX_MINOR));
        assert_eq!(place(&[("A", 2)], &products), Err(Unpriceable::TotalTooLarge));
        assert_eq!(place(&[("A", 1), ("B", 1)], &products), Err(Unpriceable::TotalTooLarge));
    }

    proptest! {
        #[test]
        fn the_total_is_the_sum_of_the_lines(
            lines in proptest::collection::vec((0..=MAX_MINOR, 1..=Quantity::MAX), 1..8),
        ) {
            const SKUS: [&str; 8] = ["A", "B", "C", "D", "E", "F", "G", "H"];
            let products = products(lines.iter().zip(SKUS).map(|((price, _), sku)| (sku, *price, "EUR", true)));
            let items: Vec<_> = lines.iter().zip(SKUS).map(|((_, units), sku)| (sku, *units)).collect();
            let exact: i128 = lines.iter().map(|(price, units)| i128::from(*price) * i128::from(*units)).sum();
            match place(&items, &products) {
                Ok(order) => {
                    prop_assert_eq!(i128::from(order.total.minor()), exact);
                    let sum: i64 = order.lines.iter().map(|line| line.total.minor()).sum();
                    prop_assert_eq!(sum, order.total.minor());
                }
                Err(refused) => {
                    prop_assert_eq!(refused, Unpriceable::TotalTooLarge);
                    prop_assert!(exact > i128::from(MAX_MINOR));
                }
            }
        }
    }
}
