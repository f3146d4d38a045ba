//! Where each user's last write stands in the database's log.

use std::{sync::LazyLock, time::Duration};

use fred::{interfaces::KeysInterface as _, types::scripts::Script};
use uuid::Uuid;

use super::{Redis, Unavailable, script};
use crate::Position;

/// The later of two positions stays: writes of one user may be told in another order than they were made.
static RECORD: LazyLock<Script> = LazyLock::new(|| {
    Script::from_lua(
        "local kept = redis.call('GET', KEYS[1])\n\
         if not kept or kept < ARGV[1] then\n\
           redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n\
         else\n\
           redis.call('PEXPIRE', KEYS[1], ARGV[2])\n\
         end\n\
         return 1",
    )
});

impl Redis {
    /// Where the last write of `user` stands, if that is not long ago.
    ///
    /// # Errors
    ///
    /// Redis is away: the user may have written without us knowing.
    pub async fn position(&self, user: Uuid) -> Result<Option<Position>, Unavailable> {
        let kept: Option<String> = self.command("position.get", self.0.client.get(key(user))).await?;
        Ok(kept.as_deref().and_then(decode))
    }

    /// Remembers for `keep_for` that `user` has written at `position`.
    ///
    /// # Errors
    ///
    /// Redis is away: others may not know of the write.
    pub async fn record_position(
        &self,
        user: Uuid,
        position: Position,
        keep_for: Duration,
    ) -> Result<(), Unavailable> {
        let millis = keep_for.as_millis().max(1).to_string();
        let arguments = vec![encode(position).into(), millis.into()];
        let record = script::run(&self.0.client, &RECORD, key(user).into(), arguments);
        let _: i64 = self.command("position.record", record).await?;
        Ok(())
    }
}

fn key(user: Uuid) -> String {
    format!("lsn:{{{user}}}")
}

/// Fixed width, so that the order of texts is the order of positions: Lua's numbers are too short for them.
fn encode(position: Position) -> String {
    format!("{:08x}{:016x}", position.timeline, position.lsn)
}

fn decode(text: &str) -> Option<Position> {
    let (timeline, lsn) = text.split_at_checked(8)?;
    Some(Position {
        timeline: u32::from_str_radix(timeline, 16).ok()?,
        lsn: u64::from_str_radix(lsn, 16).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_ordered_as_positions_are() {
        let at = |timeline, lsn| Position { timeline, lsn };
        let rising = [at(1, 0), at(1, 9), at(1, 0x10), at(1, u64::MAX), at(2, 1), at(10, 0), at(u32::MAX, 7)];
        assert!(rising.map(encode).is_sorted());
        assert_eq!(rising.map(|position| decode(&encode(position))), rising.map(Some));
        assert_eq!(decode("nonsense"), None);
    }
}
