//! The contracts of sipup: messages, clients, servers and descriptors, generated from `proto/sipup/**`; and the protocols in which
//! Envoy asks for limits and KEDA for active users, from `proto/envoy/**` and `proto/keda/**`.
//!
//! This crate holds no code of its own and knows no service. Read the `.proto` files: they are the documentation.

#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::str_to_string,
    clippy::clone_on_ref_ptr,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

include!(concat!(env!("OUT_DIR"), "/sipup.rs"));

pub use google::api::HttpBody;
pub use sipup::{auth, catalog, jobs, orders, ratelimit, r#type};

/// Every contract with its comments, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sipup.binpb"));

/// Every contract without comments, for Envoy's transcoder: small enough for a ConfigMap.
pub const SLIM_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sipup-slim.binpb"));
