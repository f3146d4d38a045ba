//! The servers' settings, written anew at each start.

use std::fmt::Write as _;
use std::path::Path;

use crate::error::Result;
use crate::files;
use crate::postgres::Installation;

/// How much is done to survive a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// What is committed stays: the local stack.
    Kept,
    /// Nothing outlives the machine: tests.
    Disposable,
}

/// Alike on primary and replica: a replica with smaller limits than its primary does not start.
const COMMON: &str = "\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
max_wal_senders = 6
max_replication_slots = 6
wal_level = 'replica'
max_locks_per_transaction = 256
shared_buffers = '64MB'
jit = off
random_page_cost = 1.1
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a %u@%d '
password_encryption = 'scram-sha-256'
# Passwords are random and long, so a slow hash protects nothing and would cost each connection.
scram_iterations = 1
hot_standby = on
hot_standby_feedback = off
# A replica that was away finds what it missed, within reason: beyond it, it is made anew.
max_slot_wal_keep_size = '1GB'
max_wal_size = '512MB'
min_wal_size = '80MB'
";

/// The commit itself still waits for its log record, so that positions in the log mean what they do elsewhere.
const DISPOSABLE: &str = "\
fsync = off
full_page_writes = off
autovacuum_naptime = '10min'
max_wal_size = '4GB'
";

/// Writes `postgresql.conf` of the server in `folder`; `own` are the lines that only this server has.
pub(super) fn write(installation: &Installation, folder: &Path, port: u16, own: &str) -> Result<()> {
    let mut text = format!("# Written at each start.\nport = {port}\n{COMMON}");
    if installation.durability == Durability::Disposable {
        text.push_str(DISPOSABLE);
    }
    text.push_str(own);
    let file = folder.join("postgresql.conf");
    files::write_whole(&file, text.as_bytes())?;
    installation.account.own(&file)
}

/// A setting whose value needs quoting.
pub(super) fn quoted(name: &str, value: &str) -> String {
    let mut line = String::new();
    // Writing to a string can't fail.
    let _ = writeln!(line, "{name} = '{}'", value.replace('\'', "''"));
    line
}
