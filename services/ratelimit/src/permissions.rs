//! Who may call: everyone who can reach the port, which the ingress has no route to and network policy opens to our own services and Envoy.

use platform::{Allow, Permissions};

/// Envoy's protocol.
pub const ENVOY: Permissions =
    Permissions::new("envoy.service.ratelimit.v3.RateLimitService", &[("ShouldRateLimit", Allow::Anyone)]);

/// Ours.
pub const LIMITS: Permissions = Permissions::new(
    "sipup.ratelimit.v1.LimitService",
    &[
        ("Check", Allow::Anyone),
        ("Report", Allow::Anyone),
        ("Explain", Allow::Anyone),
        ("ListRules", Allow::Anyone),
        ("ListPenalties", Allow::Anyone),
        ("Unban", Allow::Anyone),
        ("GetShadowReport", Allow::Anyone),
        ("ActiveUsers", Allow::Anyone),
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_listed() {
        assert_eq!(LIMITS.differences(proto::DESCRIPTORS).unwrap(), Vec::<String>::new());
    }
}
