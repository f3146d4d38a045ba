use jiff::Timestamp;
use opentelemetry::metrics::MeterProvider as _;

use super::*;

fn watches(per_process: usize, per_user: usize) -> Watches {
    let args = WatchArgs {
        max_watch: Duration::from_mins(10),
        watch_heartbeat: Duration::from_secs(20),
        max_watches: per_process,
        max_watches_per_user: per_user,
    };
    let meter = opentelemetry::metrics::noop::NoopMeterProvider::new().meter("test");
    let (state, begun) = (Mutex::default(), Notify::new());
    Watches(Arc::new(Inner { args, metrics: Metrics::new(&meter), state, begun }))
}

fn order(number: u128) -> OrderId {
    Uuid::from_u128(number).into()
}

fn event(order_id: OrderId, seq: i32) -> OrderEvent {
    let (kind, at, reason) = (None, Timestamp::UNIX_EPOCH, String::new());
    OrderEvent { order_id, seq, kind, at, actor: None, reason }
}

fn tell(watches: &Watches, order: OrderId, seqs: impl IntoIterator<Item = i32>) {
    let mut state = watches.lock();
    seqs.into_iter().for_each(|seq| state.tell(&event(order, seq)));
}

/// Positions that a watch has been given and its client has not read.
fn given(seat: &mut Seat) -> Vec<i32> {
    std::iter::from_fn(|| seat.events.try_recv().ok()).map(|event| event.seq).collect()
}

fn asked(watches: &Watches) -> Vec<(Uuid, i32)> {
    let (orders, after) = watches.lock().wanted();
    let mut asked: Vec<_> = orders.into_iter().zip(after).collect();
    asked.sort_unstable();
    asked
}

fn seat(watches: &Watches, order: OrderId, after: i32) -> Seat {
    watches.admit(Uuid::nil()).unwrap().at(order, after)
}

#[test]
fn an_order_is_asked_for_once_from_where_the_last_of_its_watches_stands() {
    let watches = watches(9, 9);
    let (mut early, mut late, _other) =
        (seat(&watches, order(1), 1), seat(&watches, order(1), 3), seat(&watches, order(2), 7));
    assert_eq!(asked(&watches), [(order(1).get(), 1), (order(2).get(), 7)]);
    tell(&watches, order(1), 2..=4);
    assert_eq!((given(&mut early), given(&mut late)), (vec![2, 3, 4], vec![4]));
    assert_eq!(asked(&watches)[0], (order(1).get(), 4));
    drop(early);
    assert_eq!(asked(&watches).len(), 2);
    drop(late);
    assert_eq!(asked(&watches), [(order(2).get(), 7)]);
}

#[test]
fn what_came_twice_or_too_early_is_not_told() {
    let watches = watches(9, 9);
    let mut seat = seat(&watches, order(1), 0);
    tell(&watches, order(1), [1, 1, 3, 2, 1]);
    assert_eq!(given(&mut seat), [1, 2]);
}

#[test]
fn a_client_that_does_not_read_is_not_asked_for_and_goes_on_where_it_was() {
    let watches = watches(9, 9);
    let mut seat = seat(&watches, order(1), 0);
    let room = i32::try_from(BUFFERED).unwrap();
    tell(&watches, order(1), 1..=room + 9);
    assert_eq!(asked(&watches), []);
    assert_eq!(given(&mut seat), (1..=room).collect::<Vec<_>>());
    assert_eq!(asked(&watches), [(order(1).get(), room)]);
    tell(&watches, order(1), room + 1..=room + 9);
    assert_eq!(given(&mut seat), (room + 1..=room + 9).collect::<Vec<_>>());
}

#[test]
fn places_are_bounded_by_user_and_in_all_and_come_back() {
    let watches = watches(3, 2);
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let first = watches.admit(one).unwrap();
    let second = watches.admit(one).unwrap().at(order(1), 0);
    assert!(matches!(watches.admit(one), Err(Error::TooManyWatches)));
    let third = watches.admit(other).unwrap();
    assert!(matches!(watches.admit(other), Err(Error::TooManyWatches)));
    drop(first);
    let fourth = watches.admit(other).unwrap();
    assert!(matches!(watches.admit(one), Err(Error::TooManyWatches)));
    drop((second, third, fourth));
    let state = watches.lock();
    assert!(state.users.is_empty() && state.watches.is_empty() && state.open == 0);
}
