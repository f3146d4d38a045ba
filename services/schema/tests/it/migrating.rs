//! Migrating: repeatable, race-safe, complete.

use schema::{Error, NotReady, Options, RolePasswords, Schema};

use crate::support::{CONNECTION_LIMIT, Database, SERVICES, number, text};

/// All that migrations make, as one text: relations with their columns, functions, policies, rights and role settings.
const FINGERPRINT: &str = "
    SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (
        SELECT 'relation ' || c.oid::regclass::text || ' ' || c.relkind::text || ' ' || coalesce(c.relacl::text, '') || ' ' || coalesce(c.reloptions::text, '') AS line
          FROM pg_class c WHERE c.relnamespace::regnamespace::text IN ('sipup', 'jobs', 'catalog', 'auth', 'orders')
        UNION ALL
        SELECT 'function ' || p.oid::text || p.xmin::text || ' ' || coalesce(p.proacl::text, '') FROM pg_proc p
         WHERE p.pronamespace::regnamespace::text IN ('sipup', 'jobs', 'catalog', 'auth', 'orders')
        UNION ALL
        SELECT 'policy ' || p.oid::text FROM pg_policy p
        UNION ALL
        SELECT 'schema ' || n.nspname || coalesce(n.nspacl::text, '') FROM pg_namespace n WHERE n.nspname NOT LIKE 'pg%'
        UNION ALL
        SELECT 'database ' || datacl::text FROM pg_database WHERE datname = current_database()
        UNION ALL
        SELECT 'setting ' || setrole::regrole::text || setconfig::text FROM pg_db_role_setting WHERE setrole::regrole::text LIKE 'svc%'
    ) AS lines";

#[tokio::test]
async fn a_second_migration_changes_nothing() {
    let database = Database::empty().await;
    let first = database.migrate().await;
    assert_eq!(first.schemas.iter().map(|schema| schema.schema).collect::<Vec<_>>(), Schema::ALL);
    assert!(
        first.schemas.iter().all(|schema| schema.applied.len() == usize::try_from(schema.version).unwrap())
    );

    let admin = database.admin().await;
    let before = text(&admin, FINGERPRINT).await;
    let second = database.migrate().await;
    assert!(second.is_unchanged(), "{second:?}");
    assert_eq!(text(&admin, FINGERPRINT).await, before);
}

#[tokio::test]
async fn several_migrators_of_several_databases_at_once_do_the_work_once_each() {
    let (one, two) = (Database::empty().await, Database::empty().await);
    let reports = futures::future::join_all([&one, &one, &one, &two, &two].map(Database::migrate)).await;
    for (reports, database) in [(&reports[..3], &one), (&reports[3..], &two)] {
        assert_eq!(reports.iter().filter(|report| !report.is_unchanged()).count(), 1, "{reports:?}");
        for service in SERVICES {
            let found: i64 =
                number(&database.service(service).await, "SELECT count(*) FROM sipup.schema_versions").await;
            assert_eq!(found, 5);
        }
    }
}

#[tokio::test]
async fn an_empty_password_is_refused_before_anything_happens() {
    let database = Database::empty().await;
    let passwords = RolePasswords { auth: Some(String::new()), ..RolePasswords::none() };
    let options = Options { passwords, ..Options::default() };
    let refused = schema::migrate(database.admin().await, &options).await;
    assert!(matches!(refused, Err(Error::EmptyPassword { role: "svc_auth" })), "{refused:?}");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'sipup'";
    assert_eq!(number(&database.admin().await, schemas).await, 0);
}

#[tokio::test]
async fn an_older_program_may_migrate_a_newer_schema_as_long_as_it_is_served() {
    let database = Database::migrated().await;
    let admin = database.admin().await;
    admin
        .batch_execute("UPDATE sipup.schema_versions SET version = 99 WHERE schema_name = 'orders'")
        .await
        .unwrap();
    let report = database.migrate().await;
    assert!(report.is_unchanged());
    assert_eq!(report.schemas.last().unwrap().version, 99);
    let service = database.service("orders").await;
    schema::check(&service, Schema::Orders).await.unwrap();

    admin
        .batch_execute("UPDATE sipup.schema_versions SET compatible_from = 98 WHERE schema_name = 'orders'")
        .await
        .unwrap();
    let refused = database.try_migrate().await;
    assert!(
        matches!(refused, Err(Error::TooNew(NotReady::TooNew { schema: Schema::Orders, .. }))),
        "{refused:?}"
    );
    let refused = schema::check(&service, Schema::Orders).await;
    assert!(matches!(refused, Err(NotReady::TooNew { compatible_from: 98, .. })), "{refused:?}");
    // The others don't use orders.
    schema::check(&database.service("catalog").await, Schema::Catalog).await.unwrap();
}

#[tokio::test]
async fn a_service_is_not_ready_before_the_migration_it_needs() {
    let database = Database::empty().await;
    // Makes the roles, without this database.
    Database::migrated().await;
    let service = database.service("orders").await;
    let refused = schema::check(&service, Schema::Orders).await;
    assert!(matches!(refused, Err(NotReady::Missing { .. })), "{refused:?}");

    database.migrate().await;
    schema::check(&service, Schema::Orders).await.unwrap();
    let admin = database.admin().await;
    admin
        .batch_execute("UPDATE sipup.schema_versions SET version = 1 WHERE schema_name = 'jobs'")
        .await
        .unwrap();
    let refused = schema::check(&service, Schema::Orders).await;
    assert!(matches!(refused, Err(NotReady::TooOld { schema: Schema::Jobs, found: 1, .. })), "{refused:?}");
}

