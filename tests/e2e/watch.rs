//! Watching orders through the ingress, as each kind of client does.

use std::process::Stdio;

use prost::Message as _;
use proto::orders::v1::{
    CancelOrderRequest, Order, OrderEventType, ShipOrderRequest, WatchOrderRequest, WatchOrderResponse,
};
use serde_json::Value;
use tests::{Stack, clients::Client, wait};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
};
use tonic::{Code, Streaming};
use uuid::Uuid;

use crate::{
    faults::signal,
    world::{breakable, buyer, product, seller, world},
};

async fn order(stack: &Stack, client: &Client) -> Order {
    let sku = product(stack, 1).await;
    client.order(&Uuid::now_v7().to_string(), &[(&sku, 1)]).await.unwrap()
}

async fn cancel(client: &Client, id: &str) {
    let request =
        CancelOrderRequest { id: id.into(), reason: "too many".into(), ..CancelOrderRequest::default() };
    client.orders().cancel_order(request).await.unwrap();
}

async fn watch(client: &Client, id: &str, token: &str) -> Streaming<WatchOrderResponse> {
    let request = WatchOrderRequest { id: id.into(), resume_token: token.into() };
    client.orders().watch_order(request).await.unwrap().into_inner()
}

/// The next message of a watch; none when it has ended with OK.
async fn next(messages: &mut Streaming<WatchOrderResponse>) -> Option<WatchOrderResponse> {
    tokio::time::timeout(wait::LIMIT, messages.message()).await.expect("a message or the end").unwrap()
}

