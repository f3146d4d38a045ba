//! The people of the demo: a company that buys and one that sells. Their password is in this file, so they must never be in a
//! database that matters.

use platform::Role;
use uuid::Uuid;

/// The password of every demo user.
pub const PASSWORD: &str = "demo-password";

/// A company of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoCompany {
    /// Always the same, so that seeding twice changes nothing.
    pub id: Uuid,
    /// What it is called.
    pub name: &'static str,
    /// Who acts for it.
    pub users: &'static [DemoUser],
}

/// A user of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemoUser {
    /// Always the same.
    pub id: Uuid,
    /// In lower case, so it is also the key.
    pub email: &'static str,
    /// What the user is called.
    pub display_name: &'static str,
    /// What the user may do.
    pub role: Role,
}

const BUYING: DemoCompany = DemoCompany {
    id: id(1),
    name: "Nordwerk Maschinenbau GmbH",
    users: &[
        DemoUser {
            id: id(11),
            email: "admin@example.com",
            display_name: "Anna Albers",
            role: Role::CompanyAdmin,
        },
        DemoUser { id: id(12), email: "buyer@example.com", display_name: "Bent Brandt", role: Role::Buyer },
        DemoUser {
            id: id(13),
            email: "approver@example.com",
            display_name: "Clara Cordes",
            role: Role::Approver,
        },
    ],
};

const SELLING: DemoCompany = DemoCompany {
    id: id(2),
    name: "Sipup Supply",
    users: &[DemoUser {
        id: id(21),
        email: "seller@example.com",
        display_name: "Sonja Seidel",
        role: Role::Seller,
    }],
};

/// The companies of the demo and their users: first the one that buys, then the one that sells.
pub const fn accounts() -> [DemoCompany; 2] {
    [BUYING, SELLING]
}

/// A UUIDv7 of the first millisecond of 2026.
const fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x019b_76da_a800_7000_8000_0000_0000_0000 + number)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::user::{Email, Password};

    #[test]
    fn the_demo_keeps_the_rules_of_the_service() {
        let users: Vec<DemoUser> = accounts().iter().flat_map(|company| company.users).copied().collect();
        for user in &users {
            assert_eq!(Email::parse(user.email).unwrap().key(), user.email);
        }
        let ids = accounts()
            .iter()
            .map(|company| company.id)
            .chain(users.iter().map(|user| user.id))
            .collect::<HashSet<_>>();
        assert_eq!(ids.len(), 2 + users.len());
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        let millis = "2026-01-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        assert!(ids.iter().all(|id| (id.as_u128() >> 80) as i64 == millis));
        assert!(Password::choose(PASSWORD.to_owned()).is_ok());
    }
}
