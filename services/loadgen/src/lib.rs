#![doc = include_str!("../README.md")]
#![allow(clippy::cast_precision_loss, reason = "figures are for reading, and no run counts beyond 2^53")]

mod arrivals;
mod call;
mod check;
mod engine;
mod error;
mod histogram;
mod identity;
mod idle;
pub mod knee;
mod live;
mod objective;
mod orders_report;
mod overlay;
mod plan;
mod popularity;
mod price;
mod recorder;
pub mod report;
mod run;
mod scenario;
mod seller;
mod stack;
pub mod testing;
mod traffic;
mod usage;
mod user;
mod watch;
mod wire;
mod world;

pub use crate::arrivals::Arrivals;
pub use crate::call::Transport;
pub use crate::error::{Error, Result};
pub use crate::live::{Live, Snapshot};
pub use crate::objective::{Objective, Objectives};
pub use crate::overlay::{Chart, Overlay, ProcessUse};
pub use crate::plan::{Model, Plan, WarmUp};
pub use crate::recorder::{Counts, FailedCall, FirstSights};
pub use crate::report::Report;
pub use crate::run::{Generator, run};
pub use crate::scenario::{Journey, Scenario, Step};
pub use crate::stack::{DemoUser, Process, Stack};
pub use crate::traffic::{Running, Traffic};
