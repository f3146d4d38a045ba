//! The life of certificates, seen from API servers: at no time do they meet one that they don't trust.

use std::collections::BTreeMap;

use autoscaler::{
    bundle::Bundle,
    certificate::{AUTHORITIES, CERTIFICATE, KEY, Names, Stored},
    cluster::Cluster,
    metrics::Metrics,
    rotation::Rotation,
};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use platform::Clock;
use serde_json::{Value, json};

use crate::support::{
    adapter::{REGISTRATIONS, SECRET, bundle, decode, install, registration},
    api_server::ApiServer,
};

const LIFETIME: SignedDuration = SignedDuration::from_mins(2);

/// A release whose certificate is looked at from all sides.
struct Release {
    api: ApiServer,
    clock: Clock,
}

impl Release {
    async fn new() -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let release = Self { api: ApiServer::start().await, clock: Clock::manual(start) };
        install(&release.api);
        release
    }

    /// A replica that begins to lead.
    fn leader(&self) -> Rotation {
        self.leader_with(LIFETIME)
    }

    fn leader_with(&self, lifetime: SignedDuration) -> Rotation {
        let cluster =
            Cluster::new(self.api.client(), "shop", "shop-sipup-autoscaler", "shop-sipup-autoscaler-tls");
        let meter = opentelemetry::global::meter("test");
        Rotation::new(cluster, names(), lifetime, self.clock.clone(), Metrics::new(&meter))
    }

    fn data(&self) -> BTreeMap<String, ByteString> {
        let secret = self.api.get(SECRET).unwrap();
        let data = secret["data"].as_object().cloned().unwrap_or_default();
        data.into_iter().map(|(key, value)| (key, ByteString(decode(value.as_str().unwrap())))).collect()
    }

    /// Whether API servers that ask for any version accept what `served` is.
    fn accepts(&self, served: &BTreeMap<String, ByteString>) {
        for path in REGISTRATIONS {
            let mut seen = served.clone();
            seen.insert(AUTHORITIES.to_owned(), ByteString(bundle(&self.api, path).unwrap()));
            Stored::read(&seen, &names(), self.clock.now())
                .unwrap_or_else(|broken| panic!("{path}: {broken:?}"));
        }
    }

    fn authorities(&self) -> usize {
        let pem = bundle(&self.api, REGISTRATIONS[0]).unwrap();
        assert_eq!(bundle(&self.api, REGISTRATIONS[1]).unwrap(), pem);
        Bundle::parse(&pem).unwrap().certificates().len()
    }

    fn seconds(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }
}

fn names() -> Names {
    Names::of("shop-sipup-autoscaler", "shop", "cluster.local").unwrap()
}

#[tokio::test]
async fn a_first_certificate_is_made_known_and_then_left_alone() {
    let release = Release::new().await;
    let mut leader = release.leader();
    leader.step().await.unwrap();
    release.accepts(&release.data());
    assert_eq!(release.api.get(SECRET).unwrap()["metadata"]["labels"], json!({"a": "b"}));
    leader.step().await.unwrap();
    assert_eq!(release.authorities(), 1);

    let writes = release.api.writes();
    for _ in 0..5 {
        release.seconds(15);
        leader.step().await.unwrap();
        release.leader().step().await.unwrap();
    }
    assert_eq!(release.api.writes(), writes);
}

#[tokio::test]
async fn the_next_authority_is_known_before_its_certificate_is_used_and_the_last_one_until_it_ends() {
    let release = Release::new().await;
    let mut leader = release.leader();
    leader.step().await.unwrap();
    let first = release.data();

    release.seconds(80);
    leader.step().await.unwrap();
    assert_eq!((release.data(), release.authorities()), (first.clone(), 2));
    release.seconds(9);
    leader.step().await.unwrap();
    assert_eq!(release.data(), first);
    release.seconds(1);
    leader.step().await.unwrap();
    let second = release.data();
    assert_ne!(second, first);
    release.accepts(&second);
    release.accepts(&first);

    leader.step().await.unwrap();
    assert_eq!(release.authorities(), 2);
    release.seconds(30);
    leader.step().await.unwrap();
    assert_eq!(release.authorities(), 1);
    release.accepts(&second);
}

