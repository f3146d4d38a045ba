//! What a trigger of KEDA says in its metadata.

use std::{collections::HashMap, num::NonZeroU32};

use platform::Invalid;

/// The metric's name where nobody gives it another one.
pub const METRIC: &str = "active_users";

/// The longest name that KEDA can put into a label, with the prefix that it adds.
const LONGEST_NAME: usize = 58;

/// A valid trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// What the metric is called in this `ScaledObject`.
    pub metric: String,
    /// How many users one pod serves.
    pub users_per_pod: NonZeroU32,
}

impl Trigger {
    /// Reads the metadata; `users_per_pod` counts where it says nothing about that. Other keys are KEDA's own.
    ///
    /// # Errors
    ///
    /// Names the key.
    pub fn parse(
        metadata: &HashMap<String, String>,
        users_per_pod: Option<NonZeroU32>,
    ) -> Result<Self, Invalid> {
        let metric = metadata.get("metricName").map_or(METRIC, String::as_str);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if metric.is_empty() || metric.len() > LONGEST_NAME || !metric.bytes().all(fits) {
            let problem = format!("must be 1 to {LONGEST_NAME} letters, digits, `_`, `-` and `.`");
            return Err(Invalid::new("scalerMetadata.metricName", problem));
        }
        let given = metadata.get("usersPerPod").map(|text| text.trim().parse()).transpose();
        let users_per_pod = given
            .map_err(|_| Invalid::new("scalerMetadata.usersPerPod", "must be a whole number above 0"))?
            .or(users_per_pod)
            .ok_or_else(|| {
                Invalid::new("scalerMetadata.usersPerPod", "must be given: --users-per-pod is not set")
            })?;
        Ok(Self { metric: metric.to_owned(), users_per_pod })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(metadata: &[(&str, &str)], default: Option<u32>) -> Result<Trigger, Invalid> {
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Trigger::parse(&metadata, default.and_then(NonZeroU32::new))
    }

    #[test]
    fn metadata_wins_over_flags_and_other_keys_are_not_looked_at() {
        let given = [("usersPerPod", " 250 "), ("metricName", "shop.users"), ("scalerAddress", "x:1")];
        let trigger = parse(&given, Some(1_000)).unwrap();
        assert_eq!((trigger.metric.as_str(), trigger.users_per_pod.get()), ("shop.users", 250));
        let trigger = parse(&[], Some(1_000)).unwrap();
        assert_eq!((trigger.metric.as_str(), trigger.users_per_pod.get()), (METRIC, 1_000));
    }

    #[test]
    fn what_is_not_valid_is_named() {
        for text in ["0", "-1", "1.5", "", "many", "99999999999"] {
            let invalid = parse(&[("usersPerPod", text)], Some(1)).unwrap_err();
            assert_eq!(invalid.field, "scalerMetadata.usersPerPod", "{text}");
        }
        assert_eq!(parse(&[], None).unwrap_err().field, "scalerMetadata.usersPerPod");
        for name in ["", "a/b", "a b", "ü", &"x".repeat(LONGEST_NAME + 1)] {
            let invalid = parse(&[("metricName", name)], Some(1)).unwrap_err();
            assert_eq!(invalid.field, "scalerMetadata.metricName", "{name}");
        }
    }
}
