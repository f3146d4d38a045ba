//! What this service seals with its one secret. Each purpose has a key of its own, derived by a label, so that nothing sealed for
//! one passes for another.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use platform::Secret;
use uuid::Uuid;

use crate::{session::RefreshToken, user::Password};

/// The shortest secret, in bytes: as long as the seals.
const SHORTEST_SECRET: usize = 32;
/// Bytes of a refresh token before its seal: session and generation.
const HEAD: usize = 16 + 4;
/// Bytes of a seal, a whole SHA-256.
const SEAL: usize = 32;

/// Seals refresh tokens, and blinds passwords.
#[derive(Clone)]
pub struct Macs {
    refresh: hmac::Key,
    password: hmac::Key,
}

impl fmt::Debug for Macs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Macs")
    }
}

/// The secret is too short to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be at least {SHORTEST_SECRET} characters")]
pub struct TooShort;

impl Macs {
    /// Keys from `secret`, the same for every pod. A new secret ends all sessions.
    ///
    /// # Errors
    ///
    /// The secret is shorter than 32 characters.
    pub fn new(secret: &Secret) -> Result<Self, TooShort> {
        if secret.expose().len() < SHORTEST_SECRET {
            return Err(TooShort);
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        let derive =
            |label: &str| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, label.as_bytes()).as_ref());
        Ok(Self {
            refresh: derive("sipup auth: refresh tokens"),
            password: derive("sipup auth: passwords of requests"),
        })
    }

    /// The text form of a refresh token: base64url of session, generation and seal. Nothing of it is stored, and the same token has
    /// the same text wherever it is made.
    pub fn seal(&self, token: RefreshToken) -> Secret {
        let mut bytes = Vec::with_capacity(HEAD + SEAL);
        bytes.extend_from_slice(token.session.as_bytes());
        bytes.extend_from_slice(&token.generation.to_be_bytes());
        let seal = hmac::sign(&self.refresh, &bytes);
        bytes.extend_from_slice(seal.as_ref());
        Secret::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The refresh token that [`Macs::seal`] made `text` of; none if it didn't.
    pub fn open(&self, text: &Secret) -> Option<RefreshToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text.expose()).ok()?;
        let (head, seal) = bytes.split_at_checked(HEAD)?;
        hmac::verify(&self.refresh, head, seal).ok()?;
        let (session, generation) = head.split_at(HEAD - 4);
        Some(RefreshToken {
            session: Uuid::from_slice(session).ok()?,
            generation: i32::from_be_bytes(generation.try_into().ok()?),
        })
    }

    /// What stands for a password where requests are compared. Tells whether two are the same, and is of no use for guessing to
    /// whoever reads the database without the secret.
    pub fn blind(&self, password: &Password) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.password, password.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn macs(secret: &str) -> Macs {
        Macs::new(&Secret::new(secret.repeat(4))).unwrap()
    }

    #[test]
    fn a_token_reads_back_and_always_has_the_same_text() {
        let (macs, token) = (macs("a secret"), RefreshToken { session: Uuid::from_u128(7), generation: 3 });
        assert_eq!(macs.open(&macs.seal(token)), Some(token));
        assert_eq!(macs.seal(token), macs.clone().seal(token));
    }

    #[test]
    fn a_changed_byte_or_another_secret_makes_it_nobodys_token() {
        let macs = macs("a secret");
        let text = macs.seal(RefreshToken { session: Uuid::from_u128(7), generation: 3 });
        let bytes = URL_SAFE_NO_PAD.decode(text.expose()).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(macs.open(&Secret::new(URL_SAFE_NO_PAD.encode(changed))), None, "byte {index}");
        }
        assert_eq!(super::tests::macs("a foreign secret").open(&text), None);
        for text in ["", "!", "AAAA", &text.expose()[..60]] {
            assert_eq!(macs.open(&Secret::new(text)), None, "{text}");
        }
    }

    #[test]
    fn a_short_secret_is_none() {
        assert_eq!(Macs::new(&Secret::new("x".repeat(31))).unwrap_err(), TooShort);
    }
}
