//! Writing many products at once, and keeping the categories a tree.

use tokio_postgres::{Client, Error};
use uuid::Uuid;

use crate::support::{Database, number, refusal, someone_waits, text};

/// A row of a batch.
#[derive(Clone)]
struct Row {
    sku: String,
    name: String,
    category: String,
    price: i64,
}

fn row(sku: &str, price: i64) -> Row {
    Row { sku: sku.to_owned(), name: format!("Product {sku}"), category: "tools".to_owned(), price }
}

const PUT: &str =
    "SELECT n, outcome, id FROM put_products($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now(), uuidv7())";

async fn try_put(client: &Client, policy: &str, rows: &[Row]) -> Result<Vec<(String, Option<Uuid>)>, Error> {
    let ids: Vec<_> = rows.iter().map(|_| Uuid::now_v7()).collect();
    let empty = vec![""; rows.len()];
    let answers = client
        .query(
            PUT,
            &[
                &ids,
                &rows.iter().map(|row| row.sku.as_str()).collect::<Vec<_>>(),
                &rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
                &empty,
                &empty,
                &rows.iter().map(|row| row.category.as_str()).collect::<Vec<_>>(),
                &rows.iter().map(|row| row.price).collect::<Vec<_>>(),
                &vec!["EUR"; rows.len()],
                &vec!["piece"; rows.len()],
                &vec![true; rows.len()],
                &policy,
            ],
        )
        .await?;
    assert!(
        answers.iter().enumerate().all(|(n, answer)| usize::try_from(answer.get::<_, i32>(0)) == Ok(n + 1))
    );
    Ok(answers.iter().map(|answer| (answer.get(1), answer.get(2))).collect())
}

async fn put(client: &Client, policy: &str, rows: &[Row]) -> Vec<(String, Option<Uuid>)> {
    try_put(client, policy, rows).await.unwrap_or_else(|err| panic!("{err:?}"))
}

fn outcomes(answers: &[(String, Option<Uuid>)]) -> Vec<&str> {
    answers.iter().map(|(outcome, _)| outcome.as_str()).collect()
}

async fn shop() -> (Database, Client) {
    let database = Database::migrated().await;
    let client = database.service("catalog").await;
    client.batch_execute("INSERT INTO categories (id, name) VALUES ('tools', 'Tools')").await.unwrap();
    (database, client)
}

#[tokio::test]
async fn each_row_of_a_batch_has_its_own_outcome() {
    let (_database, client) = shop().await;
    let created = put(&client, "reject", &[row("b", 2), row("A", 1)]).await;
    assert_eq!(outcomes(&created), ["created", "created"]);

    let nowhere = Row { category: "none".to_owned(), ..row("D", 1) };
    let batch = [row("A", 5), row("C", 1), nowhere, row("b", 2)];
    let rejected = put(&client, "reject", &batch).await;
    assert_eq!(outcomes(&rejected), ["sku_taken", "created", "category_not_found", "sku_taken"]);
    assert_eq!((rejected[0].1, rejected[2].1), (None, None));

    let skipped = put(&client, "skip", &batch).await;
    assert_eq!(outcomes(&skipped), ["unchanged", "unchanged", "category_not_found", "unchanged"]);
    assert_eq!(skipped[0].1, created[1].1);
    let updated = put(&client, "update", &batch).await;
    assert_eq!(outcomes(&updated), ["updated", "unchanged", "category_not_found", "unchanged"]);
    assert_eq!((updated[0].1, updated[3].1), (created[1].1, created[0].1));
    let row = client
        .query_one("SELECT price_minor, version, updated_by IS NOT NULL FROM products WHERE sku = 'A'", &[])
        .await
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, bool>(2)), (5, 2, true));
}

#[tokio::test]
async fn rows_that_need_no_change_are_neither_locked_nor_written() {
    let (database, client) = shop().await;
    put(&client, "update", &[row("A", 1), row("B", 1)]).await;
    let versions =
        "SELECT string_agg(xmin::text || ' ' || xmax::text, ',' ORDER BY sku) FROM products WHERE sku = 'A'";
    let before = text(&client, versions).await;
    // Somebody holds the row all the while.
    let other = database.service("catalog").await;
    other.batch_execute("BEGIN; SELECT 1 FROM products WHERE sku = 'A' FOR UPDATE").await.unwrap();
    client.batch_execute("SET lock_timeout = '100ms'").await.unwrap();
    for policy in ["update", "skip", "reject"] {
        put(&client, policy, &[row("A", 1)]).await;
    }
    assert_eq!(
        outcomes(&put(&client, "update", &[row("A", 1), row("B", 7)]).await),
        ["unchanged", "updated"]
    );
    other.batch_execute("ROLLBACK").await.unwrap();
    let after = text(&client, versions).await;
    assert_eq!(before.split(' ').next(), after.split(' ').next());
}

