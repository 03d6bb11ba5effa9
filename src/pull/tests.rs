use axum::Router;
use axum::routing::get as route;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::model::Vantage;

const SOON: Duration = Duration::from_secs(5);

fn agent(node: &str) -> Agent {
    Agent { node: node.into(), vantage: Vantage::Pod }
}

async fn serve(answer: &'static str) -> (SocketAddr, AbortOnDropHandle<()>) {
    let routes = Router::new().route("/v1/observations", route(move || async move { answer }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (target, AbortOnDropHandle::new(server))
}

fn puller(named: Vec<String>) -> (Puller, Receiver<Change>) {
    let (changes, inbox) = channel(16);
    let roster = Arc::new(ArcSwap::from_pointee(Roster::new()));
    let interval = Duration::from_millis(300);
    let counts = Counters::default();
    (Puller { roster, named, interval, changes, claims: Claims::default(), counts }, inbox)
}

async fn next(inbox: &mut Receiver<Change>) -> String {
    match timeout(SOON, inbox.recv()).await.expect("a change").unwrap() {
        Change::Observed(agent, it) => format!("{agent} {}", it.version.unwrap_or_default()),
        Change::Departed(agent) => format!("{agent} departed"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pods_node_is_the_apis_word_and_a_named_agents_its_own() {
    let answer = r#"{"kind": "observation", "schemaVersion": 1, "version": "1",
        "agent": {"node": "liar", "vantage": "host"}}"#;
    let (address, _server) = serve(answer).await;
    let (puller, mut inbox) = puller(vec![address.to_string()]);
    puller.roster.store(Arc::new([(agent("n1"), address)].into()));
    let roster = puller.roster.clone();
    let _running = AbortOnDropHandle::new(tokio::spawn(puller.run(|| {})));
    let mut seen = [next(&mut inbox).await, next(&mut inbox).await];
    seen.sort();
    assert_eq!(seen, ["liar/host 1", "n1/pod 1"]);
    roster.store(Arc::default());
    while next(&mut inbox).await != "n1/pod departed" {}
}

#[test]
fn all_are_asked_about_equally_often_whatever_their_names() {
    let names = ["a", "b", "c", "d", "z"];
    let mut now = Instant::now();
    let mut due: BTreeMap<Pulled, Instant> =
        names.map(|name| (Pulled::Pod(agent(name)), now)).into();
    let mut asked: BTreeMap<Pulled, usize> = BTreeMap::new();
    // There is room for two at each look, and all are due again at the next.
    for _ in 0..10 {
        for (pulled, at) in in_turn(&mut due, now).into_iter().take(2) {
            *at = now + LOOK;
            *asked.entry(pulled.clone()).or_default() += 1;
        }
        now += LOOK;
    }
    // Names decide only between those that wait equally long.
    assert_eq!(asked.len(), names.len());
    assert!(asked.values().all(|times| (3..=5).contains(times)), "{asked:?}");
    let later = now + LOOK;
    due.insert(Pulled::Named("early".into()), later);
    assert!(in_turn(&mut due, now).iter().all(|(_, at)| **at <= now));
}

#[tokio::test]
async fn a_named_agent_is_one_at_a_time_and_none_that_another_address_speaks_for() {
    let (puller, mut inbox) = puller(Vec::new());
    puller.roster.store(Arc::new([(agent("n1"), "127.0.0.1:1".parse().unwrap())].into()));
    let claim = async |name, node| puller.claim(name, agent(node)).await.map_err(|(_, why)| why);
    assert_eq!(claim("a:1", "x").await, Ok(agent("x")));
    assert_eq!(claim("a:1", "x").await, Ok(agent("x")));
    assert!(inbox.is_empty());
    let refused = "it says to be n1/pod, which is another's name";
    assert_eq!(claim("a:1", "n1").await.unwrap_err(), refused, "a pod of the cluster");
    assert!(claim("b:1", "x").await.is_err(), "another named one");
    for node in ["y", "z"] {
        claim("a:1", node).await.unwrap();
    }
    assert_eq!(
        [next(&mut inbox).await, next(&mut inbox).await],
        ["x/pod departed", "y/pod departed"]
    );
    assert_eq!(claim("b:1", "x").await, Ok(agent("x")), "it is free again");
    let odd = claim("c:1", &format!("a\n\"\u{202e}{}", "b".repeat(300))).await.unwrap();
    assert_eq!(&odd.node[..5], "a_\"_b");
    assert_eq!(odd.node.len(), LABEL);
}

#[tokio::test]
async fn what_is_no_observation_is_counted_by_its_reason() {
    let (address, _server) = serve("[]").await;
    let (puller, inbox) = puller(vec![address.to_string()]);
    puller.ask(Pulled::Named(address.to_string()), None).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    puller.ask(Pulled::Pod(agent("n1")), Some(closed)).await;
    let failures = |reason| puller.counts.failures[reason].get();
    assert_eq!((failures(UNREADABLE), failures("connect"), puller.counts.pulls.get()), (1, 1, 2));
    assert!(inbox.is_empty());
}
