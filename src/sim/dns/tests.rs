use std::net::IpAddr;

use futures::future::join_all;
use hickory_server::proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_server::proto::rr::{Name, RData, RecordType};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::*;

/// A cluster with the API's Service, and a headless one with a ready endpoint and one that is not.
fn api() -> Api {
    let api = Api::new(CancellationToken::new());
    let service = |namespace, name, ip| {
        json!({
            "kind": "Service", "metadata": { "namespace": namespace, "name": name },
            "spec": { "clusterIP": ip, "clusterIPs": [ip] },
        })
    };
    api.put(service("default", "kubernetes", "127.9.100.1")).unwrap();
    api.put(service("shop", "db", "None")).unwrap();
    api.put(service("shop", "empty", "None")).unwrap();
    let endpoint = |ip, ready| json!({ "addresses": [ip], "conditions": { "ready": ready } });
    api.put(json!({
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": "shop", "name": "db-1",
            "labels": { "kubernetes.io/service-name": "db" },
        },
        "endpoints": [endpoint("127.9.1.5", true), endpoint("127.9.1.6", false)],
    }))
    .unwrap();
    api
}

async fn start(replicas: &[&Replica]) -> Server {
    let replicas = replicas.iter().map(|it| (*it).clone()).collect();
    Server::start("127.0.0.1:0".parse().unwrap(), replicas).await.unwrap()
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

/// The code and the data, as text.
fn read(reply: &[u8]) -> String {
    let message = Message::from_vec(reply).unwrap();
    assert_eq!(message.metadata.id, 7);
    let mut text = match message.metadata.response_code {
        ResponseCode::NoError => "ok".to_owned(),
        other => format!("{other:?}"),
    };
    for record in &message.answers {
        text += &match &record.data {
            RData::A(address) => format!(" {address}"),
            other => format!(" {other}"),
        };
    }
    text
}

/// Asks over UDP; a lost query is lost for good, as nothing is lost on the way.
async fn ask(server: &Server, name: &str, kind: RecordType) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server.address()).await.unwrap();
    socket.send(&question(name, kind).to_vec().unwrap()).await.unwrap();
    let mut reply = [0; 512];
    // Long enough for a busy machine: a late answer is not a lost one.
    match timeout(Duration::from_secs(2), socket.recv(&mut reply)).await {
        Ok(length) => read(&reply[..length.unwrap()]),
        Err(_) => "lost".to_owned(),
    }
}

const KUBERNETES: &str = "kubernetes.default.svc.cluster.local.";

#[tokio::test]
async fn names_of_the_cluster_resolve_and_others_do_not() {
    let server = start(&[&Replica::new(api())]).await;
    for (name, kind, expected) in [
        (KUBERNETES, RecordType::A, "ok 127.9.100.1"),
        ("Kubernetes.DEFAULT.svc.cluster.local.", RecordType::A, "ok 127.9.100.1"),
        (KUBERNETES, RecordType::AAAA, "ok"),
        ("db.shop.svc.cluster.local.", RecordType::A, "ok 127.9.1.5"),
        ("empty.shop.svc.cluster.local.", RecordType::A, "NXDomain"),
        ("dns-version.cluster.local.", RecordType::TXT, "ok 1.1.0"),
        ("r4nd0m.default.svc.cluster.local.", RecordType::A, "NXDomain"),
        ("example.com.", RecordType::A, "NXDomain"),
    ] {
        assert_eq!(ask(&server, name, kind).await, expected, "{name} {kind}");
    }
}

#[tokio::test]
async fn tcp_answers_as_udp_does() {
    let server = start(&[&Replica::new(api())]).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let query = question(KUBERNETES, RecordType::A).to_vec().unwrap();
    stream.write_u16(query.len() as u16).await.unwrap();
    stream.write_all(&query).await.unwrap();
    let mut reply = vec![0; stream.read_u16().await.unwrap().into()];
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(read(&reply), "ok 127.9.100.1");
}

#[tokio::test]
async fn shares_of_the_queries_fail_and_which_ones_is_no_chance() {
    let replica = Replica::new(api());
    let server = start(&[&replica]).await;
    for (faults, failure, expected) in [
        (Faults { servfail: 0.3, ..Faults::default() }, "ServFail", 6),
        (Faults { wrong: 0.5, ..Faults::default() }, "ok 192.0.2.99", 10),
        (Faults { dropped: 0.25, ..Faults::default() }, "lost", 5),
        (Faults::default(), "none", 0),
    ] {
        replica.fail(faults);
        let answers = join_all((0..20).map(|_| ask(&server, KUBERNETES, RecordType::A))).await;
        let mut failed: i32 = 0;
        for answer in answers {
            assert!([failure, "ok 127.9.100.1"].contains(&&*answer), "{answer}");
            failed += i32::from(answer == failure);
        }
        assert!((failed - expected).abs() <= 1, "{failed} of 20 with {faults:?}");
    }
    let late = Faults { late: 1.0, delay: Duration::from_millis(50), ..Faults::default() };
    replica.fail(late);
    let start = Instant::now();
    assert_eq!(ask(&server, KUBERNETES, RecordType::A).await, "ok 127.9.100.1");
    assert!(start.elapsed() >= late.delay);
}

#[tokio::test]
async fn a_replica_that_is_cut_off_does_not_learn_of_new_services() {
    let (api, name) = (api(), "cart.shop.svc.cluster.local.");
    let (stale, fresh) = (Replica::new(api.clone()), Replica::new(api.clone()));
    stale.cut_off(true);
    api.put(json!({
        "kind": "Service", "metadata": { "namespace": "shop", "name": "cart" },
        "spec": { "clusterIP": "127.9.100.7", "clusterIPs": ["127.9.100.7"] },
    }))
    .unwrap();
    assert_eq!(ask(&start(&[&stale]).await, name, RecordType::A).await, "NXDomain");
    assert_eq!(ask(&start(&[&fresh]).await, name, RecordType::A).await, "ok 127.9.100.7");
    stale.cut_off(false);
    assert_eq!(ask(&start(&[&stale]).await, name, RecordType::A).await, "ok 127.9.100.7");
}

#[tokio::test]
async fn a_service_address_asks_each_replica_in_turn() {
    let replicas = [Replica::new(api()), Replica::new(api())];
    let server = start(&[&replicas[0], &replicas[1]]).await;
    for _ in 0..10 {
        ask(&server, KUBERNETES, RecordType::A).await;
    }
    assert_eq!(replicas.each_ref().map(Replica::asked), [5, 5]);
}

#[test]
fn every_run_of_queries_and_every_regular_part_of_it_has_its_share_of_failures() {
    let hit = |count: usize, of: fn(u64) -> u64| {
        (0..100).filter(|n| spread(of(*n)) < 0.3).count().abs_diff(count)
    };
    assert_eq!([hit(30, |n| n), hit(30, |n| 7770 + n)], [0, 0]);
    // Clients that ask in turn.
    for step in 2..60 {
        let hit = (0..200).filter(|n| spread(n * step) < 0.3).count();
        assert!((40..=80).contains(&hit), "{hit} of 200 by {step}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_refused_with_a_remedy() {
    let server = start(&[]).await;
    let error = Server::start(server.address(), Vec::new()).await.unwrap_err().to_string();
    assert!(error.contains("ss -lntup"), "{error}");
    assert_eq!(server.address().ip(), IpAddr::from([127, 0, 0, 1]));
}