#[tokio::test]
async fn thirteen_months_ahead_and_seven_days_ahead_have_partitions() {
    let database = Database::migrated().await;
    let system = database.wide("jobs", "system").await;
    for parent in ["orders", "order_lines", "order_events"] {
        let months = number(
            &system,
            &format!(
                "SELECT count(*) FROM generate_series(-1, 13) AS m
                  WHERE to_regclass('orders.{parent}_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => m::int), 'YYYY_MM')) IS NOT NULL"
            ),
        )
        .await;
        assert_eq!(months, 15, "{parent}");
    }
    assert_eq!(
        number(&system, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'jobs.history'::regclass").await,
        8
    );
    assert_eq!(schema::ensure_partitions(&system).await.unwrap(), 0);
}

#[tokio::test]
async fn missing_partitions_are_made_beside_an_open_writer_and_old_days_are_dropped() {
    let database = Database::migrated().await;
    let admin = database.admin().await;
    admin
        .batch_execute(
            "DO $$ BEGIN
                 EXECUTE format('DROP TABLE orders.%I', 'orders_' || to_char(now() AT TIME ZONE 'UTC' + interval '5 months', 'YYYY_MM'));
                 PERFORM sipup.add_partition('jobs.history', to_char(current_date - 9, 'YYYY_MM_DD'), 'finished_at', (current_date - 9)::text, (current_date - 8)::text);
             END $$",
        )
        .await
        .unwrap();
    let company = uuid::Uuid::now_v7();
    let writer = database.company("orders", company).await;
    writer
        .batch_execute(&format!(
            "BEGIN; INSERT INTO orders.order_events (order_id, seq, company_id, kind, at) VALUES (uuidv7(), 1, '{company}', 'placed', now())"
        ))
        .await
        .unwrap();
    let system = database.wide("jobs", "system").await;
    assert_eq!(schema::ensure_partitions(&system).await.unwrap(), 1);
    assert_eq!(
        number(&admin, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'orders.orders'::regclass").await,
        15
    );
    assert_eq!(
        number(&admin, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'jobs.history'::regclass").await,
        8
    );
    writer.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn every_column_table_and_function_has_a_comment() {
    let database = Database::migrated().await;
    let bare = "SELECT coalesce(string_agg(what, ', ' ORDER BY what), '') FROM (
        SELECT c.oid::regclass || '.' || a.attname AS what
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace::regnamespace::text IN ('sipup', 'jobs', 'catalog', 'auth', 'orders') AND c.relkind IN ('r', 'p', 'v')
           AND NOT c.relispartition AND col_description(c.oid, a.attnum) IS NULL
        UNION ALL
        SELECT c.oid::regclass::text FROM pg_class c
         WHERE c.relnamespace::regnamespace::text IN ('sipup', 'jobs', 'catalog', 'auth', 'orders') AND c.relkind IN ('r', 'p', 'v')
           AND NOT c.relispartition AND obj_description(c.oid, 'pg_class') IS NULL
        UNION ALL
        SELECT p.oid::regprocedure::text FROM pg_proc p
         WHERE p.pronamespace::regnamespace::text IN ('sipup', 'jobs', 'catalog', 'auth', 'orders') AND obj_description(p.oid, 'pg_proc') IS NULL
    ) AS bare";
    assert_eq!(text(&database.admin().await, bare).await, "");
}

#[tokio::test]
async fn no_constraint_has_a_name_that_postgres_made_up() {
    let database = Database::migrated().await;
    // Made-up names: <table>_<column>_check, <table>_<column>_fkey, or either with a number. Keys are named the way Postgres would.
    let made_up = "SELECT coalesce(string_agg(conrelid::regclass || ': ' || conname, ', '), '') FROM pg_constraint
        WHERE connamespace::regnamespace::text IN ('sipup', 'jobs', 'catalog', 'auth', 'orders')
          AND contype IN ('c', 'f', 'u', 'p') AND (conname ~ '_(check|fkey)[0-9]*$' OR conname ~ '(pkey|key)[0-9]+$')";
    assert_eq!(text(&database.admin().await, made_up).await, "");
}

#[tokio::test]
async fn log_in_roles_have_their_settings_and_limits() {
    let database = Database::migrated().await;
    for service in SERVICES {
        let client = database.service(service).await;
        assert_eq!(text(&client, "SHOW search_path").await, format!("{service}, pg_catalog, pg_temp"));
        assert_eq!(text(&client, "SHOW plan_cache_mode").await, "force_generic_plan");
        assert_eq!(text(&client, "SHOW statement_timeout").await, "1min");
        assert_eq!(text(&client, "SHOW idle_in_transaction_session_timeout").await, "1min");
        let limit = "SELECT rolconnlimit::bigint FROM pg_roles WHERE rolname = current_user AND NOT rolsuper AND NOT rolbypassrls AND NOT rolcreaterole";
        assert_eq!(number(&client, limit).await, i64::from(CONNECTION_LIMIT));
    }
}
