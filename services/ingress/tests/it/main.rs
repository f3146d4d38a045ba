//! The configuration in a real Envoy, between clients and stub backends on loopback.

mod envoy;
mod rendering;
