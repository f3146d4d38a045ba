//! `envoy.config.cluster.v3` and what hangs on it.

use serde::Serialize;

use super::{Address, Extensions, Percent, Span, TypedExtension, extensions, messages};

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) discovery: Discovery,
    pub(crate) connect_timeout: Span,
    pub(crate) load_assignment: ClusterLoadAssignment,
    pub(crate) typed_extension_protocol_options: Option<Extensions>,
    pub(crate) lb_policy: Option<&'static str>,
    pub(crate) least_request_lb_config: Option<LeastRequestLbConfig>,
    pub(crate) common_lb_config: Option<CommonLbConfig>,
    pub(crate) circuit_breakers: Option<CircuitBreakers>,
    pub(crate) outlier_detection: Option<OutlierDetection>,
    pub(crate) health_checks: Vec<HealthCheck>,
    pub(crate) ignore_health_on_host_removal: bool,
}

/// How a cluster finds its hosts.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Discovery {
    Type(&'static str),
    ClusterType(TypedExtension),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct DnsCluster {
    pub(crate) dns_refresh_rate: Span,
    pub(crate) dns_failure_refresh_rate: RefreshRate,
    pub(crate) dns_lookup_family: &'static str,
    pub(crate) respect_dns_ttl: bool,
    pub(crate) all_addresses_in_single_endpoint: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RefreshRate {
    pub(crate) base_interval: Span,
    pub(crate) max_interval: Span,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ClusterLoadAssignment {
    cluster_name: String,
    endpoints: Vec<LocalityLbEndpoints>,
}

#[derive(Clone, Debug, Serialize)]
struct LocalityLbEndpoints {
    lb_endpoints: Vec<LbEndpoint>,
}

#[derive(Clone, Debug, Serialize)]
struct LbEndpoint {
    endpoint: Endpoint,
}

#[derive(Clone, Debug, Serialize)]
struct Endpoint {
    address: Address,
}

impl ClusterLoadAssignment {
    pub(crate) fn new(cluster_name: String, addresses: impl IntoIterator<Item = Address>) -> Self {
        let lb_endpoints =
            addresses.into_iter().map(|address| LbEndpoint { endpoint: Endpoint { address } }).collect();
        Self { cluster_name, endpoints: vec![LocalityLbEndpoints { lb_endpoints }] }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeastRequestLbConfig {
    pub(crate) choice_count: u32,
    pub(crate) slow_start_config: SlowStartConfig,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SlowStartConfig {
    pub(crate) slow_start_window: Span,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct CommonLbConfig {
    pub(crate) healthy_panic_threshold: Percent,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct CircuitBreakers {
    pub(crate) thresholds: Vec<Thresholds>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Thresholds {
    pub(crate) priority: &'static str,
    pub(crate) max_connections: u32,
    pub(crate) max_pending_requests: u32,
    pub(crate) max_requests: u32,
    pub(crate) track_remaining: bool,
    pub(crate) retry_budget: RetryBudget,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RetryBudget {
    pub(crate) budget_percent: Percent,
    pub(crate) min_retry_concurrency: u32,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct OutlierDetection {
    pub(crate) interval: Span,
    pub(crate) base_ejection_time: Span,
    pub(crate) max_ejection_percent: u32,
    pub(crate) consecutive_gateway_failure: u32,
    pub(crate) enforcing_consecutive_gateway_failure: u32,
    pub(crate) consecutive_local_origin_failure: u32,
    pub(crate) enforcing_consecutive_5xx: u32,
    pub(crate) enforcing_success_rate: u32,
    pub(crate) split_external_local_origin_errors: bool,
    pub(crate) successful_active_health_check_uneject_host: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct HealthCheck {
    pub(crate) timeout: Span,
    pub(crate) interval: Span,
    pub(crate) no_traffic_interval: Span,
    pub(crate) interval_jitter_percent: u32,
    pub(crate) unhealthy_threshold: u32,
    pub(crate) healthy_threshold: u32,
    pub(crate) grpc_health_check: GrpcHealthCheck,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct GrpcHealthCheck {
    pub(crate) authority: String,
}

/// `envoy.extensions.upstreams.http.v3.HttpProtocolOptions` for HTTP/2.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HttpProtocolOptions {
    pub(crate) common_http_protocol_options: UpstreamCommonOptions,
    pub(crate) explicit_http_config: ExplicitHttpConfig,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct UpstreamCommonOptions {
    pub(crate) idle_timeout: Span,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ExplicitHttpConfig {
    pub(crate) http2_protocol_options: Http2ProtocolOptions,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Http2ProtocolOptions {
    pub(crate) max_concurrent_streams: u32,
    pub(crate) initial_stream_window_size: u32,
    pub(crate) initial_connection_window_size: u32,
    pub(crate) connection_keepalive: KeepaliveSettings,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct KeepaliveSettings {
    pub(crate) interval: Span,
    pub(crate) timeout: Span,
}

messages! {
    Cluster = "envoy.config.cluster.v3.Cluster";
}

extensions! {
    DnsCluster = "envoy.cluster.dns", "envoy.extensions.clusters.dns.v3.DnsCluster";
    HttpProtocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
}
