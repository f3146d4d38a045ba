//! Who may call: everyone who can reach the port, which the ingress has no route to and network policy opens to KEDA.

use platform::{Allow, Permissions};

/// KEDA's protocol.
pub const KEDA: Permissions = Permissions::new(
    "externalscaler.ExternalScaler",
    &[
        ("IsActive", Allow::Anyone),
        ("StreamIsActive", Allow::Anyone),
        ("GetMetricSpec", Allow::Anyone),
        ("GetMetrics", Allow::Anyone),
    ],
);
