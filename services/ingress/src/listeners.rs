//! The two ports that Envoy opens besides its admin port.

use crate::{
    Config, Rpc,
    api::{
        Extensions, FilterChain, HeaderMatcher, HttpConnectionManager, Listener, PathMatch, Route,
        RouteAction, RouteConfiguration, RouteMatch, Router, StringMatcher, TypedExtension, VirtualHost,
    },
    clusters, connection, filters, routes,
};

/// Every listener.
pub(crate) fn all(config: &Config, rpcs: &[Rpc]) -> Vec<Listener> {
    vec![edge(config, rpcs), metrics(config)]
}

/// Where clients connect.
fn edge(config: &Config, rpcs: &[Rpc]) -> Listener {
    let manager = HttpConnectionManager {
        stat_prefix: "edge",
        route_config: routes::configuration(config, rpcs),
        http_filters: filters::chain(config, rpcs),
        edge: Some(connection::edge(config)),
    };
    Listener {
        name: "edge",
        address: config.listen.into(),
        // The default of 1 MiB for each of 20,000 connections would not fit; bodies have a filter of their own.
        per_connection_buffer_limit_bytes: Some(32 << 10),
        bypass_overload_manager: None,
        filter_chains: vec![FilterChain { filters: vec![TypedExtension::new(&manager)] }],
    }
}

/// What monitoring may see of the admin port. Answers under overload too: that is when somebody looks.
fn metrics(config: &Config) -> Listener {
    let host = VirtualHost {
        name: "metrics",
        domains: vec!["*"],
        routes: vec![admin_page("/metrics", "/stats/prometheus?usedonly"), admin_page("/ready", "/ready")],
        request_headers_to_add: Vec::new(),
        typed_per_filter_config: Extensions::default(),
        include_request_attempt_count: false,
    };
    let manager = HttpConnectionManager {
        stat_prefix: "metrics",
        route_config: RouteConfiguration {
            name: "metrics",
            virtual_hosts: vec![host],
            validate_clusters: None,
        },
        http_filters: vec![TypedExtension::new(&Router {})],
        edge: None,
    };
    Listener {
        name: "metrics",
        address: config.metrics_listen.into(),
        per_connection_buffer_limit_bytes: None,
        bypass_overload_manager: Some(true),
        filter_chains: vec![FilterChain { filters: vec![TypedExtension::new(&manager)] }],
    }
}

/// Only GET: on the admin port a POST changes Envoy.
fn admin_page(path: &str, page: &str) -> Route {
    let get = HeaderMatcher::matches(":method", StringMatcher::Exact("GET".into()));
    Route {
        name: path.to_owned(),
        matches: RouteMatch { path: PathMatch::Path(path.to_owned()), headers: vec![get] },
        route: RouteAction {
            cluster: clusters::ADMIN.to_owned(),
            prefix_rewrite: Some(page.to_owned()),
            ..RouteAction::default()
        },
        typed_per_filter_config: Extensions::default(),
    }
}
