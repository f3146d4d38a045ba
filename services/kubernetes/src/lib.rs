#![doc = include_str!("../README.md")]

mod client;
pub mod lease;
pub mod secrets;
pub mod testing;

pub use self::{
    client::{connect, identity, own_namespace},
    lease::{Leadership, Lease, Tenure, Timing},
};
pub use kube::Client;
