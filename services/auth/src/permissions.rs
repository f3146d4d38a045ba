//! Who may call what.

use platform::{Allow, Permissions};

/// Whoever calls the first four has no token, or one that has expired: they must leave it out.
pub const PERMISSIONS: Permissions = Permissions::new(
    "sipup.auth.v1.AuthService",
    &[
        ("Register", Allow::Anyone),
        ("Login", Allow::Anyone),
        ("Refresh", Allow::Anyone),
        ("Logout", Allow::Anyone),
        ("GetMe", Allow::Signed),
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_contract_is_listed_and_no_other() {
        assert_eq!(PERMISSIONS.differences(proto::DESCRIPTORS).unwrap(), Vec::<String>::new());
    }
}
