use super::*;

const PRIMARIES: usize = 3;

fn host(nth: usize) -> String {
    format!("v-{nth}.v.ns.svc")
}

fn ip(nth: usize) -> String {
    format!("10.0.0.{nth}")
}

fn at(nth: usize) -> SocketAddr {
    format!("{}:6379", ip(nth)).parse().unwrap()
}

/// A line of `CLUSTER NODES` about node `nth`, which `flags` and `rest` say more about.
fn line(nth: usize, flags: &str, primary: &str, rest: &str) -> String {
    format!("id{nth} {}:6379@16379,{} {flags} {primary} 0 0 1 {rest}", ip(nth), host(nth))
}

/// A healthy cluster of three primaries with a replica each, as node `me` sees it.
fn healthy(me: usize) -> View {
    let lines: Vec<String> = (0..6)
        .map(|nth| {
            let myself = if nth == me { "myself," } else { "" };
            if nth < PRIMARIES {
                let share = slots::share(nth, PRIMARIES);
                let slots = format!("connected {}-{}", share.start(), share.end());
                line(nth, &format!("{myself}master"), "-", &slots)
            } else {
                line(nth, &format!("{myself}slave"), &format!("id{}", nth - PRIMARIES), "connected")
            }
        })
        .collect();
    View::new(at(me), &lines.join("\n"), 5).unwrap()
}

/// A node that has just been made.
fn blank(me: usize, id: &str) -> View {
    let line = line(me, "myself,master", "-", "connected").replace(&format!("id{me}"), id);
    View::new(at(me), &line, 0).unwrap()
}

fn cluster(own: usize, views: Vec<Option<View>>) -> Cluster {
    let member = |(nth, view)| Member { host: host(nth), view };
    Cluster { own, primaries: PRIMARIES, members: views.into_iter().enumerate().map(member).collect() }
}

fn all_healthy() -> Vec<Option<View>> {
    (0..6).map(|nth| Some(healthy(nth))).collect()
}

#[test]
fn nothing_is_said_to_a_healthy_cluster() {
    for own in 0..6 {
        assert_eq!(cluster(own, all_healthy()).decide(), []);
    }
}

#[test]
fn a_node_that_moved_is_met_where_it_is_now() {
    let mut views = all_healthy();
    views[4].as_mut().unwrap().address = at(44);
    let meet = Command::Meet(at(44)).to(at(1));
    assert_eq!(cluster(1, views).decide(), [meet]);
}

#[test]
fn who_does_not_announce_the_name_that_was_looked_up_is_left_alone() {
    let mut views = all_healthy();
    let moved = views[4].as_mut().unwrap();
    (moved.address, moved.myself.host) = (at(44), "v-4.v.other.svc".to_owned());
    let cluster = cluster(1, views);
    assert_eq!(cluster.decide(), []);
    assert_eq!(cluster.strangers().collect::<Vec<_>>(), [host(4)]);
}

#[test]
fn two_clusters_that_know_nobody_in_common_are_not_merged() {
    let mut views = all_healthy();
    let stranger = views[4].as_mut().unwrap();
    stranger.address = at(44);
    for node in stranger.others.iter_mut().chain([&mut stranger.myself]) {
        node.id = format!("other-{}", node.id);
    }
    let cluster = cluster(1, views);
    assert_eq!(cluster.decide(), []);
    assert_eq!(cluster.strangers().collect::<Vec<_>>(), [host(4)]);
}

#[test]
fn new_nodes_are_introduced_by_the_first_alone_and_only_when_all_are_there() {
    let views = || -> Vec<Option<View>> { (0..6).map(|nth| Some(blank(nth, &format!("id{nth}")))).collect() };
    for own in 1..6 {
        assert_eq!(cluster(own, views()).decide(), [], "node {own}");
    }
    let mut incomplete = views();
    incomplete[5] = None;
    assert_eq!(cluster(0, incomplete).decide(), []);

    let orders = cluster(0, views()).decide();
    let epochs = (0..6).map(|nth| Command::SetEpoch(nth + 1).to(at(nth)));
    let meets = (1..6).map(|nth| Command::Meet(at(nth)).to(at(0)));
    assert_eq!(orders, epochs.chain(meets).collect::<Vec<_>>());
}

#[test]
fn slots_are_given_once_all_know_all() {
    let lines = |me: usize| -> Vec<String> {
        let flags = |nth| if nth == me { "myself,master" } else { "master" };
        (0..6).map(|nth| line(nth, flags(nth), "-", "connected")).collect()
    };
    let views: Vec<Option<View>> = (0..6).map(|nth| View::new(at(nth), &lines(nth).join("\n"), 0)).collect();
    let serve = |nth| Command::Serve(slots::share(nth, PRIMARIES)).to(at(nth));
    assert_eq!(cluster(0, views).decide(), [serve(0), serve(1), serve(2)]);
}

#[test]
fn a_new_cluster_is_not_made_while_somebody_who_is_away_may_have_the_slots() {
    let mut views: Vec<Option<View>> = (0..6).map(|nth| Some(blank(nth, &format!("id{nth}")))).collect();
    let knowing = views[3].as_mut().unwrap();
    knowing.others.push(Node::parse(&line(7, "master", "-", "disconnected 0-16383")).unwrap());
    assert!(!cluster(0, views).decide().iter().any(|order| matches!(order.command, Command::Serve(_))));
}

#[test]
fn replicas_spread_over_the_primaries_without_a_word_between_them() {
    for own in 3..6 {
        let mut view = healthy(own);
        for node in view.others.iter_mut().chain([&mut view.myself]) {
            node.primary = None;
        }
        view.keys = 0;
        let mut views = all_healthy();
        views[own] = Some(view);
        assert_eq!(cluster(own, views).decide(), [Command::Follow(format!("id{}", own - 3)).to(at(own))]);
    }
}

#[test]
fn a_node_that_lost_its_data_is_taken_in_and_its_old_id_forgotten() {
    let mut views = all_healthy();
    views[5] = Some(blank(5, "new5"));
    let orders = cluster(1, views).decide();
    assert_eq!(orders, [Command::Meet(at(5)).to(at(1)), Command::Forget("id5".to_owned()).to(at(1))]);
}

#[test]
fn a_replica_takes_over_from_a_primary_that_lost_its_data() {
    let mut views = all_healthy();
    views[1] = Some(blank(1, "new1"));
    let views = || -> Vec<Option<View>> { views.clone() };
    let meet = |own| Command::Meet(at(1)).to(at(own));
    assert_eq!(cluster(4, views()).decide(), [meet(4), Command::TakeOver.to(at(4))]);
    // Until then nobody forgets whose the slots were.
    assert_eq!(cluster(0, views()).decide(), [meet(0)]);
}

#[test]
fn slots_that_nobody_has_any_more_are_served_again() {
    let mut views: Vec<Option<View>> = all_healthy();
    for view in views.iter_mut().flatten() {
        let nodes = view.others.iter_mut().chain([&mut view.myself]);
        nodes.filter(|node| node.id == "id1").for_each(|node| node.slots.clear());
    }
    let orders = cluster(0, views).decide();
    assert_eq!(orders, [Command::Serve(slots::share(1, PRIMARIES)).to(at(1))]);
}
