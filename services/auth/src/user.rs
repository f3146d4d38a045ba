//! Users, and what they log in with.

use jiff::Timestamp;
use platform::{Invalid, Role, Secret};
use uuid::Uuid;

use crate::name::Name;

/// The longest address, as RFC 5321 (4.5.3.1.3, with its brackets) bounds it.
const LONGEST_EMAIL: usize = 254;
/// The longest part before the `@` (RFC 5321, 4.5.3.1.1).
const LONGEST_LOCAL_PART: usize = 64;
/// Characters of a password.
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 10..=200;

/// A person who acts for a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// UUIDv7.
    pub id: Uuid,
    /// The company that the user acts for.
    pub company_id: Uuid,
    /// The address, as it was given.
    pub email: String,
    /// What the user is called.
    pub display_name: String,
    /// What the user may do.
    pub role: Role,
    /// When the user was added.
    pub created_at: Timestamp,
}

/// A user with what decides over a log-in.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who logs in.
    pub user: User,
    /// Argon2id in PHC text form.
    pub password_hash: Secret,
    /// Until when log-in is refused, whatever the password.
    pub locked_until: Option<Timestamp>,
}

impl Account {
    /// Whether log-in is refused at `now`, whatever the password.
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }
}

/// An e-mail address, and the key that no two users share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    address: String,
    key: String,
}

impl Email {
    /// Reads the address in the field `email`. Whether it reaches anybody only a message can tell; this refuses what certainly
    /// can't.
    ///
    /// # Errors
    ///
    /// Names `email`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let invalid = |problem: &str| Err(Invalid::new("email", problem));
        if text.len() > LONGEST_EMAIL {
            return invalid("must be at most 254 characters");
        }
        let Some((local, domain)) = text.rsplit_once('@') else {
            return invalid("must be an address such as name@example.com");
        };
        let is_odd = |symbol: char| symbol.is_whitespace() || symbol.is_control();
        if text.contains(is_odd) || !(1..=LONGEST_LOCAL_PART).contains(&local.len()) || local.contains('@') {
            return invalid("must have 1 to 64 characters without white space before its one @");
        }
        let is_label = |label: &str| {
            !label.is_empty() && label.chars().all(|symbol| symbol.is_alphanumeric() || symbol == '-')
        };
        if !domain.split('.').all(is_label) {
            return invalid("must have a host name after the @");
        }
        Ok(Self { address: text.to_owned(), key: text.to_lowercase() })
    }

    /// The address, as it was given.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address without regard to case.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

/// A password on its way to be hashed or checked. It never prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password(Secret);

impl Password {
    /// Reads a password to be.
    ///
    /// # Errors
    ///
    /// Names `password` if it is not 10 to 200 characters long. No further rules: length is what helps (NIST SP 800-63B, 3.1.1.2).
    pub fn choose(text: String) -> Result<Self, Invalid> {
        if !PASSWORD_LENGTH.contains(&text.chars().count()) {
            return Err(Invalid::new("password", "must be 10 to 200 characters"));
        }
        Ok(Self(Secret::new(text)))
    }

    /// Reads a password to be checked against one that was chosen, maybe by older rules.
    ///
    /// # Errors
    ///
    /// Names `password` if it is empty, or longer than any that could be chosen.
    pub fn present(text: String) -> Result<Self, Invalid> {
        if !(1..=*PASSWORD_LENGTH.end()).contains(&text.chars().count()) {
            return Err(Invalid::new("password", "must be 1 to 200 characters"));
        }
        Ok(Self(Secret::new(text)))
    }

    /// The text in bytes, for hashing.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

/// A company and its first user, asked for.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The company's name.
    pub company_name: Name,
    /// The user's address.
    pub email: Email,
    /// The user's password.
    pub password: Password,
    /// The user's name.
    pub display_name: Name,
}

/// Who wants to log in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user's address.
    pub email: Email,
    /// What is said to be the password.
    pub password: Password,
    /// What is said to be the token of a device that the user has logged in from.
    pub device_token: Option<Secret>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_differ_in_case_have_one_key() {
        let email = Email::parse(" Käthe.Kruse@Example.COM ").unwrap();
        assert_eq!((email.address(), email.key()), ("Käthe.Kruse@Example.COM", "käthe.kruse@example.com"));
        assert_eq!(email.local_part(), "Käthe.Kruse");
    }

    #[test]
    fn what_can_not_be_an_address_is_refused_by_name() {
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}.example", "b".repeat(250));
        for text in [
            "",
            "a",
            "@example.com",
            "a@",
            "a@b@c.de",
            "a b@c.de",
            "a@b..de",
            "a@b c",
            "a\n@b.de",
            &long,
            &long_local,
        ] {
            assert_eq!(Email::parse(text).unwrap_err().field, "email", "{text:?}");
        }
    }

    #[test]
    fn a_password_is_bounded_in_characters_and_never_prints() {
        assert!(Password::choose("ä".repeat(10)).is_ok() && Password::choose("x".repeat(200)).is_ok());
        assert!(Password::choose("short".into()).is_err() && Password::choose("x".repeat(201)).is_err());
        assert!(Password::present("short".into()).is_ok() && Password::present(String::new()).is_err());
        let password = Password::choose("correct horse battery".into()).unwrap();
        assert!(!format!("{password:?}").contains("horse"));
        assert!(!Password::choose("tooshort".into()).unwrap_err().to_string().contains("tooshort"));
    }

    #[test]
    fn a_lock_ends_by_itself() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let user = User {
            id: Uuid::nil(),
            company_id: Uuid::nil(),
            email: String::new(),
            display_name: String::new(),
            role: Role::Buyer,
            created_at: at(0),
        };
        let account = Account { user, password_hash: Secret::default(), locked_until: Some(at(10)) };
        assert!(account.is_locked(at(9)) && !account.is_locked(at(10)));
    }
}
