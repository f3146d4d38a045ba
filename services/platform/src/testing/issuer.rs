//! Tokens for tests, and the key set to check them with.

use std::net::SocketAddr;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use axum::{Json, Router, routing::get};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet},
};
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use uuid::Uuid;

use crate::{Clock, Role, args::AuthArgs, verifier::AUDIENCE};

const ISSUER: &str = "https://issuer.test";
const KEY_ID: &str = "test";

/// Signs tokens and publishes its key, as the auth service does.
#[derive(Debug)]
pub struct Issuer {
    key: Redacted,
    address: SocketAddr,
    clock: Clock,
    _server: AbortOnDropHandle<()>,
}

/// A key that doesn't print.
struct Redacted(EncodingKey);

impl std::fmt::Debug for Redacted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Issuer {
    /// A new key, published on a free port. Tokens are dated by `clock`.
    ///
    /// # Errors
    ///
    /// No port can be bound.
    pub async fn start(clock: Clock) -> anyhow::Result<Self> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256)?;
        public.common.key_id = Some(KEY_ID.to_owned());
        let keys = JwkSet { keys: vec![public] };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().route("/jwks.json", get(async move || Json(keys.clone())));
        #[expect(clippy::disallowed_methods, reason = "ends with the issuer, not with a service")]
        let server = tokio::spawn(async move {
            // Ends when the issuer is dropped.
            let _ = axum::serve(listener, router)
                .with_graceful_shutdown(CancellationToken::new().cancelled_owned())
                .await;
        });
        Ok(Self { key: Redacted(key), address, clock, _server: AbortOnDropHandle::new(server) })
    }

    /// What a service needs to believe this issuer.
    pub fn auth_args(&self) -> AuthArgs {
        let url = format!("http://{}/jwks.json", self.address);
        AuthArgs { jwks_url: url.parse().expect("an address makes a URL"), token_issuer: ISSUER.to_owned() }
    }

    /// A token of `role` in `company_id`, valid for ten minutes, with a user and session of its own.
    pub fn token(&self, role: Role, company_id: Uuid) -> String {
        self.token_for(role, company_id, Uuid::now_v7(), Uuid::now_v7())
    }

    /// A token of a certain user and session.
    pub fn token_for(&self, role: Role, company_id: Uuid, user_id: Uuid, session_id: Uuid) -> String {
        let now = self.clock.now().as_second();
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": user_id, "cid": company_id, "sid": session_id, "role": role.name(),
            "email": format!("{user_id}@example.com"), "name": "A Tester", "iat": now, "nbf": now, "exp": now + 600,
            "jti": Uuid::now_v7(),
        });
        let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.key.0).expect("claims of plain values can be signed")
    }

    /// Puts the token of `role` in `company_id` on a request.
    pub fn sign<T>(&self, message: T, role: Role, company_id: Uuid) -> tonic::Request<T> {
        Self::with_token(message, &self.token(role, company_id))
    }

    /// Puts `token` on a request.
    pub fn with_token<T>(message: T, token: &str) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        let value = format!("Bearer {token}").parse().expect("a token is ASCII");
        request.metadata_mut().insert("authorization", value);
        request
    }
}
