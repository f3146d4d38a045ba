//! `sipup up` and `sipup down` themselves.

use std::process::{Command, Stdio};

use proto::orders::v1::GetOrderRequest;
use tests::{Stack, clients::Client, stack, wait};
use uuid::Uuid;

#[tokio::test]
async fn a_second_start_finds_the_data_and_a_second_up_at_once_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("data").display().to_string();
    let options = ["--data-dir", &folder, "--products", "50"];
    let stack = Stack::start_with(&options).unwrap();

    let another = Command::new(stack::binary().unwrap())
        .args(["up", "--port-base", "0"])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&another.stderr).into_owned();
    assert!(!another.status.success() && said.contains(&stack.info.up.to_string()), "{said}");

    let (email, password) = stack.accounts().swap_remove(0);
    let buyer = Client::connect(&stack.url()).await.unwrap().log_in(&email, &password).await.unwrap();
    let products = buyer.products(100).await.unwrap();
    assert_eq!(products.len(), 50);
    let order = buyer.order(&Uuid::now_v7().to_string(), &[(&products[0].sku, 1)]).await.unwrap();
    stack.stop().unwrap();

    let stack = Stack::start_with(&options).unwrap();
    let buyer = Client::connect(&stack.url()).await.unwrap().log_in(&email, &password).await.unwrap();
    let found =
        buyer.orders().get_order(GetOrderRequest { id: order.id.clone() }).await.unwrap().into_inner();
    assert_eq!(found.order.unwrap().id, order.id);
    assert_eq!(buyer.products(100).await.unwrap(), products);
}

#[tokio::test]
async fn down_ends_a_stack_whose_up_was_killed() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("data").display().to_string();
    let stack = Stack::start_with(&["--data-dir", &folder, "--products", "50"]).unwrap();
    let up = i32::try_from(stack.info.up).unwrap();
    let pids: Vec<i32> = stack.info.pids.values().copied().collect();
    assert!(Command::new("kill").args(["-KILL", &up.to_string()]).status().unwrap().success());
    drop(stack);
    assert!(pids.iter().any(|pid| runs(*pid)), "services outlive an `up` that was killed");
    let down = Command::new(stack::binary().unwrap()).args(["down", "--data-dir", &folder]).output().unwrap();
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    wait::until("the end of every process", async || pids.iter().all(|pid| !runs(*pid)).then_some(())).await;
}

/// Whether the process is there and not merely waiting to be reaped.
fn runs(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[test]
fn a_wrong_flag_is_one_line_and_exit_code_64() {
    let output = Command::new(stack::binary().unwrap())
        .args(["serve", "catalog", "--listen", "nowhere"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--listen"));
}
