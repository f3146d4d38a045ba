//! Each role can do what its service needs, and nothing else.

use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::support::{Database, SERVICES, refusal};

/// What no service role may do, in its own scope or in a wider one.
const NEVER: &[&str] = &[
    "CREATE TEMP TABLE t (n integer)",
    "CREATE TABLE public.t (n integer)",
    "CREATE TABLE {own}.t (n integer)",
    "CREATE FUNCTION {own}.f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA s",
    "CREATE ROLE r",
    "SET ROLE {own}_owner",
    "SET ROLE sipup_owner",
    "DROP TABLE {own}.migrations",
    "SELECT * FROM {own}.migrations",
    "UPDATE sipup.schema_versions SET version = 0",
    "SELECT sipup.add_partition('pg_class', '', '', '', '')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
];

/// Tables of each schema that other services must not even read.
const TABLES: &[(&str, &str)] = &[
    ("orders", "orders.orders"),
    ("orders", "orders.stock"),
    ("orders", "orders.idempotency"),
    ("catalog", "catalog.products"),
    ("catalog", "catalog.prices"),
    ("catalog", "catalog.company_price_lists"),
    ("auth", "auth.users"),
    ("auth", "auth.sessions"),
    ("jobs", "jobs.ready"),
    ("jobs", "jobs.history"),
    ("jobs", "jobs.reports"),
    ("jobs", "jobs.report_chunks"),
];

/// Functions that a role lacks: role, call.
const FOREIGN_FUNCTIONS: &[(&str, &str)] = &[
    ("svc_orders_system", "SELECT 1 FROM jobs.all_jobs"),
    ("svc_orders", "SELECT jobs.claim('email', 1, uuidv7(), '1 s', 0)"),
    ("svc_orders_system", "SELECT jobs.complete('{}', uuidv7())"),
    ("svc_auth_system", "SELECT jobs.cancel(uuidv7())"),
    ("svc_catalog_system", "SELECT jobs.ensure_partitions()"),
    ("svc_catalog", "SELECT catalog.set_prices('a', '{A}', '{1}', '{1}', '{EUR}', now(), uuidv7())"),
    ("svc_catalog", "SELECT catalog.assign_price_lists(ARRAY[uuidv7()], '{a}', now(), uuidv7())"),
    ("svc_jobs", "SELECT jobs.claim('email', 1, uuidv7(), '1 s', 0)"),
    ("svc_jobs_seller", "SELECT jobs.rescue(1)"),
    ("svc_jobs", "SELECT orders.ensure_partitions()"),
    ("svc_jobs_system", "SELECT orders.cancel_order(uuidv7(), uuidv7(), '', NULL, now())"),
    ("svc_jobs", "SELECT orders.report_lines(NULL, now(), now(), NULL, 1)"),
    ("svc_jobs_seller", "SELECT orders.report_lines(NULL, now(), now(), NULL, 1)"),
    ("svc_orders_system", "SELECT orders.report_lines(NULL, now(), now(), NULL, 1)"),
    ("svc_jobs", "SELECT data FROM jobs.report_chunks"),
    ("svc_jobs_seller", "SELECT data FROM jobs.report_chunks"),
    ("svc_jobs", "DELETE FROM jobs.reports"),
    ("svc_orders", "SELECT orders.ship_order(uuidv7(), uuidv7(), NULL, now())"),
    ("svc_orders", "SELECT orders.adjust_stock('{A}', '{1}', now(), uuidv7())"),
    ("svc_orders", "SELECT orders.delete_old_idempotency(1)"),
    (
        "svc_orders_seller",
        "SELECT orders.create_order(uuidv7(), uuidv7(), uuidv7(), '', '', '', '', '', '', '', '{}', '{}', '{}', '{}', '{}', NULL, now())",
    ),
    (
        "svc_catalog",
        "SELECT orders.create_order(uuidv7(), uuidv7(), uuidv7(), '', '', '', '', '', '', '', '{}', '{}', '{}', '{}', '{}', NULL, now())",
    ),
];

/// What a service must not do in its own schema: role, statement.
const OWN_SCHEMA: &[(&str, &str)] = &[
    ("svc_orders", "DELETE FROM orders"),
    ("svc_orders", "UPDATE orders SET total_minor = 0"),
    ("svc_orders", "UPDATE orders SET company_id = uuidv7()"),
    ("svc_orders", "UPDATE order_lines SET quantity = 1"),
    ("svc_orders", "DELETE FROM order_events"),
    ("svc_orders", "INSERT INTO stock (sku, on_hand) VALUES ('A', 1)"),
    ("svc_orders_system", "DELETE FROM idempotency"),
    ("svc_orders_system", "UPDATE idempotency SET body_hash = ''"),
    ("svc_orders_seller", "DELETE FROM stock"),
    ("svc_catalog", "INSERT INTO company_price_lists (company_id, price_list_id) VALUES (uuidv7(), 'a')"),
    ("svc_catalog", "UPDATE company_price_lists SET price_list_id = 'a'"),
    ("svc_catalog", "DELETE FROM company_price_lists"),
    ("svc_catalog", "UPDATE prices SET price_minor = 0"),
    ("svc_catalog", "DELETE FROM price_lists"),
    ("svc_catalog_seller", "UPDATE price_lists SET currency = 'USD'"),
    ("svc_catalog_seller", "UPDATE company_price_lists SET company_id = uuidv7()"),
    ("svc_auth", "SELECT password_hash FROM users"),
    ("svc_auth_seller", "SELECT password_hash FROM users"),
    ("svc_auth", "UPDATE users SET role = 'seller'"),
    (
        "svc_auth",
        "INSERT INTO sessions (id, user_id, company_id, expires_at) VALUES (uuidv7(), uuidv7(), uuidv7(), now())",
    ),
    ("svc_auth_system", "DELETE FROM users"),
    ("svc_jobs", "INSERT INTO ready (id, queue, priority, kind, args) VALUES (uuidv7(), 'q', 1, 'k', '{}')"),
    ("svc_jobs", "UPDATE queues SET paused = true"),
    ("svc_jobs_seller", "DELETE FROM running"),
];