#[tokio::test]
async fn five_thousand_rows_go_in_with_one_call_and_again_as_unchanged() {
    let (_database, client) = shop().await;
    let rows: Vec<_> = (0..5000).map(|n| row(&format!("SKU-{n}"), n)).collect();
    assert!(
        put(&client, "update", &rows).await.iter().all(|(outcome, id)| outcome == "created" && id.is_some())
    );
    let mut changed = rows.clone();
    for row in changed.iter_mut().step_by(10) {
        row.price += 1;
    }
    let answers = put(&client, "update", &changed).await;
    assert_eq!(answers.iter().filter(|(outcome, _)| outcome == "updated").count(), 500);
    assert_eq!(answers.iter().filter(|(outcome, _)| outcome == "unchanged").count(), 4500);
    assert_eq!(number(&client, "SELECT count(*) FROM products").await, 5000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_the_same_skus_at_once_neither_deadlock_nor_lose_a_row() {
    let (database, _) = shop().await;
    let work = futures::future::join_all((0..6).map(async |writer| {
        let client = database.service("catalog").await;
        let mut created = 0;
        for round in 0..5_i64 {
            let mut rows: Vec<_> =
                (0..60).map(|n| row(&format!("S{}", (n + round * 20) % 150), round * 10 + writer)).collect();
            if (writer + round) % 2 == 0 {
                rows.reverse();
            }
            let answers = put(&client, "update", &rows).await;
            created += answers.iter().filter(|(outcome, _)| outcome == "created").count();
        }
        created
    }))
    .await;
    let client = database.service("catalog").await;
    let products = number(&client, "SELECT count(*) FROM products").await;
    assert_eq!(work.iter().sum::<usize>(), usize::try_from(products).unwrap());
    assert_eq!(
        number(&client, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await,
        0
    );
}

#[tokio::test]
async fn a_bad_policy_and_a_bad_row_are_refused_by_name() {
    let (_database, client) = shop().await;
    assert!(try_put(&client, "maybe", &[row("A", 1)]).await.is_err());
    let err = try_put(&client, "reject", &[row("no spaces", 1)]).await.unwrap_err();
    assert_eq!(err.as_db_error().and_then(|err| err.constraint()), Some("products_sku_is_article_number"));
    assert_eq!(
        refusal(&client, "DELETE FROM categories; INSERT INTO products (id, sku, name, category_id, price_minor, currency) VALUES (uuidv7(), 'X', 'x', 'tools', 1, 'EUR')").await,
        tokio_postgres::error::SqlState::FOREIGN_KEY_VIOLATION
    );
}

#[tokio::test]
async fn categories_stay_a_tree_of_ten_levels() {
    let (_database, client) = shop().await;
    for level in 1..=9 {
        let parent = if level == 1 { "tools".to_owned() } else { format!("l{}", level - 1) };
        let check = format!("SELECT check_category_parent('l{level}', '{parent}')");
        assert_eq!(text(&client, &check).await, "ok");
        client
            .batch_execute(&format!(
                "INSERT INTO categories (id, parent_id, name) VALUES ('l{level}', '{parent}', 'x')"
            ))
            .await
            .unwrap();
    }
    let check = async |id: &str, parent: &str| {
        text(&client, &format!("SELECT check_category_parent('{id}', {parent})")).await
    };
    assert_eq!(check("l10", "'l9'").await, "cycle");
    assert_eq!(check("new", "'none'").await, "parent_not_found");
    assert_eq!(check("new", "'new'").await, "cycle");
    assert_eq!(check("l3", "'l7'").await, "cycle");
    assert_eq!(check("l3", "'l3'").await, "cycle");
    assert_eq!(check("l3", "NULL").await, "ok");
    // With everything below it, it would reach level eleven.
    client
        .batch_execute("INSERT INTO categories (id, parent_id, name) VALUES ('side', 'l3', 'x')")
        .await
        .unwrap();
    assert_eq!(check("l4", "'side'").await, "cycle");
    assert_eq!(check("l5", "'side'").await, "ok");
}

#[tokio::test]
async fn two_moves_at_once_cannot_close_a_circle() {
    let (database, client) = shop().await;
    client.batch_execute("INSERT INTO categories (id, name) VALUES ('a', 'A'), ('b', 'B')").await.unwrap();
    let other = database.service("catalog").await;
    client.batch_execute("BEGIN").await.unwrap();
    assert_eq!(text(&client, "SELECT check_category_parent('a', 'b')").await, "ok");
    client.batch_execute("UPDATE categories SET parent_id = 'b' WHERE id = 'a'").await.unwrap();
    let commit = async {
        someone_waits(&database.admin().await).await;
        client.batch_execute("COMMIT").await.unwrap();
    };
    let (verdict, ()) = tokio::join!(text(&other, "SELECT check_category_parent('b', 'a')"), commit);
    assert_eq!(verdict, "cycle");
}
