//! Watches of the stub: each order has been placed and shipped.

use futures::{StreamExt as _, stream};
use proto::orders::v1::{OrderEvent, OrderEventType, WatchOrderRequest, WatchOrderResponse};
use tonic::{Status, codegen::BoxStream};

use super::{Behaviour, Lie, WatchEnd};

/// What has happened to each order.
const HISTORY: [OrderEventType; 2] = [OrderEventType::Placed, OrderEventType::Shipped];

/// The stream that answers `request`. Its tokens are the number of events that were told, in the clear.
pub(super) fn watch(
    behaviour: &Behaviour,
    request: &WatchOrderRequest,
) -> Result<BoxStream<WatchOrderResponse>, Status> {
    let told: usize = match request.resume_token.as_str() {
        "" => 0,
        token => token.parse().map_err(|_| Status::invalid_argument("no such token"))?,
    };
    let skipped = usize::from(behaviour.lie == Some(Lie::LostEvent));
    let event = |(index, kind): (usize, OrderEventType)| {
        let number = index + 1 + if index > 0 { skipped } else { 0 };
        let event = OrderEvent {
            order_id: request.id.clone(),
            sequence_number: i32::try_from(number).unwrap_or(i32::MAX),
            r#type: kind.into(),
            ..OrderEvent::default()
        };
        Ok(WatchOrderResponse { event: Some(event), resume_token: number.to_string() })
    };
    let events: Vec<_> = HISTORY.into_iter().enumerate().skip(told).map(event).collect();
    Ok(match behaviour.watch {
        WatchEnd::OnceWell if told == 0 => stream::iter(events).take(1).boxed(),
        WatchEnd::Broken => {
            let broken = Err(Status::unavailable("the server is gone"));
            stream::iter(events.into_iter().take(1).chain([broken])).boxed()
        }
        WatchEnd::OnceWell | WatchEnd::Never => stream::iter(events).chain(stream::pending()).boxed(),
    })
}
