//! Where a log-in comes from.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use tonic::Request;

/// What the ingress says about where a call comes from. It removes whatever a client says there.
const CLIENT_ADDRESS: &str = "x-client-address";

/// Where a log-in comes from, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin(Option<IpAddr>);

impl Origin {
    /// The address that the ingress tells. Nothing is known about a call past the ingress: its peer may be anybody's proxy.
    pub fn of<T>(request: &Request<T>) -> Self {
        let told = request.metadata().get(CLIENT_ADDRESS);
        let address = told.and_then(|value| value.to_str().ok()?.trim().parse::<IpAddr>().ok());
        Self(address.map(|address| address.to_canonical()))
    }

    /// The address.
    pub fn address(self) -> Option<IpAddr> {
        self.0
    }
}

impl fmt::Display for Origin {
    /// What counts as one place: an IPv4 address, or an IPv6 network of 64 bits, which one customer has whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("unknown"),
            Some(IpAddr::V4(v4)) => v4.fmt(f),
            Some(IpAddr::V6(v6)) => {
                let network = Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64);
                write!(f, "{network}/64")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(value: &str) -> Origin {
        let mut request = Request::new(());
        request.metadata_mut().insert(CLIENT_ADDRESS, value.parse().unwrap());
        Origin::of(&request)
    }

    #[test]
    fn one_place_has_one_text_however_its_address_is_written() {
        assert_eq!(told("192.0.2.7").to_string(), "192.0.2.7");
        assert_eq!(told("::ffff:192.0.2.7"), told("192.0.2.7"));
        assert_eq!(told("2001:db8:1:2::3").to_string(), told("2001:db8:1:2:ffff::4").to_string());
        assert_ne!(told("2001:db8:1:2::3").to_string(), told("2001:db8:1:3::3").to_string());
    }

    #[test]
    fn what_is_no_address_is_no_place() {
        assert_eq!(told("somewhere, 192.0.2.7").address(), None);
        assert_eq!(Origin::of(&Request::new(())).to_string(), "unknown");
    }
}
