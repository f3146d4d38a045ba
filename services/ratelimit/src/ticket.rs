//! What a caller carries between asking and reporting the outcome, so that any pod can take the report.

use prost::Message as _;

use crate::store::Refund;

/// Everything that a success changes.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Ticket {
    /// Acts to take back in Redis.
    #[prost(message, repeated, tag = "1")]
    pub shared: Vec<Refund>,
    /// Acts to take back in the pod that counted them.
    #[prost(message, repeated, tag = "2")]
    pub local: Vec<Refund>,
    /// That pod.
    #[prost(string, tag = "3")]
    pub pod: String,
    /// A network to remember.
    #[prost(message, optional, tag = "4")]
    pub learned: Option<Learned>,
}

/// Where the owner of an account comes from.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Learned {
    /// The account's text in keys.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// The network.
    #[prost(string, tag = "2")]
    pub network: String,
}

impl Ticket {
    /// Remembers `network` for the account `tag` on success.
    pub fn learn(&mut self, tag: &str, network: &str) {
        self.learned = Some(Learned { tag: tag.to_owned(), network: network.to_owned() });
    }

    /// The form that travels; empty where nothing waits.
    pub fn seal(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Reads what [`Self::seal`] made. None if it is something else.
    pub fn open(bytes: &[u8]) -> Option<Self> {
        let ticket = Self::decode(bytes).ok()?;
        let refunds = || ticket.shared.iter().chain(&ticket.local);
        let tags =
            refunds().map(|refund| &refund.tag).chain(ticket.learned.iter().map(|learned| &learned.tag));
        // Keys are made from these: with a brace in it, a tag would end early.
        let plain = tags.chain(refunds().map(|refund| &refund.rule)).all(|text| !text.contains(['{', '}']));
        let known = refunds().all(|refund| matches!(refund.kind.as_str(), "w" | "e" | "g"));
        (plain && known).then_some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_check_made_is_refused() {
        let refund = Refund {
            tag: "ip=192.0.2.7".into(),
            rule: "a".into(),
            kind: "w".into(),
            cost: 1,
            span: 1,
            stamp: 1,
        };
        let ticket = Ticket { shared: vec![refund.clone()], ..Ticket::default() };
        assert_eq!(Ticket::open(&ticket.seal()), Some(ticket));
        for wrong in [Refund { tag: "a}{b".into(), ..refund.clone() }, Refund { kind: "x".into(), ..refund }]
        {
            assert_eq!(Ticket::open(&Ticket { local: vec![wrong], ..Ticket::default() }.seal()), None);
        }
        assert_eq!(Ticket::open(b"nonsense"), None);
        assert!(Ticket::default().seal().is_empty());
    }
}
