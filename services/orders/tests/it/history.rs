//! Random histories: clients that order, cancel, ship and adjust while connections are killed, and the books afterwards.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use futures::future::join_all;
use prost::Message as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tonic::{Code, Response, Status};

use crate::support::{User, World, wish};

const CLIENTS: u64 = 8;
const STEPS: usize = 40;
const SKUS: [&str; 4] = ["A", "B", "C", "D"];
const UNITS: i32 = 120;

/// What the clients were told, all of them together.
#[derive(Default)]
struct Told {
    /// Ids of orders placed.
    orders: Vec<String>,
    /// What was added to each SKU.
    added: BTreeMap<&'static str, i64>,
}

/// Calls until the outcome is known: the same request with the same key, as a client would.
async fn settle<M>(mut call: impl AsyncFnMut() -> Result<Response<M>, Status>) -> Result<M, Status> {
    for _ in 0..200 {
        match call().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => match status.code() {
                Code::Unavailable | Code::Aborted | Code::DeadlineExceeded => tokio::task::yield_now().await,
                Code::FailedPrecondition => return Err(status),
                _ => panic!("{status:?}"),
            },
        }
    }
    panic!("never settled")
}

struct Client<'a> {
    world: &'a World,
    told: &'a Mutex<Told>,
    buyer: User,
    seller: User,
    random: StdRng,
    name: u64,
}

impl Client<'_> {
    async fn run(mut self) {
        for step in 0..STEPS {
            if self.random.random_ratio(1, 6) {
                self.world.books.kill_one().await;
            }
            let key = format!("{}-{step}", self.name);
            match self.random.random_range(0..10) {
                0..=5 => self.order(&key).await,
                6..=7 => self.change(&key).await,
                _ => self.adjust(&key).await,
            }
        }
    }

    async fn order(&mut self, key: &str) {
        let count = self.random.random_range(1..=5);
        let items: Vec<_> = (0..count).map(|_| (self.sku(), self.random.random_range(1..=4))).collect();
        let Ok(answer) = settle(async || self.buyer.send(wish(&items, key)).await).await else { return };
        let again = settle(async || self.buyer.send(wish(&items, key)).await).await.unwrap();
        assert_eq!(again.encode_to_vec(), answer.encode_to_vec());
        self.told.lock().unwrap().orders.push(answer.order.unwrap().id);
    }

    /// Cancels or ships an order of anybody.
    async fn change(&mut self, key: &str) {
        let id = {
            let told = self.told.lock().unwrap();
            if told.orders.is_empty() {
                return;
            }
            told.orders[self.random.random_range(0..told.orders.len())].clone()
        };
        if self.random.random_bool(0.6) {
            drop(settle(async || self.seller.cancel(&id, key).await).await);
        } else {
            drop(settle(async || self.seller.ship(&id, key).await).await);
        }
    }

    async fn adjust(&mut self, key: &str) {
        let (one, other) = (self.sku(), self.sku());
        let mut changes = vec![(one, self.random.random_range(1..=20))];
        if other != one {
            changes.push((other, -self.random.random_range(1..=10)));
        }
        if settle(async || self.seller.adjust(&changes, Some(key)).await).await.is_ok() {
            let mut told = self.told.lock().unwrap();
            for (sku, delta) in changes {
                *told.added.entry(sku).or_default() += i64::from(delta);
            }
        }
    }

    fn sku(&mut self) -> &'static str {
        SKUS[self.random.random_range(0..SKUS.len())]
    }
}

/// The seed of this run: a fixed one repeats the choices of an earlier run, though not its timing.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a failed run is repeated by its seed")]
fn seed() -> u64 {
    let given = std::env::var("SIPUP_TEST_SEED").ok().map(|text| text.parse().unwrap());
    let seed = given.unwrap_or_else(|| rand::rng().random());
    eprintln!("SIPUP_TEST_SEED={seed}");
    seed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_clients_do_while_connections_die_the_books_add_up() {
    let seed = seed();
    let world = World::new().await;
    let (told, company) = (Mutex::default(), uuid::Uuid::now_v7());
    for sku in SKUS {
        world.sell(sku, 125, UNITS).await;
    }
    join_all((0..CLIENTS).map(|name| {
        let (buyer, seller) =
            (world.user(platform::Role::Buyer, company), world.user(platform::Role::Seller, company));
        let random = StdRng::seed_from_u64(seed.wrapping_add(name));
        Client { world: &world, told: &told, buyer, seller, random, name }.run()
    }))
    .await;

    let told: Told = told.into_inner().unwrap();
    world.books.check().await;
    let units: HashMap<String, (i64, i64)> = world.books.units().await.into_iter().collect();
    for sku in SKUS {
        let (left, sold) = units[sku];
        assert_eq!(
            left + sold,
            i64::from(UNITS) + told.added.get(sku).copied().unwrap_or_default(),
            "units of {sku}"
        );
    }
    assert_eq!(world.books.count("orders.orders").await, i64::try_from(told.orders.len()).unwrap());
    let buyer = world.user(platform::Role::Buyer, company);
    for id in &told.orders {
        assert_eq!(buyer.get(id).await.unwrap().id, *id);
    }
}
