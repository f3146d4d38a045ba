//! One trace, from the client's `traceparent` to the e-mail that went out later.

use tests::{clients::order_of, trace::OrderTrace, wait};
use tonic::Request;
use uuid::Uuid;

use crate::world::{buyer, product, world};

#[tokio::test]
async fn an_order_is_one_trace_from_the_client_to_the_email() {
    let world = world();
    let client = buyer(&world.stack).await;
    let sku = product(&world.stack, 1).await;
    let (trace, caller) = (Uuid::new_v4().simple().to_string(), "00f067aa0ba902b7");
    let mut request = Request::new(order_of(&[(&sku, 1)]));
    request.metadata_mut().insert("traceparent", format!("00-{trace}-{caller}-01").parse().unwrap());
    request.metadata_mut().insert("idempotency-key", Uuid::now_v7().to_string().parse().unwrap());
    client.orders().create_order(request).await.unwrap();

    let wrong = wait::until("every span of the order", async || {
        OrderTrace(world.collector.trace(&trace)).wrong_edges(caller)
    })
    .await;
    assert_eq!(wrong, [""; 0]);
}
