//! Prices are judged by what was agreed with the company, and where that is not known, by themselves.

use super::*;
use crate::{
    call::Transport,
    identity::{newcomer, somebody},
};

/// Four products at 1.00, 2.01, … EUR, and prices agreed with company `a` but not with `b`.
fn world() -> World {
    let product = |number: i64| Product {
        id: format!("id-{number}"),
        sku: format!("SKU-{number}"),
        currency: "EUR".into(),
        price: 101 * number + 100,
        version: 10,
        ..Product::default()
    };
    let mut world = World::new((0..4).map(product).collect(), 1.0).unwrap();
    world.agreements = Agreements::new("list".into(), "EUR".into(), &["a".into(), "b".into()]);
    world
}

fn user(company: &str) -> User {
    User::new(0, Transport::Grpc, somebody("u", company))
}

/// So many units of a product at list price.
fn listed(number: i64, quantity: i32, next: Option<(i32, i64)>) -> Priced {
    Priced {
        sku: format!("SKU-{number}"),
        quantity,
        product: format!("id-{number}"),
        currency: "EUR".into(),
        list_price: 101 * number + 100,
        unit_price: 101 * number + 100,
        next: next.map(|(min_quantity, price)| Tier { min_quantity, price }),
        ..Priced::default()
    }
}

/// At the price of a tier.
fn agreed(
    number: i64,
    quantity: i32,
    (min_quantity, unit_price): (i32, i64),
    next: Option<(i32, i64)>,
) -> Priced {
    Priced { price_list: "list".into(), min_quantity, unit_price, ..listed(number, quantity, next) }
}

fn verdict(company: &str, seen: &Priced) -> Result<(), String> {
    let number = seen.sku.trim_start_matches("SKU-").parse().unwrap();
    check(&user(company), &world(), number, seen.quantity, seen).map_err(|failure| failure.code.into_owned())
}

#[test]
fn a_company_with_a_list_pays_by_its_tiers() {
    for right in [
        agreed(0, 1, (1, 90), Some((3, 80))),
        agreed(0, 3, (3, 80), None),
        listed(1, 2, Some((3, 160))),
        agreed(1, 4, (3, 160), None),
        agreed(2, 5, (1, 271), None),
        listed(3, 5, None),
    ] {
        assert_eq!(verdict("a", &right), Ok(()), "{right:?}");
        let charged = unit_price(&user("a"), &world(), right.sku[4..].parse().unwrap(), right.quantity);
        assert_eq!(charged, Some(right.unit_price), "{right:?}");
    }
    for (wrong, code) in [
        (agreed(0, 3, (1, 90), None), "TIER"),
        (agreed(0, 1, (1, 90), None), "TIER"),
        (listed(0, 1, Some((3, 80))), "TIER"),
        (agreed(0, 1, (1, 91), Some((3, 80))), "PRICE"),
        (Priced { price_list: "other".into(), ..agreed(0, 3, (3, 80), None) }, "FOREIGN"),
        (Priced { list_price: 99, ..agreed(0, 3, (3, 80), None) }, "PRICE"),
        (Priced { currency: "mixed".into(), ..agreed(0, 3, (3, 80), None) }, "PRICE"),
    ] {
        assert_eq!(verdict("a", &wrong), Err(code.into()), "{wrong:?}");
    }
}

#[test]
fn a_company_without_a_list_pays_list_prices_and_hears_of_no_other() {
    assert_eq!(verdict("b", &listed(0, 3, None)), Ok(()));
    assert_eq!(verdict("b", &agreed(0, 3, (3, 80), None)), Err("FOREIGN".into()));
    assert_eq!(verdict("b", &listed(0, 1, Some((3, 80)))), Err("TIER".into()));
    assert_eq!(unit_price(&user("b"), &world(), 0, 3), Some(100));
}

#[test]
fn of_a_company_that_is_not_known_a_price_must_fit_itself() {
    assert_eq!(verdict("z", &agreed(0, 3, (2, 5), Some((4, 3)))), Ok(()));
    assert_eq!(unit_price(&user("z"), &world(), 0, 3), None);
    for wrong in [
        agreed(0, 3, (4, 5), None),
        agreed(0, 3, (0, 5), None),
        agreed(0, 3, (2, 5), Some((3, 3))),
        Priced { unit_price: 5, ..listed(0, 3, None) },
    ] {
        assert_eq!(verdict("z", &wrong), Err("TIER".into()), "{wrong:?}");
    }
}

#[test]
fn new_companies_have_no_list_and_of_old_ones_nothing_is_known_unless_prices_were_agreed() {
    let none = Agreements::none(&[newcomer("u", "n"), somebody("u", "o")]);
    assert_eq!((none.terms("n"), none.terms("o")), (Terms::ListPrices, Terms::Unknown));
    let world = world();
    assert_eq!(world.agreements.terms("a"), Terms::Agreed("list"));
    assert_eq!(world.agreements.told(), "price list list for 1 of 2 companies");
}
