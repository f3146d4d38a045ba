//! A watched order: a stream from its first event on, and whether it keeps its promises: every event once, in order, without gaps.

use std::{sync::Arc, time::Duration};

use proto::orders::v1::WatchOrderResponse;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use crate::{
    call::{Failure, Outcome},
    identity::Identity,
    user::User,
    wire::{Wire, grpc},
};

/// A server may end a stream and have it resumed, but one that does so again and again serves nobody.
const MOST_RESUMES: u32 = 10;

/// Who watches which order.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    pub(crate) number: u32,
    pub(crate) identity: Arc<Identity>,
    pub(crate) position: Option<String>,
    pub(crate) order: String,
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: Watcher,
    stream: Streaming<WatchOrderResponse>,
    /// Events that have come.
    seen: i32,
    resume_token: String,
}

impl Watcher {
    pub(crate) fn new(user: &User, order: &str) -> Self {
        Self {
            number: user.number,
            identity: Arc::clone(&user.identity),
            position: user.lsn.clone(),
            order: order.to_owned(),
        }
    }
}

impl Watch {
    /// Opens the stream, and waits for the first event.
    pub(crate) async fn open(wire: &Wire, watcher: Watcher) -> Result<Self, Outcome> {
        let stream = wire.watch(&watcher, "").await.map_err(refused)?;
        let mut watch = Self { watcher, stream, seen: 0, resume_token: String::new() };
        while watch.seen == 0 {
            if !watch.next().await? {
                return Err(Outcome::Wrong(Failure::new(
                    "WATCH",
                    "ended before it told that the order was placed",
                )));
            }
        }
        Ok(watch)
    }

    /// Reads on for `time`, and resumes a stream that the server ends. Answers how that went.
    pub(crate) async fn hold(mut self, wire: &Wire, time: Duration, cut: &CancellationToken) -> Outcome {
        let until = Instant::now() + time;
        let mut resumes = 0;
        loop {
            let more = tokio::select! {
                more = self.next() => more,
                () = tokio::time::sleep_until(until) => return Outcome::Right,
                () = cut.cancelled() => return Outcome::Right,
            };
            match more {
                Ok(true) => {}
                Ok(false) if resumes == MOST_RESUMES => {
                    return Outcome::Failed(Failure::new("STREAM", "ended again and again"));
                }
                Ok(false) => {
                    resumes += 1;
                    match wire.watch(&self.watcher, &self.resume_token).await {
                        Ok(stream) => self.stream = stream,
                        Err(failure) => return refused(failure),
                    }
                }
                Err(outcome) => return outcome,
            }
        }
    }

    /// Waits for a message. `false`: the stream has ended as it may.
    async fn next(&mut self) -> Result<bool, Outcome> {
        let message = self.stream.message().await.map_err(|status| refused(grpc::failure(&status)))?;
        let Some(message) = message else { return Ok(false) };
        if let Some(event) = message.event {
            let expected = self.seen + 1;
            if event.order_id != self.watcher.order || event.sequence_number != expected {
                return Err(Outcome::Wrong(Failure::new(
                    "WATCH",
                    format!(
                        "event {} of order {}, expected {expected} of {}",
                        event.sequence_number, event.order_id, self.watcher.order
                    ),
                )));
            }
            self.seen = expected;
        }
        self.resume_token = message.resume_token;
        Ok(true)
    }
}

/// An order that was placed and is gone is worse than an error.
fn refused(failure: Failure) -> Outcome {
    if failure.code == "NOT_FOUND" {
        Outcome::Wrong(Failure::new("LOST", failure.message))
    } else {
        Outcome::of(failure)
    }
}
