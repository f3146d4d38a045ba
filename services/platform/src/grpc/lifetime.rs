//! How long a stream that has no end of its own may last.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Request;

use super::connection::End;
use crate::{Context, caller::Caller};

/// How long a stream lasts that was begun while the process stops: clients that come back before their load balancer has noticed
/// don't come back at once.
const WHILE_STOPPING: Duration = Duration::from_secs(1);

/// The life of one stream. It ends by itself, with OK, before anything cuts it: then its client knows that it has all that was sent,
/// and where to go on.
///
/// It is over when any of these is: the longest time that the service grants; the caller's token; the connection, soon after its
/// maximum age; the process, as soon as it is told to stop.
#[derive(Clone, Debug)]
pub struct Lifetime {
    ends_at: Instant,
    terminating: CancellationToken,
}

impl Lifetime {
    /// The life of the stream that answers `request`, `longest` at most.
    pub fn of<T>(request: &Request<T>, longest: Duration, context: &Context) -> Self {
        // Streams that were begun together, after a restart for example, don't come back together.
        let longest = longest.mul_f64(rand::random_range(0.9..=1.0));
        let caller = request.extensions().get::<Caller>();
        let token = caller.map(|caller| caller.expires_at.duration_since(context.clock.now()));
        let token = token.map_or(longest, |left| Duration::try_from(left).unwrap_or_default());
        let connection = request.extensions().get::<End>();
        let terminating = &context.terminating;
        let (longest, terminating) = if terminating.is_cancelled() {
            (longest.min(WHILE_STOPPING), CancellationToken::new())
        } else {
            (longest, terminating.clone())
        };
        let ends_at = Instant::now() + longest.min(token);
        let ends_at = connection
            .map_or(ends_at, |end| ends_at.min(end.at + end.spread.mul_f64(rand::random_range(0.0..=1.0))));
        Self { ends_at, terminating }
    }

    /// Waits until it is over.
    pub async fn over(&self) {
        tokio::select! {
            () = sleep_until(self.ends_at) => {}
            () = self.terminating.cancelled() => {}
        }
    }
}
