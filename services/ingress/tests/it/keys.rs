//! A key pair, its key set, and tokens signed with it.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// An ES256 key.
pub(crate) struct Key {
    id: &'static str,
    pkcs8: Vec<u8>,
}

impl Key {
    pub(crate) fn new(id: &'static str) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self { id, pkcs8: pkcs8.as_ref().to_vec() }
    }

    /// The key set with this key alone.
    pub(crate) fn set(&self) -> String {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8).unwrap();
        // An uncompressed point: 4, x, y.
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
        let key = json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.id, "x": x, "y": y});
        json!({ "keys": [key] }).to_string()
    }

    /// A token as auth issues them, with some claims replaced; `null` removes one.
    pub(crate) fn token(&self, changes: &Value) -> String {
        let mut claims = json!({
            "iss": "https://sipup.local", "aud": "sipup", "sub": "user-1", "cid": "company-1", "role": "buyer",
            "iat": now(), "nbf": now(), "exp": now() + 600,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let header = Header { kid: Some(self.id.into()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ec_der(&self.pkcs8)).unwrap()
    }
}

/// Seconds since 1970, by the clock that Envoy checks tokens with.
#[expect(clippy::disallowed_methods, reason = "Envoy has no clock that a test could set")]
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}
