//! Flags of Redis.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::Args;

use crate::{Secret, args::duration};

/// Which Redis cluster, if any.
#[derive(Args, Clone, Debug)]
pub struct RedisArgs {
    /// Some nodes of the cluster, `host:port,host:port`: the others are found through them. Without any, the service does without
    /// Redis.
    #[arg(long, env = "SIPUP_REDIS_NODES", value_delimiter = ',')]
    pub redis_nodes: Vec<Node>,

    /// User that logs in; servers without access lists have none.
    #[arg(long, env = "SIPUP_REDIS_USERNAME")]
    pub redis_username: Option<String>,

    /// Its password.
    #[arg(long, env = "SIPUP_REDIS_PASSWORD", hide_env_values = true)]
    pub redis_password: Option<Secret>,

    /// Whether to use TLS.
    #[arg(long, env = "SIPUP_REDIS_TLS")]
    pub redis_tls: bool,

    /// PEM file of the authorities that may have signed the servers' certificates. Without it, the public ones.
    #[arg(long, env = "SIPUP_REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,

    /// How long a command may take before the caller goes on without its answer.
    #[arg(long, env = "SIPUP_REDIS_COMMAND_TIMEOUT", default_value = "50ms", value_parser = duration)]
    pub redis_command_timeout: Duration,
}

impl RedisArgs {
    /// The defaults, for a program that has the nodes from elsewhere.
    pub fn new(nodes: Vec<Node>) -> Self {
        Self {
            redis_nodes: nodes,
            redis_username: None,
            redis_password: None,
            redis_tls: false,
            redis_ca_file: None,
            redis_command_timeout: Duration::from_millis(50),
        }
    }
}

/// Where one server of the cluster listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Name or IP address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The text is no `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be host:port")]
pub struct InvalidNode;

impl FromStr for Node {
    type Err = InvalidNode;

    fn from_str(text: &str) -> Result<Self, InvalidNode> {
        let (host, port) = text.trim().rsplit_once(':').ok_or(InvalidNode)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(InvalidNode);
        }
        Ok(Self { host: host.to_owned(), port: port.parse().map_err(|_| InvalidNode)? })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        redis: RedisArgs,
    }

    #[test]
    fn nodes_are_read_one_by_one() {
        let args = Program::try_parse_from(["program", "--redis-nodes", "h1:7001,[::1]:7002"]).unwrap().redis;
        let node = |host: &str, port| Node { host: host.into(), port };
        let expected = RedisArgs::new(vec![node("h1", 7001), node("::1", 7002)]);
        assert_eq!(format!("{args:?}"), format!("{expected:?}"));
    }

    #[test]
    fn what_is_no_node_is_refused() {
        for text in ["", "h1", ":7001", "h1:", "h1:70000"] {
            assert_eq!(text.parse::<Node>(), Err(InvalidNode), "{text}");
        }
    }
}
