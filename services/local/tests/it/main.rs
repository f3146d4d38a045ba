//! Real processes, a real Postgres and a real Valkey.

mod stack;
mod testing;
