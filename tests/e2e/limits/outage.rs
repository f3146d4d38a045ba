//! Valkey loses masters while limited calls go through the ingress: none fails for another reason than a limit, and a window has one
//! limit throughout.

use std::{ops::RangeInclusive, time::Duration};

use futures::future::join_all;
use local::Service;
use proto::{
    auth::v1::GetMeRequest,
    catalog::v1::{ListCategoriesRequest, catalog_service_client::CatalogServiceClient},
};
use tests::{Stack, clients::Client, wait};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Request, transport::Channel};
use tonic_types::StatusExt as _;

use super::{all_counters_are_shared, limited, process};
use crate::faults::{Hanging, signal};

/// Of the rule `categories`.
const LIMIT: usize = 200;
/// Counted by Valkey before it breaks.
const BEFORE: usize = 60;
/// Tried by each user when all is well again.
const AFTER: usize = 30;
/// What may be let through of [`LIMIT`]: a fifth less or more. Most of that is room for calls that the ingress lets through uncounted
/// because the limiter has not answered in time, on a machine that is busy.
const ALLOWED: RangeInclusive<usize> = LIMIT * 4 / 5..=LIMIT * 6 / 5;
/// Users who call at once.
const USERS: usize = 4;
/// A node that takes longer to answer hangs.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Somebody new, whom nothing was counted for.
struct User {
    id: String,
    token: String,
    ingress: Channel,
}

impl User {
    /// Registers past the ingress, where strangers are limited.
    async fn register(stack: &Stack) -> Self {
        let auth = Client::connect(&process(stack, Service::Auth).url).await.unwrap();
        let somebody = auth.register("A Company").await.unwrap();
        let me = somebody.auth().get_me(GetMeRequest {}).await.unwrap().into_inner();
        let ingress = Client::connect(&stack.url()).await.unwrap().channel();
        Self { id: me.user.unwrap().id, token: somebody.token().to_owned(), ingress }
    }

    /// Whether one call is let through; it fails for no other reason than the limit.
    async fn is_let_through(&self) -> bool {
        let mut request = Request::new(ListCategoriesRequest::default());
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        let Err(status) = CatalogServiceClient::new(self.ingress.clone()).list_categories(request).await
        else {
            return true;
        };
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert_eq!(status.get_error_details().error_info().unwrap().metadata["rule"], "categories");
        false
    }

    /// How many calls are let through, of so many or until the first that is not.
    async fn let_through(&self, most: usize) -> usize {
        for number in 0..most {
            if !self.is_let_through().await {
                return number;
            }
        }
        most
    }

    /// How many of so many calls are let through.
    async fn let_through_of(&self, calls: usize) -> usize {
        let mut through = 0;
        for _ in 0..calls {
            through += usize::from(self.is_let_through().await);
        }
        through
    }
}

/// Uses up a limit while what `harm` does lasts, and goes on when it is over. It is told the node that counts for one of the users.
async fn one_limit_holds(stack: &Stack, harm: impl FnOnce(&str) -> Option<Hanging>) {
    all_counters_are_shared(stack).await;
    let users = join_all((0..USERS).map(|_| User::register(stack))).await;
    let before = join_all(users.iter().map(|user| user.let_through(BEFORE))).await;
    assert_eq!(before, [BEFORE; USERS]);
    let node = wait::until("a master that counts", async || master_of(stack, &users[0]).await).await;
    let harmed = harm(&node);
    let meanwhile = join_all(users.iter().map(|user| user.let_through(LIMIT * 2))).await;
    drop(harmed);
    all_counters_are_shared(stack).await;
    let after = join_all(users.iter().map(|user| user.let_through_of(AFTER))).await;
    for ((before, meanwhile), after) in before.into_iter().zip(meanwhile).zip(after) {
        let all = before + meanwhile + after;
        assert!(ALLOWED.contains(&all), "{before} + {meanwhile} + {after} of {LIMIT}");
    }
    let newcomer = User::register(stack).await;
    wait::until("a newcomer counts in Valkey", async || {
        newcomer.is_let_through().await;
        master_of(stack, &newcomer).await
    })
    .await;
}

/// The name of the master that has counters of `user`.
async fn master_of(stack: &Stack, user: &User) -> Option<String> {
    for (number, node) in stack.info.redis_nodes.iter().enumerate() {
        let asked = ["INFO replication".to_owned(), format!("KEYS limit:*{}*", user.id)];
        let Some(said) = ask(node, &asked.join("\r\n")).await else { continue };
        if said.contains("role:master") && said.contains(&format!("user={}", user.id)) {
            return Some(format!("valkey-{number}"));
        }
    }
    None
}

/// What a node says to commands, one a line. None from one that is away or hangs.
async fn ask(node: &str, commands: &str) -> Option<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(node).await?;
        stream.write_all(format!("{commands}\r\nQUIT\r\n").as_bytes()).await?;
        let mut said = String::new();
        stream.read_to_string(&mut said).await?;
        std::io::Result::Ok(said)
    };
    tokio::time::timeout(ANSWERS_WITHIN, exchange).await.ok()?.ok()
}

#[tokio::test]
async fn a_master_that_is_killed_and_comes_back_empty_fails_no_call_and_gives_nobody_a_second_limit() {
    let stack = limited().await;
    one_limit_holds(&stack, |node| {
        signal("KILL", stack.pid(node).unwrap());
        None
    })
    .await;
}

#[tokio::test]
async fn a_master_that_hangs_fails_no_call_and_gives_nobody_a_second_limit() {
    let stack = limited().await;
    one_limit_holds(&stack, |node| Some(Hanging::new(vec![stack.pid(node).unwrap()]))).await;
}

#[tokio::test]
async fn masters_that_all_hang_fail_no_call_and_give_nobody_a_second_limit() {
    let stack = limited().await;
    let nodes = (0..stack.info.redis_nodes.len()).map(|number| format!("valkey-{number}"));
    let pids = nodes.map(|name| stack.pid(&name).unwrap()).collect();
    one_limit_holds(&stack, |_| Some(Hanging::new(pids))).await;
}
