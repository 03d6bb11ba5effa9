use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA};
use hickory_resolver::proto::rr::{RData, Record};
use tempfile::TempDir;
use tokio::net;
use tokio_util::task::AbortOnDropHandle;

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));

const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// What a server says of a name; nothing for one that it does not answer for.
type Zone = BTreeMap<(&'static str, RecordType), Option<IpAddr>>;

/// A system whose only server knows a zone.
struct Fake {
    system: System,
    asked: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
    _serving: AbortOnDropHandle<()>,
}

impl Fake {
    async fn new(zone: Zone) -> Self {
        let socket = net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = asked.clone();
        let serve = async move {
            let mut buffer = [0; 512];
            loop {
                let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
                let mut message = Message::from_vec(&buffer[..length]).unwrap();
                let question = message.queries[0].clone();
                let (name, kind) =
                    (question.name().to_lowercase().to_string(), question.query_type());
                seen.lock().unwrap().push(name.clone());
                message.metadata.message_type = MessageType::Response;
                match zone.iter().find(|((known, of), _)| (*known, *of) == (&*name, kind)) {
                    Some((_, None)) => continue,
                    Some((_, Some(address))) => {
                        let data = match address {
                            IpAddr::V4(ip) => RData::A(A(*ip)),
                            IpAddr::V6(ip) => RData::AAAA(AAAA(*ip)),
                        };
                        message.add_answer(Record::from_rdata(question.name().clone(), 5, data));
                    }
                    None => message.metadata.response_code = ResponseCode::NXDomain,
                }
                socket.send_to(&message.to_vec().unwrap(), client).await.unwrap();
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let system = System { conf: path("resolv.conf"), hosts: path("hosts"), port };
        let serving = AbortOnDropHandle::new(tokio::spawn(serve));
        let fake = Self { system, asked, folder, _serving: serving };
        fake.write(
            "resolv.conf",
            "nameserver 127.0.0.1\nsearch a.svc.c svc.c c\noptions ndots:5\n",
        );
        fake
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    async fn find(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let found = self.system.all(name, DEADLINE).await.map_err(|error| error.to_string())?;
        Ok(found.iter().map(SocketAddr::ip).collect())
    }
}

fn zone(known: &[(&'static str, Option<IpAddr>)]) -> Zone {
    let kind = |address: &Option<IpAddr>| match address {
        Some(address) if address.is_ipv6() => RecordType::AAAA,
        _ => RecordType::A,
    };
    known.iter().map(|(name, address)| ((*name, kind(address)), *address)).collect()
}

#[tokio::test]
async fn a_name_is_completed_by_the_search_list() {
    let fake = Fake::new(zone(&[("vitals.b.svc.c.", Some(V4))])).await;
    assert_eq!(fake.find("vitals.b.svc:80").await, Ok(vec![V4]));
    let asked = fake.asked.lock().unwrap().clone();
    assert!(asked.contains(&"vitals.b.svc.a.svc.c.".to_owned()), "{asked:?}");
    assert_eq!(fake.find("vitals.b.svc.c.:80").await, Ok(vec![V4]), "and a whole one is taken");
    assert!(fake.find("elsewhere:80").await.is_err());
}

#[tokio::test]
async fn either_family_is_enough_and_both_are_tried_by_their_routes() {
    let both = [("both.c.", Some(V4)), ("both.c.", Some(V6)), ("six.c.", Some(V6))];
    let fake = Fake::new(zone(&both)).await;
    assert_eq!(fake.find("six.c.:80").await, Ok(vec![V6]));
    let found = fake.find("both.c.:80").await.unwrap();
    assert_eq!((found[0], found.len()), (V4, 2));
}

#[tokio::test]
async fn a_server_that_is_silent_about_one_family_costs_little() {
    let mut half = zone(&[("half.c.", Some(V4))]);
    half.insert(("half.c.", RecordType::AAAA), None);
    let fake = Fake::new(half).await;
    let start = std::time::Instant::now();
    assert_eq!(fake.find("half.c.:80").await, Ok(vec![V4]));
    assert!(start.elapsed() < ONE, "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_the_hosts_file_says_asks_no_server() {
    let fake = Fake::new(zone(&[("known.c.", Some(V6))])).await;
    fake.write("hosts", "# own\n127.0.0.7 Known.C known\n\u{1b}\n");
    for name in ["known:1", "known.c:1", "KNOWN:1"] {
        assert_eq!(fake.find(name).await, Ok(vec![V4]), "{name}");
    }
    assert_eq!(*fake.asked.lock().unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_dead_server_is_given_up_at_the_deadline_and_the_next_lookup_is_its_own() {
    let mut dead = zone(&[("dead.c.", None), ("live.c.", Some(V4))]);
    dead.insert(("dead.c.", RecordType::AAAA), None);
    let fake = Fake::new(dead).await;
    let short = Duration::from_millis(50);
    let late = fake.system.all("dead.c.:1", short).await.unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    assert_eq!(fake.find("live.c.:1").await, Ok(vec![V4]));
}

#[tokio::test]
async fn an_address_is_not_looked_up_and_a_name_needs_its_port() {
    for address in ["127.0.0.1:1", "[::1]:1"] {
        assert_eq!(first(address, Duration::ZERO).await.unwrap().to_string(), address);
    }
    assert_eq!(first("localhost:1", DEADLINE).await.unwrap().port(), 1);
    for name in ["localhost", "localhost:http", &format!("{}:1", "a".repeat(64))] {
        assert!(first(name, DEADLINE).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_system_without_its_files_asks_itself() {
    let fake = Fake::new(zone(&[("here.", Some(V4))])).await;
    fs::remove_file(fake.folder.path().join("resolv.conf")).unwrap();
    assert_eq!(fake.find("here:1").await, Ok(vec![V4]));
    fake.write("resolv.conf", "search nowhere\n");
    assert_eq!(fake.find("here.:1").await, Ok(vec![V4]));
}
