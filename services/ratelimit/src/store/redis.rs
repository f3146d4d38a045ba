//! Counts for all pods, in Redis. One round trip for all limits of a principal.

use std::time::{Duration, Instant};

use platform::{
    Tasks,
    redis::{Argument, Losses, Redis, Script, Unavailable},
};

use super::{
    Answer, Ask, Away, Held, Item, Mode, Refund, Standing, Store, Verdict,
    batch::{self, Batches},
    counter_key,
    denials::Denials,
    kind, span,
};

/// Decides over all limits of one principal.
pub const CHECK: &str = include_str!("../lua/check.lua");
/// Remembers where an account's owner came from.
pub const LEARN: &str = include_str!("../lua/learn.lua");

/// How long a network is known after its last success.
const NETWORK_KEPT: Duration = Duration::from_hours(24 * 30);
/// Networks remembered per account.
const NETWORKS: i64 = 64;
/// Values of the reply before the first counter's, and of each counter.
const HEAD: usize = 6;
const EACH: usize = 5;

/// Counters in Redis.
#[derive(Debug)]
pub struct RedisStore {
    redis: Redis,
    check: Script,
    refund: Script,
    learn: Script,
    forget: Script,
    probe: Script,
    /// Both are there where the pace matters.
    batches: Option<Batches>,
    denials: Option<Denials>,
}

impl RedisStore {
    /// Counters in `redis`.
    pub fn new(redis: Redis) -> Self {
        Self::with_scripts(redis, CHECK, LEARN)
    }

    /// Counters by other scripts than [`CHECK`] and [`LEARN`]: for tests, whose time must pass faster than the server's.
    pub fn with_scripts(redis: Redis, check: &'static str, learn: &'static str) -> Self {
        Self {
            redis,
            check: Script::new("limit.check", check),
            refund: Script::new("limit.refund", include_str!("../lua/refund.lua")),
            learn: Script::new("limit.learn", learn),
            forget: Script::new("limit.forget", "return redis.call('DEL', KEYS[1])"),
            probe: Script::new("limit.probe", "return redis.call('EXISTS', KEYS[1])"),
            batches: None,
            denials: None,
        }
    }

    /// Doesn't ask again where it is certain that the answer is still no.
    #[must_use]
    pub fn remembering_denials(mut self) -> Self {
        self.denials = Some(Denials::new());
        self
    }

    /// Lets asks of concurrent requests go together, admitted by `script`, which is [`batch::CHECK_MANY`] except in tests.
    #[must_use]
    pub fn gathering(mut self, script: &'static str, tasks: &Tasks) -> Self {
        self.batches = Some(Batches::start(self.redis.clone(), script, tasks));
        self
    }

    /// Remembers that the owner of the account `tag` came from `network`.
    ///
    /// # Errors
    ///
    /// [`Away`].
    pub async fn learn(&self, tag: &str, network: &str) -> Result<(), Away> {
        let kept = millis(NETWORK_KEPT);
        let arguments = vec![network.into(), kept.into(), NETWORKS.into()];
        let _: i64 = self.redis.run(&self.learn, vec![networks_key(tag)], arguments).await?;
        Ok(())
    }

    /// Ends the penalty of `tag` and forgets those before it. Answers whether there was anything to forget.
    ///
    /// # Errors
    ///
    /// [`Away`].
    pub async fn forget_penalty(&self, tag: &str) -> Result<bool, Away> {
        let found: i64 = self.redis.run(&self.forget, vec![penalty_key(tag)], Vec::new()).await?;
        if let Some(denials) = &self.denials {
            denials.forget(tag);
        }
        Ok(found > 0)
    }

    /// Decides over one ask by itself.
    async fn check_alone(&self, ask: &Ask, mode: Mode) -> Result<Answer, Away> {
        let mut keys = vec![penalty_key(&ask.tag), networks_key(&ask.tag)];
        let mut arguments: Vec<Argument> = vec![if mode == Mode::Count { "check" } else { "peek" }.into()];
        for item in &ask.items {
            let rule = &item.rule;
            let (kind, span) = (kind(rule.algorithm), span(rule.algorithm));
            keys.push(counter_key(&ask.tag, &rule.name, kind, span));
            arguments.extend([
                kind.into(),
                i64::from(item.cost).into(),
                i64::from(rule.limit).into(),
                i64::try_from(span).unwrap_or(i64::MAX).into(),
                more(item, ask.network.as_deref()).into(),
            ]);
        }
        let reply: Vec<i64> = self.redis.run(&self.check, keys, arguments).await?;
        answer(&reply, ask.items.len()).ok_or(Away)
    }

