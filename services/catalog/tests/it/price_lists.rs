//! Price lists, and the companies that have them.

use proto::catalog::v1 as pb;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    queries::connect,
    support::{Shop, change, field, mask, price_list, reason},
};

async fn get(shop: &Shop, id: &str) -> Result<pb::PriceList, Status> {
    let request = pb::GetPriceListRequest { id: id.to_owned() };
    Ok(shop.prices.clone().get_price_list(shop.seller(request)).await?.into_inner().price_list.unwrap())
}

async fn update(shop: &Shop, list: pb::PriceList, paths: &[&str]) -> Result<pb::PriceList, Status> {
    let request = pb::UpdatePriceListRequest {
        price_list: Some(list),
        update_mask: mask(paths),
        request_id: String::new(),
    };
    Ok(shop.prices.clone().update_price_list(shop.seller(request)).await?.into_inner().price_list.unwrap())
}

async fn delete(shop: &Shop, id: &str, etag: &str) -> Result<(), Status> {
    let request =
        pb::DeletePriceListRequest { id: id.to_owned(), etag: etag.to_owned(), request_id: String::new() };
    shop.prices.clone().delete_price_list(shop.seller(request)).await.map(tonic::Response::into_inner)
}

async fn companies_of(shop: &Shop, id: &str, page_size: i32) -> Vec<String> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListPriceListAssignmentsRequest {
            price_list_id: id.to_owned(),
            page_size,
            page_token: std::mem::take(&mut page_token),
        };
        let page = shop.prices.clone().list_price_list_assignments(shop.seller(request)).await.unwrap();
        let page = page.into_inner();
        assert!(page.assignments.iter().all(|it| it.price_list_id == id));
        all.extend(page.assignments.into_iter().map(|it| it.company_id));
        if page.next_page_token.is_empty() {
            return all;
        }
        page_token = page.next_page_token;
    }
}