#[tokio::test]
async fn no_service_role_creates_anything_or_becomes_somebody_else() {
    let database = Database::migrated().await;
    for service in SERVICES {
        for scope in ["", "_seller", "_system"] {
            let client = database.service(service).await;
            client.batch_execute(&format!("SET ROLE svc_{service}{scope}")).await.unwrap();
            for act in NEVER {
                let act = act.replace("{own}", service);
                assert_eq!(
                    refusal(&client, &act).await,
                    SqlState::INSUFFICIENT_PRIVILEGE,
                    "svc_{service}{scope}: {act}"
                );
            }
            for other in SERVICES.into_iter().filter(|other| *other != service) {
                for role in [
                    format!("svc_{other}"),
                    format!("svc_{other}_seller"),
                    format!("svc_{other}_system"),
                    format!("{other}_owner"),
                ] {
                    let act = format!("SET ROLE {role}");
                    assert_eq!(
                        refusal(&client, &act).await,
                        SqlState::INSUFFICIENT_PRIVILEGE,
                        "svc_{service}{scope}: {act}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn no_service_role_reads_another_services_tables() {
    let database = Database::migrated().await;
    for service in SERVICES {
        for scope in ["", "_seller", "_system"] {
            let client = database.service(service).await;
            client.batch_execute(&format!("SET ROLE svc_{service}{scope}")).await.unwrap();
            for (_, table) in TABLES.iter().filter(|(owner, _)| *owner != service) {
                for act in [format!("SELECT 1 FROM {table}"), format!("DELETE FROM {table}")] {
                    assert_eq!(
                        refusal(&client, &act).await,
                        SqlState::INSUFFICIENT_PRIVILEGE,
                        "svc_{service}{scope}: {act}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn functions_and_columns_that_a_role_has_no_business_with_are_refused() {
    let database = Database::migrated().await;
    for (role, act) in FOREIGN_FUNCTIONS.iter().chain(OWN_SCHEMA) {
        let service = role.split('_').nth(1).unwrap();
        let client = database.company(service, Uuid::now_v7()).await;
        client.batch_execute(&format!("SET ROLE {role}")).await.unwrap();
        assert_eq!(refusal(&client, act).await, SqlState::INSUFFICIENT_PRIVILEGE, "{role}: {act}");
    }
}

#[tokio::test]
async fn partitions_grant_nothing_to_anybody() {
    let database = Database::migrated().await;
    let granted = "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) AS a
                    WHERE c.relispartition AND c.relkind = 'r' AND a.grantee <> c.relowner";
    assert_eq!(crate::support::number(&database.admin().await, granted).await, 0);
}

#[tokio::test]
async fn nobody_but_owners_and_grantees_may_call_a_function() {
    let database = Database::migrated().await;
    let open = "SELECT count(*) FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                 WHERE p.pronamespace::regnamespace::text IN ('sipup', 'jobs', 'catalog', 'auth', 'orders') AND a.grantee = 0";
    assert_eq!(crate::support::number(&database.admin().await, open).await, 0);
    let database_rights = "SELECT count(*) FROM pg_database d, aclexplode(d.datacl) AS a WHERE d.datname = current_database() AND a.grantee = 0";
    assert_eq!(crate::support::number(&database.admin().await, database_rights).await, 0);
}

#[tokio::test]
async fn every_service_enqueues_jobs_and_reads_revoked_sessions() {
    let database = Database::migrated().await;
    for service in SERVICES {
        for scope in ["", "_seller", "_system"] {
            let client = database.service(service).await;
            client.batch_execute(&format!("SET ROLE svc_{service}{scope}")).await.unwrap();
            client.query_one("SELECT jobs.enqueue(uuidv7(), 'email', 'email', '{}')", &[]).await.unwrap();
            let many = client
                .query("SELECT jobs.enqueue_many(NULL, 'email', 'email', ARRAY['{}', '{}']::jsonb[])", &[])
                .await
                .unwrap();
            assert_eq!(many.len(), 2);
            client
                .query("SELECT * FROM auth.revoked_sessions(now() - interval '10 minutes')", &[])
                .await
                .unwrap();
        }
    }
    let system = database.wide("jobs", "system").await;
    assert_eq!(crate::support::number(&system, "SELECT count(*) FROM ready").await, 36);
}

#[tokio::test]
async fn a_temporary_function_cannot_stand_in_for_one_that_a_definer_calls() {
    let database = Database::migrated().await;
    let client = database.service("orders").await;
    // Even in front of everything else: definers search pg_catalog alone.
    client.batch_execute("SET search_path = pg_temp, orders, pg_catalog").await.unwrap();
    assert_eq!(
        refusal(&client, "CREATE FUNCTION pg_temp.uuidv7() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'")
            .await,
        SqlState::INSUFFICIENT_PRIVILEGE
    );
    let definers = "SELECT count(*) FROM pg_proc p
                     WHERE p.prosecdef AND p.pronamespace::regnamespace::text IN ('sipup', 'jobs', 'catalog', 'auth', 'orders')
                       AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)";
    assert_eq!(crate::support::number(&database.admin().await, definers).await, 0);
}
