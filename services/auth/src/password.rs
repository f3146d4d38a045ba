//! Password hashes: Argon2id, on a bounded number of threads, with a short queue before them.
//!
//! A hash costs some 50 ms and 19 MiB by design, so whoever can make the service compute hashes can bring it down. Whoever wants one
//! takes a [`Place`] first, before anything else is done for the call; without a free place the call is refused at once. Each thread
//! keeps its 19 MiB, and no other is ever allocated.

mod argon;
mod threads;

use std::{
    fmt, io,
    num::NonZeroUsize,
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use argon2::password_hash;
use aws_lc_rs::rand;
use platform::Secret;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub use self::argon::is_outdated;
use self::{argon::Memory, threads::Threads};
use crate::{
    metrics::{Metrics, Waiting},
    user::Password,
};

/// How much is hashed at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Hashes computed at once. More than cores make each one slower.
    pub threads: NonZeroUsize,
    /// Calls that may wait for a thread.
    pub queue: usize,
    /// How long one may wait.
    pub wait: Duration,
}

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many wait already, or this one waited for too long.
    #[error("too many passwords wait to be checked")]
    Busy,
    /// The stored hash can't be read, or the machine has no memory or randomness left.
    #[error("could not compute a password hash")]
    Failed(#[source] password_hash::Error),
    /// The computation ended without an outcome.
    #[error("the computation of a password hash ended early")]
    Died,
    /// There are no threads to compute on.
    #[error("could not start the threads for password hashes")]
    NoThreads(#[source] io::Error),
}

/// Computes password hashes. Cheap to clone.
#[derive(Clone)]
pub struct Hasher(Arc<Inner>);

struct Inner {
    /// One permit for each of `threads`.
    free: Arc<Semaphore>,
    threads: Threads,
    /// Blocks of memory that the threads have ever allocated.
    allocated: Arc<AtomicUsize>,
    places: Arc<Semaphore>,
    wait: Duration,
    /// The hash of a password that nobody has: what is checked where there is no user.
    nobodys: Secret,
    metrics: Metrics,
}

/// A place in the queue, left when dropped.
#[derive(Debug)]
pub struct Place {
    hasher: Hasher,
    _permit: OwnedSemaphorePermit,
    _waiting: Waiting,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("free", &self.0.free)
            .field("places", &self.0.places)
            .field("allocated", &self.0.allocated)
            .finish_non_exhaustive()
    }
}

impl Hasher {
    /// A pool within `limits`. Computes one hash, of a password that nobody has.
    ///
    /// # Errors
    ///
    /// The machine has no memory, threads or randomness left.
    pub fn new(limits: Limits, metrics: Metrics) -> Result<Self, Error> {
        let mut nobodys = [0; 32];
        rand::fill(&mut nobodys).map_err(|_| Error::Failed(password_hash::Error::RngFailure))?;
        let threads = limits.threads.get().min(Semaphore::MAX_PERMITS);
        let places = threads.saturating_add(limits.queue).min(Semaphore::MAX_PERMITS);
        let allocated = Arc::default();
        Ok(Self(Arc::new(Inner {
            free: Arc::new(Semaphore::new(threads)),
            threads: Threads::start(threads, &allocated).map_err(Error::NoThreads)?,
            nobodys: argon::hash(&nobodys, &mut Memory::new(&Arc::default()))?,
            allocated,
            places: Arc::new(Semaphore::new(places)),
            wait: limits.wait,
            metrics,
        })))
    }

    /// Whether [`Hasher::enter`] would refuse now.
    pub fn is_full(&self) -> bool {
        self.0.places.available_permits() == 0
    }

    /// Takes a place.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if none is free.
    pub fn enter(&self) -> Result<Place, Error> {
        let permit = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| Error::Busy)?;
        Ok(Place { hasher: self.clone(), _permit: permit, _waiting: self.0.metrics.waiting() })
    }
}

impl Place {
    /// The hash of `password`, with a salt of its own.
    ///
    /// # Errors
    ///
    /// No thread was free in time, or hashing failed.
    pub async fn hash(&self, password: &Password) -> Result<Secret, Error> {
        let password = password.clone();
        self.run(move |memory| argon::hash(password.as_bytes(), memory)).await
    }

    /// Whether `stored` is a hash of `password`. Without `stored` the answer is no, after the same work.
    ///
    /// # Errors
    ///
    /// No thread was free in time, or `stored` can't be read.
    pub async fn verify(&self, password: &Password, stored: Option<&Secret>) -> Result<bool, Error> {
        let (password, is_known) = (password.clone(), stored.is_some());
        let stored = stored.unwrap_or(&self.hasher.0.nobodys).clone();
        let matches = self.run(move |memory| argon::verify(password.as_bytes(), &stored, memory)).await?;
        Ok(matches && is_known)
    }

