#![doc = include_str!("../README.md")]

mod account;
mod error;
mod files;
mod folder;
mod http;
mod identity;
mod lock;
mod ports;
mod postgres;
mod process;
mod progress;
mod record;
mod secrets;
mod signals;
mod stack;
mod supervisor;
pub mod testing;
mod valkey;
mod wait;
mod wheels;

pub use crate::error::{Error, Result};
pub use crate::folder::{Ended, default_path, down, pids};
pub use crate::progress::Progress;
pub use crate::signals::asked_to_stop;
pub use crate::stack::{DemoUser, Limits, Options, Replicas, Service, ServiceInfo, StackInfo, up};
