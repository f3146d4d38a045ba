//! The life of the certificate, kept by the one replica that holds the lease.
//!
//! The Secret always holds a certificate that can be served, and changes in one write. A new certificate's authority is made known to
//! API servers before the certificate is written, and those before it stay known until they end, so at no time does an API server meet
//! a certificate that it does not trust. Nothing but these objects is remembered: a holder that dies half-way leaves an authority in
//! the bundles that nobody uses, and the next one takes it out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use platform::Clock;
use tokio::sync::Notify;

use crate::{
    bundle::Bundle,
    certificate::{Made, Names, Stored},
    cluster::{Cluster, ClusterError, Registration, VERSIONS},
    metrics::Metrics,
};

/// How often the objects are looked at though nothing is known to have changed.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(15);
/// How long API servers may take, at the most, to notice what they trust.
const SETTLES_WITHIN: SignedDuration = SignedDuration::from_secs(30);
/// How long to wait after a step that failed.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Keeps the certificate. Made anew for each time at the head.
#[derive(Debug)]
pub struct Rotation {
    cluster: Cluster,
    names: Names,
    lifetime: SignedDuration,
    clock: Clock,
    metrics: Metrics,
    pending: Option<Pending>,
    /// Why registrations are left alone, which is told once.
    foreign: Vec<String>,
}

/// A certificate that is made and not yet written.
#[derive(Debug)]
struct Pending {
    made: Made,
    /// Since when every registration has been seen to trust it.
    trusted: Option<Timestamp>,
}

