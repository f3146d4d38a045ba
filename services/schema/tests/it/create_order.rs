//! `orders.create_order`, as the service's own role under forced row-level security.

use serde_json::{Value, json};
use tokio_postgres::{Client, Error, error::SqlState};
use uuid::Uuid;

use crate::support::{Database, number, refusal, someone_waits};

/// A request to place an order.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) id: Uuid,
    pub(crate) company: Uuid,
    pub(crate) key: String,
    pub(crate) hash: Vec<u8>,
    pub(crate) response: Vec<u8>,
    pub(crate) items: Vec<(String, i32)>,
}

/// What the function answers.
#[derive(Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) outcome: String,
    pub(crate) detail: Option<Value>,
    pub(crate) response: Option<Vec<u8>>,
}

const CREATE: &str = "SELECT outcome, detail, response FROM orders.create_order(
    $1, $2, $3, 'CreateOrder', $4, $5, $6, 'EUR', 'PO 7', '', $7, $8, $9, $10, $11, $12, now())";

impl Draft {
    pub(crate) fn of(company: Uuid, items: &[(&str, i32)]) -> Self {
        let id = Uuid::now_v7();
        Self {
            id,
            company,
            key: id.to_string(),
            hash: vec![1],
            response: id.as_bytes().to_vec(),
            items: items.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity)).collect(),
        }
    }

    /// The same request, sent again: the service makes a new id for it.
    pub(crate) fn again(&self) -> Self {
        let id = Uuid::now_v7();
        Self { id, response: id.as_bytes().to_vec(), ..self.clone() }
    }

    pub(crate) async fn place(&self, client: &Client) -> Placed {
        self.try_place(client).await.unwrap_or_else(|err| panic!("{err:?}"))
    }

    pub(crate) async fn try_place(&self, client: &Client) -> Result<Placed, Error> {
        let skus: Vec<_> = self.items.iter().map(|(sku, _)| sku.as_str()).collect();
        let quantities: Vec<_> = self.items.iter().map(|(_, quantity)| *quantity).collect();
        let products: Vec<_> = skus.iter().map(|_| Uuid::now_v7()).collect();
        let prices = vec![250_i64; skus.len()];
        let job = json!({"queue": "email", "kind": "order_placed", "args": {"order_id": self.id}, "unique_key": self.id});
        let row = client
            .query_one(
                CREATE,
                &[
                    &self.id,
                    &self.company,
                    &Uuid::now_v7(),
                    &self.key,
                    &self.hash,
                    &self.response,
                    &products,
                    &skus,
                    &skus,
                    &quantities,
                    &prices,
                    &job,
                ],
            )
            .await?;
        Ok(Placed { outcome: row.get(0), detail: row.get(1), response: row.get(2) })
    }
}

/// A migrated database with stock, and a buyer's connection.
pub(crate) async fn shop(stock: &[(&str, i32)]) -> (Database, Uuid, Client) {
    let database = Database::migrated().await;
    let (skus, deltas): (Vec<_>, Vec<_>) = stock.iter().copied().unzip();
    let seller = database.wide("orders", "seller").await;
    seller.query("SELECT adjust_stock($1, $2, now(), uuidv7())", &[&skus, &deltas]).await.unwrap();
    let company = Uuid::now_v7();
    let buyer = database.company("orders", company).await;
    (database, company, buyer)
}

/// How many rows a request may leave: orders, lines, events, keys, jobs, unique keys of jobs.
async fn traces(database: &Database) -> [i64; 6] {
    let admin = database.admin().await;
    let mut counts = [0; 6];
    let tables = [
        "orders.orders",
        "orders.order_lines",
        "orders.order_events",
        "orders.idempotency",
        "jobs.ready",
        "jobs.unique_keys",
    ];
    for (count, table) in counts.iter_mut().zip(tables) {
        *count = number(&admin, &format!("SELECT count(*) FROM {table}")).await;
    }
    counts
}

async fn on_hand(client: &Client, sku: &str) -> i64 {
    number(client, &format!("SELECT on_hand::bigint FROM orders.stock WHERE sku = '{sku}'")).await
}

