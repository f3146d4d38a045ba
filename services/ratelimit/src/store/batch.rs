//! Asks of concurrent requests, gathered into one script call per server: while a server answers, what is asked of it next waits and goes
//! together. Alone, an ask goes at once.
//!
//! Only plain asks are gathered, whose limits are all windows, and they are only admitted together: what the script doesn't admit is asked
//! for by itself, and then denied or not.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use platform::{
    Tasks,
    redis::{Argument, Layout, Redis, Script, hash_slot},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Answer, Ask, Away, Item, Standing, Verdict, kind,
    redis::{from_millis, penalty_key},
    span,
};
use crate::rule::Algorithm;

/// Admits what many ask for.
pub const CHECK_MANY: &str = include_str!("../lua/check_many.lua");

/// Asks in one call: as many as a server decides in less than a millisecond.
const TOGETHER: usize = 64;
/// Different limits in one call: their numbers are bytes.
const LIMITS: usize = 255;
/// How long a layout is believed.
const LAYOUT_FOR: Duration = Duration::from_millis(500);

/// Where asks are handed in. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Batches(mpsc::UnboundedSender<Waiting>);

/// An ask whose caller waits.
#[derive(Debug)]
struct Waiting {
    tag: String,
    items: Vec<Item>,
    /// None: ask by itself.
    told: oneshot::Sender<Result<Option<Answer>, Away>>,
}

/// What is asked of one server.
#[derive(Debug, Default)]
struct Lane {
    waiting: Vec<Waiting>,
    /// Whether the server is being asked.
    busy: bool,
}

/// How one call ended.
struct Done {
    lane: usize,
    batch: Batch,
    reply: Option<Vec<u8>>,
}

/// What goes in one call.
struct Batch {
    asks: Vec<Waiting>,
    /// Every limit once.
    limits: Vec<Item>,
    /// Where the limits of each ask are among them.
    numbers: Vec<Vec<u8>>,
}

/// Whether an ask may go with others.
pub(super) fn is_plain(ask: &Ask) -> bool {
    let plain = |item: &Item| {
        let rule = &item.rule;
        matches!(rule.algorithm, Algorithm::Window(_)) && !rule.shadow && !rule.known_networks_pass
    };
    !ask.items.is_empty() && ask.items.len() <= LIMITS && ask.items.iter().all(plain)
}

impl Batches {
    /// Gathers what is asked of `redis`, decided by `script`, until the process stops.
    pub(crate) fn start(redis: Redis, script: &'static str, tasks: &Tasks) -> Self {
        let (sender, asks) = mpsc::unbounded_channel();
        let script = Arc::new(Script::new("limit.check_many", script));
        tasks.spawn_until_stop("limit batches", gather(redis, script, asks));
        Self(sender)
    }

    /// The answer to a plain ask; None if it must be asked for by itself.
    ///
    /// # Errors
    ///
    /// [`Away`]: nobody knows whether the act was counted.
    pub(super) async fn check(&self, ask: &Ask) -> Result<Option<Answer>, Away> {
        let (told, answer) = oneshot::channel();
        let waiting = Waiting { tag: ask.tag.clone(), items: ask.items.clone(), told };
        if self.0.send(waiting).is_err() {
            return Ok(None);
        }
        answer.await.unwrap_or(Err(Away))
    }
}

async fn gather(redis: Redis, script: Arc<Script>, mut asks: mpsc::UnboundedReceiver<Waiting>) {
    let (mut lanes, mut taken) = (Vec::<Lane>::new(), Vec::new());
    let (mut layout, mut looked) = (redis.layout(), Instant::now());
    let mut calls = FuturesUnordered::new();
    loop {
        tokio::select! {
            count = asks.recv_many(&mut taken, TOGETHER) => {
                if count == 0 {
                    return;
                }
                // Requests that came in the same packet ask next: they go along.
                tokio::task::yield_now().await;
            }
            Some(done) = calls.next(), if !calls.is_empty() => finish(&mut lanes, done),
        }
        if looked.elapsed() > LAYOUT_FOR || layout == Layout::default() {
            (layout, looked) = (redis.layout(), Instant::now());
        }
        while let Ok(asked) = asks.try_recv() {
            taken.push(asked);
        }
        taken.drain(..).for_each(|asked| enter(&mut lanes, &layout, asked));
        for (number, lane) in lanes.iter_mut().enumerate() {
            if !lane.busy && !lane.waiting.is_empty() {
                lane.busy = true;
                calls.push(call(&redis, &script, number, Batch::new(take(&mut lane.waiting))));
            }
        }
    }
}

/// Puts an ask into the lane of its server.
fn enter(lanes: &mut Vec<Lane>, layout: &Layout, asked: Waiting) {
    let Some(server) = layout.server(hash_slot(&penalty_key(&asked.tag))) else {
        // Its caller may have gone.
        let _ = asked.told.send(Ok(None));
        return;
    };
    if lanes.len() <= server {
        lanes.resize_with(server + 1, Lane::default);
    }
    lanes[server].waiting.push(asked);
}

