//! Row-level security: a company is alone, and a forgotten company is an error.

use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::{
    create_order::Draft,
    support::{Database, number, refusal},
};

/// Tables with a company, by service.
const TABLES: &[(&str, &[&str])] = &[
    ("catalog", &["price_lists", "prices", "company_price_lists"]),
    ("orders", &["orders", "order_lines", "order_events", "idempotency"]),
    ("auth", &["companies", "users", "sessions", "idempotency"]),
    (
        "jobs",
        &[
            "ready",
            "running",
            "scheduled",
            "dead",
            "history",
            "unique_keys",
            "all_jobs",
            "reports",
            "all_reports",
            "idempotency",
        ],
    ),
];

/// A policy is asked once there is a row to judge.
const ONE_ROW_EACH: &str = "
    INSERT INTO catalog.categories (id, name) VALUES ('a', 'A');
    INSERT INTO catalog.products (id, sku, name, category_id, price_minor, currency) VALUES (uuidv7(), 'A', 'A', 'a', 1, 'EUR');
    INSERT INTO catalog.price_lists (id, name, currency) VALUES ('a', 'A', 'EUR');
    INSERT INTO catalog.prices (price_list_id, sku, min_quantity, price_minor) VALUES ('a', 'A', 1, 1);
    INSERT INTO catalog.company_price_lists (company_id, price_list_id) VALUES (uuidv7(), 'a');
    INSERT INTO orders.orders (id, company_id, buyer_id, state, currency, total_minor) VALUES (uuidv7(), uuidv7(), uuidv7(), 1, 'EUR', 1);
    INSERT INTO orders.order_lines (order_id, line_no, company_id, product_id, sku, name, quantity, price_minor)
        SELECT id, 1, company_id, uuidv7(), 'A', 'A', 1, 1 FROM orders.orders;
    INSERT INTO orders.order_events (order_id, seq, company_id, kind, at) SELECT id, 1, company_id, 'placed', now() FROM orders.orders;
    INSERT INTO orders.idempotency (company_id, method, key, body_hash) VALUES (uuidv7(), 'm', 'k', '');
    INSERT INTO auth.companies (id, name) VALUES (uuidv7(), 'A');
    INSERT INTO auth.users (id, company_id, email, email_key, password_hash, display_name, role)
        SELECT uuidv7(), id, 'a@b', 'a@b', '', 'A', 'buyer' FROM auth.companies;
    INSERT INTO auth.sessions (id, user_id, company_id, expires_at) SELECT uuidv7(), id, company_id, now() FROM auth.users;
    INSERT INTO auth.idempotency (company_id, method, key, body_hash) VALUES (uuidv7(), 'm', 'k', '');
    SELECT jobs.enqueue(uuidv7(), 'q', 'k', '{}', p_unique_key => 'u');
    SELECT jobs.enqueue(uuidv7(), 'q', 'k', '{}', p_run_at => now() + interval '1 day');
    INSERT INTO jobs.running SELECT r.*, uuidv7(), now() FROM jobs.ready r;
    INSERT INTO jobs.dead SELECT r.*, now() FROM jobs.ready r;
    INSERT INTO jobs.history (id, company_id, queue, priority, kind, args, attempt, max_attempts, outcome, created_at)
        SELECT id, company_id, queue, priority, kind, args, attempt, max_attempts, 'done', created_at FROM jobs.ready;
    INSERT INTO jobs.reports (id, company_id, kind, format, period_start, period_end, job_id, expires_at, created_by)
        VALUES (uuidv7(), uuidv7(), 'orders', 'csv', now(), now() + interval '1 day', uuidv7(), now(), uuidv7());
    INSERT INTO jobs.idempotency (company_id, method, key, body_hash) VALUES (uuidv7(), 'm', 'k', '')";

