#![doc = include_str!("../README.md")]

mod account;
mod error;
mod files;
mod folder;
mod identity;
mod ports;
mod postgres;
mod process;
mod progress;
mod record;
mod secrets;
mod supervisor;
pub mod testing;
mod valkey;
mod wait;
mod wheels;

pub use crate::error::{Error, Result};
