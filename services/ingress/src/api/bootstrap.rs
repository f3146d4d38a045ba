//! `envoy.config.bootstrap.v3` and what hangs on it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Address, Cluster, ConfigSource, Empty, Listener, Percent, Span, TypedExtension, extensions};

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Bootstrap {
    pub(crate) node: Node,
    pub(crate) admin: Admin,
    pub(crate) stats_config: StatsConfig,
    pub(crate) overload_manager: OverloadManager,
    pub(crate) layered_runtime: LayeredRuntime,
    pub(crate) static_resources: StaticResources,
    pub(crate) dynamic_resources: Option<DynamicResources>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Node {
    pub(crate) id: &'static str,
    pub(crate) cluster: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Admin {
    pub(crate) address: Address,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct StatsConfig {
    pub(crate) stats_tags: Vec<TagSpecifier>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct TagSpecifier {
    pub(crate) tag_name: &'static str,
    pub(crate) regex: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct LayeredRuntime {
    pub(crate) layers: Vec<RuntimeLayer>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RuntimeLayer {
    pub(crate) name: &'static str,
    pub(crate) static_layer: BTreeMap<&'static str, bool>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct StaticResources {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) clusters: Vec<Cluster>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct DynamicResources {
    pub(crate) lds_config: ConfigSource,
    pub(crate) cds_config: ConfigSource,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct OverloadManager {
    pub(crate) refresh_interval: Span,
    pub(crate) resource_monitors: Vec<TypedExtension>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) actions: Vec<OverloadAction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) loadshed_points: Vec<OverloadAction>,
}

/// `OverloadAction` and `LoadShedPoint`, which have the same fields.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OverloadAction {
    pub(crate) name: &'static str,
    pub(crate) triggers: Vec<Trigger>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Trigger {
    pub(crate) name: &'static str,
    pub(crate) threshold: ThresholdTrigger,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ThresholdTrigger {
    pub(crate) value: f64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct DownstreamConnectionsConfig {
    pub(crate) max_active_downstream_connections: u32,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FixedHeapConfig {
    pub(crate) max_heap_size_bytes: u64,
}

/// `envoy.config.trace.v3.OpenTelemetryConfig`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OpenTelemetryConfig {
    pub(crate) service_name: &'static str,
    pub(crate) sampler: TypedExtension,
    pub(crate) grpc_service: super::GrpcService,
    pub(crate) resource_detectors: Vec<TypedExtension>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ParentBasedSamplerConfig {
    pub(crate) wrapped_sampler: TypedExtension,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct TraceIdRatioBasedSamplerConfig {
    pub(crate) sampling_percentage: super::FractionalPercent,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct EnvironmentResourceDetectorConfig {}

/// `envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tracing {
    pub(crate) random_sampling: Percent,
    pub(crate) client_sampling: Percent,
    pub(crate) overall_sampling: Percent,
    pub(crate) spawn_upstream_span: bool,
    pub(crate) max_path_tag_length: u32,
    pub(crate) custom_tags: Vec<CustomTag>,
    pub(crate) provider: TypedExtension,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct CustomTag {
    pub(crate) tag: &'static str,
    pub(crate) metadata: MetadataTag,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MetadataTag {
    pub(crate) kind: MetadataKind,
    pub(crate) metadata_key: super::MetadataKey,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MetadataKind {
    pub(crate) request: Empty,
}

extensions! {
    DownstreamConnectionsConfig = "envoy.resource_monitors.global_downstream_max_connections",
        "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";
    FixedHeapConfig = "envoy.resource_monitors.fixed_heap",
        "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig";
    OpenTelemetryConfig = "envoy.tracers.opentelemetry", "envoy.config.trace.v3.OpenTelemetryConfig";
    ParentBasedSamplerConfig = "envoy.tracers.opentelemetry.samplers.parent_based",
        "envoy.extensions.tracers.opentelemetry.samplers.v3.ParentBasedSamplerConfig";
    TraceIdRatioBasedSamplerConfig = "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
        "envoy.extensions.tracers.opentelemetry.samplers.v3.TraceIdRatioBasedSamplerConfig";
    EnvironmentResourceDetectorConfig = "envoy.tracers.opentelemetry.resource_detectors.environment",
        "envoy.extensions.tracers.opentelemetry.resource_detectors.v3.EnvironmentResourceDetectorConfig";
}
