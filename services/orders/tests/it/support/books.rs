//! The database behind the service's back: what is really there, and whether it adds up.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::{connect, until};

/// What must never be so: what it is, and a query for its cases.
const FAULTS: [(&str, &str); 7] = [
    ("negative stock", "SELECT sku FROM orders.stock WHERE on_hand < 0"),
    (
        "an order whose total is not the sum of its lines",
        "SELECT o.id::text FROM orders.orders o
           LEFT JOIN (SELECT order_id, sum(quantity * price_minor) AS total FROM orders.order_lines GROUP BY order_id) l
             ON l.order_id = o.id
          WHERE l.total IS DISTINCT FROM o.total_minor",
    ),
    (
        "a line, an event or a mail without an order",
        "SELECT x.id::text FROM (SELECT order_id AS id FROM orders.order_lines
                                 UNION ALL SELECT order_id FROM orders.order_events
                                 UNION ALL SELECT (args->'order'->>'id')::uuid FROM jobs.ready) x
          WHERE NOT EXISTS (SELECT FROM orders.orders o WHERE o.id = x.id)",
    ),
    (
        "an order whose events have a gap",
        "SELECT o.id::text FROM orders.orders o LEFT JOIN orders.order_events e ON e.order_id = o.id GROUP BY o.id
         HAVING min(e.seq) IS DISTINCT FROM 1 OR max(e.seq) <> count(*)",
    ),
    (
        "an order whose events do not lead to its state",
        "SELECT o.id::text FROM orders.orders o LEFT JOIN orders.order_events e ON e.order_id = o.id GROUP BY o.id, o.state
         HAVING string_agg(e.kind, ' ' ORDER BY e.seq) IS DISTINCT FROM
                (ARRAY['placed', 'placed shipped', 'placed cancelled'])[o.state]",
    ),
    (
        "an order without exactly one mail",
        "SELECT o.id::text FROM orders.orders o
          WHERE (SELECT count(*) FROM jobs.ready j WHERE j.kind = 'email' AND j.args->'order'->>'id' = o.id::text) <> 1",
    ),
    ("a key without an answer", "SELECT key FROM orders.idempotency WHERE response IS NULL"),
];

/// A superuser's view of the service's tables.
pub(crate) struct Books {
    client: Client,
    url: String,
}

impl Books {
    pub(crate) async fn open(url: &str) -> Self {
        Self { client: connect(url).await, url: url.to_owned() }
    }

    /// Fails unless every rule of the books holds.
    pub(crate) async fn check(&self) {
        let faults = self.faults().await;
        assert!(faults.is_empty(), "{faults:?}");
    }

    /// The rules that don't hold, each with its cases.
    pub(crate) async fn faults(&self) -> Vec<(&'static str, Vec<String>)> {
        let mut faults = Vec::new();
        for (fault, sql) in FAULTS {
            let rows = self.client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{fault}: {error:?}"));
            if !rows.is_empty() {
                faults.push((fault, rows.iter().map(|row| row.get(0)).collect()));
            }
        }
        faults
    }

    /// Runs `sql` behind the service's back.
    pub(crate) async fn tamper(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Units of each SKU: on the shelf, and in orders that were not cancelled.
    pub(crate) async fn units(&self) -> BTreeMap<String, (i64, i64)> {
        let sql = "SELECT s.sku, s.on_hand::bigint,
                          coalesce((SELECT sum(l.quantity) FROM orders.order_lines l JOIN orders.orders o ON o.id = l.order_id
                                     WHERE l.sku = s.sku AND o.state <> 3), 0)::bigint
                     FROM orders.stock s";
        let rows = self.client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect()
    }

    /// How many rows a table has.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) FROM {table}")).await
    }

    /// The first column of the only row.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
    }

    /// The only row.
    pub(crate) async fn row(&self, sql: &str) -> tokio_postgres::Row {
        self.client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// Holds the stock of `sku`, so that whoever wants to change it waits, until the answer is dropped or released.
    pub(crate) async fn hold(&self, sku: &str) -> Held {
        let client = connect(&self.url).await;
        client.batch_execute("BEGIN").await.unwrap();
        client
            .query_one("SELECT on_hand FROM orders.stock WHERE sku = $1 FOR UPDATE", &[&sku])
            .await
            .unwrap();
        Held(client)
    }

    /// Waits until `count` of the service's connections wait for a lock.
    pub(crate) async fn until_waiting(&self, count: i64) {
        until("a call waits for a lock", async || self.waiting().await == count).await;
    }

    async fn waiting(&self) -> i64 {
        self.number(
            "SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND usename = 'svc_orders' AND wait_event_type = 'Lock'",
        )
        .await
    }

    /// Ends the service's connections that wait for a lock; answers how many.
    pub(crate) async fn kill_waiting(&self) -> i64 {
        self.number(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
              WHERE datname = current_database() AND usename = 'svc_orders' AND wait_event_type = 'Lock'",
        )
        .await
    }

    /// Ends one of the service's busy connections, if there is one.
    pub(crate) async fn kill_one(&self) -> i64 {
        self.number(
            "SELECT count(pg_terminate_backend(pid))
               FROM (SELECT pid FROM pg_stat_activity
                      WHERE datname = current_database() AND usename = 'svc_orders' AND state <> 'idle' ORDER BY random() LIMIT 1) x",
        )
        .await
    }
}

/// A lock on the stock of a SKU.
pub(crate) struct Held(Client);

impl Held {
    pub(crate) async fn release(self) {
        self.0.batch_execute("ROLLBACK").await.unwrap();
    }
}
