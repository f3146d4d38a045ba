//! `platform` against real servers.

mod db;
mod db_cancel;
mod db_faults;
mod db_replica;
mod db_support;
mod redis;