#[tokio::test]
async fn an_order_leaves_its_lines_event_key_job_and_less_stock() {
    let (database, company, buyer) = shop(&[("A", 10), ("b", 5)]).await;
    let draft = Draft::of(company, &[("b", 2), ("A", 3), ("b", 1)]);
    let placed = draft.place(&buyer).await;
    assert_eq!(
        placed,
        Placed { outcome: "created".to_owned(), detail: None, response: Some(draft.response.clone()) }
    );
    assert_eq!(traces(&database).await, [1, 3, 1, 1, 1, 1]);
    assert_eq!((on_hand(&buyer, "A").await, on_hand(&buyer, "b").await), (7, 2));

    let order = buyer.query_one("SELECT total_minor, state, buyer_id = updated_by, purchase_order_number FROM orders WHERE id = $1", &[&draft.id]).await.unwrap();
    assert_eq!(
        (order.get::<_, i64>(0), order.get::<_, i16>(1), order.get::<_, bool>(2), order.get::<_, &str>(3)),
        (1500, 1, true, "PO 7")
    );
    let lines = buyer
        .query(
            "SELECT line_no, sku, quantity FROM order_lines WHERE order_id = $1 ORDER BY line_no",
            &[&draft.id],
        )
        .await
        .unwrap();
    let lines: Vec<(i16, String, i32)> =
        lines.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    assert_eq!(lines, [(1, "b".to_owned(), 2), (2, "A".to_owned(), 3), (3, "b".to_owned(), 1)]);
    let job = database
        .company("jobs", company)
        .await
        .query_one("SELECT kind, args->>'order_id' FROM ready", &[])
        .await
        .unwrap();
    assert_eq!((job.get::<_, &str>(0), job.get::<_, String>(1)), ("order_placed", draft.id.to_string()));
}

#[tokio::test]
async fn a_repeat_returns_the_bytes_of_the_first_and_does_nothing() {
    let (database, company, buyer) = shop(&[("A", 10)]).await;
    let first = Draft::of(company, &[("A", 3)]);
    first.place(&buyer).await;
    let repeat = first.again().place(&buyer).await;
    assert_eq!(
        repeat,
        Placed { outcome: "replayed".to_owned(), detail: None, response: Some(first.response.clone()) }
    );
    let other_body = Draft { hash: vec![2], ..first.again() }.place(&buyer).await;
    assert_eq!(other_body, Placed { outcome: "key_reused".to_owned(), detail: None, response: None });
    assert_eq!(traces(&database).await, [1, 1, 1, 1, 1, 1]);
    assert_eq!(on_hand(&buyer, "A").await, 7);
}

#[tokio::test]
async fn two_companies_may_use_the_same_key() {
    let (database, company, buyer) = shop(&[("A", 10)]).await;
    let ours = Draft::of(company, &[("A", 1)]);
    ours.place(&buyer).await;
    let other = Uuid::now_v7();
    let theirs = Draft { company: other, hash: vec![9], ..ours.again() };
    assert_eq!(theirs.place(&database.company("orders", other).await).await.outcome, "created");
}

#[tokio::test]
async fn a_refusal_names_each_lacking_line_and_leaves_nothing() {
    let (database, company, buyer) = shop(&[("A", 10), ("B", 1)]).await;
    let draft = Draft::of(company, &[("A", 4), ("B", 2), ("none", 1), ("A", 7)]);
    let refused = draft.place(&buyer).await;
    assert_eq!(refused.outcome, "stock");
    // Lines of one SKU are served in their order: the second finds what the first has left.
    let lacking = json!([
        {"line": 4, "sku": "A", "wanted": 7, "available": 6},
        {"line": 2, "sku": "B", "wanted": 2, "available": 1},
        {"line": 3, "sku": "none", "wanted": 1, "available": 0},
    ]);
    assert_eq!(refused.detail, Some(lacking));
    assert_eq!(traces(&database).await, [0; 6]);
    assert_eq!((on_hand(&buyer, "A").await, on_hand(&buyer, "B").await), (10, 1));
}

#[tokio::test]
async fn a_refused_request_succeeds_under_its_key_once_there_is_stock() {
    let (database, company, buyer) = shop(&[("A", 1)]).await;
    let draft = Draft::of(company, &[("A", 2)]);
    assert_eq!(draft.place(&buyer).await.outcome, "stock");
    let seller = database.wide("orders", "seller").await;
    seller.batch_execute("SELECT adjust_stock('{A}', '{1}', now(), uuidv7())").await.unwrap();
    assert_eq!(draft.again().place(&buyer).await.outcome, "created");
    assert_eq!(traces(&database).await, [1, 1, 1, 1, 1, 1]);
}

