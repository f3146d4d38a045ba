//! The rules file while the service runs.

use proto::ratelimit::v1::{ListRulesRequest, ListRulesResponse, RuleAlgorithm};

use crate::support::{World, fresh, until};

async fn listed(world: &World) -> ListRulesResponse {
    world.limits.clone().list_rules(ListRulesRequest {}).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raised_limit_holds_at_once_for_what_is_counted_already() {
    let world = World::shared("rules:\n- {name: user, per: [user], limit: 1, window: 1h}\n").await;
    let user = fresh("user");
    let left = async || {
        let answer = world.ask(&[&[("user_id", &user)]]).await;
        (answer.overall_code, answer.statuses[0].limit_remaining)
    };
    assert_eq!([left().await, left().await], [(1, 0), (2, 0)]);
    std::fs::write(
        world.folder.path().join("rules.yaml"),
        "rules:\n- {name: user, per: [user], limit: 3, window: 1h}\n",
    )
    .unwrap();
    until("the new limit holds", async || listed(&world).await.rules[0].limit == 3).await;
    assert_eq!([left().await, left().await, left().await], [(1, 1), (1, 0), (2, 0)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_changes_nothing_and_says_where_it_is_broken() {
    let good =
        "rules:\n- name: calls\n  per: [user]\n  match: {method: [/a/*, /b/C]}\n  rate: 5/s\n  burst: 20\n";
    let world = World::start(good).await;
    let file = world.folder.path().join("rules.yaml");
    std::fs::write(&file, good.replace("burst: 20", "burst: 0")).unwrap();
    until("the problem is told", async || listed(&world).await.problem == "line 6: limit must be at least 1")
        .await;
    let rules = listed(&world).await.rules;
    assert_eq!((rules[0].limit, rules[0].algorithm()), (20, RuleAlgorithm::Rate));
    assert_eq!(rules[0].r#match["method"], "/a/* | /b/C");
    std::fs::remove_file(&file).unwrap();
    until("the file is missed", async || listed(&world).await.problem.contains("No such file")).await;
    std::fs::write(&file, good).unwrap();
    until("all is well", async || listed(&world).await.problem.is_empty()).await;
    world.stop().await;
}
