//! Where each call goes, how long it may take, and when it is sent again.

use crate::{
    Access, Class, Config, Limits, Rpc,
    api::{
        Buffer, BufferPerRoute, CorsPolicy, Extensions, HeaderMatcher, HeaderValueOption, JwtPerRoute,
        MaxStreamDuration, PathMatch, PreviousHostsPredicate, RetryBackOff, RetryPolicy, Route, RouteAction,
        RouteConfiguration, RouteMatch, Span, StringMatcher, TypedExtension, VirtualHost,
    },
    clusters, filters, rate_limits,
};

/// Tells services where a call comes from: the address that this Envoy itself settled, never what a client says.
pub(crate) const CLIENT_ADDRESS: &str = "x-client-address";
/// Name of the route table.
pub(crate) const NAME: &str = "edge";
/// Public path of the key set.
const JWKS_PATH: &str = "/.well-known/jwks.json";
/// Every service answers these with the descriptors of all, so one of them is enough.
const DESCRIBED_BY: &str = "catalog";

/// The whole route table.
pub(crate) fn configuration(config: &Config, rpcs: &[Rpc]) -> RouteConfiguration {
    let reachable = rpcs.iter().filter(|rpc| rpc.access != Access::Internal);
    let mut routes: Vec<Route> = reachable.map(|rpc| route(config, rpc)).collect();
    routes.extend([health(&config.limits), reflection(&config.limits), jwks(config), nothing()]);
    let host = VirtualHost {
        name: "sipup",
        domains: vec!["*"],
        routes,
        request_headers_to_add: vec![HeaderValueOption::set(
            CLIENT_ADDRESS,
            "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        )],
        typed_per_filter_config: host_overrides(config),
        include_request_attempt_count: true,
    };
    // The cluster of the last route does not exist on purpose.
    RouteConfiguration { name: NAME, virtual_hosts: vec![host], validate_clusters: Some(false) }
}

fn route(config: &Config, rpc: &Rpc) -> Route {
    let mut overrides = access(rpc.access);
    match rpc.class {
        Class::Read | Class::Write => {}
        Class::Bulk => {
            overrides = overrides
                .with(&BufferPerRoute::Buffer(Buffer { max_request_bytes: config.limits.bulk_bytes }));
        }
        // Holding back the body of a stream would hold back its answers; an upload has no size that could be waited for.
        Class::Upload | Class::Stream => overrides = overrides.with(&BufferPerRoute::Disabled(true)),
    }
    if config.limiter.is_some() {
        overrides = overrides.with(&rate_limits::of(rpc));
    }
    Route {
        name: format!("{}.{}", rpc.area, rpc.method),
        matches: grpc_call(PathMatch::Path(rpc.path())),
        route: action(&rpc.area, rpc.class, &config.limits),
        typed_per_filter_config: overrides,
    }
}

fn access(access: Access) -> Extensions {
    match access {
        Access::Anonymous => Extensions::default().with(&JwtPerRoute::Disabled(true)),
        Access::Optional => {
            Extensions::default().with(&JwtPerRoute::RequirementName(filters::TOKEN_OPTIONAL))
        }
        // What the filter does unless told otherwise. Internal RPCs have no route at all.
        Access::Required | Access::Internal => Extensions::default(),
    }
}

/// Envoy's matcher for gRPC would miss gRPC-Web, which becomes gRPC only after the first look at the routes.
fn grpc_call(path: PathMatch) -> RouteMatch {
    let grpc = StringMatcher::Prefix("application/grpc".into());
    RouteMatch { path, headers: vec![HeaderMatcher::matches("content-type", grpc)] }
}

fn action(cluster: &str, class: Class, limits: &Limits) -> RouteAction {
    let longest = Span(match class {
        Class::Read | Class::Write => limits.timeout,
        Class::Bulk | Class::Upload => limits.long_timeout,
        Class::Stream => limits.stream_timeout,
    });
    RouteAction {
        cluster: cluster.to_owned(),
        // Counts from the end of the request and knows nothing of `grpc-timeout`: left to the two below.
        timeout: Some(Span::secs(0)),
        // The first bounds calls without a deadline, the second those that ask for more.
        max_stream_duration: Some(MaxStreamDuration {
            max_stream_duration: longest,
            grpc_timeout_header_max: longest,
        }),
        // Both ways: a client that has stopped sending would else hold what it holds for all of that time.
        idle_timeout: Some(if class.is_long() { Span(calls::LONGEST_SILENCE) } else { Span::secs(300) }),
        retry_policy: match class {
            Class::Read => Some(retries("unavailable,connect-failure,refused-stream,reset")),
            // Only while it is certain that no service has seen the call.
            Class::Write | Class::Bulk => {
                Some(retries("connect-failure,refused-stream,reset-before-request"))
            }
            Class::Upload | Class::Stream => None,
        },
        // Of its own: thousands of open streams must not use up what calls may have in flight, nor share connections with them.
        priority: (class == Class::Stream).then_some("HIGH"),
        ..RouteAction::default()
    }
}

/// Tries again at once on another host.
fn retries(retry_on: &'static str) -> RetryPolicy {
    RetryPolicy {
        retry_on,
        num_retries: 2,
        retry_back_off: Some(RetryBackOff {
            base_interval: Span::millis(25),
            max_interval: Span::millis(250),
        }),
        retry_host_predicate: vec![TypedExtension::new(&PreviousHostsPredicate {})],
        host_selection_retry_max_attempts: 3,
    }
}

/// `grpc.health.v1`, for clients that ask before they call. Watches are streams.
fn health(limits: &Limits) -> Route {
    open_stream("health", "/grpc.health.v1.Health/", limits)
}

/// `grpc.reflection`, `v1` and the `v1alpha` that older clients ask for: the contracts are no secret.
fn reflection(limits: &Limits) -> Route {
    open_stream("reflection", "/grpc.reflection.", limits)
}

fn open_stream(name: &str, prefix: &str, limits: &Limits) -> Route {
    Route {
        name: name.to_owned(),
        matches: grpc_call(PathMatch::Prefix(prefix.to_owned())),
        route: action(DESCRIBED_BY, Class::Stream, limits),
        typed_per_filter_config: access(Access::Anonymous).with(&BufferPerRoute::Disabled(true)),
    }
}

/// The key set, straight from the port that Envoy itself reads it from.
fn jwks(config: &Config) -> Route {
    Route {
        name: "jwks".to_owned(),
        matches: RouteMatch { path: PathMatch::Path(JWKS_PATH.to_owned()), headers: Vec::new() },
        route: RouteAction {
            cluster: clusters::JWKS.to_owned(),
            prefix_rewrite: Some(config.jwt.jwks_path.clone()),
            timeout: Some(Span::secs(5)),
            ..RouteAction::default()
        },
        typed_per_filter_config: access(Access::Anonymous),
    }
}

/// The last route. REST paths need some route before the transcoder knows what they are, else a preflight finds none; a
/// call that still stands here afterwards is answered `NOT_FOUND`, or UNIMPLEMENTED over gRPC.
fn nothing() -> Route {
    Route {
        name: "none".to_owned(),
        matches: RouteMatch { path: PathMatch::Prefix("/".to_owned()), headers: Vec::new() },
        route: RouteAction {
            cluster: "none".to_owned(),
            cluster_not_found_response_code: Some("NOT_FOUND"),
            ..RouteAction::default()
        },
        typed_per_filter_config: Extensions::default(),
    }
}

fn host_overrides(config: &Config) -> Extensions {
    let mut overrides = Extensions::default();
    if !config.cors_origins.is_empty() {
        overrides = overrides.with(&cors(&config.cors_origins));
    }
    if config.limiter.is_some() {
        overrides = overrides.with(&rate_limits::of_host());
    }
    overrides
}

/// Without `allow_credentials`: tokens travel in a header that pages set themselves, never in a cookie.
fn cors(origins: &[String]) -> CorsPolicy {
    let allowed = [
        "authorization",
        "content-type",
        "grpc-timeout",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "sipup-lsn",
        "traceparent",
        "tracestate",
        "x-grpc-web",
        "x-request-id",
        "x-user-agent",
    ];
    let exposed = [
        "etag",
        "grpc-message",
        "grpc-status",
        "grpc-status-details-bin",
        "idempotent-replayed",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "sipup-lsn",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "x-request-id",
    ];
    CorsPolicy {
        allow_origin_string_match: origins.iter().cloned().map(StringMatcher::Exact).collect(),
        allow_methods: "GET, POST, PUT, PATCH, DELETE, OPTIONS",
        allow_headers: allowed.join(", "),
        expose_headers: exposed.join(", "),
        max_age: "600",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_many_things_has_more_time_and_may_be_silent_for_less() {
        let times = |class| {
            let action = action("orders", class, &Limits::default());
            let longest = action.max_stream_duration.unwrap();
            [longest.max_stream_duration.0, longest.grpc_timeout_header_max.0, action.idle_timeout.unwrap().0]
                .map(|time| time.as_secs())
        };
        for class in [Class::Read, Class::Write] {
            assert_eq!(times(class), [60, 60, 300], "{class:?}");
        }
        for class in [Class::Bulk, Class::Upload] {
            assert_eq!(times(class), [300, 300, 60], "{class:?}");
        }
        assert_eq!(times(Class::Stream), [3_600, 3_600, 300]);
    }
}
