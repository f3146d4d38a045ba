//! Published keys, and their rotation while the service works.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use auth::keys;
use axum::http::Version;
use futures::future::{join, join_all};
use jiff::SignedDuration;
use platform::{
    Verifier,
    verifier::{Rejected, Revocations},
};
use serde_json::Value;

use crate::support::{World, until};

/// Whoever checks tokens by keys that it fetched some time ago, as Envoy does.
async fn consumer(world: &World) -> Verifier {
    let verifier = Verifier::with_keys(
        "https://auth.test",
        &serde_json::from_str(&world.jwks().await.body).unwrap(),
        world.clock.clone(),
        Revocations::none(),
    );
    assert!(verifier.ready().is_ok());
    verifier
}

async fn published(world: &World) -> Vec<String> {
    let keys: Value = serde_json::from_str(&world.jwks().await.body).unwrap();
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_key_set_is_served_over_plain_http_and_checks_a_token() {
    let world = World::start().await;
    let tokens = world.session("anna@example.com").await;
    let answer = world.jwks().await;
    assert_eq!((answer.status, answer.version), (200, Version::HTTP_11));
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/json"));
    let keys: Value = serde_json::from_str(&answer.body).unwrap();
    let key = &keys["keys"][0];
    assert_eq!((&key["alg"], &key["use"], &key["crv"]), (&"ES256".into(), &"sig".into(), &"P-256".into()));
    assert!(key.get("d").is_none());

    let me = world.get_me(&tokens.access_token).await.unwrap().user.unwrap();
    let caller = consumer(&world).await.verify(&tokens.access_token).unwrap();
    assert_eq!((caller.user_id.to_string(), caller.company_id.to_string()), (me.id, me.company_id));
    assert_eq!((caller.email.as_str(), caller.name.as_str()), ("anna@example.com", "Anna Albers"));
}

/// What the workers of the rotation test share.
struct Load {
    verifier: std::sync::Mutex<Verifier>,
    rounds: Vec<AtomicUsize>,
    done: AtomicBool,
    failures: std::sync::Mutex<Vec<String>>,
}

impl Load {
    /// Refreshes again and again, and has every token checked: the newest, and one that is some minutes old.
    async fn work(&self, world: &World, worker: usize) {
        let mut tokens = world.session(&format!("worker{worker}@example.com")).await;
        let mut old = tokens.access_token.clone();
        while !self.done.load(Ordering::SeqCst) {
            match world.refresh(&tokens.refresh_token).await {
                Ok(next) => tokens = next,
                Err(status) => self.failures.lock().unwrap().push(status.to_string()),
            }
            let verifier = self.verifier.lock().unwrap().clone();
            if let Err(rejected) = verifier.verify(&tokens.access_token) {
                self.failures.lock().unwrap().push(format!("the newest token: {rejected}"));
            }
            match verifier.verify(&old) {
                Ok(_) => {}
                Err(Rejected::Expired) => old.clone_from(&tokens.access_token),
                Err(rejected) => self.failures.lock().unwrap().push(format!("an older token: {rejected}")),
            }
            self.rounds[worker].fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Waits until every worker has done a whole round since now.
    async fn round(&self) {
        let now: Vec<usize> = self.rounds.iter().map(|round| round.load(Ordering::SeqCst)).collect();
        let went_on = async || {
            self.rounds.iter().zip(&now).all(|(round, then)| round.load(Ordering::SeqCst) >= then + 2)
        };
        until("every worker goes on", went_on).await;
    }
}

#[tokio::test]
async fn keys_rotate_under_load_without_a_failure() {
    let world = World::start().await;
    let first = published(&world).await;
    let load = Arc::new(Load {
        verifier: std::sync::Mutex::new(consumer(&world).await),
        rounds: (0..4).map(|_| AtomicUsize::new(0)).collect(),
        done: AtomicBool::new(false),
        failures: std::sync::Mutex::default(),
    });
    let rotation = async {
        for minute in 0..40 {
            if minute == 3 {
                assert!(keys::rotate(world.keys.path(), world.clock.now()).unwrap().is_new);
                until("the new key is published", async || published(&world).await.len() == 2).await;
            }
            // The others cache the set for five minutes.
            if minute % 5 == 0 {
                *load.verifier.lock().unwrap() = consumer(&world).await;
            }
            load.round().await;
            world.clock.advance(SignedDuration::from_mins(1));
        }
        load.done.store(true, Ordering::SeqCst);
    };
    join(rotation, join_all((0..4).map(|worker| load.work(&world, worker)))).await;
    assert_eq!(*load.failures.lock().unwrap(), Vec::<String>::new());

    // The first key is gone from the set by itself, and from the folder with the next rotation.
    let second = published(&world).await;
    assert!(second.len() == 1 && second != first, "{first:?} {second:?}");
    assert_eq!(keys::rotate(world.keys.path(), world.clock.now()).unwrap().deleted.len(), 1);
    world.advance(SignedDuration::ZERO).await;
    let tokens = world.session("anna@example.com").await;
    assert!(world.get_me(&tokens.access_token).await.is_ok());
}

#[tokio::test]
async fn a_folder_that_can_not_be_read_leaves_the_keys_in_use() {
    let world = World::start().await;
    let tokens = world.session("anna@example.com").await;
    std::fs::write(world.keys.path().join("20260301T100000Z.pem"), "not a key").unwrap();
    let failed = async || world.metric("auth_signing_keys_read_failures_total").await > 0.5;
    until("the folder could not be read", failed).await;
    assert!(world.get_me(&tokens.access_token).await.is_ok());
    assert!(world.refresh(&tokens.refresh_token).await.is_ok());
}

#[tokio::test]
async fn without_a_key_the_service_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let error = keys::Keys::open(folder.path().to_owned(), platform::Clock::system()).unwrap_err();
    assert!(error.to_string().contains(folder.path().to_str().unwrap()));
}
