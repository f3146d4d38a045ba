//! What kind a call is, as its declaration in the contracts says: the one rule by which the edge gives it a route and the services give it
//! time.
//!
//! It knows no contract: it is shown the declarations of methods.

use std::time::Duration;

use prost_types::MethodDescriptorProto;

/// How long a long call may be silent. As long as a statement of the database may take, because nothing moves meanwhile either.
pub const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// What kind a call is, read from its name and its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Changes nothing (`Get`, `List`, `BatchGet`, `Search`, `Price`): sent again when a backend is unavailable.
    Read,
    /// Changes something: sent again only if the first try certainly never reached a service.
    Write,
    /// A write of many things at once (`Batch…`): as [`Class::Write`], with room for a larger body and the time to send it.
    Bulk,
    /// Many messages and one answer: never sent again, with as much time as [`Class::Bulk`].
    Upload,
    /// Answers with a stream: never sent again, lives for up to an hour.
    Stream,
}

const READ_VERBS: [&str; 5] = ["Get", "List", "BatchGet", "Search", "Price"];
const BULK_VERBS: [&str; 6] =
    ["BatchCreate", "BatchUpdate", "BatchDelete", "BatchAdjust", "BatchSet", "BatchAssign"];
const WRITE_VERBS: [&str; 9] =
    ["Create", "Update", "Delete", "Cancel", "Ship", "Register", "Login", "Refresh", "Logout"];

impl Class {
    /// The class of `method`; none if it has no stream and begins with no known verb.
    pub fn of(method: &MethodDescriptorProto) -> Option<Self> {
        if method.server_streaming() {
            return Some(Self::Stream);
        }
        if method.client_streaming() {
            return Some(Self::Upload);
        }
        let begins_with = |verbs: &[&str]| verbs.iter().any(|verb| has_verb(method.name(), verb));
        if reads(method.name()) {
            Some(Self::Read)
        } else if begins_with(&BULK_VERBS) {
            Some(Self::Bulk)
        } else if begins_with(&WRITE_VERBS) {
            Some(Self::Write)
        } else {
            None
        }
    }

    /// Whether a call carries many things: it may take longer than others as long as it isn't silent for [`LONGEST_SILENCE`].
    pub const fn is_long(self) -> bool {
        match self {
            Self::Bulk | Self::Upload => true,
            Self::Read | Self::Write | Self::Stream => false,
        }
    }
}

/// Whether a call of the method `name`, which has no stream, changes nothing.
pub fn reads(name: &str) -> bool {
    READ_VERBS.iter().any(|verb| has_verb(name, verb))
}

/// Whether a name is a verb, alone or with a noun behind it: `Get` and `GetOrder`, not `Getaway`.
fn has_verb(name: &str, verb: &str) -> bool {
    name.strip_prefix(verb).is_some_and(|noun| !noun.starts_with(|c: char| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, client_streams: bool, server_streams: bool) -> Option<Class> {
        Class::of(&MethodDescriptorProto {
            name: Some(name.to_owned()),
            client_streaming: Some(client_streams),
            server_streaming: Some(server_streams),
            ..MethodDescriptorProto::default()
        })
    }

    #[test]
    fn a_name_begins_with_its_verb() {
        for (name, expected) in [
            ("GetOrder", Some(Class::Read)),
            ("BatchGetProducts", Some(Class::Read)),
            ("SearchOrders", Some(Class::Read)),
            ("PriceItems", Some(Class::Read)),
            ("BatchCreateProducts", Some(Class::Bulk)),
            ("BatchAdjustStock", Some(Class::Bulk)),
            ("BatchSetPrices", Some(Class::Bulk)),
            ("BatchAssignPriceLists", Some(Class::Bulk)),
            ("CreateOrder", Some(Class::Write)),
            ("Logout", Some(Class::Write)),
            ("Getaway", None),
            ("Frobnicate", None),
            ("ReadOrder", None),
        ] {
            assert_eq!(class(name, false, false), expected, "{name}");
        }
    }

    #[test]
    fn streams_are_known_by_their_declaration_whatever_their_name() {
        for name in ["GetOrder", "ImportProducts", "Follow"] {
            assert_eq!(class(name, true, false), Some(Class::Upload), "{name}");
            assert_eq!(class(name, false, true), Some(Class::Stream), "{name}");
            assert_eq!(class(name, true, true), Some(Class::Stream), "{name}");
        }
    }

    #[test]
    fn only_what_carries_many_things_is_long() {
        let long = [Class::Read, Class::Write, Class::Bulk, Class::Upload, Class::Stream].map(Class::is_long);
        assert_eq!(long, [false, false, true, true, false]);
    }
}
