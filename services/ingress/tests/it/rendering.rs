//! What Envoy makes of the configuration before any request.

use std::{fs, time::Duration};

use ingress::{Backend, Config, Descriptors, Endpoints, Limiter, LocalLimit, Otlp};

use crate::envoy;

fn config(endpoints: &str) -> Config {
    let endpoints: Endpoints = endpoints.parse().unwrap();
    let backends = ["catalog", "orders", "auth", "jobs"].map(|name| Backend::new(name, endpoints.clone()));
    Config { access_log: "/dev/null".into(), ..Config::new(backends.into(), endpoints) }
}

#[test]
fn envoy_accepts_the_defaults_without_a_warning() {
    assert_eq!(envoy::complaints(&config("127.0.0.1:22000").render().unwrap()), "");
}

#[test]
fn envoy_accepts_every_option_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let descriptors = folder.path().join("sipup.binpb");
    fs::write(&descriptors, proto::SLIM_DESCRIPTORS).unwrap();
    let mut config = config("catalog-headless.shop.svc.cluster.local:8080");
    config.cors_origins = vec!["https://shop.example".into(), "http://localhost:3000".into()];
    config.descriptors = Descriptors::File(descriptors);
    config.local_limit = Some(LocalLimit { per_second: 1, burst: 1, addresses: 1 });
    config.otlp = Some(Otlp { percent: 1, ..Otlp::new("collector:4317".parse().unwrap()) });
    config.limiter = Some(Limiter::new("ratelimit:8080".parse().unwrap()));
    config.limits.heap_bytes = Some(2 << 30);
    config.limits.timeout = Duration::from_millis(1_500);
    config.trusted_hops = 1;
    assert_eq!(envoy::complaints(&config.render().unwrap()), "");
}
