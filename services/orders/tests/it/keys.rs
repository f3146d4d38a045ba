//! Requests that come more than once.

use prost::Message as _;
use tonic::{Code, metadata::MetadataValue};

use crate::support::{World, fields, lacks, refused, was_replayed, wish};

#[tokio::test]
async fn a_repeat_is_answered_with_the_same_bytes_also_while_the_catalogue_is_away() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let first = buyer.send(wish(&[("A", 3)], "k")).await.unwrap();
    assert!(!was_replayed(first.metadata()));
    let asked = world.catalog.calls().len();
    world.catalog.stop().await;

    let second = buyer.send(wish(&[("A", 3)], "k")).await.unwrap();
    assert!(was_replayed(second.metadata()));
    let bytes = first.get_ref().encode_to_vec();
    assert_eq!(second.get_ref().encode_to_vec(), bytes);
    let stored: Vec<u8> =
        world.books.row("SELECT response FROM orders.idempotency WHERE key = 'k'").await.get(0);
    assert_eq!(stored, bytes);
    assert_eq!(world.catalog.calls().len(), asked);
    assert_eq!((world.books.count("orders.orders").await, buyer.stock("A").await.unwrap()), (1, 7));
}

#[tokio::test]
async fn the_header_says_the_same_as_the_field() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let with_header = async |field: &str, header: &'static str| {
        let mut request = buyer.sign(wish(&[("A", 1)], field));
        request.metadata_mut().insert("idempotency-key", MetadataValue::from_static(header));
        buyer.orders().create_order(request).await
    };
    let first = with_header("", "k").await.unwrap();
    let second = buyer.send(wish(&[("A", 1)], "k")).await.unwrap();
    assert!(was_replayed(second.metadata()));
    assert_eq!(first.get_ref(), second.get_ref());
    assert_eq!(
        fields(&refused(with_header("a", "b").await, Code::InvalidArgument, "INVALID_FIELD")),
        ["request_id"]
    );
    let without = buyer.send(wish(&[("A", 1)], "")).await;
    assert_eq!(fields(&refused(without, Code::InvalidArgument, "INVALID_FIELD")), ["request_id"]);
}

#[tokio::test]
async fn a_key_is_not_lent_to_another_request() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    buyer.create(&[("A", 1)], "k").await.unwrap();
    let refusal = refused(buyer.create(&[("A", 2)], "k").await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(fields(&refusal), ["request_id"]);
    assert_eq!(buyer.stock("A").await.unwrap(), 9);
    // Another company's keys are its own.
    let other = world.buyer().send(wish(&[("A", 2)], "k")).await.unwrap();
    assert!(!was_replayed(other.metadata()));
    world.books.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_make_one_order_and_get_the_same_answer() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let held = world.books.hold("A").await;
    let twins =
        async { tokio::join!(buyer.send(wish(&[("A", 4)], "k")), buyer.send(wish(&[("A", 4)], "k"))) };
    let release = async {
        // One waits for the stock and the other for the one.
        world.books.until_waiting(2).await;
        held.release().await;
    };
    let ((one, other), ()) = tokio::join!(twins, release);
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.get_ref().encode_to_vec(), other.get_ref().encode_to_vec());
    assert!(was_replayed(one.metadata()) != was_replayed(other.metadata()));
    assert_eq!((world.books.count("orders.orders").await, buyer.stock("A").await.unwrap()), (1, 6));
    world.books.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_twin_that_would_wait_too_long_is_told_to_try_again() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let held = world.books.hold("A").await;
    let first = buyer.send(wish(&[("A", 4)], "k"));
    let second = async {
        world.books.until_waiting(1).await;
        let refusal = refused(buyer.send(wish(&[("A", 4)], "k")).await, Code::Aborted, "REQUEST_RUNNING");
        held.release().await;
        refusal
    };
    let (first, refusal) = tokio::join!(first, second);
    assert!(tonic_types::StatusExt::get_error_details(&refusal).retry_info().is_some());
    let repeat = buyer.send(wish(&[("A", 4)], "k")).await.unwrap();
    assert_eq!(repeat.get_ref(), first.unwrap().get_ref());
    world.books.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_is_being_placed_is_not_denied_because_its_product_has_gone() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let buyer = world.buyer();
    let held = world.books.hold("A").await;
    let first = buyer.send(wish(&[("A", 4)], "k"));
    let second = async {
        world.books.until_waiting(1).await;
        world.catalog.put("A", 100, "EUR", false);
        let twin = buyer.send(wish(&[("A", 4)], "k"));
        let release = async {
            world.books.until_waiting(2).await;
            held.release().await;
        };
        tokio::join!(twin, release).0
    };
    let (first, second) = tokio::join!(first, second);
    let second = second.unwrap();
    assert!(was_replayed(second.metadata()));
    assert_eq!(second.get_ref(), first.unwrap().get_ref());
    refused(buyer.create(&[("A", 4)], "other").await, Code::FailedPrecondition, "PRODUCT_INACTIVE");
    assert_eq!(world.books.count("orders.idempotency").await, 1);
    world.books.check().await;
}

