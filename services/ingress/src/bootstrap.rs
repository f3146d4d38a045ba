//! The outermost message: what is fixed until Envoy restarts, and everything else inside it.

use std::collections::BTreeMap;

use crate::{
    Config,
    api::{
        Admin, Bootstrap, DownstreamConnectionsConfig, DynamicResources, Extension, FixedHeapConfig,
        LayeredRuntime, Node, OverloadAction, OverloadManager, RuntimeLayer, Span, StaticResources,
        StatsConfig, TagSpecifier, ThresholdTrigger, Trigger, TypedExtension,
    },
};

/// The message around `fixed`, and around where the rest is read from.
pub(crate) fn of(config: &Config, fixed: StaticResources, changing: Option<DynamicResources>) -> Bootstrap {
    Bootstrap {
        node: Node { id: "ingress", cluster: "sipup" },
        admin: Admin { address: config.admin.into() },
        stats_config: stats(),
        overload_manager: overload_manager(config),
        layered_runtime: runtime(),
        static_resources: fixed,
        dynamic_resources: changing,
    }
}

/// Envoy's own patterns split a dotted package at its first dots; these keep the service whole.
fn stats() -> StatsConfig {
    let tags = [
        ("grpc_method", r"^cluster\.[^.]+\.grpc\.(?:[a-z]+\.)+v[0-9]+\.[A-Za-z]+\.(([A-Za-z]+)\.)"),
        ("grpc_service", r"^cluster\.[^.]+\.grpc\.(((?:[a-z]+\.)+v[0-9]+\.[A-Za-z]+)\.)"),
    ];
    let tag = |(tag_name, regex)| TagSpecifier { tag_name, regex };
    StatsConfig { stats_tags: tags.into_iter().map(tag).collect() }
}

/// Without the switch a call that ran out of time is answered UNAVAILABLE, which clients would retry.
fn runtime() -> LayeredRuntime {
    let switches =
        BTreeMap::from([("envoy.reloadable_features.grpc_timeout_returns_deadline_exceeded", true)]);
    LayeredRuntime { layers: vec![RuntimeLayer { name: "static", static_layer: switches }] }
}

fn overload_manager(config: &Config) -> OverloadManager {
    let connections =
        DownstreamConnectionsConfig { max_active_downstream_connections: config.limits.connections };
    let mut manager = OverloadManager {
        refresh_interval: Span::millis(250),
        resource_monitors: vec![TypedExtension::new(&connections)],
        actions: Vec::new(),
        loadshed_points: Vec::new(),
    };
    if let Some(bytes) = config.limits.heap_bytes {
        let heap = FixedHeapConfig { max_heap_size_bytes: bytes };
        manager.resource_monitors.push(TypedExtension::new(&heap));
        manager.actions = vec![
            at_heap("envoy.overload_actions.shrink_heap", 0.85),
            at_heap("envoy.overload_actions.disable_http_keepalive", 0.9),
            at_heap("envoy.overload_actions.stop_accepting_requests", 0.95),
        ];
        manager.loadshed_points = vec![at_heap("envoy.load_shed_points.tcp_listener_accept", 0.98)];
    }
    manager
}

/// An action taken above a share of the heap limit.
fn at_heap(name: &'static str, share: f64) -> OverloadAction {
    let threshold = ThresholdTrigger { value: share };
    OverloadAction { name, triggers: vec![Trigger { name: FixedHeapConfig::NAME, threshold }] }
}
