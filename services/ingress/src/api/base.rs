//! Extensions, durations, addresses and matchers: what every part of the API is made of.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A message that says its own type where it is used.
pub(crate) trait Message: Serialize {
    /// Full name of the message.
    const TYPE: &'static str;
}

/// A message that stands behind `typed_config`, with the name that Envoy knows its extension by.
pub(crate) trait Extension: Message {
    /// Name of the extension. For a route's override, the name of the filter that it overrides: Envoy silently ignores
    /// an override under any other name.
    const NAME: &'static str;
}

/// Declares [`Message`]s as `Message = "message type"`.
macro_rules! messages {
    ($($message:ty = $kind:literal;)*) => {
        $(impl $crate::api::Message for $message {
            const TYPE: &'static str = $kind;
        })*
    };
}
pub(crate) use messages;

/// Declares [`Extension`]s as `Message = "extension name", "message type"`.
macro_rules! extensions {
    ($($message:ty = $name:expr, $kind:literal;)*) => {
        $crate::api::messages! { $($message = $kind;)* }
        $(impl $crate::api::Extension for $message {
            const NAME: &'static str = $name;
        })*
    };
}
pub(crate) use extensions;

/// `google.protobuf.Any`.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Any(Value);

impl Any {
    pub(crate) fn pack<M: Message>(message: &M) -> Self {
        let mut value = json(message);
        if let Value::Object(fields) = &mut value {
            fields.insert("@type".into(), format!("type.googleapis.com/{}", M::TYPE).into());
        }
        Self(value)
    }
}

/// The JSON form of a message, without the fields that are not set.
pub(crate) fn json(message: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(message).expect("messages have string keys and finite numbers");
    drop_unset(&mut value);
    value
}

fn drop_unset(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_unset);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_unset),
        _ => {}
    }
}

/// A named extension with its configuration.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TypedExtension {
    name: &'static str,
    typed_config: Any,
}

impl TypedExtension {
    pub(crate) fn new<E: Extension>(message: &E) -> Self {
        Self { name: E::NAME, typed_config: Any::pack(message) }
    }

    /// For the extensions that occur several times in a chain and then need names of their own.
    pub(crate) fn named<E: Extension>(name: &'static str, message: &E) -> Self {
        Self { name, ..Self::new(message) }
    }
}

/// Extensions by their names: overrides of filters, options of protocols.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Extensions(BTreeMap<&'static str, Any>);

impl Extensions {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn with<E: Extension>(mut self, message: &E) -> Self {
        self.0.insert(E::NAME, Any::pack(message));
        self
    }
}

/// `google.protobuf.Duration`, written like `0.25s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    pub(crate) const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(crate) const fn millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        if nanos == 0 {
            return serializer.collect_str(&format_args!("{seconds}s"));
        }
        serializer.collect_str(&format_args!("{seconds}.{nanos:09}s"))
    }
}

/// A message without fields, where its presence is what counts.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Empty {}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Percent {
    pub(crate) value: f64,
}

/// A share: out of a hundred unless it says another denominator.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct FractionalPercent {
    pub(crate) numerator: u32,
    pub(crate) denominator: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct RuntimeFractionalPercent {
    pub(crate) default_value: FractionalPercent,
}

impl RuntimeFractionalPercent {
    pub(crate) const ALWAYS: Self =
        Self { default_value: FractionalPercent { numerator: 100, denominator: None } };
}

/// `envoy.config.core.v3.ConfigSource`: a file that is read again when its folder is swapped, as the kubelet does it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ConfigSource {
    path_config_source: PathConfigSource,
    resource_api_version: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct PathConfigSource {
    path: PathBuf,
    watched_directory: WatchedDirectory,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct WatchedDirectory {
    pub(crate) path: PathBuf,
}

impl ConfigSource {
    pub(crate) fn file(folder: &Path, name: &str) -> Self {
        let watched_directory = WatchedDirectory { path: folder.to_owned() };
        let path_config_source = PathConfigSource { path: folder.join(name), watched_directory };
        Self { path_config_source, resource_api_version: "V3" }
    }
}

/// `envoy.service.discovery.v3.DiscoveryResponse`: what such a file holds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DiscoveryResponse {
    resources: Vec<Any>,
}

impl DiscoveryResponse {
    pub(crate) fn new<M: Message>(resources: &[M]) -> Self {
        Self { resources: resources.iter().map(Any::pack).collect() }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Address {
    socket_address: SocketAddress,
}

#[derive(Clone, Debug, Serialize)]
struct SocketAddress {
    address: String,
    port_value: u16,
}

impl Address {
    pub(crate) fn new(host: impl Into<String>, port: u16) -> Self {
        Self { socket_address: SocketAddress { address: host.into(), port_value: port } }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip().to_string(), address.port())
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StringMatcher {
    Exact(String),
    Prefix(String),
}

/// `envoy.config.route.v3.HeaderMatcher`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HeaderMatcher {
    name: &'static str,
    #[serde(flatten)]
    condition: HeaderCondition,
    invert_match: Option<bool>,
    treat_missing_header_as_empty: Option<bool>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum HeaderCondition {
    StringMatch(StringMatcher),
    PresentMatch(bool),
}

impl HeaderMatcher {
    const fn new(name: &'static str, condition: HeaderCondition) -> Self {
        Self { name, condition, invert_match: None, treat_missing_header_as_empty: None }
    }

    pub(crate) const fn matches(name: &'static str, matcher: StringMatcher) -> Self {
        Self::new(name, HeaderCondition::StringMatch(matcher))
    }

    pub(crate) const fn present(name: &'static str, present: bool) -> Self {
        Self::new(name, HeaderCondition::PresentMatch(present))
    }

    /// The opposite; a missing header counts as an empty one.
    pub(crate) fn not(self) -> Self {
        Self { invert_match: Some(true), treat_missing_header_as_empty: Some(true), ..self }
    }
}

/// `envoy.config.core.v3.HeaderValueOption` that replaces what is there.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HeaderValueOption {
    header: HeaderValue,
    append_action: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct HeaderValue {
    key: &'static str,
    value: String,
}

impl HeaderValueOption {
    pub(crate) fn set(key: &'static str, value: impl Into<String>) -> Self {
        Self { header: HeaderValue { key, value: value.into() }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" }
    }
}

/// `envoy.config.core.v3.GrpcService`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct GrpcService {
    pub(crate) envoy_grpc: EnvoyGrpc,
    pub(crate) timeout: Span,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct EnvoyGrpc {
    pub(crate) cluster_name: &'static str,
}

/// `envoy.type.metadata.v3.MetadataKey`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MetadataKey {
    key: &'static str,
    path: Vec<PathSegment>,
}

#[derive(Clone, Debug, Serialize)]
struct PathSegment {
    key: &'static str,
}

impl MetadataKey {
    pub(crate) fn new(key: &'static str, path: &[&'static str]) -> Self {
        Self { key, path: path.iter().map(|key| PathSegment { key }).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_to_the_nanosecond() {
        assert_eq!(json(&Span::secs(60)), "60s");
        assert_eq!(json(&Span::millis(25)), "0.025000000s");
        assert_eq!(json(&Span(Duration::new(1, 1))), "1.000000001s");
    }

    #[test]
    fn what_is_not_set_is_not_written() {
        let matcher = HeaderMatcher::present("x", true);
        assert_eq!(json(&matcher).to_string(), r#"{"name":"x","present_match":true}"#);
    }
}
