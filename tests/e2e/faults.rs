//! What breaks, and what must hold all the same: no order lost, doubled or half, no read older than the reader's own write.

use std::{collections::HashSet, error::Error as _, process::Command};

use futures::{StreamExt as _, stream};
use proto::orders::v1::{CancelOrderRequest, GetInventoryRequest, GetOrderRequest, OrderState};
use tests::{Stack, clients::Client, wait};
use tonic::Code;
use uuid::Uuid;

use crate::world::{breakable, buyer, product};

/// Orders placed at once while something breaks.
const ORDERS: usize = 500;

/// Sends a signal to a process of the stack.
pub(crate) fn signal(signal: &str, pid: i32) {
    let status = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -{signal} {pid}");
}

/// Processes that hang for as long as this lives: a test that fails must not leave them hanging.
pub(crate) struct Hanging(Vec<i32>);

impl Hanging {
    pub(crate) fn new(pids: Vec<i32>) -> Self {
        for pid in &pids {
            signal("STOP", *pid);
        }
        Self(pids)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        for pid in &self.0 {
            // One that has ended meanwhile needs no waking.
            let _ = Command::new("kill").args(["-CONT", &pid.to_string()]).status();
        }
    }
}

/// Repeats a request with its key, as callers are told to, until it has an answer that is final.
async fn order_until_answered(client: &Client, key: &str, sku: &str) -> String {
    wait::until("an answer to an order", async || match client.order(key, &[(sku, 1)]).await {
        Ok(order) => Some(order.id),
        Err(status) => {
            let passing = [
                Code::Unavailable,
                Code::Aborted,
                Code::DeadlineExceeded,
                Code::ResourceExhausted,
                Code::Cancelled,
            ];
            // The stream of a call whose process was killed is reset: no answer of the platform, but an error of the client's transport.
            assert!(passing.contains(&status.code()) || status.source().is_some(), "{status:?}");
            None
        }
    })
    .await
}

/// Places [`ORDERS`] orders at once, calls `harm` once a tenth has its answer, and checks that exactly these orders are there.
async fn orders_survive(stack: &Stack, harm: impl AsyncFn()) {
    let client = buyer(stack).await;
    let sku = product(stack, ORDERS + 1).await;
    let keys: Vec<String> = (0..ORDERS).map(|_| Uuid::now_v7().to_string()).collect();
    let answered: Vec<String> = stream::iter(&keys)
        .map(|key| order_until_answered(&client, key, &sku))
        .buffer_unordered(ORDERS)
        .enumerate()
        .then(async |(number, id)| {
            if number == ORDERS / 10 {
                harm().await;
            }
            id
        })
        .collect()
        .await;
    assert_eq!(answered.iter().collect::<HashSet<_>>().len(), ORDERS, "each request has an order of its own");
    // A repeat of any of them is told the same.
    assert_eq!(
        order_until_answered(&client, &keys[0], &sku).await,
        client.order(&keys[0], &[(&sku, 1)]).await.unwrap().id
    );
    let after = wait::until("the stock", async || stock_if_answered(&client, &sku).await).await;
    assert_eq!(after, 1, "each order took its unit once");
    let whole = stack
        .database()
        .await
        .unwrap()
        .query_one(
            WHOLE_ORDERS,
            &[&answered.iter().map(|id| id.parse::<Uuid>().unwrap()).collect::<Vec<_>>()],
        )
        .await
        .unwrap()
        .get::<_, i64>(0);
    assert_eq!(whole, i64::try_from(ORDERS).unwrap(), "each order has its line, its event and its job, once");
}

/// Orders that have exactly one line, one event and one job.
const WHOLE_ORDERS: &str = "
    SELECT count(*)
      FROM unnest($1::uuid[]) AS wanted (id)
      JOIN orders.orders o USING (id)
     WHERE (SELECT count(*) FROM orders.order_lines l WHERE l.order_id = o.id) = 1
       AND (SELECT count(*) FROM orders.order_events e WHERE e.order_id = o.id) = 1
       AND (SELECT count(*)
              FROM (SELECT args FROM jobs.ready UNION ALL SELECT args FROM jobs.running UNION ALL
                    SELECT args FROM jobs.scheduled UNION ALL SELECT args FROM jobs.history) j
             WHERE j.args -> 'order' ->> 'id' = o.id::text) = 1";

