//! Redis: what is shared between pods and may be lost.

use std::time::Duration;

use uuid::Uuid;

use crate::Position;

/// Redis did not answer, or is known not to.
#[derive(Clone, Debug, thiserror::Error)]
#[error("redis is not available")]
pub struct Unavailable;

/// A cluster of Redis or Valkey servers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Redis;

impl Redis {
    /// Where the user's last write stands.
    pub async fn position(&self, _user: Uuid) -> Result<Option<Position>, Unavailable> {
        Err(Unavailable)
    }

    /// Remembers where the user's last write stands.
    pub async fn record_position(
        &self,
        _user: Uuid,
        _position: Position,
        _keep_for: Duration,
    ) -> Result<(), Unavailable> {
        Err(Unavailable)
    }
}
