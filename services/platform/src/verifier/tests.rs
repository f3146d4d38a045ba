use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://test";

struct Signer {
    key: EncodingKey,
    jwk: jwk::Jwk,
}

impl Signer {
    fn new(id: &str) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut jwk = jwk::Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(id.to_owned());
        Self { key, jwk }
    }

    fn set(&self) -> JwkSet {
        JwkSet { keys: vec![self.jwk.clone()] }
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid.clone_from(&self.jwk.common.key_id);
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

fn claims(clock: &Clock) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": Uuid::nil(), "cid": Uuid::nil(), "sid": Uuid::nil(),
        "role": "buyer", "exp": clock.now().as_second() + 300,
    })
}

fn verifier(signer: &Signer, clock: &Clock) -> Verifier {
    Verifier::with_keys(ISSUER, &signer.set(), clock.clone(), Revocations::none())
}

#[test]
fn a_token_of_ours_names_its_caller() {
    let (signer, clock) = (Signer::new("a"), Clock::system());
    let caller = verifier(&signer, &clock).verify(&signer.sign(&claims(&clock))).unwrap();
    assert_eq!(caller.role, Role::Buyer);
}

#[test]
fn a_token_that_lacks_or_changes_a_claim_is_refused() {
    let (signer, clock) = (Signer::new("a"), Clock::system());
    let verifier = verifier(&signer, &clock);
    for (name, value) in [
        ("iss", json!("https://other")),
        ("aud", json!("other")),
        ("exp", Value::Null),
        ("sub", json!("nobody")),
        ("cid", Value::Null),
        ("role", json!("root")),
        ("nbf", json!(clock.now().as_second() + 600)),
    ] {
        let mut claims = claims(&clock);
        claims[name] = value;
        assert_eq!(verifier.verify(&signer.sign(&claims)), Err(Rejected::Invalid), "{name}");
    }
    assert_eq!(verifier.verify("not a token"), Err(Rejected::Invalid));
}

#[test]
fn a_token_of_another_key_with_the_same_id_is_refused() {
    let clock = Clock::system();
    let verifier = verifier(&Signer::new("a"), &clock);
    assert_eq!(verifier.verify(&Signer::new("a").sign(&claims(&clock))), Err(Rejected::Invalid));
}

#[test]
fn a_remembered_token_still_expires() {
    let clock = Clock::manual(Clock::system().now());
    let signer = Signer::new("a");
    let verifier = verifier(&signer, &clock);
    let token = signer.sign(&claims(&clock));
    assert!(verifier.verify(&token).is_ok());
    clock.advance(jiff::SignedDuration::from_secs(301));
    assert_eq!(verifier.verify(&token), Err(Rejected::Expired));
}

#[test]
fn the_clock_of_the_verifier_decides_what_time_it_is() {
    let clock = Clock::manual("2020-01-01T00:00:00Z".parse().unwrap());
    let signer = Signer::new("a");
    let (early, late) =
        (signer.sign(&claims(&clock)), Clock::manual(clock.now() + jiff::SignedDuration::from_hours(1)));
    assert!(verifier(&signer, &clock).verify(&early).is_ok());
    assert_eq!(verifier(&signer, &late).verify(&early), Err(Rejected::Expired));
    let mut to_come = claims(&late);
    to_come["nbf"] = json!(late.now().as_second());
    assert_eq!(verifier(&signer, &clock).verify(&signer.sign(&to_come)), Err(Rejected::Invalid));
}

#[test]
fn tokens_of_a_key_that_is_gone_are_forgotten() {
    let (old, new, clock) = (Signer::new("old"), Signer::new("new"), Clock::system());
    let verifier = verifier(&old, &clock);
    let token = old.sign(&claims(&clock));
    assert!(verifier.verify(&token).is_ok());
    verifier.replace_keys(&new.set());
    assert_eq!(verifier.verify(&token), Err(Rejected::Invalid));
    assert!(verifier.verify(&new.sign(&claims(&clock))).is_ok());
}

#[test]
fn without_keys_nothing_is_decided() {
    let clock = Clock::system();
    let verifier = Verifier::with_keys(ISSUER, &JwkSet { keys: vec![] }, clock.clone(), Revocations::none());
    assert!(verifier.ready().is_err());
    assert_eq!(verifier.verify(&Signer::new("a").sign(&claims(&clock))), Err(Rejected::Undecided));
}
