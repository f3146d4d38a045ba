//! What Envoy makes of the configuration before any request.

use std::{fs, time::Duration};

use ingress::{
    Backend, Config, Descriptors, Endpoints, Error, Limiter, LocalLimit, Otlp, ValidateError, validate,
};

use crate::envoy;

fn config(endpoints: &str) -> Config {
    let endpoints: Endpoints = endpoints.parse().unwrap();
    let backends = ["catalog", "orders", "auth", "jobs"].map(|name| Backend::new(name, endpoints.clone()));
    Config { access_log: "/dev/null".into(), ..Config::new(backends.into(), endpoints) }
}

#[test]
fn envoy_accepts_the_defaults_without_a_warning() {
    let text = config("127.0.0.1:22000").render().unwrap();
    assert_eq!(validate(envoy::program(), &text).unwrap(), "");
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
    config.otlp = Some(Otlp { per_million: 1, ..Otlp::new("collector:4317".parse().unwrap()) });
    config.limiter = Some(Limiter::new("ratelimit:8080".parse().unwrap()));
    config.limits.heap_bytes = Some(2 << 30);
    config.limits.timeout = Duration::from_millis(1_500);
    config.trusted_hops = 1;
    let warnings = validate(envoy::program(), &config.render().unwrap()).unwrap();
    // The variable is set in a cluster, where it says which pod this is.
    let others = warnings.lines().filter(|line| !line.contains("OTEL_RESOURCE_ATTRIBUTES"));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn what_envoy_refuses_is_an_error_with_its_reason() {
    let misspelt = config("127.0.0.1:22000").render().unwrap().replace("connect_timeout", "conect_timeout");
    let problem = validate(envoy::program(), &misspelt).unwrap_err();
    assert!(
        matches!(&problem, ValidateError::Refused { said } if said.contains("conect_timeout")),
        "{problem}"
    );
}

#[test]
fn what_can_not_be_meant_is_refused_by_its_name() {
    type Spoil = fn(&mut Config);
    let cases: [(&str, Spoil); 11] = [
        ("jobs", |config| config.backends.truncate(3)),
        ("`console`", |config| config.backends.push("console=127.0.0.1:1".parse().unwrap())),
        ("`jobs`", |config| config.backends.push(config.backends[3].clone())),
        ("backends", |config| config.backends[0].endpoints = Endpoints::Static(Vec::new())),
        ("limits.timeout", |config| config.limits.timeout = Duration::ZERO),
        ("limits.long_timeout", |config| config.limits.long_timeout = Duration::ZERO),
        ("limits.unary_bytes", |config| config.limits.unary_bytes = 0),
        ("local_limit.burst", |config| config.local_limit.as_mut().unwrap().burst = 0),
        ("cors_origins", |config| config.cors_origins = vec!["https://shop.example/".into()]),
        ("jwt.jwks_path", |config| config.jwt.jwks_path = "jwks.json".into()),
        ("otlp.per_million", |config| config.otlp.as_mut().unwrap().per_million = 1_000_001),
    ];
    for (named, spoil) in cases {
        let mut config = config("127.0.0.1:22000");
        config.otlp = Some(Otlp::new("collector:4317".parse().unwrap()));
        spoil(&mut config);
        let problem: Error = config.render().unwrap_err();
        assert!(problem.to_string().contains(named), "{named}: {problem}");
    }
}