#[tokio::test]
async fn a_transaction_goes_on_after_a_refusal() {
    let (database, company, buyer) = shop(&[("A", 1)]).await;
    buyer.batch_execute("BEGIN").await.unwrap();
    assert_eq!(Draft::of(company, &[("A", 2)]).place(&buyer).await.outcome, "stock");
    assert_eq!(Draft::of(company, &[("A", 1)]).place(&buyer).await.outcome, "created");
    assert_eq!(crate::support::text(&buyer, "SHOW lock_timeout").await, "0");
    buyer.batch_execute("COMMIT").await.unwrap();
    assert_eq!(traces(&database).await, [1, 1, 1, 1, 1, 1]);
}

#[tokio::test]
async fn a_twin_waits_for_the_first_and_returns_its_bytes() {
    let (database, company, buyer) = shop(&[("A", 10)]).await;
    let first = Draft::of(company, &[("A", 3)]);
    buyer.batch_execute("BEGIN").await.unwrap();
    first.place(&buyer).await;

    let twin = database.company("orders", company).await;
    let request = first.again();
    let admin = database.admin().await;
    let commit = async {
        someone_waits(&admin).await;
        buyer.batch_execute("COMMIT").await.unwrap();
    };
    let (repeat, ()) = tokio::join!(request.place(&twin), commit);
    assert_eq!(
        repeat,
        Placed { outcome: "replayed".to_owned(), detail: None, response: Some(first.response) }
    );
    assert_eq!(traces(&database).await, [1, 1, 1, 1, 1, 1]);
}

#[tokio::test]
async fn a_twin_that_waits_too_long_is_told_so_and_its_transaction_goes_on() {
    let (database, company, buyer) = shop(&[("A", 10)]).await;
    let first = Draft::of(company, &[("A", 3)]);
    buyer.batch_execute("BEGIN").await.unwrap();
    first.place(&buyer).await;

    let twin = database.company("orders", company).await;
    twin.batch_execute("BEGIN").await.unwrap();
    assert_eq!(
        first.again().place(&twin).await,
        Placed { outcome: "busy".to_owned(), detail: None, response: None }
    );
    buyer.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(first.again().place(&twin).await.outcome, "created");
    twin.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn the_callers_own_lock_timeout_holds_for_stock_and_is_not_taken_for_a_twin() {
    let (database, company, buyer) = shop(&[("A", 10)]).await;
    buyer.batch_execute("BEGIN").await.unwrap();
    Draft::of(company, &[("A", 3)]).place(&buyer).await;

    let other = database.company("orders", company).await;
    other.batch_execute("SET lock_timeout = '50ms'").await.unwrap();
    let err = Draft::of(company, &[("A", 1)]).try_place(&other).await.unwrap_err();
    assert_eq!(err.code(), Some(&SqlState::LOCK_NOT_AVAILABLE));
    buyer.batch_execute("COMMIT").await.unwrap();
    assert_eq!(traces(&database).await, [1, 1, 1, 1, 1, 1]);
}

#[tokio::test]
async fn an_id_with_a_wrong_clock_is_refused_before_it_chooses_a_partition() {
    let (database, company, buyer) = shop(&[("A", 10)]).await;
    let ids = [Uuid::nil(), Uuid::new_v4(), "01800000-0000-7000-8000-000000000000".parse().unwrap()];
    for id in ids {
        assert_eq!(
            Draft { id, ..Draft::of(company, &[("A", 1)]) }.place(&buyer).await.outcome,
            "clock",
            "{id}"
        );
    }
    assert_eq!(traces(&database).await, [0; 6]);
}

#[tokio::test]
async fn without_a_company_nothing_is_placed() {
    let (database, company, _) = shop(&[("A", 10)]).await;
    let nobody = database.service("orders").await;
    let err = Draft::of(company, &[("A", 1)]).try_place(&nobody).await.unwrap_err();
    assert_eq!(err.code(), Some(&SqlState::UNDEFINED_OBJECT));
    assert_eq!(traces(&database).await, [0; 6]);
    assert_eq!(refusal(&nobody, "UPDATE stock SET on_hand = -1").await, SqlState::CHECK_VIOLATION);
}
