use std::process::{Child, Command};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::keeper::Runtime;
use super::*;
use crate::identity::Identity;
use crate::{ports, wait};

const SOON: Duration = Duration::from_secs(30);

/// A runtime folder of its own, so that the tests' own services are left alone.
struct Fixture {
    parent: TempDir,
    runtime: Runtime,
}

impl Fixture {
    fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let runtime = Runtime::in_folder(&parent.path().join("runtime")).unwrap();
        Self { parent, runtime }
    }

    fn connect(&self, cargo: Option<Identity>) -> TestServices {
        TestServices::connect_in(&self.runtime, cargo).unwrap()
    }

    /// Whether nothing listens any more and nothing is left of the folder.
    async fn is_all_gone(&self, ports: Vec<u16>) -> bool {
        let folder = self.parent.path().join("runtime");
        wait::until(SOON, || async { !folder.exists() && all_free(&ports) }).await
    }
}

/// The ports of all servers.
fn ports_of(services: &TestServices) -> Vec<u16> {
    let nodes = services.greeting().redis.iter().map(SocketAddr::port);
    nodes.chain([services.primary_port()]).collect()
}

fn all_free(ports: &[u16]) -> bool {
    ports.iter().all(|port| ports::is_free(*port))
}

fn sleeper() -> Child {
    Command::new("sleep").arg("600").spawn().unwrap()
}

#[tokio::test]
async fn two_test_binaries_share_the_services_and_the_last_one_ends_them() {
    let fixture = Fixture::new();
    let (one, two) = (fixture.connect(None), fixture.connect(None));
    assert_eq!(one.primary_port(), two.primary_port());
    assert_ne!(one.new_database_name(), two.new_database_name());
    assert_eq!(one.redis_nodes().len(), 3);
    let ports = ports_of(&one);

    drop(one);
    crate::postgres::connect(&two.admin_url("postgres")).await.unwrap();
    drop(two);
    assert!(fixture.is_all_gone(ports).await);
}

#[tokio::test]
async fn the_services_stay_from_one_test_binary_to_the_next_of_the_same_cargo() {
    let fixture = Fixture::new();
    let mut cargo = sleeper();
    let identity = Identity::of(i32::try_from(cargo.id()).unwrap(), "sleep".as_ref());
    let first = fixture.connect(identity.clone());
    let keeper = first.greeting().keeper;
    drop(first);
    // Longer than the keeper takes to look whether anybody is left.
    let left =
        wait::until(Duration::from_secs(1), || async { !fixture.runtime.folder().join("socket").exists() })
            .await;
    let second = fixture.connect(identity);
    let (stayed, ports) = (second.greeting().keeper == keeper, ports_of(&second));
    drop(second);
    cargo.kill().unwrap();
    cargo.wait().unwrap();
    assert!(stayed && !left);
    assert!(fixture.is_all_gone(ports).await);
}

#[tokio::test]
async fn what_a_killed_keeper_left_behind_is_ended_by_the_next() {
    let fixture = Fixture::new();
    let killed = fixture.connect(None);
    let left_behind = ports_of(&killed);
    kill(Pid::from_raw(i32::try_from(killed.greeting().keeper).unwrap()), Signal::SIGKILL).unwrap();
    assert!(left_behind.iter().all(|port| !ports::is_free(*port)), "they outlive their keeper");

    let next = fixture.connect(None);
    assert!(all_free(&left_behind));
    let ports = ports_of(&next);
    drop(next);
    assert!(fixture.is_all_gone(ports).await);
}