#[tokio::test]
async fn a_request_that_was_refused_may_succeed_later_with_the_same_key() {
    let world = World::new().await;
    world.sell("A", 100, 2).await;
    world.sell("B", 100, 10).await;
    let buyer = world.buyer();
    let refusal = refused(
        buyer.create(&[("B", 1), ("A", 5), ("C-none", 1)], "k0").await,
        Code::FailedPrecondition,
        "PRODUCT_NOT_FOUND",
    );
    assert_eq!(lacks(&refusal)[0].1, "items[2]");
    let refusal =
        refused(buyer.create(&[("B", 1), ("A", 5)], "k").await, Code::FailedPrecondition, "OUT_OF_STOCK");
    let expected = ("OUT_OF_STOCK".to_owned(), "items[1]".to_owned(), "A: wanted 5, available 2".to_owned());
    assert_eq!(lacks(&refusal), [expected]);
    for table in ["orders.orders", "orders.order_lines", "orders.order_events", "jobs.ready"] {
        assert_eq!(world.books.count(table).await, 0, "{table}");
    }
    assert_eq!((buyer.stock("A").await.unwrap(), buyer.stock("B").await.unwrap()), (2, 10));

    world.sell("A", 100, 3).await;
    let order = buyer.create(&[("B", 1), ("A", 5)], "k").await.unwrap();
    assert_eq!(buyer.get(&order.id).await.unwrap(), order);
    assert_eq!(buyer.stock("A").await.unwrap(), 0);
    world.books.check().await;
}

#[tokio::test]
async fn changes_are_repeated_by_their_keys_too() {
    let world = World::new().await;
    world.sell("A", 100, 10).await;
    let (buyer, seller) = (world.buyer(), world.seller());
    let (one, two) =
        (buyer.create(&[("A", 1)], "1").await.unwrap(), buyer.create(&[("A", 1)], "2").await.unwrap());

    let cancelled = buyer.cancel(&one.id, "c").await.unwrap();
    let again = buyer.cancel(&one.id, "c").await.unwrap();
    assert_eq!(cancelled.get_ref(), again.get_ref());
    assert!(!was_replayed(cancelled.metadata()) && was_replayed(again.metadata()));
    refused(buyer.cancel(&two.id, "c").await, Code::InvalidArgument, "REQUEST_ID_REUSED");

    let shipped = seller.ship(&two.id, "s").await.unwrap();
    let again = seller.ship(&two.id, "s").await.unwrap();
    assert_eq!(shipped.get_ref(), again.get_ref());
    assert!(was_replayed(again.metadata()));

    let adjusted = seller.adjust(&[("A", 5)], Some("a")).await.unwrap();
    let again = seller.adjust(&[("A", 5)], Some("a")).await.unwrap();
    assert_eq!(adjusted.get_ref(), again.get_ref());
    assert!(was_replayed(again.metadata()));
    assert_eq!(seller.stock("A").await.unwrap(), 14);
    refused(seller.adjust(&[("A", 6)], Some("a")).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
}
