//! The keys that sign access tokens.
//!
//! A key has one moment, from which it signs: until then it is only published, so that everybody who caches the set knows it in
//! time; when the next key's moment has come it signs no more, and is published until the last token that it signed has expired.
//!
//! ```text
//! key A  signs ─────────────────────────────┤ published ├
//! key B          published ─────────────────┤ signs ─────────────
//!                rotate        AHEAD        ▲  LINGERS  ▲
//! ```

mod folder;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use platform::{Clock, Verifier};
use serde::Serialize;

pub use self::folder::{NewKey, Rotation, generate, init, rotate};
use crate::metrics::Metrics;

/// How long others may cache the published set.
pub const CACHE_PERIOD: SignedDuration = SignedDuration::from_mins(5);
/// How long a new key is published before it signs: two cache periods, and one more for the file to reach every pod.
pub const AHEAD: SignedDuration = SignedDuration::from_mins(15);
/// The longest life of an access token.
pub const LONGEST_TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// How long a key is published after it has stopped signing: the life of its last token, and the difference of two pods' clocks.
pub const LINGERS: SignedDuration = SignedDuration::from_mins(11);

/// Why there are no keys, or no new ones.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or the folder.
    #[error("could not {what} {path}", path = path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The file's name doesn't say from when the key signs.
    #[error("{path} must be called by the time from which it signs, such as 20260131T120000Z.pem", path = path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no key that signs ES256.
    #[error("{path} holds no private P-256 key in PKCS#8 PEM", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why it was not accepted.
        #[source]
        source: jsonwebtoken::errors::Error,
    },
    /// There is no key in the folder.
    #[error("there is no key in {path}", path = path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// No new key could be made.
    #[error("could not make a key")]
    Generate,
    /// A token could not be signed.
    #[error("could not sign a token")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// One key.
#[derive(Clone)]
pub(crate) struct SigningKey {
    signs_from: Timestamp,
    private: EncodingKey,
    public: Jwk,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.public.common.key_id)
            .field("signs_from", &self.signs_from)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The key in `pem`. Its id is the RFC 7638 thumbprint: nobody has to keep names apart.
    pub(crate) fn read(signs_from: Timestamp, pem: &[u8]) -> Result<Self, jsonwebtoken::errors::Error> {
        let private = EncodingKey::from_ec_pem(pem)?;
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256)?;
        public.common.key_id = Some(public.thumbprint(ThumbprintHash::SHA256)?);
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { signs_from, private, public })
    }
}

/// The keys of one reading of the folder, by the moment from which they sign. Never empty.
#[derive(Clone, Debug)]
struct Ring(Vec<SigningKey>);

impl Ring {
    /// The key that signs at `now`: the newest whose moment has come. If none's has, clocks differ, and the first one is right.
    fn signing(&self, now: Timestamp) -> &SigningKey {
        self.0.iter().rfind(|key| key.signs_from <= now).unwrap_or(&self.0[0])
    }

    /// The keys that tokens may be signed with at `now`, or soon.
    fn published(&self, now: Timestamp) -> impl Iterator<Item = &SigningKey> {
        let next = self.0.iter().skip(1).map(|key| Some(key.signs_from)).chain([None]);
        self.0.iter().zip(next).filter(move |(_, next)| !has_retired(*next, now)).map(|(key, _)| key)
    }
}

/// Whether a key is of no use at `now`, given the moment from which the `next` one signs.
fn has_retired(next: Option<Timestamp>, now: Timestamp) -> bool {
    next.is_some_and(|next| next + LINGERS <= now)
}

/// The keys, as the folder last showed them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Keys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    ring: ArcSwap<Ring>,
    clock: Clock,
}

impl Keys {
    /// Reads the keys in `folder`.
    ///
    /// # Errors
    ///
    /// There is none, or one of them can't be read.
    pub fn open(folder: PathBuf, clock: Clock) -> Result<Self, Error> {
        let ring = ArcSwap::from_pointee(Ring(folder::read(&folder)?));
        Ok(Self(Arc::new(Inner { folder, ring, clock })))
    }

    /// Signs `claims` with the key whose time it is.
    ///
    /// # Errors
    ///
    /// [`Error::Sign`].
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, Error> {
        let ring = self.0.ring.load();
        let key = ring.signing(self.0.clock.now());
        let header = Header { kid: key.public.common.key_id.clone(), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &key.private).map_err(Error::Sign)
    }

    /// The public keys to check tokens with, those to come included.
    pub fn published(&self) -> JwkSet {
        let now = self.0.clock.now();
        JwkSet { keys: self.0.ring.load().published(now).map(|key| key.public.clone()).collect() }
    }

    /// Reads the folder again. If it can't be read, or holds no key, all stays as it was.
    ///
    /// # Errors
    ///
    /// Why it can't be read.
    pub fn reload(&self) -> Result<(), Error> {
        self.0.ring.store(Arc::new(Ring(folder::read(&self.0.folder)?)));
        Ok(())
    }
}

/// Reads the folder again and again, so that a rotation needs no restart, and tells this service's own verifier what it found.
pub(crate) async fn keep_reloading(keys: Keys, every: Duration, verifier: Verifier, metrics: Metrics) {
    // An interval of nothing is refused by a panic.
    let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let reading = keys.clone();
        match tokio::task::spawn_blocking(move || reading.reload()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                metrics.keys_not_read();
                let error = platform::status::chain(&error);
                tracing::error!(%error, "signing keys not read; the ones of before stay in use");
            }
            Err(error) => tracing::error!(%error, "the thread that reads signing keys ended early"),
        }
        // Also without a change in the folder: keys retire as time passes.
        verifier.replace_keys(&keys.published());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    /// Keys that sign from 0, from 100 and from 200 minutes on.
    fn ring() -> Ring {
        let key = |minute| {
            let new = generate(at(minute)).unwrap();
            SigningKey::read(at(minute), new.pem.expose().as_bytes()).unwrap()
        };
        Ring([0, 100, 200].map(key).into())
    }

    fn minutes(keys: impl Iterator<Item = Timestamp>) -> Vec<i64> {
        keys.map(|from| (from.as_second() - 1_800_000_000) / 60).collect()
    }

    #[test]
    fn the_newest_key_whose_moment_has_come_signs() {
        let ring = ring();
        for (now, from) in [(-1, 0), (0, 0), (99, 0), (100, 100), (199, 100), (200, 200), (900, 200)] {
            assert_eq!(minutes([ring.signing(at(now)).signs_from].into_iter()), [from], "at {now}");
        }
    }

    #[test]
    fn a_key_is_published_from_the_first_until_its_last_token_has_expired() {
        let ring = ring();
        let published = |now| minutes(ring.published(at(now)).map(|key| key.signs_from));
        assert_eq!(published(0), [0, 100, 200]);
        assert_eq!(published(110), [0, 100, 200]);
        assert_eq!(published(111), [100, 200]);
        assert_eq!(published(211), [200]);
        assert_eq!(published(9_000), [200]);
    }

    #[test]
    fn a_key_is_named_by_its_thumbprint_and_shows_nothing_private() {
        let ring = ring();
        let key = &ring.0[0];
        assert_eq!(key.public.common.key_id, Some(key.public.thumbprint(ThumbprintHash::SHA256).unwrap()));
        let text = format!("{key:?}{}", serde_json::to_string(&key.public).unwrap());
        assert!(!text.contains("\"d\"") && !text.contains("PRIVATE"), "{text}");
    }
}
