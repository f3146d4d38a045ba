//! What items cost a company, and who is told.

use std::collections::BTreeMap;

use platform::Role;
use proto::{catalog::v1 as pb, r#type::v1::Money};
use tonic::{Code, Request};
use uuid::Uuid;

use crate::{
    queries::connect,
    support::{Shop, change, item, price_list, product, reason},
};

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        // The constants of Knuth's MMIX generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_that_of_the_largest_tier_that_the_quantity_reaches() {
    let skus: Vec<String> = (0..200).map(|n| format!("S{n:03}")).collect();
    let shop = Shop::with_price_list(&skus.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let company = shop.company_with("contract").await;
    let mut numbers = Numbers(7);
    let mut tiers: BTreeMap<&str, BTreeMap<i32, i64>> = BTreeMap::new();
    for sku in &skus {
        for _ in 0..numbers.below(7) {
            let (from, cents) = (1 + numbers.below(30), numbers.below(100));
            tiers.entry(sku).or_default().insert(i32::try_from(from).unwrap(), i64::try_from(cents).unwrap());
        }
    }
    let changes =
        tiers.iter().flat_map(|(sku, tiers)| tiers.iter().map(|(from, cents)| change(sku, *from, *cents)));
    let set = shop.set("contract", changes.collect()).await.unwrap();
    assert!(set.rejected_count == 0 && set.created_count > 300, "{}", set.created_count);

    let items: Vec<pb::ItemToPrice> = (0..1_000)
        .map(|n: usize| item(&skus[n % skus.len()], 1 + i32::try_from(numbers.below(35)).unwrap()))
        .collect();
    let answer = shop.price(company, items.clone()).await;
    assert_eq!(answer.items.len(), items.len());
    for (asked, told) in items.iter().zip(&answer.items) {
        let none = BTreeMap::new();
        let tiers = tiers.get(asked.sku.as_str()).unwrap_or(&none);
        let reached = tiers.range(..=asked.quantity).next_back();
        let next = tiers.range(asked.quantity + 1..).next();
        let cents = |money: &Option<Money>| money.as_ref().map(|money| money.minor_units);
        assert_eq!((&asked.sku, asked.quantity), (&told.sku, told.quantity));
        assert_eq!(told.min_quantity, reached.map_or(0, |(from, _)| *from), "{asked:?}");
        assert_eq!(cents(&told.unit_price), Some(reached.map_or(100, |(_, cents)| *cents)), "{asked:?}");
        assert_eq!(told.price_list_id, if reached.is_some() { "contract" } else { "" }, "{asked:?}");
        let told_next = told.next_tier.as_ref().map(|tier| (tier.min_quantity, cents(&tier.unit_price)));
        assert_eq!(told_next, next.map(|(from, cents)| (*from, Some(*cents))), "{asked:?}");
        assert_eq!(cents(&told.list_price), Some(100));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_answered_in_their_order_and_what_names_no_product_apart() {
    let shop = Shop::with_price_list(&["A", "B"]).await;
    let retired = shop.add(pb::Product { active: Some(false), ..product("OLD", "all") }).await;
    let company = shop.company_with("contract").await;
    shop.set("contract", vec![change("A", 1, 90), change("A", 10, 80)]).await.unwrap();
    let asked = ["B", "?", "A", "OLD", "A", "", "a\0", "gone"].map(|sku| item(sku, 1));
    let mut asked = Vec::from(asked);
    asked[4].quantity = 10;
    let answer = shop.price(company, asked).await;
    let told: Vec<(&str, i64, bool)> = answer
        .items
        .iter()
        .map(|told| (told.sku.as_str(), told.unit_price.as_ref().unwrap().minor_units, told.active))
        .collect();
    assert_eq!(told, [("B", 100, true), ("A", 90, true), ("OLD", 100, false), ("A", 80, true)]);
    assert_eq!(answer.not_found, ["?", "", "a\0", "gone"]);
    assert_eq!((&answer.items[2].product_id, &answer.items[2].name), (&retired.id, &retired.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_price_holds_without_a_list_and_where_the_list_says_nothing() {
    let shop = Shop::with_price_list(&["A", "B"]).await;
    shop.set("contract", vec![change("A", 5, 90)]).await.unwrap();
    let (with, without) = (shop.company_with("contract").await, Uuid::now_v7());
    assert_eq!(shop.cents(without, "A", 5).await, 100);
    assert_eq!((shop.cents(with, "B", 5).await, shop.cents(with, "A", 4).await), (100, 100));
    assert_eq!(shop.cents(with, "A", 5).await, 90);
    shop.assign(&[(with, "")]).await;
    assert_eq!(shop.cents(with, "A", 5).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_companys_prices_are_shown_by_no_call() {
    let shop = Shop::with_price_list(&["A"]).await;
    shop.set("contract", vec![change("A", 1, 60), change("A", 10, 50)]).await.unwrap();
    shop.add_price_list("other").await.unwrap();
    shop.set("other", vec![change("A", 1, 95)]).await.unwrap();
    let (ours, theirs) = (shop.company_with("contract").await, shop.company_with("other").await);
    assert_eq!((shop.cents(ours, "A", 1).await, shop.cents(theirs, "A", 1).await), (60, 95));
    let told = shop.price(theirs, vec![item("A", 1)]).await.items.remove(0);
    assert_eq!((told.price_list_id.as_str(), told.next_tier), ("other", None));

    for role in Role::COMPANY {
        // Its own name it may say.
        for (company, refused) in
            [(theirs, None), (ours, Some((Code::PermissionDenied, "COMPANY_NOT_ALLOWED")))]
        {
            let request =
                pb::PriceItemsRequest { items: vec![item("A", 1)], company_id: company.to_string() };
            let answer = shop.prices.clone().price_items(shop.issuer.sign(request, *role, theirs)).await;
            let told = answer.err().map(|status| (status.code(), reason(&status)));
            assert_eq!(told, refused.map(|(code, reason)| (code, reason.to_owned())), "{role}");
        }
        let token = shop.issuer.token(*role, theirs);
        for code in codes_of_everything_else(&shop, Some(&token)).await {
            assert_eq!(code, Code::PermissionDenied, "{role}");
        }
    }
    let request = pb::PriceItemsRequest { items: vec![item("A", 1)], company_id: ours.to_string() };
    let anonymous = shop.prices.clone().price_items(request).await.unwrap_err();
    assert_eq!(anonymous.code(), Code::Unauthenticated);
    for code in codes_of_everything_else(&shop, None).await {
        assert_eq!(code, Code::Unauthenticated);
    }

    // The database by itself shows a company nothing but its own, whatever a statement asks for.
    let client = connect(&shop.database.url("svc_catalog")).await;
    for (company, list, prices) in
        [(ours, Some("contract"), 2_i64), (theirs, Some("other"), 1), (Uuid::nil(), None, 0)]
    {
        client.batch_execute(&format!("SET sipup.company_id = '{company}'")).await.unwrap();
        let seen = "SELECT (SELECT string_agg(id, ',') FROM price_lists), (SELECT count(*) FROM prices),
                           (SELECT string_agg(company_id::text, ',') FROM company_price_lists)";
        let row = client.query_one(seen, &[]).await.unwrap();
        let companies = list.map(|_| company.to_string());
        assert_eq!((row.get(0), row.get(1), row.get(2)), (list.map(str::to_owned), prices, companies));
    }
}

/// What every call but `PriceItems` answers to `token`.
async fn codes_of_everything_else(shop: &Shop, token: Option<&str>) -> Vec<Code> {
    fn signed<T>(message: T, token: Option<&str>) -> Request<T> {
        match token {
            Some(token) => platform::testing::Issuer::with_token(message, token),
            None => Request::new(message),
        }
    }
    let id = || "contract".to_owned();
    let list = || Some(price_list("contract"));
    let mut codes = Vec::new();
    macro_rules! call {
        ($method:ident, $request:expr) => {
            let answer = shop.prices.clone().$method(signed($request, token)).await;
            codes.push(answer.map_or_else(|status| status.code(), |_| Code::Ok));
        };
    }
    call!(get_price_list, pb::GetPriceListRequest { id: id() });
    call!(list_price_lists, pb::ListPriceListsRequest::default());
    call!(create_price_list, pb::CreatePriceListRequest { price_list: list(), ..Default::default() });
    call!(update_price_list, pb::UpdatePriceListRequest { price_list: list(), ..Default::default() });
    call!(delete_price_list, pb::DeletePriceListRequest { id: id(), ..Default::default() });
    call!(list_prices, pb::ListPricesRequest { price_list_id: id(), ..Default::default() });
    call!(batch_set_prices, pb::BatchSetPricesRequest { price_list_id: id(), ..Default::default() });
    call!(
        list_price_list_assignments,
        pb::ListPriceListAssignmentsRequest { price_list_id: id(), ..Default::default() }
    );
    call!(batch_assign_price_lists, pb::BatchAssignPriceListsRequest::default());
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seller_asks_for_the_company_that_it_names() {
    let shop = Shop::with_price_list(&["A"]).await;
    shop.set("contract", vec![change("A", 1, 60)]).await.unwrap();
    let company = shop.company_with("contract").await;
    for (named, cents) in [(company.to_string(), 60), (String::new(), 100), (Uuid::now_v7().to_string(), 100)]
    {
        let request = pb::PriceItemsRequest { items: vec![item("A", 1)], company_id: named.clone() };
        let answer = shop.prices.clone().price_items(shop.seller(request)).await.unwrap().into_inner();
        assert_eq!(answer.items[0].unit_price.as_ref().unwrap().minor_units, cents, "{named}");
    }
    let request = pb::PriceItemsRequest { items: vec![item("A", 1)], company_id: "acme".into() };
    let status = shop.prices.clone().price_items(shop.seller(request)).await.unwrap_err();
    assert_eq!(
        (status.code(), crate::support::field(&status).as_str()),
        (Code::InvalidArgument, "company_id")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_is_priced_in_another_currency_by_now_is_sold_at_its_list_price() {
    let shop = Shop::with_price_list(&["A"]).await;
    let company = shop.company_with("contract").await;
    shop.set("contract", vec![change("A", 1, 60), change("A", 10, 50)]).await.unwrap();
    let id = shop.price(company, vec![item("A", 1)]).await.items[0].product_id.clone();
    let dollars = |minor_units| Some(Money { currency_code: "USD".into(), minor_units });
    shop.update(pb::Product { id: id.clone(), price: dollars(120), ..Default::default() }, &[])
        .await
        .unwrap();
    let told = shop.price(company, vec![item("A", 1)]).await.items.remove(0);
    assert_eq!((told.unit_price, told.price_list_id.as_str(), told.next_tier), (dollars(120), "", None));
    // Nothing is lost: the agreed price is there again with the currency.
    shop.update(pb::Product { id, price: crate::support::euro(110), ..Default::default() }, &[])
        .await
        .unwrap();
    assert_eq!(shop.cents(company, "A", 1).await, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seller_is_told_the_price_that_it_has_just_set_though_a_replica_answers() {
    let shop = Shop::open_with_replica().await;
    shop.add_category("all", "").await;
    shop.stock(&["A"]).await;
    let company = shop.company_with("contract").await;
    for cents in 1..=20 {
        shop.set("contract", vec![change("A", 1, cents)]).await.unwrap();
        let request = pb::PriceItemsRequest { items: vec![item("A", 1)], company_id: company.to_string() };
        let answer = shop.prices.clone().price_items(shop.seller(request)).await.unwrap().into_inner();
        assert_eq!(answer.items[0].unit_price.as_ref().unwrap().minor_units, cents);
    }
}
