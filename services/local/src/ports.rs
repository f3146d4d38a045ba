//! Ports on loopback: the fixed layout of the stack, and free blocks for tests.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::files;

/// Below the range from which the system takes ports for outgoing connections, above what the stack uses by default.
const LOW: u16 = 23_000;
const HIGH: u16 = 32_000;
/// Ports per block.
const BLOCK: u16 = 10;

/// Whether nothing listens on `port`.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Ten neighbouring ports that nobody else who asks here gets while this value lives.
#[derive(Debug)]
pub(crate) struct Block {
    first: u16,
    _lock: File,
}

impl Block {
    /// Takes a free block; `folder` holds the lock files of all blocks.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        files::private_folder(folder)?;
        let blocks = (HIGH - LOW) / BLOCK;
        // From a random one on: different users can't see each other's lock files.
        let start = rand::random::<u16>() % blocks;
        for step in 0..blocks {
            let first = LOW + (start + step) % blocks * BLOCK;
            let path = folder.join(first.to_string());
            let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
            let lock = open.map_err(Error::file("open", &path))?;
            if lock.try_lock().is_ok() && (first..first + BLOCK).all(is_free) {
                return Ok(Self { first, _lock: lock });
            }
        }
        Err(Error::NoFreePorts { low: LOW, high: HIGH })
    }

    /// The port at `index`, 0 to 9.
    pub(crate) fn port(&self, index: u16) -> u16 {
        debug_assert!(index < BLOCK, "a block has ten ports");
        self.first + index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blocks_at_once_share_no_port() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Block::take(folder.path()).unwrap(), Block::take(folder.path()).unwrap());
        assert!(one.first.abs_diff(two.first) >= BLOCK);
    }
}