/// Ten minutes in which replicas lag behind, leaders die half-way and the API server fails now and then.
#[tokio::test]
async fn no_replica_ever_serves_what_api_servers_do_not_trust() {
    let release = Release::new().await;
    let mut leader = release.leader();
    leader.step().await.unwrap();
    let mut replicas = [release.data(), release.data()];
    let mut certificates = vec![release.data()[CERTIFICATE].clone()];
    for second in 0..600 {
        release.seconds(1);
        release.api.fail((second % 7 == 3).then_some(StatusCode::INTERNAL_SERVER_ERROR));
        if second % 41 == 40 {
            leader = release.leader();
        }
        // What fails is tried again in the next second.
        let _ = leader.step().await;
        let data = release.data();
        if !certificates.contains(&data[CERTIFICATE]) {
            certificates.push(data[CERTIFICATE].clone());
        }
        replicas[0] = data.clone();
        if second % 10 == 0 {
            replicas[1] = data;
        }
        for served in &replicas {
            release.accepts(served);
        }
        assert!(release.authorities() <= 4, "{} authorities", release.authorities());
    }
    assert!(certificates.len() >= 6, "{} certificates", certificates.len());
}

#[tokio::test]
async fn a_broken_secret_is_repaired_and_what_replicas_still_serve_stays_trusted() {
    type Damage = fn(&mut Value);
    let damages: [Damage; 4] = [
        |secret| secret["data"] = json!({}),
        |secret| secret["data"][KEY] = json!("Z2FyYmFnZQ=="),
        |secret| secret["data"][CERTIFICATE] = json!(""),
        |secret| secret["data"][AUTHORITIES] = Value::Null,
    ];
    for damage in damages {
        let release = Release::new().await;
        let mut leader = release.leader();
        leader.step().await.unwrap();
        let served = release.data();
        release.api.edit(SECRET, damage);
        leader.step().await.unwrap();
        let repaired = release.data();
        release.accepts(&repaired);
        release.accepts(&served);
        leader.step().await.unwrap();
        release.accepts(&repaired);
        release.accepts(&served);
    }
}

#[tokio::test]
async fn of_two_writers_one_wins_and_the_other_takes_what_is_there() {
    let release = Release::new().await;
    let (mut one, mut two) = (release.leader(), release.leader());
    one.step().await.unwrap();
    release.seconds(80);
    one.step().await.unwrap();
    two.step().await.unwrap();
    release.seconds(10);

    // The second writes between the first one's read and its write.
    let late = one.step();
    let (sender, receiver) = std::sync::mpsc::channel();
    release.api.before(Method::PUT, SECRET, move |objects| {
        let mut secret = objects.get(SECRET).unwrap();
        secret["metadata"]["annotations"] = json!({"somebody": "else"});
        objects.put(SECRET, secret);
        sender.send(()).unwrap();
    });
    let error = late.await.unwrap_err();
    receiver.try_recv().unwrap();
    assert!(error.to_string().contains("changed by somebody else"), "{error}");

    two.step().await.unwrap();
    let won = release.data();
    for _ in 0..3 {
        one.step().await.unwrap();
        two.step().await.unwrap();
        assert_eq!(release.data(), won);
        release.accepts(&won);
    }
}

#[tokio::test]
async fn a_bundle_that_was_taken_away_comes_back() {
    let release = Release::new().await;
    let mut leader = release.leader();
    leader.step().await.unwrap();
    release.api.edit(REGISTRATIONS[1], |service| service["spec"]["caBundle"] = Value::Null);
    leader.step().await.unwrap();
    release.accepts(&release.data());
}

#[tokio::test]
async fn a_registration_of_somebody_else_is_left_alone_and_a_missing_one_waited_for() {
    let release = Release::new().await;
    release.api.put(REGISTRATIONS[0], registration("monitoring", "prometheus-adapter"));
    release.api.edit(REGISTRATIONS[1], |service| service["spec"]["service"] = Value::Null);
    let mut leader = release.leader();
    leader.step().await.unwrap();
    leader.step().await.unwrap();
    assert_eq!(bundle(&release.api, REGISTRATIONS[0]), None);
    assert_eq!(bundle(&release.api, REGISTRATIONS[1]), None);
    Stored::read(&release.data(), &names(), release.clock.now()).unwrap();

    for path in REGISTRATIONS {
        release.api.put(path, registration("shop", "shop-sipup-autoscaler"));
    }
    leader.step().await.unwrap();
    release.accepts(&release.data());
}

#[tokio::test]
async fn a_shorter_lifetime_counts_at_once() {
    let release = Release::new().await;
    release.leader_with(SignedDuration::from_hours(24 * 90)).step().await.unwrap();
    let long = release.data();
    let mut leader = release.leader();
    leader.step().await.unwrap();
    release.seconds(10);
    leader.step().await.unwrap();
    assert_ne!(release.data(), long);
    release.accepts(&release.data());
    release.accepts(&long);
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named() {
    let release = Release { api: ApiServer::start().await, clock: Clock::system() };
    let error = release.leader().step().await.unwrap_err();
    assert_eq!(error.to_string(), "Secret shop-sipup-autoscaler-tls is not there");
}
