//! The stacks that tests share.

use std::sync::LazyLock;

use tests::{Stack, clients::Client, collector::Collector};
use tokio::sync::{Mutex, MutexGuard};

/// A stack that nobody breaks, with its traces collected.
pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) collector: Collector,
}

/// The shared stack.
pub(crate) fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let collector = Collector::start().expect("a collector");
        let stack =
            Stack::start(&["--replicas", "catalog=2", "--otlp-url", &collector.url()]).expect("a stack");
        World { stack, collector }
    });
    &WORLD
}

/// The stack that tests break, each for itself. What a test breaks is whole again, or restarted by `up`, when the next one begins.
pub(crate) async fn breakable() -> MutexGuard<'static, Stack> {
    static BREAKABLE: LazyLock<Mutex<Stack>> =
        LazyLock::new(|| Mutex::new(Stack::start(&["--products", "500"]).expect("a stack")));
    BREAKABLE.lock().await
}

/// A new company's admin, logged in.
pub(crate) async fn buyer(stack: &Stack) -> Client {
    let client = Client::connect(&stack.url()).await.expect("the ingress answers");
    client.register("A Company").await.expect("a company can register")
}

/// The seller of the demo data, logged in.
pub(crate) async fn seller(stack: &Stack) -> Client {
    let client = Client::connect(&stack.url()).await.expect("the ingress answers");
    let (email, password) = stack.seller();
    client.log_in(&email, &password).await.expect("the seller can log in")
}
