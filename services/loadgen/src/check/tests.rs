//! Each kind of wrong answer is told from a right one.

use uuid::Uuid;

use super::*;
use crate::{
    call::{Line, Transport},
    identity::somebody,
    price::Agreements,
};

fn product(number: i64, version: i64) -> Product {
    Product {
        id: format!("id-{number}"),
        sku: format!("SKU-{number}"),
        category: "c".into(),
        currency: "EUR".into(),
        price: 100 * number,
        version,
    }
}

fn world() -> World {
    let mut world = World::new((0..3).map(|number| product(number, 10)).collect(), 1.0).unwrap();
    world.agreements = Agreements::new("list".into(), "EUR".into(), &["b".into(), "c".into()]);
    world
}

fn user() -> User {
    User::new(0, Transport::Grpc, somebody("u", "c"))
}

fn verdict(user: &mut User, call: &Call, answer: impl std::borrow::Borrow<Answer>) -> Result<(), String> {
    check(user, &world(), call, answer.borrow()).map_err(|failure| failure.code.into_owned())
}

fn item(product: u32, quantity: i32) -> WishedItem {
    WishedItem { product, quantity, told: None }
}

fn wish() -> Arc<Wish> {
    Arc::new(Wish { key: Uuid::from_u128(1), items: vec![item(1, 2), item(2, 1)] })
}

fn order() -> Order {
    let line = |number: i64, quantity: i32| Line {
        sku: format!("SKU-{number}"),
        quantity,
        unit_price: 100 * number,
        total: 100 * number * i64::from(quantity),
    };
    let lines = vec![line(1, 2), line(2, 1)];
    Order { id: "o".into(), company: "c".into(), buyer: "u".into(), total: 400, created: 50, lines }
}

#[test]
fn a_product_may_be_newer_but_never_older_or_another_one() {
    let (mut user, view) = (user(), Call::View { product: 1 });
    assert_eq!(verdict(&mut user, &view, Answer::Product(product(1, 10))), Ok(()));
    assert_eq!(verdict(&mut user, &view, Answer::Product(Product { price: 7, ..product(1, 12) })), Ok(()));
    assert_eq!(verdict(&mut user, &view, Answer::Product(product(1, 11))), Err("STALE".into()));
    assert_eq!(verdict(&mut user, &view, Answer::Product(product(2, 12))), Err("PRODUCT".into()));
    let mut other = self::user();
    let cheaper = Answer::Product(Product { price: 7, ..product(1, 10) });
    assert_eq!(verdict(&mut other, &view, cheaper), Err("PRODUCT".into()));
    assert_eq!(verdict(&mut other, &view, Answer::Orders(Vec::new())), Err("ANSWER".into()));
}

/// One unit of a product at its list price.
fn priced(number: i64) -> Priced {
    Priced {
        sku: format!("SKU-{number}"),
        quantity: 1,
        product: format!("id-{number}"),
        currency: "EUR".into(),
        list_price: 100 * number,
        unit_price: 100 * number,
        ..Priced::default()
    }
}

#[test]
fn a_price_check_answers_every_item_in_the_order_asked() {
    let call = Call::Prices { items: vec![(2, 1), (0, 1)] };
    let answer = |items, missing| verdict(&mut user(), &call, Answer::Priced { items, missing });
    assert_eq!(answer(vec![priced(2), priced(0)], 0), Ok(()));
    assert_eq!(answer(vec![priced(0), priced(2)], 0), Err("PRODUCT".into()));
    assert_eq!(answer(vec![priced(2)], 1), Err("PRODUCT".into()));
    let two = Priced { quantity: 2, ..priced(2) };
    assert_eq!(answer(vec![two, priced(0)], 0), Err("PRODUCT".into()));
}

