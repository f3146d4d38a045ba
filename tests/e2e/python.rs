//! The story of a buyer, told from Python over gRPC by reflection; and the e-mail that it leads to.

use tests::{clients::Client, python, wait};

use crate::world::world;

#[tokio::test]
async fn a_python_client_knows_the_platform_by_reflection_alone() {
    let stack = &world().stack;
    let (email, password) = stack.seller();
    let printed = python::run("story.py", &[&stack.address(), &email, &password]).await.unwrap();
    let order = printed.lines().last().unwrap();
    assert_eq!(printed.lines().filter(|line| line.starts_with("ok ")).count(), 8, "{printed}");
    let mail = wait::until("the confirmation e-mail", async || stack.mail_about(order)).await;
    assert!(mail.contains("To: ") && mail.contains(order), "{mail}");
}

#[tokio::test]
async fn the_demo_users_can_log_in() {
    let stack = &world().stack;
    for (email, password) in stack.accounts() {
        Client::connect(&stack.url()).await.unwrap().log_in(&email, &password).await.unwrap();
    }
}
