//! Redis: what is shared between pods and may be lost.

use std::time::Duration;

use uuid::Uuid;

use crate::Position;

/// Redis did not answer, or is known not to.
#[derive(Clone, Debug, thiserror::Error)]
#[error("redis is not available")]
pub struct Unavailable;

/// Where Redis is.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct RedisArgs {
    /// Nodes of the cluster, `host:port` each, separated by commas: any of them, the others are found. Without it nothing is kept
    /// in Redis.
    #[arg(long, env = "SIPUP_REDIS_NODES", value_delimiter = ',')]
    pub redis_nodes: Vec<String>,
}

/// A cluster of Redis or Valkey servers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Redis;

impl Redis {
    /// Connects in the background; None if `args` name no node.
    ///
    /// # Errors
    ///
    /// A node is not `host:port`.
    pub async fn connect(
        args: &RedisArgs,
        _tasks: crate::Tasks,
        _meter: &opentelemetry::metrics::Meter,
    ) -> anyhow::Result<Option<Self>> {
        Ok((!args.redis_nodes.is_empty()).then_some(Self))
    }

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
