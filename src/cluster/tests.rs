use std::time::Duration;

use super::table::{MOST, MOST_NAMED};
use super::*;
use crate::model::{Key, Node, Pod, Service, Unanswered, Unknown};

const CART: &str = "cart";

fn put() -> Event<Service> {
    Event::Put(Key::new("shop", CART), Service::default())
}

fn cluster(events: impl IntoIterator<Item = Event<Service>>) -> Cluster {
    let mut cluster = Cluster::default();
    events.into_iter().for_each(|event| cluster.apply(event));
    cluster
}

fn count(cluster: &Cluster) -> Result<usize, Unanswered> {
    cluster.read::<Service>().map(|services| services.iter().count())
}

#[test]
fn a_kind_is_unknown_until_its_first_list_ends() {
    assert_eq!(count(&cluster([Event::Begin, put()])), Err(Unknown::NotListed("Service").into()));
    assert_eq!(count(&cluster([Event::Begin, Event::Done])), Ok(0));
}

#[test]
fn a_second_list_hides_nothing_before_it_ends() {
    let mut cluster = cluster([Event::Begin, put(), Event::Done, Event::Begin]);
    assert_eq!(count(&cluster), Ok(1));
    cluster.apply(Event::<Service>::Done);
    assert_eq!(count(&cluster), Ok(0));
}

#[test]
fn a_silent_source_turns_stale_and_a_proof_revives_it() {
    let mut cluster = cluster([Event::Begin, put(), Event::Done]);
    cluster.tick(Clock { uptime: Duration::from_secs(170), ..Clock::default() });
    assert_eq!(count(&cluster), Err(Unknown::Stale("Service").into()));
    cluster.apply(Event::<Service>::Alive);
    assert_eq!(count(&cluster), Ok(1));
}

#[test]
fn what_was_left_out_is_forgotten_once_it_is_gone_or_has_found_room() {
    let key = |n: usize| Key::new("shop", n.to_string());
    let put = |n: usize| Event::Put(key(n), Service::default());
    let gone = |n: usize| Event::Gone(key(n));
    let too_many = || Err(Unknown::TooMany("Service").into());
    let named = MOST..MOST + MOST_NAMED;
    let nameless = MOST..=MOST + MOST_NAMED;
    type Case = (&'static str, Vec<Event<Service>>, Result<usize, Unanswered>);
    let cases: [Case; 8] = [
        ("it goes", vec![put(MOST), gone(MOST)], Ok(MOST)),
        ("one of two goes", vec![put(MOST), put(MOST + 1), gone(MOST)], too_many()),
        ("another makes room", vec![put(MOST), gone(0)], too_many()),
        ("and it comes again", vec![put(MOST), gone(0), put(MOST)], Ok(MOST)),
        ("it cannot be read", vec![put(MOST), gone(0), Event::Undecoded(key(MOST))], Ok(MOST - 1)),
        ("another takes the room", vec![put(MOST), gone(0), put(MOST + 1)], too_many()),
        (
            "all that have names go",
            named.clone().map(put).chain(named.map(gone)).collect(),
            Ok(MOST),
        ),
        (
            "more than have names go",
            nameless.clone().map(put).chain(nameless.map(gone)).collect(),
            too_many(),
        ),
    ];
    for (case, events, expected) in cases {
        let mut cluster = cluster([Event::Begin, Event::Done]);
        (0..MOST).for_each(|n| cluster.apply(put(n)));
        events.into_iter().for_each(|event| cluster.apply(event));
        assert_eq!(count(&cluster), expected, "{case}");
    }
}

#[test]
fn more_objects_than_are_kept_are_unknown_until_a_list_shows_fewer() {
    let put = |n: usize| Event::Put(Key::new("shop", n.to_string()), Service::default());
    let mut cluster = cluster([Event::Begin, Event::Done]);
    (0..MOST).for_each(|n| cluster.apply(put(n)));
    assert_eq!(count(&cluster), Ok(MOST));
    let too_many = Err(Unknown::TooMany("Service").into());
    cluster.apply(put(MOST));
    assert_eq!(count(&cluster), too_many);
    // One that is known makes room, but which one was left out is not known.
    cluster.apply(Event::<Service>::Gone(Key::new("shop", "0")));
    cluster.apply(Event::<Service>::Begin);
    assert_eq!(count(&cluster), too_many);
    // What the list does not name any more takes no room in it.
    (1000..=MOST).for_each(|n| cluster.apply(put(n)));
    cluster.apply(Event::<Service>::Done);
    assert_eq!(count(&cluster), Ok(MOST - 999));
    cluster.apply(Event::<Service>::Begin);
    (0..=MOST).for_each(|n| cluster.apply(put(n)));
    cluster.apply(Event::<Service>::Done);
    assert_eq!(count(&cluster), too_many);
}

#[test]
fn a_date_that_is_far_off_makes_no_node_young() {
    let mut cluster = Cluster::default();
    let (year, minute) = (Duration::from_secs(365 * 86_400), Duration::from_secs(60));
    let now = 50 * year;
    cluster.tick(Clock { unix: now, ..Clock::default() });
    for (created, settled) in [
        (now - minute, false),
        (now + minute, false),
        (now - year, true),
        (now + year, true),
        (Duration::ZERO, true),
        (Duration::MAX, true),
    ] {
        let node = Node { created: Some(created), ..Node::default() };
        assert_eq!(cluster.is_settled(&"n1".into(), &node), settled, "{created:?}");
    }
}

#[test]
fn a_cordoned_node_counts_until_it_is_drained() {
    let node = Node { cordoned: true, ..Node::default() };
    let settled = |on_it: Option<Pod>, elsewhere: Option<Pod>| {
        let mut cluster = Cluster::default();
        cluster.apply(Event::<Pod>::Begin);
        for (name, host, pod) in [("here", "n1", on_it), ("there", "n2", elsewhere)] {
            let pod = pod.map(|pod| Pod { node: Some(host.into()), ..pod });
            if let Some(pod) = pod {
                cluster.apply(Event::Put(Key::new("shop", name), pod));
            }
        }
        cluster.apply(Event::<Pod>::Done);
        cluster.is_settled(&"n1".into(), &node)
    };
    let pod = Pod::default;
    let daemon = Pod { daemon_set: Some("cni".into()), ..pod() };
    let of_a_file = Pod { config_hash: Some(Box::default()), ..pod() };
    let ended = Pod { ended: true, ..pod() };
    assert!(settled(Some(pod()), None), "a workload would suffer");
    for stays in [daemon, of_a_file, ended] {
        assert!(!settled(Some(stays), Some(pod())), "what is left is no workload");
    }
    assert!(!settled(None, Some(pod())));
    assert!(Cluster::default().is_settled(&"n1".into(), &node), "nobody knows of its pods");
}
