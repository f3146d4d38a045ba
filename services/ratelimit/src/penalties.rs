//! Who is blocked: the list for operators, and the audit log. The blocks themselves are decided where acts are counted.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use platform::{
    Clock, Tasks,
    redis::{Redis, Script},
};
use serde::{Deserialize, Serialize};

use crate::{
    facts::Principal,
    store::{Away, Held, RedisStore},
};

/// Listed at most.
const LISTED: i64 = 1_000;
const KEYS: [&str; 2] = ["limit:{penalties}:ends", "limit:{penalties}:details"];

/// The list of penalties. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Penalties(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Option<(Redis, Arc<RedisStore>)>,
    note: Script,
    list: Script,
    drop: Script,
    clock: Clock,
    tasks: Tasks,
}

/// A penalty that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Who, by the facts that the rule counts.
    pub facts: Vec<(String, String)>,
    /// The rule that was violated.
    pub rule: String,
    /// How many there have been, this one included.
    pub level: u32,
    /// When it ends.
    pub ends: Timestamp,
}

/// What the list keeps beside the end.
#[derive(Debug, Deserialize, Serialize)]
struct Details {
    facts: Vec<(String, String)>,
    rule: String,
    level: u32,
}

impl Penalties {
    /// A list in `shared`; nobody is ever listed without.
    pub fn new(shared: Option<(Redis, Arc<RedisStore>)>, clock: Clock, tasks: &Tasks) -> Self {
        Self(Arc::new(Inner {
            shared,
            note: Script::new("penalty.note", include_str!("lua/note_penalty.lua")),
            list: Script::new("penalty.list", include_str!("lua/list_penalties.lua")),
            drop: Script::new(
                "penalty.drop",
                "return redis.call('ZREM', KEYS[1], ARGV[1]) + redis.call('HDEL', KEYS[2], ARGV[1])",
            ),
            clock,
            tasks: tasks.clone(),
        }))
    }

    /// Says that a penalty began. Nobody waits for the list.
    pub(crate) fn began(&self, principal: &Principal, rule: &str, held: Held) {
        tracing::warn!(
            target: "audit", %principal, rule, penalty.level = held.level, seconds = held.left.as_secs(), "penalty began"
        );
        let details = Details { facts: principal.facts().to_vec(), rule: rule.to_owned(), level: held.level };
        let ends = self.0.clock.now().as_millisecond().saturating_add(millis(held.left));
        let (inner, tag) = (Arc::clone(&self.0), principal.tag());
        drop(self.0.tasks.spawn("penalty", async move {
            let (Some((redis, _)), Ok(details)) = (&inner.shared, serde_json::to_string(&details)) else {
                return;
            };
            let keys = KEYS.map(str::to_owned).to_vec();
            let arguments = vec![tag.into(), ends.into(), details.into(), (LISTED * 10).into()];
            let noted: Result<i64, _> = redis.run(&inner.note, keys, arguments).await;
            if noted.is_err() {
                tracing::info!("a penalty is missing from the list, because redis did not answer");
            }
        }));
    }

    /// Who is blocked, the longest first.
    ///
    /// # Errors
    ///
    /// [`Away`].
    pub async fn list(&self) -> Result<Vec<Listed>, Away> {
        let (redis, _) = self.0.shared.as_ref().ok_or(Away)?;
        let now = self.0.clock.now().as_millisecond();
        let keys = KEYS.map(str::to_owned).to_vec();
        let rows: Vec<String> = redis.run(&self.0.list, keys, vec![now.into(), LISTED.into()]).await?;
        Ok(rows.chunks_exact(2).filter_map(|row| listed(&row[0], &row[1])).collect())
    }

    /// Ends the penalty of `principal`. Answers whether there was one.
    ///
    /// # Errors
    ///
    /// [`Away`].
    pub async fn unban(&self, principal: &Principal) -> Result<bool, Away> {
        let (redis, store) = self.0.shared.as_ref().ok_or(Away)?;
        let tag = principal.tag();
        let found = store.forget_penalty(&tag).await?;
        let _: i64 = redis.run(&self.0.drop, KEYS.map(str::to_owned).to_vec(), vec![tag.into()]).await?;
        tracing::warn!(target: "audit", %principal, found, "penalty ended by an operator");
        Ok(found)
    }
}

fn listed(ends: &str, details: &str) -> Option<Listed> {
    let ends = Timestamp::from_millisecond(ends.parse().ok()?).ok()?;
    let Details { facts, rule, level } = serde_json::from_str(details).ok()?;
    Some(Listed { facts, rule, level, ends })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
