//! A virtual user: a small state machine that decides what to do next and remembers what it saw.

use std::sync::Arc;

use rand::{RngExt as _, rngs::StdRng};
use uuid::Uuid;

use crate::{
    call::{Call, Order, Transport, Wish},
    identity::Identity,
    scenario::{Scenario, Step},
    world::World,
};

/// How many products a user remembers.
const MEMORY: usize = 4;
/// SKUs in a price check.
const PRICES: usize = 10;

/// One virtual user.
#[derive(Debug)]
pub(crate) struct User {
    /// From 0; decides the connection and the forwarded address.
    pub(crate) number: u32,
    pub(crate) transport: Transport,
    pub(crate) identity: Arc<Identity>,
    /// The journey that the user is in.
    pub(crate) journey: usize,
    /// The next step of it.
    position: usize,
    /// Products seen last, and their versions.
    pub(crate) seen: Vec<(u32, i64)>,
    /// The last order that was placed.
    pub(crate) order: Option<Placed>,
    /// The position of the user's last write: reads send it back.
    pub(crate) lsn: Option<String>,
}

/// An order that was placed.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) wish: Arc<Wish>,
    pub(crate) id: String,
    pub(crate) total: i64,
    pub(crate) created: i64,
}

impl User {
    pub(crate) fn new(number: u32, transport: Transport, identity: Arc<Identity>) -> Self {
        Self {
            number,
            transport,
            identity,
            journey: 0,
            position: usize::MAX,
            seen: Vec::new(),
            order: None,
            lsn: None,
        }
    }

    /// The user's next call.
    pub(crate) fn next(&mut self, scenario: &Scenario, world: &World, random: &mut StdRng) -> Call {
        if self.position >= scenario.journeys[self.journey].steps.len() {
            self.journey = scenario.pick(random);
            self.position = 0;
        }
        let step = scenario.journeys[self.journey].steps[self.position];
        self.position += 1;
        match step {
            Step::List => Call::List { category: random.random_range(0..world.categories.len().max(1)) },
            Step::Search => Call::Search { max_price: world.product(pick(world, random)).price },
            Step::View => Call::View { product: pick(world, random) },
            Step::Prices => Call::Prices { products: (0..PRICES).map(|_| pick(world, random)).collect() },
            Step::Order => Call::Order(wish(world, random)),
            Step::RepeatOrder => match &self.order {
                Some(placed) => Call::Order(Arc::clone(&placed.wish)),
                None => Call::Order(wish(world, random)),
            },
            Step::ReadOrder => match &self.order {
                Some(placed) => Call::ReadOrder { id: placed.id.clone() },
                None => Call::History,
            },
            Step::Watch => match &self.order {
                Some(placed) => Call::Watch { id: placed.id.clone() },
                None => Call::Order(wish(world, random)),
            },
            Step::History => Call::History,
            // Users whose tokens were only signed are not in the platform's books.
            Step::Me if self.identity.is_minted() => Call::History,
            Step::Me | Step::Refresh | Step::Watching => Call::Me,
        }
    }

    /// The version of a product below which an answer would go back in time for this user.
    pub(crate) fn last_seen(&self, product: u32) -> Option<i64> {
        self.seen.iter().find(|(number, _)| *number == product).map(|(_, version)| *version)
    }

    /// Remembers a product; the one seen longest ago is forgotten.
    pub(crate) fn remember(&mut self, product: u32, version: i64) {
        self.seen.retain(|(number, _)| *number != product);
        if self.seen.len() == MEMORY {
            self.seen.remove(0);
        }
        self.seen.push((product, version));
    }

    /// Remembers an order.
    pub(crate) fn placed(&mut self, wish: &Arc<Wish>, order: &Order) {
        self.order = Some(Placed {
            wish: Arc::clone(wish),
            id: order.id.clone(),
            total: order.total,
            created: order.created,
        });
    }
}

fn pick(world: &World, random: &mut StdRng) -> u32 {
    u32::try_from(world.popularity.pick(random)).unwrap_or(0)
}

fn wish(world: &World, random: &mut StdRng) -> Arc<Wish> {
    let lines = random.random_range(1..=3);
    let items = (0..lines).map(|_| (pick(world, random), random.random_range(1..=5))).collect();
    // Not drawn by the seed: users are kept between runs, and a key that their company has used is answered with an order of long ago.
    Arc::new(Wish { key: Uuid::new_v4(), items })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::call::Product;

    #[test]
    fn two_runs_of_one_seed_want_the_same_and_are_not_taken_for_each_other() {
        let product = |number: u32| Product { sku: format!("SKU-{number}"), ..Product::default() };
        let world = World::new((0..50).map(product).collect(), 0.99).unwrap();
        let run = || {
            let mut random = StdRng::seed_from_u64(1);
            (0..20).map(|_| wish(&world, &mut random)).collect::<Vec<_>>()
        };
        for (first, second) in run().iter().zip(run()) {
            assert_eq!(first.items, second.items);
            assert_ne!(first.key, second.key);
        }
    }
}
