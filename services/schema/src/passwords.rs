//! Passwords of the roles that services log in as.

use std::fmt;

/// The passwords to set; a role without one keeps what it has. `Debug` shows which are given, never what they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RolePasswords {
    /// Of `svc_catalog`.
    pub catalog: Option<String>,
    /// Of `svc_orders`.
    pub orders: Option<String>,
    /// Of `svc_auth`.
    pub auth: Option<String>,
    /// Of `svc_jobs`.
    pub jobs: Option<String>,
}

impl RolePasswords {
    /// Sets no password: for servers that trust the loopback interface.
    pub const fn none() -> Self {
        Self { catalog: None, orders: None, auth: None, jobs: None }
    }

    /// The roles that have a password here, with it.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.all().into_iter().filter_map(|(role, password)| Some((role, password?)))
    }

    fn all(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("svc_catalog", self.catalog.as_deref()),
            ("svc_orders", self.orders.as_deref()),
            ("svc_auth", self.auth.as_deref()),
            ("svc_jobs", self.jobs.as_deref()),
        ]
    }
}

impl fmt::Debug for RolePasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (role, password) in self.all() {
            map.entry(&role, &if password.is_some() { "given" } else { "none" });
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::RolePasswords;

    #[test]
    fn debug_shows_that_a_password_is_given_and_not_which() {
        let passwords = RolePasswords { jobs: Some("correct horse".to_owned()), ..RolePasswords::none() };
        let shown = format!("{passwords:?}");
        assert!(!shown.contains("horse"), "{shown}");
        assert!(
            shown.contains(r#""svc_jobs": "given""#) && shown.contains(r#""svc_auth": "none""#),
            "{shown}"
        );
    }
}