async fn stock_if_answered(client: &Client, sku: &str) -> Option<i32> {
    let request = GetInventoryRequest { sku: sku.to_owned() };
    Some(client.inventory().get_inventory(request).await.ok()?.into_inner().inventory?.on_hand)
}

/// Kills a service's process, and waits until `up` has another one that is ready.
async fn kill(stack: &Stack, name: &str) {
    let pid = stack.pid(name).expect("the process runs");
    signal("KILL", pid);
    wait::until("a new process", async || stack.pid(name).filter(|new| *new != pid)).await;
}

#[tokio::test]
async fn killing_a_service_loses_doubles_and_halves_no_order() {
    let stack = breakable().await;
    for name in ["orders-0", "catalog-0", "auth-0", "jobs-0"] {
        orders_survive(&stack, async || kill(&stack, name).await).await;
    }
}

#[tokio::test]
async fn killed_database_connections_cost_no_order() {
    let stack = breakable().await;
    let database = stack.database().await.unwrap();
    orders_survive(&stack, async || {
        let killed =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename LIKE 'svc\\_%'";
        assert!(database.query_one(killed, &[]).await.unwrap().get::<_, i64>(0) > 0);
    })
    .await;
}

#[tokio::test]
async fn a_restart_of_the_primary_costs_no_order() {
    let stack = breakable().await;
    orders_survive(&stack, async || kill(&stack, "postgres-primary").await).await;
}

/// Orders, cancels, and reads the order back at once; it must be cancelled.
async fn reads_its_own_write(client: &Client, sku: &str) {
    let order = client.order(&Uuid::now_v7().to_string(), &[(sku, 1)]).await.unwrap();
    let cancel = CancelOrderRequest { id: order.id.clone(), ..CancelOrderRequest::default() };
    client.orders().cancel_order(cancel).await.unwrap();
    let read = client
        .orders()
        .get_order(GetOrderRequest { id: order.id })
        .await
        .unwrap()
        .into_inner()
        .order
        .unwrap();
    assert_eq!(read.state(), OrderState::Cancelled);
}

#[tokio::test]
async fn a_replica_that_hangs_or_dies_stops_no_read_and_shows_no_old_state() {
    let stack = breakable().await;
    let client = buyer(&stack).await;
    let sku = product(&stack, 40).await;
    let pid = stack.pid("postgres-replica").unwrap();
    // The server and all its backends hang, as on a host that is gone.
    let hanging = Hanging::new(processes_below(pid));
    for _ in 0..20 {
        reads_its_own_write(&client, &sku).await;
        assert_eq!(client.products(1).await.unwrap().len(), 1);
    }
    drop(hanging);
    kill(&stack, "postgres-replica").await;
    for _ in 0..20 {
        reads_its_own_write(&client, &sku).await;
        assert_eq!(client.products(1).await.unwrap().len(), 1);
    }
}

/// A process and all that it has started, children first.
fn processes_below(pid: i32) -> Vec<i32> {
    let output = Command::new("pgrep").args(["-P", &pid.to_string()]).output().unwrap();
    let children = String::from_utf8(output.stdout).unwrap();
    let mut all: Vec<i32> =
        children.lines().flat_map(|line| processes_below(line.parse().unwrap())).collect();
    all.push(pid);
    all
}

#[tokio::test]
async fn a_replica_that_is_ten_seconds_behind_shows_nobody_an_old_state() {
    let stack = breakable().await;
    // The test before this one may have killed it.
    let replica = wait::until("a connection to the replica", async || stack.replica().await.ok()).await;
    let alter = async |change: &str| {
        replica.batch_execute(&format!("ALTER SYSTEM {change}")).await.unwrap();
        replica.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    };
    let client = buyer(&stack).await;
    let sku = product(&stack, 50).await;
    alter("SET recovery_min_apply_delay = '10s'").await;
    for _ in 0..50 {
        reads_its_own_write(&client, &sku).await;
    }
    alter("RESET recovery_min_apply_delay").await;
}

#[tokio::test]
async fn a_valkey_master_that_dies_or_hangs_stops_nothing() {
    let stack = breakable().await;
    let client = buyer(&stack).await;
    let sku = client.products(1).await.unwrap()[0].sku.clone();
    kill(&stack, "valkey-0").await;
    for _ in 0..20 {
        reads_its_own_write(&client, &sku).await;
    }
    let _hanging = Hanging::new(vec![stack.pid("valkey-1").unwrap()]);
    for _ in 0..20 {
        reads_its_own_write(&client, &sku).await;
    }
}