/// Why a step could not be taken. The next look tries again.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The API server.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// No certificate could be made.
    #[error("no certificate could be made")]
    Make(#[from] rcgen::Error),
    /// What was written is not what is there.
    #[error("APIService {0} does not hold what was written")]
    NotReadBack(&'static str),
}

impl Rotation {
    /// Keeps the certificate for `names`, each for `lifetime`.
    pub fn new(
        cluster: Cluster,
        names: Names,
        lifetime: SignedDuration,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        Self { cluster, names, lifetime, clock, metrics, pending: None, foreign: Vec::new() }
    }

    /// Takes step after step, for as long as it is polled. `changed` says that the Secret did.
    pub async fn keep(mut self, changed: &Notify) {
        loop {
            let delay = self.step().await.unwrap_or_else(|error| {
                self.metrics.certificate("failed");
                tracing::warn!(
                    error = platform::status::chain(&error),
                    "the certificate can't be kept for now"
                );
                TRY_AGAIN_AFTER
            });
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = changed.notified() => {}
            }
        }
    }

    /// Takes the next step if there is one, and answers when to look again.
    ///
    /// # Errors
    ///
    /// The step could not be taken.
    pub async fn step(&mut self) -> Result<Duration, RotationError> {
        let secret = self.cluster.secret().await?;
        let now = self.clock.now();
        let data = secret.data.clone().unwrap_or_default();
        match Stored::read(&data, &self.names, now) {
            Ok(stored) if !stored.due(now, self.lifetime) => {
                self.pending = None;
                self.trust(&stored.authorities.valid_at(now), Trust::Exactly).await?;
                Ok(LOOK_EVERY.unsigned_abs())
            }
            Ok(stored) => self.renew(secret, &stored, now).await,
            Err(broken) => {
                tracing::info!(why = platform::status::chain(&broken), "the certificate is made anew");
                self.repair(secret, now).await
            }
        }
    }

    /// Makes a certificate known, waits, then writes it.
    async fn renew(
        &mut self,
        secret: Secret,
        stored: &Stored,
        now: Timestamp,
    ) -> Result<Duration, RotationError> {
        let others = stored.authorities.valid_at(now);
        let trusted = self.trust_pending(&others, now).await?;
        let settles = (self.lifetime / 12).min(SETTLES_WITHIN);
        let left = settles - now.duration_since(trusted);
        if left > SignedDuration::ZERO {
            return Ok(left.min(LOOK_EVERY).unsigned_abs());
        }
        self.write(secret, &others).await?;
        self.metrics.certificate("issued");
        Ok(Duration::ZERO)
    }

    /// Nothing good is served by whoever starts now, so there is nothing to wait for.
    async fn repair(&mut self, secret: Secret, now: Timestamp) -> Result<Duration, RotationError> {
        self.trust_pending(&Bundle::default(), now).await?;
        // Replicas that run still serve what was in the Secret before it broke.
        let known = self.known().await?.valid_at(now);
        self.write(secret, &known).await?;
        self.metrics.certificate("repaired");
        Ok(Duration::ZERO)
    }

    /// Makes the pending certificate's authority known beside `others`, and answers since when it is.
    async fn trust_pending(&mut self, others: &Bundle, now: Timestamp) -> Result<Timestamp, RotationError> {
        let mut pending = match self.pending.take() {
            Some(pending) => pending,
            None => Pending { made: Made::new(&self.names, now, self.lifetime)?, trusted: None },
        };
        let mut bundle = Bundle::of(pending.made.authority.clone());
        bundle.add(others);
        let outcome = self.trust(&bundle, Trust::AtLeast).await;
        let since = match (&outcome, pending.trusted) {
            (Ok(Changed(false)), Some(since)) => Some(since),
            (Ok(_), _) => Some(now),
            (Err(_), _) => None,
        };
        pending.trusted = since;
        self.pending = Some(pending);
        outcome.map(|_| since.unwrap_or(now))
    }

    /// Once written it is the Secret's; refused, somebody else's certificate is there and this one is of no use.
    async fn write(&mut self, secret: Secret, others: &Bundle) -> Result<(), RotationError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        self.cluster.replace_secret(secret, pending.made.into_data(others)).await?;
        tracing::info!("a new certificate is in the Secret");
        Ok(())
    }

    /// Makes every registration of ours trust `bundle`, and reads back that it does.
    async fn trust(&mut self, bundle: &Bundle, how: Trust) -> Result<Changed, RotationError> {
        let now = self.clock.now();
        let mut changed = Changed(false);
        for version in VERSIONS {
            let Some((resource_version, known)) = self.registered(version).await? else { continue };
            let Some(wanted) = how.change(bundle, known.as_ref(), now) else { continue };
            self.cluster.trust(version, &resource_version, &wanted).await?;
            let back = self.registered(version).await?.and_then(|(_, known)| known);
            if back.as_ref() != Some(&wanted) {
                return Err(RotationError::NotReadBack(version));
            }
            changed = Changed(true);
            tracing::info!(version, authorities = wanted.certificates().len(), "API servers trust");
        }
        Ok(changed)
    }

    /// The authorities of ours that any registration holds.
    async fn known(&mut self) -> Result<Bundle, RotationError> {
        let mut all = Bundle::default();
        for version in VERSIONS {
            if let Some((_, Some(known))) = self.registered(version).await? {
                all.add(&known.ours());
            }
        }
        Ok(all)
    }

    async fn registered(&mut self, version: &str) -> Result<Option<(String, Option<Bundle>)>, RotationError> {
        match self.cluster.registration(version).await? {
            Registration::Ours(resource_version, bundle) => Ok(Some((resource_version, bundle))),
            Registration::Foreign(why) => {
                if !self.foreign.contains(&why) {
                    self.metrics.certificate("left_alone");
                    tracing::warn!(
                        why,
                        "a registration is left alone: API servers don't ask this autoscaler"
                    );
                    self.foreign.push(why);
                }
                Ok(None)
            }
        }
    }
}

/// Whether a registration had to be changed.
#[derive(Clone, Copy, Debug)]
struct Changed(bool);

/// What happens to authorities that a registration holds already.
#[derive(Clone, Copy, Debug)]
enum Trust {
    /// They go: a certificate that is not due has nobody waiting for another one.
    Exactly,
    /// Those of ours that have not ended stay: another replica may be about to serve under one.
    AtLeast,
}

impl Trust {
    /// What a registration that holds `known` must hold instead. None where it may stay as it is.
    fn change(self, bundle: &Bundle, known: Option<&Bundle>, now: Timestamp) -> Option<Bundle> {
        let mut wanted = bundle.clone();
        let enough = match (self, known) {
            (_, None) => false,
            (Self::Exactly, Some(known)) => known == bundle,
            (Self::AtLeast, Some(known)) => {
                wanted.add(&known.ours().valid_at(now));
                bundle.certificates().iter().all(|certificate| known.certificates().contains(certificate))
            }
        };
        (!enough).then_some(wanted)
    }
}