    /// The losses of connections from now on.
    pub(crate) fn losses(&self) -> Losses {
        self.redis.losses()
    }

    /// Whether the server that has `key` answers.
    pub async fn answers(&self, key: &str) -> bool {
        let answer: Result<i64, Unavailable> =
            self.redis.run(&self.probe, vec![key.to_owned()], Vec::new()).await;
        answer.is_ok()
    }
}

impl Store for RedisStore {
    async fn check(&self, ask: &Ask, mode: Mode) -> Result<Answer, Away> {
        if mode == Mode::Peek {
            return self.check_alone(ask, mode).await;
        }
        if let Some(denied) = self.denials.as_ref().and_then(|denials| denials.known(ask, Instant::now())) {
            return Ok(denied);
        }
        if let Some(batches) = &self.batches
            && batch::is_plain(ask)
            && let Some(admitted) = batches.check(ask).await?
        {
            return Ok(admitted);
        }
        let answer = self.check_alone(ask, mode).await?;
        if let Some(denials) = &self.denials {
            denials.saw(ask, &answer, Instant::now());
        }
        Ok(answer)
    }

    async fn refund(&self, refunds: &[Refund]) -> Result<(), Away> {
        let mut keys = Vec::with_capacity(refunds.len());
        let mut arguments: Vec<Argument> = Vec::with_capacity(refunds.len() * 4);
        for refund in refunds {
            keys.push(counter_key(&refund.tag, &refund.rule, &refund.kind, refund.span));
            arguments.extend([
                refund.kind.as_str().into(),
                i64::from(refund.cost).into(),
                i64::try_from(refund.span).unwrap_or(i64::MAX).into(),
                refund.stamp.into(),
            ]);
        }
        let _: i64 = self.redis.run(&self.refund, keys, arguments).await?;
        Ok(())
    }
}

impl From<Unavailable> for Away {
    fn from(_: Unavailable) -> Self {
        Self
    }
}

/// What few rules need, as the script reads it; empty for the others.
fn more(item: &Item, network: Option<&str>) -> String {
    let rule = &item.rule;
    let network = network.filter(|_| rule.known_networks_pass);
    if !rule.shadow && rule.penalty.is_none() && network.is_none() {
        return String::new();
    }
    let penalty = rule.penalty.map(|penalty| (penalty.after, millis(penalty.first), millis(penalty.longest)));
    let (after, first, longest) = penalty.unwrap_or_default();
    format!("{} {after} {first} {longest} {}", u8::from(rule.shadow), network.unwrap_or_default())
}

/// Reads the reply of the check; None if it is of another form.
fn answer(reply: &[i64], items: usize) -> Option<Answer> {
    let (head, rest) = reply.split_at_checked(HEAD)?;
    if rest.len() != items * EACH {
        return None;
    }
    let penalty = (head[1] > 0).then(|| Held {
        left: from_millis(head[1]),
        level: u32::try_from(head[2]).unwrap_or(u32::MAX),
        began: head[3] == 1,
    });
    let standings = rest.chunks_exact(EACH).map(|values| Standing {
        verdict: match values[0] {
            0 => Verdict::Beyond,
            2 => Verdict::Known,
            _ => Verdict::Within,
        },
        remaining: u32::try_from(values[1].max(0)).unwrap_or(u32::MAX),
        reset: from_millis(values[2]),
        wait: from_millis(values[3]),
        stamp: values[4],
    });
    Some(Answer {
        admitted: head[0] == 1,
        penalty,
        network_known: head[5] == 1,
        standings: standings.collect(),
        local: false,
    })
}

pub(super) fn penalty_key(tag: &str) -> String {
    format!("limit:{{{tag}}}:penalty")
}

fn networks_key(tag: &str) -> String {
    format!("limit:{{{tag}}}:networks")
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn from_millis(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