#[tokio::test]
async fn another_companys_order_is_invisible_and_out_of_reach() {
    let database = Database::migrated().await;
    let seller = database.wide("orders", "seller").await;
    seller.batch_execute("SELECT adjust_stock('{A}', '{10}', now(), uuidv7())").await.unwrap();
    let (ours, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    let us = database.company("orders", ours).await;
    let them = database.company("orders", theirs).await;
    let draft = Draft::of(ours, &[("A", 3)]);
    assert_eq!(draft.place(&us).await.outcome, "created");

    for table in ["orders", "order_lines", "order_events", "idempotency"] {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(number(&us, &count).await, 1, "{table}");
        assert_eq!(number(&them, &count).await, 0, "{table}");
        assert_eq!(number(&seller, &count).await, 1, "{table}");
    }
    let cancel = format!("SELECT cancel_order('{}', uuidv7(), '', NULL, now())", draft.id);
    assert_eq!(crate::support::text(&them, &cancel).await, "not_found");
    let moved = them.execute("UPDATE orders SET state = 2", &[]).await.unwrap();
    assert_eq!(moved, 0);
    // An order in somebody else's name.
    let forged = Draft::of(theirs, &[("A", 1)]).try_place(&us).await.unwrap_err();
    assert_eq!(forged.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    assert_eq!(number(&seller, "SELECT on_hand::bigint FROM stock").await, 7);
}

#[tokio::test]
async fn without_a_company_every_table_refuses_loudly() {
    let database = Database::migrated().await;
    database.admin().await.batch_execute(ONE_ROW_EACH).await.unwrap();
    for (service, tables) in TABLES {
        for table in *tables {
            let client = database.service(service).await;
            let read = format!("SELECT 1 FROM {table}");
            assert_eq!(refusal(&client, &read).await, SqlState::UNDEFINED_OBJECT, "{service}.{table}");
            // Once a transaction of the session has set it, it is empty afterwards.
            client
                .batch_execute("BEGIN; SELECT set_config('sipup.company_id', uuidv7()::text, true); COMMIT")
                .await
                .unwrap();
            assert_eq!(
                refusal(&client, &read).await,
                SqlState::INVALID_TEXT_REPRESENTATION,
                "{service}.{table}"
            );
        }
    }
}

#[tokio::test]
async fn every_table_with_a_company_forces_its_policies() {
    let database = Database::migrated().await;
    let lax = "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'company_id'
                WHERE c.relnamespace::regnamespace::text IN ('catalog', 'jobs', 'auth', 'orders') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                  AND c.oid <> 'catalog.idempotency'::regclass
                  AND NOT (c.relrowsecurity AND c.relforcerowsecurity)";
    assert_eq!(number(&database.admin().await, lax).await, 0);
}

#[tokio::test]
async fn a_company_sees_its_own_price_list_and_no_other() {
    let database = Database::migrated().await;
    let admin = database.admin().await;
    let (ours, theirs, nobody) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    admin
        .batch_execute(&format!(
            "INSERT INTO catalog.categories (id, name) VALUES ('a', 'A');
             INSERT INTO catalog.products (id, sku, name, category_id, price_minor, currency)
             SELECT uuidv7(), 'S' || n, 'A', 'a', 1, 'EUR' FROM generate_series(1, 3) AS n;
             INSERT INTO catalog.price_lists (id, name, currency) VALUES ('ours', 'A', 'EUR'), ('theirs', 'A', 'EUR'), ('free', 'A', 'EUR');
             INSERT INTO catalog.prices (price_list_id, sku, min_quantity, price_minor)
             VALUES ('ours', 'S1', 1, 1), ('theirs', 'S1', 1, 2), ('theirs', 'S2', 1, 2), ('free', 'S3', 1, 3);
             INSERT INTO catalog.company_price_lists (company_id, price_list_id) VALUES ('{ours}', 'ours'), ('{theirs}', 'theirs')"
        ))
        .await
        .unwrap();
    let seen = "SELECT concat_ws(' ', (SELECT string_agg(id, '+' ORDER BY id) FROM price_lists),
                                 (SELECT sum(price_minor) FROM prices), (SELECT count(*) FROM company_price_lists))";
    for (company, expected) in [(ours, "ours 1 1"), (theirs, "theirs 4 1"), (nobody, "0")] {
        let client = database.company("catalog", company).await;
        assert_eq!(crate::support::text(&client, seen).await, expected);
    }
    for scope in ["seller", "system"] {
        let client = database.wide("catalog", scope).await;
        assert_eq!(crate::support::text(&client, seen).await, "free+ours+theirs 8 2", "{scope}");
    }
}

#[tokio::test]
async fn the_wider_roles_hold_only_while_they_are_taken() {
    let database = Database::migrated().await;
    let (ours, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    let client = database.company("jobs", ours).await;
    for company in [ours, theirs] {
        client.query_one("SELECT jobs.enqueue($1, 'email', 'email', '{}')", &[&company]).await.unwrap();
    }
    let count = client.prepare("SELECT count(*) FROM all_jobs").await.unwrap();
    // The same prepared statement under three roles: its plan follows the role.
    for (role, jobs) in [("svc_jobs", 1_i64), ("svc_jobs_seller", 2), ("svc_jobs_system", 2), ("svc_jobs", 1)]
    {
        client.batch_execute(&format!("BEGIN; SET LOCAL ROLE {role}")).await.unwrap();
        let seen: i64 = client.query_one(&count, &[]).await.unwrap().get(0);
        client.batch_execute("COMMIT").await.unwrap();
        assert_eq!(seen, jobs, "{role}");
    }
}

#[tokio::test]
async fn a_company_sees_its_own_people_and_not_their_sessions_elsewhere() {
    let database = Database::migrated().await;
    let system = database.wide("auth", "system").await;
    let (ours, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    for (n, company) in [ours, theirs].into_iter().enumerate() {
        system
            .batch_execute(&format!(
                "INSERT INTO companies (id, name) VALUES ('{company}', 'Company {n}');
                 INSERT INTO users (id, company_id, email, email_key, password_hash, display_name, role)
                 VALUES (uuidv7(), '{company}', 'A{n}@b.example', 'a{n}@b.example', 'hash', 'A', 'company_admin');
                 INSERT INTO sessions (id, user_id, company_id, expires_at, revoked_at, reason)
                 SELECT uuidv7(), id, company_id, now() + interval '1 day', now(), 'logout' FROM users WHERE company_id = '{company}'"
            ))
            .await
            .unwrap();
    }
    let us = database.company("auth", ours).await;
    for table in ["companies", "users", "sessions"] {
        assert_eq!(number(&us, &format!("SELECT count(*) FROM {table}")).await, 1, "{table}");
        assert_eq!(number(&system, &format!("SELECT count(*) FROM {table}")).await, 2, "{table}");
    }
    // Revocations concern every service, whatever the company.
    let revoked = "SELECT count(*) FROM auth.revoked_sessions(now() - interval '10 minutes')";
    assert_eq!(number(&database.service("catalog").await, revoked).await, 2);
    let twice = system
        .execute("UPDATE users SET email_key = 'a0@b.example' WHERE email_key = 'a1@b.example'", &[])
        .await
        .unwrap_err();
    assert_eq!(twice.as_db_error().and_then(|err| err.constraint()), Some("users_email_key_key"));
}

#[tokio::test]
async fn requests_older_than_thirty_days_are_forgotten_in_batches() {
    let database = Database::migrated().await;
    let company = Uuid::now_v7();
    for service in ["orders", "auth", "catalog"] {
        let admin = database.admin().await;
        admin
            .batch_execute(&format!(
                "INSERT INTO {service}.idempotency (company_id, method, key, body_hash, created_at)
                 SELECT '{company}', 'M', n::text, '', now() - make_interval(days => n) FROM generate_series(21, 40) AS n"
            ))
            .await
            .unwrap();
        let jobs = database.wide("jobs", "system").await;
        let forget = format!("SELECT {service}.delete_old_idempotency(8)");
        let mut deleted = Vec::new();
        while deleted.last() != Some(&0) {
            deleted.push(number(&jobs, &forget).await);
        }
        assert_eq!(deleted, [8, 3, 0], "{service}");
        assert_eq!(number(&admin, &format!("SELECT count(*) FROM {service}.idempotency")).await, 9);
    }
}