    /// Runs `work` on one of the threads.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = &self.hasher.0;
        let asked = Instant::now();
        let free = tokio::time::timeout(inner.wait, Arc::clone(&inner.free).acquire_owned()).await;
        inner.metrics.waited(asked.elapsed());
        // The semaphore is never closed.
        let Ok(Ok(free)) = free else { return Err(Error::Busy) };
        let metrics = inner.metrics.clone();
        let (answer, answered) = oneshot::channel();
        // The permit goes along: a caller that hangs up doesn't make room while its hash is still being computed.
        inner.threads.run(move |memory| {
            let begun = Instant::now();
            let outcome = work(memory);
            metrics.hashed(begun.elapsed());
            drop(free);
            // Whoever has hung up needs no answer.
            let _ = answer.send(outcome);
        });
        answered.await.map_err(|_| Error::Died)?
    }
}

/// The hash of `password`, for programs that put users into the database themselves.
///
/// # Errors
///
/// The machine has no memory or randomness left.
pub async fn hash_password(password: &str) -> Result<String, Error> {
    let password = Secret::new(password);
    let done = tokio::task::spawn_blocking(move || {
        argon::hash(password.expose().as_bytes(), &mut Memory::new(&Arc::default()))
    });
    Ok(done.await.map_err(|_| Error::Died)??.expose().to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use argon2::{
        Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    };
    use futures::future::try_join_all;
    use opentelemetry::global;

    use super::*;

    fn hasher(threads: usize, queue: usize, wait: Duration) -> Hasher {
        let limits = Limits { threads: NonZeroUsize::new(threads).unwrap(), queue, wait };
        Hasher::new(limits, Metrics::new(&global::meter("test"))).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::choose(text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn a_hash_belongs_to_its_password_only_and_has_the_costs_of_today() {
        let place = hasher(1, 0, Duration::from_mins(1)).enter().unwrap();
        let stored = place.hash(&password("correct horse")).await.unwrap();
        assert!(stored.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", stored.expose());
        assert!(place.verify(&password("correct horse"), Some(&stored)).await.unwrap());
        assert!(!place.verify(&password("another horse"), Some(&stored)).await.unwrap());
        assert_ne!(place.hash(&password("correct horse")).await.unwrap(), stored);
        assert!(!is_outdated(&stored).unwrap());
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let hasher = hasher(1, 0, Duration::from_mins(1));
        let place = hasher.enter().unwrap();
        assert!(!place.verify(&password("correct horse"), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_of_other_costs_still_verifies_and_is_outdated() {
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let stored: PasswordHash = cheap.hash_password(b"correct horse").unwrap();
        let stored = Secret::new(stored.to_string());
        let place = hasher(1, 0, Duration::from_mins(1)).enter().unwrap();
        assert!(place.verify(&password("correct horse"), Some(&stored)).await.unwrap());
        assert!(is_outdated(&stored).unwrap());
    }

    #[tokio::test]
    async fn what_is_no_hash_is_an_error_and_not_a_wrong_password() {
        let place = hasher(1, 0, Duration::from_mins(1)).enter().unwrap();
        let outcome = place.verify(&password("correct horse"), Some(&Secret::new("plain text"))).await;
        assert!(matches!(outcome, Err(Error::Failed(_))));
        assert!(is_outdated(&Secret::new("plain text")).is_err());
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_takes_the_next_once_somebody_left() {
        let hasher = hasher(1, 1, Duration::from_mins(1));
        let (first, second) = (hasher.enter().unwrap(), hasher.enter().unwrap());
        assert!(matches!(hasher.enter(), Err(Error::Busy)));
        drop(first);
        assert!(hasher.enter().is_ok());
        drop(second);
    }

    #[tokio::test]
    async fn a_thread_that_is_not_free_in_time_refuses() {
        let hasher = hasher(1, 1, Duration::from_millis(1));
        let busy = Arc::clone(&hasher.0.free).acquire_owned().await.unwrap();
        let place = hasher.enter().unwrap();
        assert!(matches!(place.hash(&password("correct horse")).await, Err(Error::Busy)));
        drop(busy);
        assert!(place.hash(&password("correct horse")).await.is_ok());
    }

    #[tokio::test]
    async fn a_hash_of_ours_is_one_to_every_program_that_knows_argon2() {
        let place = hasher(1, 0, Duration::from_mins(1)).enter().unwrap();
        let stored = place.hash(&password("correct horse")).await.unwrap();
        let parsed = PasswordHash::new(stored.expose()).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"another horse", &parsed).is_err());
    }

    #[tokio::test]
    async fn however_many_passwords_come_each_thread_allocates_its_memory_once() {
        let hasher = hasher(2, 64, Duration::from_mins(1));
        for _ in 0..3 {
            let all = (0..20).map(async |_| {
                let place = hasher.enter()?;
                place.verify(&password("correct horse"), None).await
            });
            try_join_all(all).await.unwrap();
        }
        let blocks = hasher.0.allocated.load(Ordering::Relaxed);
        let of_one = usize::try_from(19 * 1024).unwrap();
        assert!(blocks == of_one || blocks == 2 * of_one, "{blocks} blocks of 1 KiB");
    }

    #[tokio::test]
    async fn a_computation_that_fails_costs_no_thread() {
        let hasher = hasher(1, 1, Duration::from_mins(1));
        let place = hasher.enter().unwrap();
        let died: Result<(), Error> = place.run(|_| panic!("a test's panic")).await;
        assert!(matches!(died, Err(Error::Died)));
        assert!(place.hash(&password("correct horse")).await.is_ok());
    }
}
