//! A virtual user: a small state machine that decides what to do next and remembers what it saw.

use std::{collections::VecDeque, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use rand::{RngExt as _, rngs::StdRng};
use uuid::Uuid;

use crate::{
    call::{Call, Order, Product, Transport, Wish, WishedItem},
    identity::Identity,
    orders_report::{Asked, Known, PATIENCE, ReportWish},
    scenario::{Scenario, Step},
    world::World,
};

/// How many products a user remembers.
const MEMORY: usize = 4;
/// SKUs in a price check.
const PRICES: usize = 10;
/// Units in an item.
const UNITS: std::ops::RangeInclusive<i32> = 1..=5;
/// How many orders a user remembers, to look for them in a report.
const ORDERS: usize = 20;
/// The period of a report for somebody who has not ordered yet.
const PERIOD: SignedDuration = SignedDuration::from_mins(10);
/// Orders may be dated a little later than it is here.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

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
    /// Orders that were placed, the oldest first.
    orders: VecDeque<Known>,
    /// What the user was told last about prices, until it orders or begins another journey.
    told: Vec<WishedItem>,
    /// The report that was asked for last, until it was fetched.
    pub(crate) report: Option<Asked>,
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
            orders: VecDeque::new(),
            told: Vec::new(),
            report: None,
            lsn: None,
        }
    }

    /// The user's next call, at this time.
    pub(crate) fn next(
        &mut self,
        scenario: &Scenario,
        world: &World,
        now: Timestamp,
        random: &mut StdRng,
    ) -> Call {
        if self.position >= scenario.journeys[self.journey].steps.len() {
            self.journey = scenario.pick(random);
            self.position = 0;
            self.told.clear();
        }
        let step = scenario.journeys[self.journey].steps[self.position];
        self.position += 1;
        match step {
            Step::List => Call::List { category: random.random_range(0..world.categories.len().max(1)) },
            Step::Search => Call::Search { max_price: world.product(pick(world, random)).price },
            Step::View => Call::View { product: pick(world, random) },
            Step::Prices => {
                let item = |_| (pick(world, random), random.random_range(UNITS));
                Call::Prices { items: (0..PRICES).map(item).collect() }
            }
            Step::Order => Call::Order(self.wish(world, random)),
            Step::RepeatOrder => match &self.order {
                Some(placed) => Call::Order(Arc::clone(&placed.wish)),
                None => Call::Order(self.wish(world, random)),
            },
            Step::ReadOrder => match &self.order {
                Some(placed) => Call::ReadOrder { id: placed.id.clone() },
                None => Call::History,
            },
            Step::Watch => match &self.order {
                Some(placed) => Call::Watch { id: placed.id.clone() },
                None => Call::Order(self.wish(world, random)),
            },
            Step::History => Call::History,
            Step::Report => Call::AskReport(Arc::new(self.report_wish(now))),
            Step::AwaitReport => self.look_at_report(),
            Step::DownloadReport => match &self.report {
                Some(report) if report.is_ready() => Call::Download { id: report.id.clone() },
                _ => Call::Reports,
            },
            Step::Reports => Call::Reports,
            // Users whose tokens were only signed are not in the platform's books.
            Step::Me if self.identity.is_minted() => Call::History,
            Step::Me | Step::Refresh | Step::Watching => Call::Me,
        }
    }

    fn wish(&mut self, world: &World, random: &mut StdRng) -> Arc<Wish> {
        let lines = random.random_range(1..=3);
        let items = if self.told.is_empty() {
            let item = |_| {
                let (product, quantity) = (pick(world, random), random.random_range(UNITS));
                WishedItem { product, quantity, told: None }
            };
            (0..lines).map(item).collect()
        } else {
            self.told.drain(..).take(lines).collect()
        };
        // Not drawn by the seed: users are kept between runs, and a key that their company has used is answered with an order of long ago.
        Arc::new(Wish { key: Uuid::new_v4(), items })
    }

    fn report_wish(&self, now: Timestamp) -> ReportWish {
        let oldest = self.orders.front().and_then(|order| Timestamp::from_microsecond(order.created).ok());
        let (from, to) = (now - PERIOD, now + AHEAD);
        ReportWish {
            key: Uuid::new_v4(),
            from: oldest.map_or(from, |oldest| oldest.min(from)),
            to,
            orders: self.orders.iter().copied().collect(),
        }
    }

    /// The same step again and again, until the report is ready or nobody would wait any longer.
    fn look_at_report(&mut self) -> Call {
        match &self.report {
            Some(report) if !report.is_ready() && report.at.elapsed() < 2 * PATIENCE => {
                self.position -= 1;
                Call::LookAtReport { id: report.id.clone() }
            }
            _ => Call::Reports,
        }
    }

    /// Ends a step that takes several clicks.
    pub(crate) fn go_on(&mut self) {
        self.position = self.position.saturating_add(1);
    }

    /// Remembers what the user was told that items cost.
    pub(crate) fn was_told(&mut self, items: impl Iterator<Item = WishedItem>) {
        self.told = items.collect();
    }

    /// Whether the user has seen a newer version of a product than the tool knows, so that it may cost something else by now.
    pub(crate) fn may_have_changed(&self, number: u32, known: &Product) -> bool {
        self.last_seen(number).is_some_and(|version| version > known.version)
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
        let is_repeated = self.order.as_ref().is_some_and(|before| before.id == order.id);
        if let (false, Ok(id)) = (is_repeated, Uuid::parse_str(&order.id)) {
            if self.orders.len() == ORDERS {
                self.orders.pop_front();
            }
            self.orders.push_back(Known { id, total: order.total, created: order.created });
        }
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

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::identity::somebody;

    #[test]
    fn two_runs_of_one_seed_want_the_same_and_are_not_taken_for_each_other() {
        let product = |number: u32| Product { sku: format!("SKU-{number}"), ..Product::default() };
        let world = World::new((0..50).map(product).collect(), 0.99).unwrap();
        let run = || {
            let mut random = StdRng::seed_from_u64(1);
            let mut user = User::new(0, Transport::Grpc, somebody("u", "c"));
            (0..20).map(|_| user.wish(&world, &mut random)).collect::<Vec<_>>()
        };
        for (first, second) in run().iter().zip(run()) {
            assert_eq!(first.items, second.items);
            assert_ne!(first.key, second.key);
        }
    }
}
