//! What is known about a request: by Envoy's descriptors, or by the service that asks.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv6Addr},
};

use aws_lc_rs::digest;

/// Names of the facts that mean something to the limiter itself.
pub mod names {
    /// A client address; IPv6 counts by /64.
    pub const IP: &str = "ip";
    /// A user's id.
    pub const USER: &str = "user";
    /// A company's id.
    pub const COMPANY: &str = "company";
    /// An API key's id.
    pub const API_KEY: &str = "api_key";
    /// An account that somebody tries to log in to.
    pub const ACCOUNT: &str = "account";
    /// A device that the account was logged in to from before, as the service that asks has made sure.
    pub const DEVICE: &str = "device";
    /// What a service asks about, for example `login`.
    pub const ACTION: &str = "action";
}

/// Values are of callers' making: longer ones are cut, so that none costs more than another.
const LONGEST: usize = 1_024;

/// What is known about a request, by name. A few entries, so searching beats hashing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(Vec<(String, String)>);

impl Facts {
    /// Adds a fact under the name that rules use. The first of a name stays.
    pub fn add(&mut self, key: &str, value: &str) {
        let name = match key {
            "user_id" => names::USER,
            "remote_address" | "masked_remote_address" => names::IP,
            "company_id" => names::COMPANY,
            other => other,
        };
        if value.is_empty() || self.get(name).is_some() {
            return;
        }
        let value = match name {
            names::IP => canonical_ip(value),
            names::ACCOUNT => value.trim().to_lowercase(),
            _ => value.to_owned(),
        };
        self.0.push((name.to_owned(), cut(value)));
    }

    /// The fact of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The principal that is described by the facts `per`: `account=…|ip=…`. None if one of them is not known.
    pub fn principal(&self, per: &[String]) -> Option<Principal> {
        let mut facts = Vec::with_capacity(per.len());
        for name in per {
            facts.push((name.clone(), self.get(name)?.to_owned()));
        }
        Some(Principal(facts))
    }

    /// Where a client is at home, coarser than its address: IPv4 by /24, IPv6 by /48.
    pub fn network(&self) -> Option<String> {
        let address = self.get(names::IP)?;
        match address.split('/').next()?.parse().ok()? {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Some(format!("{a}.{b}.{c}.0/24"))
            }
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                Some(format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
            }
        }
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Facts {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(facts: I) -> Self {
        let mut collected = Self::default();
        for (name, value) in facts {
            collected.add(name, value);
        }
        collected
    }
}

/// Somebody or something that acts are counted for: the facts that a rule counts together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal(Vec<(String, String)>);

impl Principal {
    /// The facts, by name.
    pub fn facts(&self) -> &[(String, String)] {
        &self.0
    }

    /// A text that no other principal has and that is safe inside a hash tag: plain where the values are, else a digest.
    pub fn tag(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.0 {
            if !text.is_empty() {
                text.push('|');
            }
            // Formatting into a String can't fail.
            let _ = write!(text, "{name}={}", readable(value));
        }
        text
    }
}

impl std::fmt::Display for Principal {
    /// For logs: what an account is called is nobody's business there.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            let value = if name == names::ACCOUNT { hashed(value) } else { readable(value) };
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

/// Values of callers' making could hold a brace or a separator, and become another principal's tag.
fn readable(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:-_/@+".contains(c);
    if value.len() <= 80 && value.chars().all(plain) {
        return value.to_owned();
    }
    hashed(value)
}

fn hashed(value: &str) -> String {
    let digest = digest::digest(&digest::SHA256, value.as_bytes());
    digest.as_ref()[..16].iter().fold("#".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// IPv4 as it is, also where it is written as IPv6; IPv6 by its /64, which one customer has whole.
fn canonical_ip(value: &str) -> String {
    let Ok(address) = value.split('/').next().unwrap_or_default().parse::<IpAddr>() else {
        return value.to_owned();
    };
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

fn cut(mut value: String) -> String {
    value.truncate(value.floor_char_boundary(LONGEST));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> String {
        Facts::from_iter([("remote_address", text)]).get(names::IP).unwrap().to_owned()
    }

    #[test]
    fn an_address_counts_as_one_client_however_it_is_written() {
        assert_eq!(ip("192.0.2.7"), "192.0.2.7");
        assert_eq!(ip("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(ip("2001:db8:1:2:3::9"), ip("2001:db8:1:2:ffff::/64"));
        assert_ne!(ip("2001:db8:1:2::9"), ip("2001:db8:1:3::9"));
    }

    #[test]
    fn no_value_can_pose_as_another_principal() {
        let tag = |account: &str, ip: &str| {
            let facts = Facts::from_iter([(names::ACCOUNT, account), (names::IP, ip)]);
            facts.principal(&["account".into(), "ip".into()]).unwrap().tag()
        };
        assert_eq!(tag("A@x.de ", "192.0.2.7"), "account=a@x.de|ip=192.0.2.7");
        assert_ne!(tag("a|ip=1.1.1.1", "192.0.2.7"), tag("a", "1.1.1.1"));
        assert!(!tag("a}{b", "192.0.2.7").contains(['{', '}']));
        assert_eq!(tag(&"x".repeat(5_000), "192.0.2.7").len(), "account=#|ip=192.0.2.7".len() + 32);
    }

    #[test]
    fn a_network_is_wider_than_an_address() {
        let network = |text: &str| Facts::from_iter([("ip", text)]).network();
        assert_eq!(network("192.0.2.7").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(network("2001:db8:1:2::9").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(network("somewhere"), None);
    }
}
