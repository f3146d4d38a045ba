//! What callers may see: asked of the API server by `SubjectAccessReview`, as it asks itself.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams};
use moka::future::Cache;
use platform::Clock;

use crate::{cluster::GROUP, front_proxy::User};

/// May everything, and is not asked about: so an API server's own probes need no answer of itself.
const MASTERS: &str = "system:masters";
/// Reads the discovery documents, at times without its group.
const AGGREGATOR: &str = "system:kube-aggregator";

/// How long an answer counts, good or bad; API servers keep theirs as long.
const KEPT: SignedDuration = SignedDuration::from_secs(10);
/// Answers kept at once.
const MOST: u64 = 4_096;
/// How long an answer may take: the caller waits two seconds for its own.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1_500);

/// What somebody wants to see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sight {
    /// A metric of an object.
    Metric {
        /// The API's version.
        version: String,
        /// The object's namespace.
        namespace: String,
        /// Its kind, plural and qualified.
        resource: String,
        /// Its name.
        name: String,
        /// The metric.
        metric: String,
    },
    /// A discovery document, by its path.
    Discovery(String),
}

/// No answer whether somebody may.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the API server does not say whether this is allowed: {0}")]
pub struct Undecided(String);

/// Decides. Cheap to clone.
#[derive(Clone)]
pub struct Authorizer {
    reviews: Api<SubjectAccessReview>,
    answers: Cache<(User, Sight), (Timestamp, bool)>,
    clock: Clock,
}

impl std::fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorizer").finish_non_exhaustive()
    }
}

impl Authorizer {
    /// Asks by `client`.
    pub fn new(client: Client, clock: Clock) -> Self {
        let answers = Cache::builder().max_capacity(MOST).time_to_live(KEPT.unsigned_abs()).build();
        Self { reviews: Api::all(client), answers, clock }
    }

    /// Whether `user` may see `sight`.
    ///
    /// # Errors
    ///
    /// Nobody knows: not to be taken for a yes.
    pub async fn allows(&self, user: &User, sight: Sight) -> Result<bool, Undecided> {
        let aggregator = matches!(sight, Sight::Discovery(_)) && user.name == AGGREGATOR;
        if aggregator || user.groups.iter().any(|group| group == MASTERS) {
            return Ok(true);
        }
        let asked = (user.clone(), sight);
        let now = self.clock.now();
        if let Some((at, _)) = self.answers.get(&asked).await
            && !(SignedDuration::ZERO..KEPT).contains(&now.duration_since(at))
        {
            self.answers.invalidate(&asked).await;
        }
        let review = async { Ok((now, self.review(&asked.0, &asked.1).await?)) };
        let answer = self.answers.try_get_with(asked.clone(), review).await;
        answer.map(|(_, allowed)| allowed).map_err(|undecided| Undecided::clone(&undecided))
    }

    async fn review(&self, user: &User, sight: &Sight) -> Result<bool, Undecided> {
        let review = SubjectAccessReview { spec: spec(user, sight), ..SubjectAccessReview::default() };
        let params = PostParams::default();
        let answer = tokio::time::timeout(ANSWERS_WITHIN, self.reviews.create(&params, &review)).await;
        let answer = answer
            .map_err(|_| Undecided("it did not answer in time".to_owned()))?
            .map_err(|error| Undecided(platform::status::chain(&error)))?;
        let status = answer.status.ok_or_else(|| Undecided("its answer is empty".to_owned()))?;
        Ok(status.allowed && status.denied != Some(true))
    }
}

fn spec(user: &User, sight: &Sight) -> SubjectAccessReviewSpec {
    let verb = Some("get".to_owned());
    let (resource, path) = match sight {
        Sight::Metric { version, namespace, resource, name, metric } => {
            let attributes = ResourceAttributes {
                verb,
                group: Some(GROUP.to_owned()),
                version: Some(version.clone()),
                namespace: Some(namespace.clone()),
                resource: Some(resource.clone()),
                name: Some(name.clone()),
                subresource: Some(metric.clone()),
                ..ResourceAttributes::default()
            };
            (Some(attributes), None)
        }
        Sight::Discovery(path) => (None, Some(NonResourceAttributes { verb, path: Some(path.clone()) })),
    };
    SubjectAccessReviewSpec {
        user: Some(user.name.clone()),
        uid: (!user.uid.is_empty()).then(|| user.uid.clone()),
        groups: Some(user.groups.clone()),
        extra: (!user.extra.is_empty()).then(|| user.extra.clone()),
        resource_attributes: resource,
        non_resource_attributes: path,
    }
}
