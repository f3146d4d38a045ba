//! What this service seals with its one secret. Each purpose has a key of its own, derived by a label, so that nothing sealed for
//! one passes for another.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use platform::Secret;
use uuid::Uuid;

use crate::{
    device::Device,
    session::RefreshToken,
    user::{Email, Password},
};

/// The shortest secret, in bytes: as long as the seals.
const SHORTEST_SECRET: usize = 32;
/// Bytes of a refresh token before its seal: session and generation.
const HEAD: usize = 16 + 4;
/// Bytes of a device token before its seal: device, and the second that it was issued.
const DEVICE_HEAD: usize = 16 + 8;
/// Bytes of a seal, a whole SHA-256.
const SEAL: usize = 32;

/// Seals refresh tokens and device tokens, and blinds passwords.
#[derive(Clone)]
pub struct Macs {
    refresh: hmac::Key,
    device: hmac::Key,
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
    /// Keys from `secret`, the same for every pod. A new secret ends all sessions, and makes strangers of all devices.
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
            device: derive("sipup auth: device tokens"),
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

    /// The text form of a token that names `device` to the account `email`: base64url of device, time and seal. Whose it is only the seal
    /// tells, so it shows nobody's address.
    pub fn seal_device(&self, device: Device, email: &Email) -> Secret {
        let mut bytes = Vec::with_capacity(DEVICE_HEAD + SEAL);
        bytes.extend_from_slice(device.id.as_bytes());
        bytes.extend_from_slice(&device.issued_at.as_second().to_be_bytes());
        let seal = hmac::sign(&self.device, &of_account(&bytes, email));
        bytes.extend_from_slice(seal.as_ref());
        Secret::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The device that [`Macs::seal_device`] made `text` of for the account `email`, however long ago; none if it didn't.
    pub fn open_device(&self, text: &Secret, email: &Email) -> Option<Device> {
        let bytes = URL_SAFE_NO_PAD.decode(text.expose()).ok()?;
        let (head, seal) = bytes.split_at_checked(DEVICE_HEAD)?;
        hmac::verify(&self.device, &of_account(head, email), seal).ok()?;
        let (id, second) = head.split_at(DEVICE_HEAD - 8);
        Some(Device {
            id: Uuid::from_slice(id).ok()?,
            issued_at: Timestamp::from_second(i64::from_be_bytes(second.try_into().ok()?)).ok()?,
        })
    }

    /// What stands for a password where requests are compared. Tells whether two are the same, and is of no use for guessing to
    /// whoever reads the database without the secret.
    pub fn blind(&self, password: &Password) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.password, password.as_bytes()))
    }
}

/// What a device token is sealed over. The head has one length, so no two accounts share a text.
fn of_account(head: &[u8], email: &Email) -> Vec<u8> {
    [head, email.key().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn anna() -> Email {
        Email::parse("anna@example.com").unwrap()
    }

    fn device() -> Device {
        Device::new(Uuid::from_u128(7), "2026-03-01T09:00:00Z".parse().unwrap())
    }

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
    fn a_device_token_reads_back_for_its_account_alone_however_the_address_is_written() {
        let macs = macs("a secret");
        let text = macs.seal_device(device(), &anna());
        assert_eq!(text.expose().len(), 75);
        assert_eq!(macs.open_device(&text, &Email::parse(" Anna@Example.COM").unwrap()), Some(device()));
        for other in ["bert@example.com", "anna@example.co", "nna@example.com"] {
            assert_eq!(macs.open_device(&text, &Email::parse(other).unwrap()), None, "{other}");
        }
    }

    #[test]
    fn a_changed_byte_another_secret_or_another_kind_of_token_names_no_device() {
        let macs = macs("a secret");
        let text = macs.seal_device(device(), &anna());
        let bytes = URL_SAFE_NO_PAD.decode(text.expose()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = Secret::new(URL_SAFE_NO_PAD.encode(changed));
            assert_eq!(macs.open_device(&changed, &anna()), None, "bit {bit}");
        }
        assert_eq!(super::tests::macs("a foreign secret").open_device(&text, &anna()), None);
        let refresh = macs.seal(RefreshToken { session: Uuid::from_u128(7), generation: 3 });
        assert_eq!((macs.open_device(&refresh, &anna()), macs.open(&text)), (None, None));
    }

    proptest! {
        #[test]
        fn any_device_reads_back(id: u128, second in -62_135_596_800_i64..253_402_207_000) {
            let device = Device { id: Uuid::from_u128(id), issued_at: Timestamp::from_second(second).unwrap() };
            let macs = macs("a secret");
            prop_assert_eq!(macs.open_device(&macs.seal_device(device, &anna()), &anna()), Some(device));
        }

        #[test]
        fn any_text_is_read_without_harm(text in ".*", bytes: Vec<u8>) {
            let macs = macs("a secret");
            for text in [text, URL_SAFE_NO_PAD.encode(bytes)] {
                let text = Secret::new(text);
                prop_assert_eq!((macs.open_device(&text, &anna()), macs.open(&text)), (None, None));
            }
        }
    }

    #[test]
    fn a_short_secret_is_none() {
        assert_eq!(Macs::new(&Secret::new("x".repeat(31))).unwrap_err(), TooShort);
    }
}
