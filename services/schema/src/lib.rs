#![doc = include_str!("../README.md")]
//!
//! # Modules, in reading order
//!
//! [`Schema`] (which there are, and their versions), [`migrate`](fn@migrate) (brings a database up to date), [`check`] (whether a service
//! may run on one), [`RolePasswords`].

mod catalogue;
mod check;
mod migrate;
mod passwords;

pub use self::{
    catalogue::Schema,
    check::{NotReady, check},
    migrate::{Error, Options, Report, SchemaReport, ensure_partitions, migrate, sources},
    passwords::RolePasswords,
};
