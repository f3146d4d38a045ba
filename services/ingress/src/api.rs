//! The parts of Envoy's API (v3) that this configuration uses, under Envoy's own names.
//!
//! Every struct is a message of Envoy's and every field a field of it, so a misspelt name does not compile and a value
//! has the right type. What a message means is said in Envoy's reference; why it is used is said where it is filled in.
//! A field that is always left out is not declared, and one that is `None` is not written.

mod base;
mod bootstrap;
mod cluster;
mod filter;
mod listener;
mod route;
mod tls;

pub(crate) use base::*;
pub(crate) use bootstrap::*;
pub(crate) use cluster::*;
pub(crate) use filter::*;
pub(crate) use listener::*;
pub(crate) use route::*;
pub(crate) use tls::*;