/// Code and reason of a refusal.
fn why<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String) {
    let status = outcome.unwrap_err();
    (status.code(), reason(&status))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_list_lives_as_other_resources_do() {
    let shop = Shop::open().await;
    let added = shop.add_price_list("contract").await.unwrap();
    assert_eq!(get(&shop, "contract").await.unwrap(), added);
    assert_eq!((added.name.as_str(), added.currency_code.as_str()), ("List contract", "EUR"));
    assert_eq!(
        why(shop.add_price_list("contract").await),
        (Code::AlreadyExists, "PRICE_LIST_EXISTS".to_owned())
    );

    let renamed = pb::PriceList { name: "Renamed".into(), currency_code: "USD".into(), ..added.clone() };
    let renamed = update(&shop, renamed, &["name"]).await.unwrap();
    assert_eq!((renamed.name.as_str(), renamed.currency_code.as_str()), ("Renamed", "EUR"));
    assert_ne!(renamed.etag, added.etag);
    let stale = pb::PriceList { name: "Mine".into(), ..added.clone() };
    assert_eq!(why(update(&shop, stale, &[]).await), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
    let other = pb::PriceList { currency_code: "USD".into(), ..price_list("contract") };
    assert_eq!(field(&update(&shop, other, &["currency_code"]).await.unwrap_err()), "update_mask");

    assert_eq!(
        why(delete(&shop, "contract", &added.etag).await),
        (Code::Aborted, "ETAG_MISMATCH".to_owned())
    );
    delete(&shop, "contract", &renamed.etag).await.unwrap();
    let missing = (Code::NotFound, "PRICE_LIST_NOT_FOUND".to_owned());
    assert_eq!(why(get(&shop, "contract").await), missing);
    assert_eq!(why(delete(&shop, "contract", "").await), missing);
    assert_eq!(why(update(&shop, price_list("contract"), &[]).await), missing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_no_list_can_be_is_refused_by_field() {
    let shop = Shop::open().await;
    for (list, named) in [
        (price_list("Contract"), "price_list.id"),
        (pb::PriceList { name: String::new(), ..price_list("a") }, "price_list.name"),
        (pb::PriceList { currency_code: "euro".into(), ..price_list("a") }, "price_list.currency_code"),
    ] {
        let request = pb::CreatePriceListRequest { price_list: Some(list), request_id: String::new() };
        let status = shop.prices.clone().create_price_list(shop.seller(request)).await.unwrap_err();
        assert_eq!((status.code(), field(&status).as_str()), (Code::InvalidArgument, named));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_by_id_page_by_page() {
    let shop = Shop::open().await;
    for id in ["c", "a", "b"] {
        shop.add_price_list(id).await.unwrap();
    }
    let page = async |page_token: String| {
        let request = pb::ListPriceListsRequest { page_size: 2, page_token };
        shop.prices.clone().list_price_lists(shop.seller(request)).await.unwrap().into_inner()
    };
    let first = page(String::new()).await;
    let second = page(first.next_page_token.clone()).await;
    let ids: Vec<&str> =
        first.price_lists.iter().chain(&second.price_lists).map(|list| list.id.as_str()).collect();
    assert_eq!((ids, second.next_page_token.as_str()), (vec!["a", "b", "c"], ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_holds_for_a_company_is_not_removed() {
    let shop = Shop::with_price_list(&["A"]).await;
    shop.set("contract", vec![change("A", 1, 60)]).await.unwrap();
    let company = shop.company_with("contract").await;
    assert_eq!(
        why(delete(&shop, "contract", "").await),
        (Code::FailedPrecondition, "PRICE_LIST_IN_USE".to_owned())
    );
    assert_eq!(shop.cents(company, "A", 1).await, 60);
    assert_eq!(shop.assign(&[(company, "")]).await.removed_count, 1);
    delete(&shop, "contract", "").await.unwrap();
    // Its prices have gone with it: a list of the same id begins anew.
    shop.add_price_list("contract").await.unwrap();
    assert!(shop.prices_of("contract").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_has_one_list_at_most_and_each_row_says_what_became_of_it() {
    use pb::RowOutcome::{Created, Rejected, Removed, Unchanged, Updated};
    let shop = Shop::open().await;
    shop.add_price_list("a").await.unwrap();
    shop.add_price_list("b").await.unwrap();
    let [one, two, three, four] = std::array::from_fn(|_| Uuid::now_v7());
    let outcomes = |answer: &pb::BatchAssignPriceListsResponse| {
        answer.results.iter().map(|row| (row.outcome(), row.reason.clone())).collect::<Vec<_>>()
    };
    let done = |outcome| (outcome, String::new());
    let first = shop.assign(&[(one, "a"), (two, "a"), (three, ""), (four, "none"), (one, "b")]).await;
    assert_eq!(
        outcomes(&first),
        [
            done(Created),
            done(Created),
            done(Unchanged),
            (Rejected, "PRICE_LIST_NOT_FOUND".to_owned()),
            (Rejected, "DUPLICATE_IN_REQUEST".to_owned()),
        ]
    );
    assert_eq!((first.results[4].field.as_str(), first.rejected_count), ("company_id", 2));
    let second = shop.assign(&[(one, "b"), (two, ""), (three, "b"), (four, "")]).await;
    assert_eq!(outcomes(&second), [done(Updated), done(Removed), done(Created), done(Unchanged)]);
    let mut theirs = [one.to_string(), three.to_string()];
    theirs.sort();
    assert_eq!(companies_of(&shop, "b", 1).await, theirs);
    assert!(companies_of(&shop, "a", 1).await.is_empty());

    let request = pb::BatchAssignPriceListsRequest {
        assignments: vec![
            pb::PriceListAssignment { company_id: "acme".into(), price_list_id: "a".into() },
            pb::PriceListAssignment { company_id: one.to_string(), price_list_id: "A".into() },
        ],
        request_id: String::new(),
    };
    let answer = shop.prices.clone().batch_assign_price_lists(shop.seller(request)).await.unwrap();
    let fields: Vec<_> = answer.get_ref().results.iter().map(|row| row.field.as_str()).collect();
    assert_eq!(fields, ["company_id", "price_list_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_companies_are_given_a_list_with_one_call() {
    let shop = Shop::open().await;
    shop.add_price_list("a").await.unwrap();
    let rows: Vec<(Uuid, &str)> = (0..5_000).map(|_| (Uuid::now_v7(), "a")).collect();
    assert_eq!(shop.assign(&rows).await.created_count, 5_000);
    assert_eq!(shop.assign(&rows).await.unchanged_count, 5_000);
    let mut companies: Vec<String> = rows.iter().map(|(company, _)| company.to_string()).collect();
    companies.sort();
    assert_eq!(companies_of(&shop, "a", 1_000).await, companies);
}

#[tokio::test(flavor = "multi_thread")]
async fn companies_that_many_assign_at_once_end_with_one_list_each_and_no_deadlock() {
    let shop = Shop::open().await;
    for id in ["a", "b", "c"] {
        shop.add_price_list(id).await.unwrap();
    }
    let companies: Vec<Uuid> = (0..50).map(|_| Uuid::now_v7()).collect();
    let (shop, companies) = (&shop, &companies);
    let balances = futures::future::join_all((0..6_usize).map(async |writer| {
        let mut balance = 0;
        for round in 0..5_usize {
            let list = |n: usize| ["a", "b", "c", ""][(writer + round + n) % 4];
            let mut rows: Vec<(Uuid, &str)> =
                companies.iter().enumerate().map(|(n, company)| (*company, list(n))).collect();
            if writer % 2 == 0 {
                rows.reverse();
            }
            let answer = shop.assign(&rows).await;
            assert_eq!(answer.rejected_count, 0);
            balance += answer.created_count - answer.removed_count;
        }
        balance
    }));
    let balance: i32 = balances.await.into_iter().sum();
    let mut assigned = 0;
    for id in ["a", "b", "c"] {
        assigned += companies_of(shop, id, 1_000).await.len();
    }
    assert_eq!(usize::try_from(balance).unwrap(), assigned);
    let client = connect(&shop.database.admin_url()).await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(client.query_one(deadlocks, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_can_be_repeated() {
    let shop = Shop::with_price_list(&["A"]).await;
    let company = Uuid::now_v7().to_string();
    let id = String::from;
    let renamed = pb::PriceList { name: "Renamed".into(), ..price_list("contract") };
    for expected in [None, Some("true")] {
        let mut replayed = Vec::new();
        macro_rules! call {
            ($method:ident, $request:expr) => {
                let answer = shop.prices.clone().$method(shop.seller($request)).await.unwrap();
                let header = answer.metadata().get("idempotent-replayed");
                replayed.push(header.map(|header| header.to_str().unwrap().to_owned()));
            };
        }
        call!(
            create_price_list,
            pb::CreatePriceListRequest { price_list: Some(price_list("new")), request_id: id("1") }
        );
        call!(
            update_price_list,
            pb::UpdatePriceListRequest {
                price_list: Some(renamed.clone()),
                update_mask: mask(&["name"]),
                request_id: id("2"),
            }
        );
        call!(
            batch_set_prices,
            pb::BatchSetPricesRequest {
                price_list_id: id("contract"),
                changes: vec![change("A", 1, 5)],
                request_id: id("3"),
            }
        );
        call!(
            batch_assign_price_lists,
            pb::BatchAssignPriceListsRequest {
                assignments: vec![pb::PriceListAssignment {
                    company_id: company.clone(),
                    price_list_id: id("contract"),
                }],
                request_id: id("4"),
            }
        );
        call!(
            delete_price_list,
            pb::DeletePriceListRequest { id: id("new"), etag: id(""), request_id: id("5") }
        );
        assert_eq!(replayed, vec![expected.map(str::to_owned); 5]);
    }
}
