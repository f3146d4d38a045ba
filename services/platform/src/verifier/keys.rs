//! The published keys, and the task that keeps them.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{Jwk, JwkSet, KeyAlgorithm},
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{AUDIENCE, Verifier, outage::Outage};

/// How often keys are fetched when all is quiet. A new key is published at least ten minutes before it signs.
const EVERY: Duration = Duration::from_secs(30);
/// The least time between two fetches, whatever tokens come.
const AT_MOST_EVERY: Duration = Duration::from_secs(5);
/// How often the first fetch is tried.
const RETRY: Duration = Duration::from_secs(1);
/// The longest a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A key set is a few hundred bytes.
const LARGEST: usize = 64 << 10;

/// Keys by id.
#[derive(Debug, Default)]
pub(super) struct KeySet(BTreeMap<String, Key>);

pub(super) struct Key {
    key: DecodingKey,
    validation: Validation,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("algorithms", &self.validation.algorithms).finish_non_exhaustive()
    }
}

impl Key {
    pub(super) fn check<T: DeserializeOwned + Clone>(&self, token: &str) -> jsonwebtoken::errors::Result<T> {
        Ok(jsonwebtoken::decode::<T>(token, &self.key, &self.validation)?.claims)
    }
}

impl KeySet {
    /// The usable keys of `set`: signing keys with an id and an algorithm of ours. Others are left out.
    pub(super) fn read(set: &JwkSet, issuer: &str) -> Self {
        let keys = set.keys.iter().filter_map(|jwk| Some((jwk.common.key_id.clone()?, key(jwk, issuer)?)));
        Self(keys.collect())
    }

    pub(super) fn get(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }

    pub(super) fn ids(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One algorithm for each key: a token can't choose a weaker one.
fn key(jwk: &Jwk, issuer: &str) -> Option<Key> {
    let algorithm = match jwk.common.key_algorithm? {
        KeyAlgorithm::ES256 => Algorithm::ES256,
        KeyAlgorithm::EdDSA => Algorithm::EdDSA,
        _ => return None,
    };
    let mut validation = Validation::new(algorithm);
    // Times are compared with the clock of the verifier, which this library doesn't know.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[issuer]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    Some(Key { key: DecodingKey::from_jwk(jwk).ok()?, validation })
}

/// Fetches keys for ever.
pub(super) async fn keep_fetching(verifier: Verifier, url: http::Uri) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut outage = Outage::default();
    loop {
        let fetched = tokio::time::timeout(TIMEOUT, fetch(&client, url.clone())).await;
        match fetched.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time"))) {
            Ok(keys) => {
                verifier.replace_keys(&keys);
                if let Some(tries) = outage.ended() {
                    tracing::info!(%url, tries, "token keys fetched after {tries} tries that failed");
                }
            }
            Err(error) => {
                if let Some(tries) = outage.failed(Instant::now()) {
                    tracing::warn!(%error, %url, tries, "token keys not fetched, {tries} tries so far");
                }
            }
        }
        if verifier.0.keys.load().is_empty() {
            tokio::time::sleep(RETRY).await;
            continue;
        }
        tokio::time::sleep(AT_MOST_EVERY).await;
        // Whichever is first: the routine, or a token with a key that nobody knows.
        let _ = tokio::time::timeout(EVERY.saturating_sub(AT_MOST_EVERY), verifier.0.unknown_key.notified())
            .await;
    }
}

async fn fetch(
    client: &Client<hyper_util::client::legacy::connect::HttpConnector, Empty<Bytes>>,
    url: http::Uri,
) -> anyhow::Result<JwkSet> {
    let response = client.get(url).await?;
    anyhow::ensure!(response.status().is_success(), "status {}", response.status());
    let body = Limited::new(response.into_body(), LARGEST)
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!(error))?;
    Ok(serde_json::from_slice(&body.to_bytes())?)
}
