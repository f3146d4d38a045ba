//! More log-ins than hashes.

use std::num::NonZeroUsize;

use futures::future::join;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{PASSWORD, World, reason, until};

#[tokio::test]
async fn a_full_queue_refuses_at_once_says_when_to_come_back_and_recovers() {
    let world = World::start_with(|args| {
        args.password_threads = Some(NonZeroUsize::MIN);
        args.password_queue = 1;
    })
    .await;
    world.register("anna@example.com").await.unwrap();
    // Holds up whoever has a place, between the place and the hash.
    let blocker = world.sql().await;
    blocker.batch_execute("BEGIN; LOCK TABLE auth.users IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let waiting = join(world.login("anna@example.com", PASSWORD), world.login("anna@example.com", PASSWORD));
    let third = async {
        let full = async || world.metric("auth_password_hash_places").await > 1.5;
        until("both places are taken", full).await;
        let refused = world.login("anna@example.com", PASSWORD).await.unwrap_err();
        blocker.batch_execute("COMMIT").await.unwrap();
        refused
    };
    let ((first, second), refused) = join(waiting, third).await;
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "TOO_MANY_LOGINS"));
    assert!(refused.get_error_details().retry_info().unwrap().retry_delay.is_some());
    assert!(first.is_ok() && second.is_ok());
    assert!(world.login("anna@example.com", PASSWORD).await.is_ok());
}
