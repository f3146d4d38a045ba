//! Asks of concurrent requests, gathered into one script call per server: while a server answers, what is asked of it next waits and goes
//! together. Alone, an ask goes at once.
//!
//! Only plain asks are gathered, whose limits are all windows. What the script leaves open is asked for by itself.

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

/// Decides over many asks.
pub const CHECK_MANY: &str = include_str!("../lua/check_many.lua");

/// Asks in one call: as many as a server decides in less than a millisecond.
const TOGETHER: usize = 64;
/// Different limits in one call: their numbers are bytes.
const LIMITS: usize = 255;
/// Calls to one server at once: one is decided while another is on its way.
const AT_ONCE: usize = 2;
/// How long a layout is believed.
const LAYOUT_FOR: Duration = Duration::from_millis(500);
/// Bytes of a reply for each limit.
const EACH: usize = 17;

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
    calls: usize,
}

/// How one call ended.
struct Done {
    lane: usize,
    asks: Vec<Waiting>,
    reply: Option<Vec<u8>>,
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
            count = asks.recv_many(&mut taken, TOGETHER * AT_ONCE) => {
                if count == 0 {
                    return;
                }
            }
            Some(done) = calls.next(), if !calls.is_empty() => finish(&mut lanes, done),
        }
        if looked.elapsed() > LAYOUT_FOR || layout == Layout::default() {
            (layout, looked) = (redis.layout(), Instant::now());
        }
        taken.drain(..).for_each(|asked| enter(&mut lanes, &layout, asked));
        for (number, lane) in lanes.iter_mut().enumerate() {
            while lane.calls < AT_ONCE && !lane.waiting.is_empty() {
                lane.calls += 1;
                calls.push(call(&redis, &script, number, take(&mut lane.waiting)));
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
    let fits = |asked: &Waiting| {
        limits += asked.items.len();
        limits <= LIMITS
    };
    let count = waiting.iter().take(TOGETHER).take_while(|asked| fits(asked)).count();
    waiting.drain(..count).collect()
}

async fn call(redis: &Redis, script: &Script, lane: usize, asks: Vec<Waiting>) -> Done {
    let key = penalty_key(&asks[0].tag);
    let reply = redis.run::<Vec<u8>>(script, vec![key], arguments(&asks)).await.ok();
    Done { lane, asks, reply }
}

/// Each limit once, then the asks with the numbers of theirs.
fn arguments(asks: &[Waiting]) -> Vec<Argument> {
    let mut limits: Vec<&Item> = Vec::new();
    let mut rest: Vec<Argument> = Vec::with_capacity(asks.len() * 2);
    for asked in asks {
        let number = |item| {
            let same = |known: &&Item| known.cost == item.cost && Arc::ptr_eq(&known.rule, &item.rule);
            let position = limits.iter().position(same).unwrap_or_else(|| {
                limits.push(item);
                limits.len() - 1
            });
            u8::try_from(position + 1).unwrap_or(u8::MAX)
        };
        let numbers: Vec<u8> = asked.items.iter().map(number).collect();
        rest.extend([asked.tag.as_str().into(), numbers.into()]);
    }
    let mut arguments: Vec<Argument> = vec![i64::try_from(limits.len()).unwrap_or(0).into()];
    for item in limits {
        let (kind, span) = (kind(item.rule.algorithm), span(item.rule.algorithm));
        let ending = format!("{}:{kind}{span}", item.rule.name);
        let mut numbers = Vec::with_capacity(16);
        numbers.extend(item.cost.to_be_bytes());
        numbers.extend(item.rule.limit.to_be_bytes());
        numbers.extend(span.to_be_bytes());
        arguments.extend([ending.into(), numbers.into()]);
    }
    arguments.extend(rest);
    arguments
}

/// Tells everybody of a call how it ended. Behind one that failed nobody goes on waiting for the same server.
fn finish(lanes: &mut [Lane], done: Done) {
    let lane = &mut lanes[done.lane];
    lane.calls -= 1;
    let Some(reply) = done.reply else {
        for asked in done.asks.into_iter().chain(lane.waiting.drain(..)) {
            let _ = asked.told.send(Err(Away));
        }
        return;
    };
    let mut rest = reply.as_slice();
    for asked in done.asks {
        let _ = asked.told.send(read(&mut rest, &asked.items).ok_or(Away));
    }
}

/// The next answer of a reply, taken off it. The outer None: the reply is of another form.
fn read(rest: &mut &[u8], items: &[Item]) -> Option<Option<Answer>> {
    let (decided, after) = rest.split_first()?;
    *rest = after;
    if *decided == 2 {
        return Some(None);
    }
    let (mine, after) = rest.split_at_checked(items.len() * EACH)?;
    *rest = after;
    let admitted = *decided == 1;
    if !admitted && items.iter().any(|item| item.rule.penalty.is_some()) {
        // A denial that counts towards a penalty, which the other script does.
        return Some(None);
    }
    let standings = mine.chunks_exact(EACH).map(standing).collect::<Option<Vec<_>>>()?;
    Some(Some(Answer { admitted, penalty: None, network_known: false, standings, local: false }))
}

fn standing(bytes: &[u8]) -> Option<Standing> {
    let (verdict, numbers) = bytes.split_first()?;
    let mut numbers = numbers
        .chunks_exact(4)
        .filter_map(|number| Some(u32::from_be_bytes(number.try_into().ok()?)));
    Some(Standing {
        verdict: if *verdict == 1 { Verdict::Within } else { Verdict::Beyond },
        remaining: numbers.next()?,
        reset: from_millis(numbers.next()?.into()),
        wait: from_millis(numbers.next()?.into()),
        stamp: numbers.next()?.into(),
    })
}
