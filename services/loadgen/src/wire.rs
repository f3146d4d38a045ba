//! Connections, spread over source addresses, and how calls travel on them. Nothing is ever sent twice: what goes out again is only a
//! call that nobody has begun to handle, because its connection was told to end while the call waited for it or was on its way. gRPC's
//! clients do the same, with retries off too ("transparent retry" in its retry design, A6).

pub(crate) mod grpc;
mod json;
mod rest;

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use http::{HeaderName, Uri};
use proto::orders::v1::WatchOrderResponse;
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};

use crate::{
    call::{Call, Failure, Reply, Transport},
    error::{Error, Result},
    identity::Identity,
    user::User,
    watch::Watcher,
    world::World,
};

/// Bytes that may come before they are read, for one call.
const STREAM_WINDOW: u32 = 1 << 20;
/// And for all calls of a connection. Also the measure by which HTTP/2 takes many small answers at once for an attack, and hangs up:
/// they come at once when a server that stood still goes on.
const CONNECTION_WINDOW: u32 = 1 << 24;
/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that a call is given to until one takes it.
const UNSENT_TRIES: usize = 4;

/// The connections of a run.
#[derive(Debug)]
pub(crate) struct Wire {
    grpc: Vec<Channel>,
    rest: Vec<rest::Client>,
    timeout: Duration,
    client_header: Option<HeaderName>,
}

/// How connections are made.
#[derive(Clone, Debug)]
pub(crate) struct WireOptions {
    /// HTTP/2 connections, and REST clients each with connections of its own.
    pub(crate) connections: usize,
    /// How many loopback addresses they come from.
    pub(crate) sources: usize,
    /// How long a call is waited for.
    pub(crate) timeout: Duration,
    /// The header in which each user names an address of its own.
    pub(crate) client_header: Option<HeaderName>,
}

impl Wire {
    pub(crate) async fn connect(url: &str, options: WireOptions) -> Result<Self> {
        let uri: Uri = url.parse().map_err(|error| Error::invalid("url", format!("{error}")))?;
        let is_loopback = uri.host().is_some_and(is_loopback);
        let (mut grpc, mut rest) = (Vec::new(), Vec::new());
        for number in 0..options.connections {
            let source = (is_loopback && options.sources > 1).then(|| source(number % options.sources));
            let endpoint = Endpoint::from(uri.clone()).connect_timeout(CONNECT_TIMEOUT).local_address(source);
            let endpoint = endpoint
                .buffer_size(1 << 14)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW);
            grpc.push(endpoint.connect().await.map_err(|error| Error::Refused {
                what: "connect",
                code: url.to_owned(),
                message: chain(&error),
            })?);
            rest.push(rest::Client::new(&uri, source, CONNECT_TIMEOUT)?);
        }
        Ok(Self { grpc, rest, timeout: options.timeout, client_header: options.client_header })
    }

    /// The gRPC connections.
    pub(crate) fn channels(&self) -> &[Channel] {
        &self.grpc
    }

    /// Sends one call, once, and waits for its answer.
    pub(crate) async fn send(&self, user: &User, world: &World, call: &Call) -> Result<Reply, Failure> {
        let sent = async {
            let mut result = Err(Failure::new("CONNECTION", "there is none"));
            for connection in self.candidates(user.number) {
                let envelope = Envelope {
                    timeout: Some(self.timeout),
                    ..self.envelope(user.number, &user.identity, user.lsn.as_deref())
                };
                result = match user.transport {
                    Transport::Grpc => grpc::send(self.grpc[connection].clone(), envelope, world, call).await,
                    Transport::Rest => self.rest[connection].send(envelope, world, call).await,
                };
                if !is_unsent(&result) {
                    break;
                }
            }
            result
        };
        self.in_time(sent).await
    }

    /// Opens a watch, from the beginning or behind `resume_token`. It lasts as long as both sides want.
    pub(crate) async fn watch(
        &self,
        watcher: &Watcher,
        resume_token: &str,
    ) -> Result<Streaming<WatchOrderResponse>, Failure> {
        let opened = async {
            let mut result = Err(Failure::new("CONNECTION", "there is none"));
            for connection in self.candidates(watcher.number) {
                let envelope = self.envelope(watcher.number, &watcher.identity, watcher.position.as_deref());
                let (channel, order) = (self.grpc[connection].clone(), watcher.order.clone());
                result = grpc::watch(channel, envelope, order, resume_token).await;
                if !is_unsent(&result) {
                    break;
                }
            }
            result
        };
        self.in_time(opened).await
    }

    /// Waits for an answer as long as any call does.
    pub(crate) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::time::timeout(self.timeout, answer).await.unwrap_or_else(|_| {
            Err(Failure::new(
                "TIMEOUT",
                format!("no answer within {}", humantime::format_duration(self.timeout)),
            ))
        })
    }

    fn envelope<'a>(&'a self, user: u32, identity: &Identity, position: Option<&'a str>) -> Envelope<'a> {
        Envelope {
            authorization: identity.authorization(),
            position,
            client: self.client_header.as_ref().map(|name| (name, address_of(user).to_string())),
            timeout: None,
        }
    }

    /// The user's connection, and those that take its call if that one is about to end.
    fn candidates(&self, user: u32) -> impl Iterator<Item = usize> + use<> {
        let (first, all) = (user as usize, self.grpc.len());
        (0..UNSENT_TRIES).map(move |other| (first + other) % all)
    }
}

fn is_unsent<T>(result: &Result<T, Failure>) -> bool {
    result.as_ref().is_err_and(|failure| failure.unsent)
}

/// What every call carries beside its message.
pub(crate) struct Envelope<'a> {
    pub(crate) authorization: tonic::metadata::MetadataValue<tonic::metadata::Ascii>,
    pub(crate) position: Option<&'a str>,
    /// The address that the user claims, and the header that says it.
    pub(crate) client: Option<(&'a HeaderName, String)>,
    /// How long the call may take; a stream has no such limit.
    pub(crate) timeout: Option<Duration>,
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// The loopback address with this number: 127.77.0.1 and up. All of 127.0.0.0/8 is there without being configured.
fn source(number: usize) -> IpAddr {
    let number = u32::try_from(number % 65_000).unwrap_or(0) + 1;
    IpAddr::V4(Ipv4Addr::from_bits(Ipv4Addr::new(127, 77, 0, 0).to_bits() + number))
}

/// The address that a user claims behind a trusted hop: 10.0.0.1 and up.
fn address_of(user: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 1).to_bits() + user % (1 << 23))
}

/// An error and its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_distinct_loopback_addresses() {
        let sources: std::collections::BTreeSet<IpAddr> = (0..300).map(source).collect();
        assert_eq!(sources.len(), 300);
        assert!(sources.iter().all(IpAddr::is_loopback));
    }

    #[test]
    fn only_loopback_targets_get_them() {
        assert!(is_loopback("127.0.0.1") && is_loopback("localhost"));
        assert!(!is_loopback("10.0.0.1") && !is_loopback("sipup.example"));
    }
}
