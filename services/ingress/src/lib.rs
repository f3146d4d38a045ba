//! Envoy's configuration as typed code.
//!
//! [`Config`] says what differs from one place to another: addresses, origins, limits. [`Config::render`] turns it into
//! the JSON that Envoy 1.40 reads. What is the same everywhere is code: the order of the filters (`filters`), how an RPC
//! is retried and who may call it (`routes`), how a sick backend is noticed (`clusters`).
//!
//! The route table is derived from the contracts: see [`rpcs`]. A new RPC needs no line here as long as its name follows
//! the convention; one that does not is an [`Error`], not a silent default.

#[expect(
    clippy::enum_variant_names,
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "names and fields are Envoy's"
)]
mod api;
mod bootstrap;
mod chart;
mod clusters;
mod config;
mod connection;
mod endpoints;
mod files;
mod filters;
mod listeners;
mod local_replies;
mod observability;
mod rate_limits;
mod routes;
mod rpcs;
mod tls;
mod validate;

pub use calls::Class;
pub use chart::{CHART_TLS_FOLDER, CHART_XDS_FOLDER, ChartError, ChartFile, chart, chart_descriptors};
pub use config::{Config, Descriptors, Error, Jwt, Limiter, Limits, LocalLimit, Otlp, Tls};
pub use endpoints::{Backend, Endpoints, ParseEndpointsError};
pub use files::Files;
pub use rpcs::{Access, Rpc, rpcs};
pub use validate::{ValidateError, validate};
