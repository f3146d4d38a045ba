//! From a pod's name to its address.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
};

/// Finds the address of a host.
pub trait Resolve {
    /// Its address now: what was true a second ago may be another pod's today.
    fn resolve(&self, host: &str) -> impl Future<Output = io::Result<IpAddr>> + Send;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug)]
pub struct Dns;

impl Resolve for Dns {
    async fn resolve(&self, host: &str) -> io::Result<IpAddr> {
        let mut addresses = tokio::net::lookup_host((host, 0)).await?;
        addresses.next().as_ref().map(SocketAddr::ip).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
