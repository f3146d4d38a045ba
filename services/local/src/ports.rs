//! Ports on loopback: the fixed layout of the stack, and free blocks for tests.

use std::net::{Ipv4Addr, TcpListener};

use crate::error::{Error, Result};
use crate::files;
use crate::lock::FileLock;
use crate::stack::Service;

/// Free blocks of ports lie below the range from which the system takes ports for outgoing connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    low: u16,
    high: u16,
    /// Ports per block.
    block: u16,
}

/// For the data services of tests.
pub(crate) const SMALL: Range = Range { low: 23_000, high: 32_000, block: 10 };
/// For whole stacks on ports of their own.
pub(crate) const LARGE: Range = Range { low: 19_000, high: 23_000, block: Layout::PORTS };

/// Whether nothing listens on `port`.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Neighbouring ports that nobody else who asks here gets while this value lives.
#[derive(Debug)]
pub(crate) struct Block {
    first: u16,
    _lock: FileLock,
}

impl Block {
    /// Takes a free block.
    pub(crate) fn take(range: Range) -> Result<Self> {
        let locks = files::user_folder()?.join("ports");
        let blocks = (range.high - range.low) / range.block;
        // From a random one on: different users can't see each other's lock files.
        let start = rand::random::<u16>() % blocks;
        for step in 0..blocks {
            let first = range.low + (start + step) % blocks * range.block;
            let lock = FileLock::try_take(&locks.join(first.to_string()))?;
            if let Some(lock) = lock
                && (first..first + range.block).all(is_free)
            {
                return Ok(Self { first, _lock: lock });
            }
        }
        Err(Error::NoFreePorts { low: range.low, high: range.high })
    }

    /// The port at `index`, from 0.
    pub(crate) fn port(&self, index: u16) -> u16 {
        self.first + index
    }
}

/// Which port of a stack is for what: offsets from a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    base: u16,
}

impl Layout {
    /// All of a stack's ports lie within this many from the base.
    pub(crate) const PORTS: u16 = 400;
    /// From a Valkey node's port to the one on which the nodes talk with one another.
    pub(crate) const VALKEY_BUS: u16 = 10;

    /// The layout from `base` on.
    pub(crate) fn at(base: u16) -> Result<Self> {
        if !(1_024..=32_767 - Self::PORTS).contains(&base) {
            let problem = format!("must be 1024 to {}, or 0 for any that is free", 32_767 - Self::PORTS);
            return Err(Error::Option { option: "--port-base", problem });
        }
        Ok(Self { base })
    }

    pub(crate) fn ingress(self) -> u16 {
        self.base
    }

    pub(crate) fn ingress_metrics(self) -> u16 {
        self.base + 1
    }

    pub(crate) fn ingress_admin(self) -> u16 {
        self.base + 2
    }

    pub(crate) fn primary(self) -> u16 {
        self.base + 10
    }

    pub(crate) fn replica(self) -> u16 {
        self.base + 11
    }

    pub(crate) fn valkey(self, index: u16) -> u16 {
        self.base + 20 + index
    }

    pub(crate) fn grpc(self, service: Service, replica: u16) -> u16 {
        self.base + 100 + service.block() + replica
    }

    pub(crate) fn admin(self, service: Service, replica: u16) -> u16 {
        self.base + 200 + service.block() + replica
    }

    pub(crate) fn jwks(self, replica: u16) -> u16 {
        self.base + 320 + replica
    }
}

impl Service {
    /// Ten replicas at most.
    fn block(self) -> u16 {
        match self {
            Self::Catalog => 0,
            Self::Orders => 10,
            Self::Auth => 20,
            Self::Jobs => 30,
            Self::Ratelimit => 40,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blocks_at_once_share_no_port() {
        let (one, two) = (Block::take(SMALL).unwrap(), Block::take(SMALL).unwrap());
        assert!(one.first.abs_diff(two.first) >= SMALL.block);
    }
}
