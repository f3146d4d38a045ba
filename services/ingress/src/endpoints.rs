//! Where a cluster's hosts are.

use std::{fmt, net::SocketAddr, str::FromStr};

/// A service that Envoy sends calls to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The area of its contracts: `catalog` serves every `sipup.catalog.v*` service. Also the name of Envoy's cluster.
    pub name: String,
    /// Its gRPC ports.
    pub endpoints: Endpoints,
}

impl Backend {
    /// A backend of this name.
    pub fn new(name: impl Into<String>, endpoints: Endpoints) -> Self {
        Self { name: name.into(), endpoints }
    }
}

/// Hosts of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoints {
    /// Addresses that never change.
    Static(Vec<SocketAddr>),
    /// Every address that a name resolves to, asked again every 5 s: a headless Service.
    Dns {
        /// The name.
        host: String,
        /// The same port on each address.
        port: u16,
    },
}

/// Text that is neither a list of addresses nor a name with a port.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is neither `ip:port[,ip:port…]` nor `name:port`")]
pub struct ParseEndpointsError {
    text: String,
}

impl FromStr for Endpoints {
    type Err = ParseEndpointsError;

    /// Reads `127.0.0.1:8080,127.0.0.1:8081` as addresses and `catalog-headless:8080` as a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(addresses) = text.split(',').map(SocketAddr::from_str).collect() {
            return Ok(Self::Static(addresses));
        }
        text.rsplit_once(':')
            .filter(|(host, _)| !host.is_empty() && host.chars().all(is_name))
            .and_then(|(host, port)| Some(Self::Dns { host: host.to_owned(), port: port.parse().ok()? }))
            .ok_or_else(|| ParseEndpointsError { text: text.to_owned() })
    }
}

impl fmt::Display for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(addresses) => {
                let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join(","))
            }
            Self::Dns { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl FromStr for Backend {
    type Err = ParseEndpointsError;

    /// Reads `catalog=127.0.0.1:8080` or `catalog=catalog-headless:8080`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, endpoints) =
            text.split_once('=').ok_or_else(|| ParseEndpointsError { text: text.to_owned() })?;
        Ok(Self::new(name, endpoints.parse()?))
    }
}

const fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_told_apart() {
        let fixed: Endpoints = "127.0.0.1:1,[::1]:2".parse().unwrap();
        assert!(matches!(&fixed, Endpoints::Static(addresses) if addresses.len() == 2));
        assert_eq!(fixed.to_string(), "127.0.0.1:1,[::1]:2");

        let name: Backend = "orders=orders-headless.shop.svc:8080".parse().unwrap();
        assert_eq!(name.name, "orders");
        assert_eq!(name.endpoints, Endpoints::Dns { host: "orders-headless.shop.svc".into(), port: 8080 });
    }

    #[test]
    fn what_is_neither_is_refused_with_its_text() {
        for text in ["", "host", ":80", "a:b", "127.0.0.1:1,host:2", "ho st:80"] {
            let problem = Endpoints::from_str(text).unwrap_err();
            assert!(problem.to_string().contains(text), "{problem}");
        }
    }
}