/// The number and type of the next event, and what resumes behind it.
async fn event(messages: &mut Streaming<WatchOrderResponse>) -> (i32, OrderEventType, String) {
    loop {
        let message = next(messages).await.expect("the watch has ended");
        if let Some(event) = message.event {
            return (event.sequence_number, event.r#type(), message.resume_token);
        }
    }
}

/// A running curl, read as it goes.
fn curl(arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new("curl")
        .args(["--silent", "--show-error", "--no-buffer", "--max-time", "90"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    (child, BufReader::new(output))
}

#[tokio::test]
async fn an_order_is_watched_over_grpc_and_resumed() {
    let stack = &world().stack;
    let buyer = buyer(stack).await;
    let id = order(stack, &buyer).await.id;
    let mut watched = watch(&buyer, &id, "").await;
    let (number, kind, token) = event(&mut watched).await;
    assert_eq!((number, kind), (1, OrderEventType::Placed));
    drop(watched);
    let request = ShipOrderRequest { id: id.clone(), ..ShipOrderRequest::default() };
    seller(stack).await.orders().ship_order(request).await.unwrap();
    let mut watched = watch(&buyer, &id, &token).await;
    let (number, kind, _) = event(&mut watched).await;
    assert_eq!((number, kind), (2, OrderEventType::Shipped));
    assert_eq!(next(&mut watched).await.unwrap().event, None, "it goes on, and is alive");
}

#[tokio::test]
async fn another_company_and_a_stranger_see_nothing() {
    let stack = &world().stack;
    let id = order(stack, &buyer(stack).await).await.id;
    let request = || WatchOrderRequest { id: id.clone(), ..WatchOrderRequest::default() };
    let refused = buyer(stack).await.orders().watch_order(request()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    let stranger = Client::connect(&stack.url()).await.unwrap();
    assert_eq!(stranger.orders().watch_order(request()).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn rest_gets_an_array_that_grows_as_things_happen() {
    let stack = &world().stack;
    let buyer = buyer(stack).await;
    let id = order(stack, &buyer).await.id;
    let authorization = format!("authorization: Bearer {}", buyer.token());
    let url = format!("{}/v1/orders/{id}:watch", stack.url());
    let (_curl, mut output) = curl(&["--header", &authorization, &url]);
    let mut text = String::new();
    let placed = element(&mut output, &mut text, "ORDER_EVENT_TYPE_PLACED").await;
    cancel(&buyer, &id).await;
    let cancelled = element(&mut output, &mut text, "ORDER_EVENT_TYPE_CANCELLED").await;
    assert_eq!(
        (&placed["event"]["sequenceNumber"], &cancelled["event"]["reason"]),
        (&1.into(), &"too many".into())
    );

    let token = placed["resumeToken"].as_str().unwrap();
    let (_curl, mut output) = curl(&["--header", &authorization, &format!("{url}?resume_token={token}")]);
    let mut text = String::new();
    let resumed = element(&mut output, &mut text, "ORDER_EVENT_TYPE_").await;
    assert_eq!(resumed["event"]["sequenceNumber"], 2);
}

/// Reads on until an element of the open array that holds `mark` is complete.
async fn element(output: &mut BufReader<ChildStdout>, text: &mut String, mark: &str) -> Value {
    let read = async {
        loop {
            let complete: Vec<Value> = serde_json::from_str(&format!("{text}]")).unwrap_or_default();
            if let Some(found) = complete.into_iter().find(|element| element.to_string().contains(mark)) {
                return found;
            }
            let bytes = output.fill_buf().await.unwrap();
            assert!(!bytes.is_empty(), "it ended with {text}");
            text.push_str(&String::from_utf8_lossy(bytes));
            let count = bytes.len();
            output.consume(count);
        }
    };
    tokio::time::timeout(wait::LIMIT, read).await.unwrap_or_else(|_| panic!("no {mark}"))
}

#[tokio::test]
async fn a_browser_is_told_over_grpc_web_as_it_happens() {
    let stack = &world().stack;
    let buyer = buyer(stack).await;
    let id = order(stack, &buyer).await.id;
    let message = WatchOrderRequest { id: id.clone(), ..WatchOrderRequest::default() }.encode_to_vec();
    let body = tempfile::NamedTempFile::new().unwrap();
    let length = u32::try_from(message.len()).unwrap();
    std::fs::write(&body, [&[0_u8], length.to_be_bytes().as_slice(), &message].concat()).unwrap();
    let (data, authorization) =
        (format!("@{}", body.path().display()), format!("authorization: Bearer {}", buyer.token()));
    let (_curl, mut output) = curl(&[
        "--http1.1",
        "--header",
        "content-type: application/grpc-web+proto",
        "--header",
        &authorization,
        "--data-binary",
        &data,
        &format!("{}/sipup.orders.v1.OrderService/WatchOrder", stack.url()),
    ]);
    assert_eq!(web_event(&mut output).await, (1, OrderEventType::Placed));
    cancel(&buyer, &id).await;
    assert_eq!(web_event(&mut output).await, (2, OrderEventType::Cancelled));
}

async fn web_event(output: &mut BufReader<ChildStdout>) -> (i32, OrderEventType) {
    let read = async {
        loop {
            let mut head = [0; 5];
            output.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes(head[1..].try_into().unwrap());
            let mut message = vec![0; usize::try_from(length).unwrap()];
            output.read_exact(&mut message).await.unwrap();
            assert_eq!(head[0], 0, "no trailers, no compression");
            if let Some(event) = WatchOrderResponse::decode(message.as_slice()).unwrap().event {
                return (event.sequence_number, event.r#type());
            }
        }
    };
    tokio::time::timeout(wait::LIMIT, read).await.expect("an event")
}

#[tokio::test]
async fn a_service_that_stops_ends_its_watches_well_and_they_go_on_elsewhere() {
    let stack = breakable().await;
    let buyer = buyer(&stack).await;
    let id = order(&stack, &buyer).await.id;
    let mut watched = watch(&buyer, &id, "").await;
    let (_, _, mut token) = event(&mut watched).await;
    stop_orders(&stack);
    while let Some(message) = next(&mut watched).await {
        assert_eq!(message.event, None);
        token = message.resume_token;
    }
    let mut watched = wait::until("the watch goes on", async || {
        let request = WatchOrderRequest { id: id.clone(), resume_token: token.clone() };
        Some(buyer.orders().watch_order(request).await.ok()?.into_inner())
    })
    .await;
    cancel_when_up(&buyer, &id).await;
    loop {
        // One that was begun while the service stopped ends well, too.
        match next(&mut watched).await {
            Some(WatchOrderResponse { event: Some(event), .. }) => {
                assert_eq!((event.sequence_number, event.r#type()), (2, OrderEventType::Cancelled));
                break;
            }
            Some(_) => {}
            None => {
                watched = wait::until("the watch goes on", async || {
                    let request = WatchOrderRequest { id: id.clone(), resume_token: token.clone() };
                    Some(buyer.orders().watch_order(request).await.ok()?.into_inner())
                })
                .await;
            }
        }
    }
}

/// Sends SIGTERM to the only orders service.
fn stop_orders(stack: &Stack) {
    signal("TERM", stack.pid("orders-0").expect("orders runs"));
}

/// Cancels as soon as somebody answers.
async fn cancel_when_up(client: &Client, id: &str) {
    wait::until("the order is cancelled", async || {
        let request = CancelOrderRequest { id: id.into(), ..CancelOrderRequest::default() };
        client.orders().cancel_order(request).await.ok()
    })
    .await;
}
