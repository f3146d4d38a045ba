//! Where calls go, and how a sick host is noticed and spared.

use crate::{
    Config, Endpoints, Limits,
    api::{
        Address, CircuitBreakers, Cluster, ClusterLoadAssignment, CommonLbConfig, Discovery, DnsCluster,
        ExplicitHttpConfig, Extensions, GrpcHealthCheck, HealthCheck, Http2ProtocolOptions,
        HttpProtocolOptions, KeepaliveSettings, LeastRequestLbConfig, OutlierDetection, Percent, RefreshRate,
        RetryBudget, SlowStartConfig, Span, Thresholds, TypedExtension, UpstreamCommonOptions,
    },
};

/// The key set of auth, over HTTP/1.1.
pub(crate) const JWKS: &str = "auth-jwks";
/// Envoy's own admin port, for the metrics listener.
pub(crate) const ADMIN: &str = "admin";
/// The OTLP collector.
pub(crate) const OTLP: &str = "otlp";
/// The global rate limit service.
pub(crate) const LIMITER: &str = "limiter";

/// Envoy's own admin port, which is there whatever else changes.
pub(crate) fn admin(config: &Config) -> Cluster {
    plain(ADMIN, &Endpoints::Static(vec![config.admin]))
}

/// The others: one per backend, and the ones that Envoy itself asks.
pub(crate) fn changing(config: &Config) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = config
        .backends
        .iter()
        .map(|backend| self::backend(config, &backend.name, &backend.endpoints))
        .collect();
    clusters.push(plain(JWKS, &config.jwt.jwks));
    clusters.extend(config.otlp.as_ref().map(|otlp| over_http2(plain(OTLP, &otlp.endpoints))));
    clusters.extend(config.limiter.as_ref().map(|limiter| over_http2(plain(LIMITER, &limiter.endpoints))));
    clusters
}

fn backend(config: &Config, name: &str, endpoints: &Endpoints) -> Cluster {
    Cluster {
        lb_policy: Some("LEAST_REQUEST"),
        // A fresh pod has cold caches and few connections: it gets its share over 15 s.
        least_request_lb_config: Some(LeastRequestLbConfig {
            choice_count: 2,
            slow_start_config: SlowStartConfig { slow_start_window: Span::secs(15) },
        }),
        // All hosts are tried again only when not one is healthy: during the hand-over of a single replica the old
        // one, already draining, is the only one known.
        common_lb_config: Some(CommonLbConfig { healthy_panic_threshold: Percent { value: 1.0 } }),
        circuit_breakers: Some(circuit_breakers(&config.limits)),
        outlier_detection: Some(outlier_detection()),
        health_checks: vec![health_check(config, name)],
        // Else a pod that has left DNS stays as long as it passes health checks.
        ignore_health_on_host_removal: true,
        ..over_http2(plain(name, endpoints))
    }
}

fn plain(name: &str, endpoints: &Endpoints) -> Cluster {
    let (discovery, addresses) = discovery(endpoints);
    Cluster {
        name: name.to_owned(),
        discovery,
        connect_timeout: Span::secs(1),
        load_assignment: ClusterLoadAssignment::new(name.to_owned(), addresses),
        typed_extension_protocol_options: None,
        lb_policy: None,
        least_request_lb_config: None,
        common_lb_config: None,
        circuit_breakers: None,
        outlier_detection: None,
        health_checks: Vec::new(),
        ignore_health_on_host_removal: false,
    }
}

fn discovery(endpoints: &Endpoints) -> (Discovery, Vec<Address>) {
    match endpoints {
        Endpoints::Static(addresses) => {
            (Discovery::Type("STATIC"), addresses.iter().copied().map(Address::from).collect())
        }
        Endpoints::Dns { host, port } => {
            let dns = DnsCluster {
                dns_refresh_rate: Span::secs(5),
                dns_failure_refresh_rate: RefreshRate {
                    base_interval: Span::secs(1),
                    max_interval: Span::secs(5),
                },
                dns_lookup_family: "V4_PREFERRED",
                respect_dns_ttl: false,
                all_addresses_in_single_endpoint: false,
            };
            (Discovery::ClusterType(TypedExtension::new(&dns)), vec![Address::new(host, *port)])
        }
    }
}

fn over_http2(cluster: Cluster) -> Cluster {
    let options = HttpProtocolOptions {
        common_http_protocol_options: UpstreamCommonOptions { idle_timeout: Span::secs(300) },
        explicit_http_config: ExplicitHttpConfig {
            http2_protocol_options: Http2ProtocolOptions {
                max_concurrent_streams: 1_024,
                initial_stream_window_size: 1 << 20,
                initial_connection_window_size: 8 << 20,
                connection_keepalive: KeepaliveSettings { interval: Span::secs(30), timeout: Span::secs(10) },
            },
        },
    };
    let options = Extensions::default().with(&options);
    Cluster { typed_extension_protocol_options: Some(options), ..cluster }
}

/// Calls and streams, each for themselves. Requests are what is bounded: over HTTP/2 the number of connections says little.
fn circuit_breakers(limits: &Limits) -> CircuitBreakers {
    let thresholds = vec![
        thresholds("DEFAULT", limits.requests_per_backend),
        thresholds("HIGH", limits.streams_per_backend),
    ];
    CircuitBreakers { thresholds }
}

fn thresholds(priority: &'static str, requests: u32) -> Thresholds {
    Thresholds {
        priority,
        max_connections: 1_024,
        max_pending_requests: requests,
        max_requests: requests,
        track_remaining: true,
        // One of two pods that dies takes half of the calls in flight with it, and each of them comes again while it
        // no longer counts as in flight. Still a bound: a backend that fails because of load gets it twice at most.
        retry_budget: RetryBudget { budget_percent: Percent { value: 100.0 }, min_retry_concurrency: 64 },
    }
}

/// UNAVAILABLE five times in a row takes a host out for 15 s; INTERNAL, a fault of the call, does not.
fn outlier_detection() -> OutlierDetection {
    OutlierDetection {
        interval: Span::secs(2),
        base_ejection_time: Span::secs(15),
        max_ejection_percent: 50,
        consecutive_gateway_failure: 5,
        enforcing_consecutive_gateway_failure: 100,
        consecutive_local_origin_failure: 5,
        enforcing_consecutive_5xx: 0,
        enforcing_success_rate: 0,
        split_external_local_origin_errors: true,
        // Health checks ask whether the process is up, not whether its calls succeed.
        successful_active_health_check_uneject_host: false,
    }
}

/// Asks for the health of the whole process, which covers all of its services.
fn health_check(config: &Config, name: &str) -> HealthCheck {
    let interval = Span(config.limits.health_interval);
    HealthCheck {
        timeout: Span::secs(1),
        interval,
        no_traffic_interval: interval,
        interval_jitter_percent: 10,
        unhealthy_threshold: 2,
        healthy_threshold: 1,
        grpc_health_check: GrpcHealthCheck { authority: name.to_owned() },
    }
}
