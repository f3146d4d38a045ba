//! What end-to-end tests stand on: a whole local stack, clients of it, and a collector for its traces.
//!
//! - [`stack`]: starts `sipup up` and stops it;
//! - [`clients`]: generated clients through Envoy, logged in;
//! - [`curl`]: the REST client that everybody has;
//! - [`collector`]: receives traces over OTLP;
//! - [`python`]: runs the Python client in an environment of its own;
//! - [`trace`]: what an order's trace has to show;
//! - [`wait`](mod@wait): waits for a condition, bounded.

pub mod clients;
pub mod collector;
pub mod curl;
pub mod python;
pub mod stack;
pub mod trace;
pub mod wait;

pub use stack::Stack;
