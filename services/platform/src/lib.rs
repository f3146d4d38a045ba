//! Everything about being a process, once for all services.
//!
//! It knows no service, no contract and no table of one. Reading order:
//!
//! - what services talk in: [`clock`], [`secret`], [`invalid`], [`status`], [`caller`], [`permissions`], [`access`], [`position`];
//! - a process from start to stop: [`args`], [`run`](mod@run), [`admin`], [`tasks`], [`telemetry`];
//! - a call from wire to handler: [`grpc`], [`deadline`], [`verifier`], [`idempotency`], [`page`];
//! - what a handler uses: [`db`], [`redis`], [`client`];
//! - services inside a test: [`testing`].
//!
//! The README beside this crate has the tables of metrics and spans.

pub mod access;
pub mod admin;
pub mod args;
pub mod caller;
pub mod client;
pub mod clock;
pub mod db;
pub mod deadline;
pub mod grpc;
pub mod idempotency;
pub mod invalid;
pub mod page;
pub mod permissions;
pub mod position;
pub mod redis;
pub mod run;
pub mod secret;
pub mod status;
pub mod tasks;
pub mod telemetry;
pub mod testing;
pub mod verifier;
mod wiring;

pub use access::{Access, Scope, Session};
pub use args::{AuthArgs, ServerArgs, TelemetryArgs};
pub use caller::{Caller, Role};
pub use clock::Clock;
pub use grpc::Rpc;
pub use idempotency::{Outcome, RequestKey};
pub use invalid::Invalid;
pub use permissions::{Allow, Permissions};
pub use position::Position;
pub use run::{Context, Identity, run};
pub use secret::Secret;
pub use status::{Code, Details, Precondition, ServiceError};
pub use tasks::Tasks;
pub use verifier::Verifier;
