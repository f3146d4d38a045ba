//! Candidates with clocks of different speed, on a network that delays and loses, in processes that are paused: never do two hold the
//! lease at the same moment. Time is simulated, so a run of an hour takes milliseconds.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};

use super::{
    Timing,
    record::{Candidate, Step},
};

/// What is varied.
#[derive(Clone, Copy, Debug)]
struct World {
    candidates: usize,
    /// The fastest clock and the slowest one.
    rates: (f64, f64),
    slowest_answer: f64,
    lost: f64,
    paused: f64,
    seconds: f64,
}

impl Default for World {
    fn default() -> Self {
        Self {
            candidates: 5,
            rates: (1.15, 0.85),
            slowest_answer: 8.0,
            lost: 0.1,
            paused: 0.02,
            seconds: 600.0,
        }
    }
}

/// Seconds of the world, which no candidate knows.
#[derive(Clone, Copy, Debug, PartialEq)]
struct At(f64);

impl Eq for At {}

impl PartialOrd for At {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for At {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[derive(Clone, Debug)]
enum Event {
    /// A candidate reads the record.
    Read { who: usize },
    /// It gets the answer.
    Answered { who: usize, version: u64, record: LeaseSpec },
    /// Its write reaches the server.
    Write { who: usize, version: u64, record: LeaseSpec, sent: Duration },
    /// It learns that it holds the lease.
    Held { who: usize, sent: Duration },
}

struct Process {
    candidate: Candidate,
    rate: f64,
    /// By its own clock.
    until: Duration,
}

impl Process {
    fn clock(&self, at: f64) -> Duration {
        Duration::from_secs_f64(at * self.rate)
    }
}

struct Simulation {
    world: World,
    random: StdRng,
    now: f64,
    queue: BinaryHeap<Reverse<(At, u64)>>,
    events: Vec<Event>,
    processes: Vec<Process>,
    record: LeaseSpec,
    version: u64,
    /// How often the lease came to be held, and by how many at most at once.
    held: usize,
    most_leaders: usize,
}

impl Simulation {
    fn new(world: World, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let processes = (0..world.candidates)
            .map(|who| Process {
                candidate: Candidate::new(format!("pod-{who}"), Timing::default()),
                rate: random.random_range(world.rates.1..=world.rates.0),
                until: Duration::ZERO,
            })
            .collect();
        Self {
            world,
            random,
            now: 0.0,
            queue: BinaryHeap::new(),
            events: Vec::new(),
            processes,
            record: LeaseSpec::default(),
            version: 1,
            held: 0,
            most_leaders: 0,
        }
    }

    fn run(mut self) -> Self {
        for who in 0..self.world.candidates {
            self.later(0.1, Event::Read { who });
        }
        while let Some(Reverse((at, index))) = self.queue.pop() {
            self.now = at.0;
            if self.now > self.world.seconds {
                break;
            }
            let event = self.events[usize::try_from(index).unwrap()].clone();
            self.happen(event);
        }
        self
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Read { who } => {
                // Whatever becomes of this attempt, there is a next one.
                let wait = self.random.random_range(1.0..4.4);
                self.later(wait, Event::Read { who });
                let (version, record) = (self.version, self.record.clone());
                self.travel(Event::Answered { who, version, record });
            }
            Event::Answered { who, version, record } => {
                let at = self.pause(self.now);
                let process = &mut self.processes[who];
                let sent = process.clock(at);
                // Clocks on the wall agree in nothing, and go back.
                let wall = Timestamp::from_second(self.random.random_range(0..2_000_000_000)).unwrap();
                if let Step::Write(record) = process.candidate.consider(&record, sent, wall) {
                    let travel = self.delay() + at - self.now;
                    self.later(travel, Event::Write { who, version, record, sent });
                }
            }
            Event::Write { who, version, record, sent } => {
                if version == self.version {
                    self.version += 1;
                    self.record = record;
                    self.travel(Event::Held { who, sent });
                }
            }
            Event::Held { who, sent } => {
                let until = self.processes[who].candidate.holds_until(sent);
                let process = &mut self.processes[who];
                process.until = process.until.max(until);
                self.held += 1;
                let leaders =
                    self.processes.iter().filter(|process| process.clock(self.now) < process.until).count();
                self.most_leaders = self.most_leaders.max(leaders);
            }
        }
    }

    fn travel(&mut self, event: Event) {
        if self.random.random::<f64>() >= self.world.lost {
            let delay = self.delay();
            let at = self.pause(self.now + delay);
            self.later(at - self.now, event);
        }
    }

    fn delay(&mut self) -> f64 {
        let slow = self.random.random::<f64>() < 0.1;
        self.random.random_range(0.001..if slow { self.world.slowest_answer } else { 0.1 })
    }

    fn pause(&mut self, at: f64) -> f64 {
        if self.random.random::<f64>() < self.world.paused {
            at + self.random.random_range(0.0..40.0)
        } else {
            at
        }
    }

    fn later(&mut self, after: f64, event: Event) {
        let index = u64::try_from(self.events.len()).unwrap();
        self.events.push(event);
        self.queue.push(Reverse((At(self.now + after), index)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn never_do_two_lead_at_once(
        seed: u64,
        candidates in 2..12_usize,
        slowest_answer in 0.1..15.0,
        lost in 0.0..0.4,
        paused in 0.0..0.1,
    ) {
        let world = World { candidates, slowest_answer, lost, paused, ..World::default() };
        let run = Simulation::new(world, seed).run();
        prop_assert!(run.most_leaders <= 1, "{} lead at once, {world:?}, seed {seed}", run.most_leaders);
    }
}

#[test]
fn somebody_leads_most_of_the_time() {
    for seed in 0..20 {
        let run = Simulation::new(
            World { slowest_answer: 0.5, lost: 0.02, paused: 0.005, ..World::default() },
            seed,
        )
        .run();
        assert!(run.held > 150, "held {} times, seed {seed}", run.held);
        assert_eq!(run.most_leaders, 1, "seed {seed}");
    }
}

/// The promise ends where clocks differ by more than the lease's duration has over its renew deadline; that the simulation finds this
/// shows that it would find other mistakes.
#[test]
fn with_clocks_that_differ_too_much_two_lead() {
    let world = World { rates: (2.5, 0.4), ..World::default() };
    assert!((0..200).any(|seed| Simulation::new(world, seed).run().most_leaders > 1));
}