#[test]
fn an_order_is_charged_what_its_company_was_told() {
    let mut user = user();
    let told = Answer::Priced { items: vec![priced(2)], missing: 0 };
    assert_eq!(verdict(&mut user, &Call::Prices { items: vec![(2, 1)] }, told), Ok(()));
    let wish =
        |told| Arc::new(Wish { key: Uuid::from_u128(9), items: vec![WishedItem { told, ..item(2, 1) }] });
    let charged = |price| {
        let line = Line { sku: "SKU-2".into(), quantity: 1, unit_price: price, total: price };
        Answer::Order(Order { lines: vec![line], total: price, ..order() })
    };
    assert_eq!(verdict(&mut user, &Call::Order(wish(Some(180))), charged(180)), Ok(()));
    let mut other = self::user();
    assert_eq!(verdict(&mut other, &Call::Order(wish(Some(180))), charged(200)), Err("PRICE".into()));
    assert_eq!(verdict(&mut other, &Call::Order(wish(None)), charged(180)), Err("PRICE".into()));
}

#[test]
fn lists_keep_their_order_and_their_filter() {
    let found =
        |numbers: &[i64]| Answer::Products(numbers.iter().map(|number| product(*number, 10)).collect());
    assert_eq!(verdict(&mut user(), &Call::List { category: 0 }, found(&[0, 2])), Ok(()));
    assert_eq!(
        verdict(&mut user(), &Call::List { category: 0 }, found(&[2, 0])),
        Err("ORDER_OF_LIST".into())
    );
    let search = Call::Search { max_price: 100 };
    assert_eq!(verdict(&mut user(), &search, found(&[1, 0])), Ok(()));
    assert_eq!(verdict(&mut user(), &search, found(&[2, 0])), Err("FILTER".into()));
    assert_eq!(verdict(&mut user(), &search, found(&[])), Err("FILTER".into()));
}

#[test]
fn an_order_has_its_lines_prices_sum_and_owner() {
    let call = Call::Order(wish());
    let answer = |order| verdict(&mut user(), &call, Answer::Order(order));
    assert_eq!(answer(order()), Ok(()));
    assert_eq!(answer(Order { total: 401, ..order() }), Err("TOTAL".into()));
    assert_eq!(answer(Order { company: "d".into(), ..order() }), Err("FOREIGN".into()));
    assert_eq!(answer(Order { buyer: "v".into(), ..order() }), Err("FOREIGN".into()));
    assert_eq!(answer(Order { lines: Vec::new(), total: 0, ..order() }), Err("LINES".into()));
    let mut cheap = order();
    (cheap.lines[0].unit_price, cheap.lines[0].total, cheap.total) = (1, 2, 202);
    assert_eq!(answer(cheap), Err("PRICE".into()));
}

#[test]
fn an_order_is_placed_once_and_read_back_as_it_was() {
    let (mut user, place) = (user(), Call::Order(wish()));
    assert_eq!(verdict(&mut user, &place, Answer::Order(order())), Ok(()));
    assert_eq!(verdict(&mut user, &place, Answer::Order(order())), Ok(()));
    let read = Call::ReadOrder { id: "o".into() };
    assert_eq!(verdict(&mut user, &read, Answer::Order(order())), Ok(()));
    let second = Order { id: "p".into(), ..order() };
    assert_eq!(verdict(&mut user, &read, Answer::Order(second.clone())), Err("ORDER".into()));
    assert_eq!(verdict(&mut user, &place, Answer::Order(second)), Err("DUPLICATE".into()));
}

#[test]
fn a_history_is_the_companys_own_sorted_and_holds_what_was_placed() {
    let mut user = user();
    assert_eq!(verdict(&mut user, &Call::Order(wish()), Answer::Order(order())), Ok(()));
    let at = |created: i64| Order { id: format!("o-{created}"), created, ..order() };
    let mut history = |orders| verdict(&mut user, &Call::History, Answer::Orders(orders));
    assert_eq!(history(vec![at(60), order(), at(40)]), Ok(()));
    assert_eq!(history(vec![at(60), at(40)]), Err("STALE".into()));
    assert_eq!(history((0..20).map(|minute| at(100 - minute)).collect()), Ok(()));
    assert_eq!(history(vec![order(), at(60)]), Err("ORDER_OF_LIST".into()));
    assert_eq!(history(vec![Order { company: "d".into(), ..order() }]), Err("FOREIGN".into()));
}