/// As many asks as may go together, the oldest first.
fn take(waiting: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut limits = 0;
    let mut fits = |asked: &Waiting| {
        limits += asked.items.len();
        limits <= LIMITS
    };
    let count = waiting.iter().take(TOGETHER).take_while(|asked| fits(asked)).count();
    waiting.drain(..count).collect()
}

async fn call(redis: &Redis, script: &Script, lane: usize, batch: Batch) -> Done {
    let key = penalty_key(&batch.asks[0].tag);
    let reply = redis.run::<Vec<u8>>(script, vec![key], batch.arguments()).await.ok();
    Done { lane, batch, reply }
}

impl Batch {
    fn new(asks: Vec<Waiting>) -> Self {
        let mut limits: Vec<Item> = Vec::new();
        let mut number = |item: &Item| {
            let same = |known: &Item| known.cost == item.cost && Arc::ptr_eq(&known.rule, &item.rule);
            let position = limits.iter().position(same).unwrap_or_else(|| {
                limits.push(item.clone());
                limits.len() - 1
            });
            // Calls are cut before there are more.
            u8::try_from(position).unwrap_or(u8::MAX)
        };
        let numbers = asks.iter().map(|asked| asked.items.iter().map(&mut number).collect()).collect();
        Self { asks, limits, numbers }
    }

    fn arguments(&self) -> Vec<Argument> {
        let mut arguments = Vec::with_capacity(1 + 2 * (self.limits.len() + self.asks.len()));
        arguments.push(Argument::from(i64::try_from(self.limits.len()).unwrap_or(0)));
        for item in &self.limits {
            let (kind, span) = (kind(item.rule.algorithm), span(item.rule.algorithm));
            let mut numbers = Vec::with_capacity(16);
            numbers.extend(item.cost.to_be_bytes());
            numbers.extend(item.rule.limit.to_be_bytes());
            numbers.extend(span.to_be_bytes());
            arguments.extend([format!("{}:{kind}{span}", item.rule.name).into(), numbers.into()]);
        }
        for (asked, numbers) in self.asks.iter().zip(&self.numbers) {
            // The script counts from 1 on.
            let numbers: Vec<u8> = numbers.iter().map(|number| number + 1).collect();
            arguments.extend([asked.tag.as_str().into(), numbers.into()]);
        }
        arguments
    }
}

/// Tells everybody of a call how it ended. Whoever waits goes with the next one, also behind one that failed: it may have been the only one.
fn finish(lanes: &mut [Lane], done: Done) {
    lanes[done.lane].busy = false;
    let Batch { asks, limits, numbers } = done.batch;
    let Some((ends, mut rest)) = done.reply.as_deref().and_then(|reply| ends(reply, limits.len())) else {
        for asked in asks {
            let _ = asked.told.send(Err(Away));
        }
        return;
    };
    for (asked, numbers) in asks.into_iter().zip(numbers) {
        let _ = asked.told.send(read(&mut rest, &numbers, &ends));
    }
}

/// What the answers of a call have in common.
struct End {
    /// When a counter of this limit is as without any act.
    reset: Duration,
    /// Takes an act back.
    stamp: i64,
}

/// For each limit its end; and the rest of the reply.
fn ends(reply: &[u8], limits: usize) -> Option<(Vec<End>, &[u8])> {
    let (head, rest) = reply.split_at_checked(limits * 8)?;
    let end = |pair: &[u8]| {
        Some(End { reset: from_millis(number(pair)?.into()), stamp: number(&pair[4..])?.into() })
    };
    Some((head.chunks_exact(8).map(end).collect::<Option<_>>()?, rest))
}

/// The next answer of a reply, taken off it; None where the act was not admitted.
fn read(rest: &mut &[u8], numbers: &[u8], ends: &[End]) -> Result<Option<Answer>, Away> {
    let (admitted, after) = rest.split_first().ok_or(Away)?;
    if *admitted == 0 {
        *rest = after;
        return Ok(None);
    }
    let (mine, after) = after.split_at_checked(numbers.len() * 4).ok_or(Away)?;
    *rest = after;
    let standing = |(limit, remaining): (&u8, &[u8])| {
        let end = ends.get(usize::from(*limit))?;
        Some(Standing {
            verdict: Verdict::Within,
            remaining: number(remaining)?,
            reset: end.reset,
            wait: Duration::ZERO,
            stamp: end.stamp,
        })
    };
    let standings = numbers.iter().zip(mine.chunks_exact(4)).map(standing).collect::<Option<Vec<_>>>();
    let standings = standings.ok_or(Away)?;
    Ok(Some(Answer { admitted: true, penalty: None, network_known: false, standings, local: false }))
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.first_chunk()?))
}
