//! The ports that Envoy opens besides its admin port.

use std::net::SocketAddr;

use crate::{
    Config, Rpc,
    api::{
        Extensions, FilterChain, HeaderMatcher, HttpConnectionManager, Listener, PathMatch, Route,
        RouteAction, RouteConfiguration, RouteMatch, RouteSpecifier, Router, StringMatcher, TypedExtension,
        VirtualHost,
    },
    clusters, connection,
    files::Place,
    filters, tls,
};

/// Where clients connect: without TLS, and with it if there is a certificate.
pub(crate) fn edges(config: &Config, rpcs: &[Rpc], place: Place<'_>) -> Vec<Listener> {
    let plain = edge(config, rpcs, place, "edge", config.listen);
    let secure = config.tls.as_ref().map(|with| {
        let mut listener = edge(config, rpcs, place, "edge-tls", with.listen);
        for chain in &mut listener.filter_chains {
            chain.transport_socket = Some(tls::socket(with, place));
        }
        listener
    });
    [plain].into_iter().chain(secure).collect()
}

fn edge(
    config: &Config,
    rpcs: &[Rpc],
    place: Place<'_>,
    name: &'static str,
    address: SocketAddr,
) -> Listener {
    let manager = HttpConnectionManager {
        stat_prefix: name,
        routes: place.routes(config, rpcs),
        http_filters: filters::chain(config, rpcs),
        edge: Some(connection::edge(config)),
    };
    Listener {
        name,
        address: address.into(),
        // The default of 1 MiB for each of 20,000 connections would not fit; bodies have a filter of their own.
        per_connection_buffer_limit_bytes: Some(32 << 10),
        bypass_overload_manager: None,
        filter_chains: vec![FilterChain {
            filters: vec![TypedExtension::new(&manager)],
            transport_socket: None,
        }],
    }
}

/// What monitoring may see of the admin port. Answers under overload too: that is when somebody looks.
pub(crate) fn metrics(config: &Config) -> Listener {
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
        routes: RouteSpecifier::RouteConfig(RouteConfiguration {
            name: "metrics",
            virtual_hosts: vec![host],
            validate_clusters: None,
        }),
        http_filters: vec![TypedExtension::new(&Router {})],
        edge: None,
    };
    Listener {
        name: "metrics",
        address: config.metrics_listen.into(),
        per_connection_buffer_limit_bytes: None,
        bypass_overload_manager: Some(true),
        filter_chains: vec![FilterChain {
            filters: vec![TypedExtension::new(&manager)],
            transport_socket: None,
        }],
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
