use std::net::Ipv4Addr;

use hickory_resolver::proto::op::{Message, MessageType};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::task::AbortOnDropHandle;

use super::*;

const SOON: Duration = Duration::from_secs(5);

/// Long enough for loopback on a busy machine, and short enough to wait for.
const NEVER: Duration = Duration::from_secs(1);

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1));

fn question() -> Question {
    Question::addresses("kubernetes.default.svc.cluster.local", ADDRESS).unwrap()
}

/// Serves UDP; `answer` makes the datagrams that go back for each query.
async fn server(
    answer: impl Fn(Message) -> Vec<Vec<u8>> + Send + 'static,
) -> (SocketAddr, AbortOnDropHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let serve = async move {
        let mut buffer = [0; 512];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            for datagram in answer(Message::from_vec(&buffer[..length]).unwrap()) {
                socket.send_to(&datagram, client).await.unwrap();
            }
        }
    };
    (address, AbortOnDropHandle::new(tokio::spawn(serve)))
}

/// Returns the answer to `query` with records of `data`.
fn answer(query: &Message, code: ResponseCode, data: &[RData]) -> Message {
    let mut message = query.clone();
    message.metadata.message_type = MessageType::Response;
    message.metadata.response_code = code;
    let name = query.queries[0].name().clone();
    message.add_answers(data.iter().map(|it| Record::from_rdata(name.clone(), 5, it.clone())));
    message
}

fn address() -> RData {
    RData::A(A(Ipv4Addr::new(10, 96, 0, 1)))
}

/// Asks a server that answers with what `change` makes of a good answer.
async fn changed(change: fn(Message) -> Vec<Message>) -> Result<Reply, Failure> {
    let reply = move |query: Message| {
        let good = answer(&query, ResponseCode::NoError, &[address()]);
        change(good).iter().map(|message| message.to_vec().unwrap()).collect()
    };
    let (server, _serving) = server(reply).await;
    udp(server, &question(), NEVER).await.map(|(reply, _)| reply)
}

#[tokio::test]
async fn an_answer_comes_with_its_addresses_and_its_time() {
    let (server, _serving) =
        server(|it| vec![answer(&it, ResponseCode::NoError, &[address()]).to_vec().unwrap()]).await;
    let (reply, took) = udp(server, &question(), SOON).await.unwrap();
    assert_eq!((reply.code, reply.addresses), (ResponseCode::NoError, vec![ADDRESS]));
    assert!(took > Duration::ZERO && took < SOON);
}

/// An agent on a node whose processors are busy gets its answers late, and DNS is not slow.
#[tokio::test]
async fn time_in_which_the_agent_does_not_run_is_not_the_servers() {
    const HELD: Duration = Duration::from_millis(300);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = socket.local_addr().unwrap();
    let (read, asked) = tokio::sync::oneshot::channel();
    let (said, answered) = std::sync::mpsc::channel();
    let serving = std::thread::spawn(move || {
        let mut buffer = [0; 512];
        let (length, client) = socket.recv_from(&mut buffer).unwrap();
        let query = Message::from_vec(&buffer[..length]).unwrap();
        read.send(()).unwrap();
        let reply = answer(&query, ResponseCode::NoError, &[address()]).to_vec().unwrap();
        socket.send_to(&reply, client).unwrap();
        said.send(()).unwrap();
    });
    let (question, start) = (question(), Instant::now());
    // It holds the only thread, from before the answer is there until long after.
    let busy = async {
        asked.await.unwrap();
        answered.recv().unwrap();
        std::thread::sleep(HELD);
    };
    let (got, ()) = tokio::join!(udp(server, &question, SOON), busy);
    let (_, took) = got.unwrap();
    assert!(took + HELD <= start.elapsed(), "{took:?}");
    serving.join().unwrap();
}

#[tokio::test]
async fn what_is_no_answer_to_the_query_is_passed_over() {
    fn id(mut message: Message) -> Message {
        message.metadata.id ^= 1;
        message
    }
    fn other(mut message: Message) -> Message {
        message.queries[0].set_name(name("elsewhere."));
        message
    }
    fn case(mut message: Message) -> Message {
        let folded = message.queries[0].name().to_lowercase();
        message.queries[0].set_name(folded);
        message
    }
    fn kind(mut message: Message) -> Message {
        message.queries[0].set_query_type(RecordType::AAAA);
        message
    }
    fn query(mut message: Message) -> Message {
        message.metadata.message_type = MessageType::Query;
        message
    }
    for strange in [id, other, case, kind, query] {
        let change = move |good: Message| vec![strange(good.clone()), good];
        let (server, _serving) = server(move |it| {
            let good = answer(&it, ResponseCode::NoError, &[address()]);
            change(good).iter().map(|message| message.to_vec().unwrap()).collect()
        })
        .await;
        assert_eq!(udp(server, &question(), SOON).await.unwrap().0.addresses, [ADDRESS]);
    }
    assert_eq!(changed(|good| vec![id(good)]).await, Err(Failure::Mismatch));
    assert_eq!(changed(|good| vec![case(good)]).await, Err(Failure::Mismatch));
    assert_eq!(changed(|_| vec![]).await, Err(Failure::Timeout));
}

#[tokio::test]
async fn garbage_and_floods_end_as_a_mismatch() {
    let (garbage, _serving) = server(|_| vec![vec![], vec![7; 5], vec![0xff; 600]]).await;
    assert_eq!(udp(garbage, &question(), NEVER).await, Err(Failure::Mismatch));
    let (flood, _serving) = server(|_| vec![vec![7; 40]; 200]).await;
    assert_eq!(udp(flood, &question(), SOON).await, Err(Failure::Mismatch), "before the deadline");
}

#[tokio::test]
async fn no_more_than_64_records_and_8_aliases_are_looked_at() {
    let reply = changed(|mut good| {
        // The owner is written once and referred to, so that all of them fit into one datagram.
        good.answers = vec![good.answers[0].clone(); 80];
        vec![good]
    });
    assert_eq!(reply.await.unwrap().records, 64);
    let aliases = |count: usize| {
        changed(match count {
            8 => |good| vec![through(good, 8)],
            _ => |good| vec![through(good, 9)],
        })
    };
    assert_eq!(aliases(8).await.unwrap().addresses, [ADDRESS]);
    assert_eq!(aliases(9).await, Err(Failure::Mismatch));
    let circle = changed(|mut good| {
        good.answers = vec![alias(good.queries[0].name().clone(), good.queries[0].name().clone())];
        vec![good]
    });
    assert_eq!(circle.await, Err(Failure::Mismatch));
}

fn alias(owner: Name, target: Name) -> Record {
    Record::from_rdata(owner, 5, RData::CNAME(CNAME(target)))
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// Makes an answer lead through so many aliases, the last one first.
fn through(mut good: Message, aliases: usize) -> Message {
    let mut owner = good.queries[0].name().clone();
    let mut records = Vec::new();
    for at in 0..aliases {
        let target = name(&format!("a{at}."));
        records.push(alias(owner, target.clone()));
        owner = target;
    }
    records.push(Record::from_rdata(owner, 5, address()));
    records.reverse();
    good.answers = records;
    good
}

#[tokio::test]
async fn a_record_of_another_owner_class_or_type_is_no_answer() {
    type Change = fn(Message) -> Vec<Message>;
    let owner: Change = |mut good| {
        good.answers[0].name = name("elsewhere.");
        vec![good]
    };
    let class: Change = |mut good| {
        good.answers[0].dns_class = hickory_resolver::proto::rr::DNSClass::CH;
        vec![good]
    };
    let kind: Change = |mut good| {
        let text = RData::TXT(TXT::new(vec!["10.96.0.1".to_owned()]));
        good.answers[0] = Record::from_rdata(good.answers[0].name.clone(), 5, text);
        vec![good]
    };
    let family: Change = |mut good| {
        let v6 = RData::AAAA(AAAA("fd00::1".parse().unwrap()));
        good.answers[0] = Record::from_rdata(good.answers[0].name.clone(), 5, v6);
        vec![good]
    };
    let behind_an_alias: Change = |mut good| {
        let asked = good.answers[0].name.clone();
        good.answers = vec![alias(asked, name("a.")), Record::from_rdata(name("b."), 5, address())];
        vec![good]
    };
    let all = Expected::All(vec![ADDRESS]);
    for (change, failure) in [
        (owner, Failure::Mismatch),
        (class, Failure::Mismatch),
        (kind, Failure::Mismatch),
        (family, Failure::Mismatch),
        (behind_an_alias, Failure::Nodata),
    ] {
        let reply = changed(change).await.unwrap();
        assert_eq!(reply.addresses, [] as [IpAddr; 0], "{reply:?}");
        for expected in [&all, &Expected::Address, &Expected::Something] {
            assert_eq!(judge(&reply, expected), Err(failure), "{reply:?} {expected:?}");
        }
    }
    // What belongs to the name counts beside what does not.
    let both = changed(|mut good| {
        good.answers.insert(0, Record::from_rdata(name("elsewhere."), 5, address()));
        vec![good]
    });
    assert_eq!(judge(&both.await.unwrap(), &all), Ok(()));
}

#[tokio::test]
async fn a_server_that_cannot_read_the_question_need_not_repeat_it() {
    let reply = changed(|mut good| {
        good.queries.clear();
        good.answers.clear();
        good.metadata.response_code = ResponseCode::FormErr;
        vec![good]
    });
    assert_eq!(judge(&reply.await.unwrap(), &Expected::Something), Err(Failure::Formerr));
}

#[tokio::test]
async fn a_closed_port_refuses_at_once_in_both_families() {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let socket = UdpSocket::bind(local).await.unwrap();
        let server = socket.local_addr().unwrap();
        drop(socket);
        assert_eq!(udp(server, &question(), SOON).await, Err(Failure::Refused), "{local}");
        assert_eq!(tcp(server, &question(), SOON).await, Err(Failure::Refused), "{local}");
    }
}

#[tokio::test]
async fn both_families_are_asked_from_one_port() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = socket.local_addr().unwrap();
    let serve = async {
        let mut clients = Vec::new();
        let mut queries = Vec::new();
        for _ in 0..2 {
            let mut buffer = [0; 512];
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            queries.push(Message::from_vec(&buffer[..length]).unwrap());
            clients.push(client);
        }
        // The later one first, and twice.
        for at in [1, 1, 0] {
            let v6 = RData::AAAA(AAAA("fd00::1".parse().unwrap()));
            let data = if at == 0 { vec![address()] } else { vec![v6] };
            let reply = answer(&queries[at], ResponseCode::NoError, &data).to_vec().unwrap();
            socket.send_to(&reply, clients[0]).await.unwrap();
        }
        clients
    };
    let v6 = Question::addresses("kubernetes.default", "::".parse().unwrap()).unwrap();
    let questions = [&question(), &v6];
    let (clients, replies) = tokio::join!(serve, udp_pair(server, questions, SOON));
    assert_eq!(clients[0], clients[1]);
    let [first, second] = replies.unwrap().0;
    assert_eq!(first.addresses, [ADDRESS]);
    assert_eq!(second.addresses, ["fd00::1".parse::<IpAddr>().unwrap()]);
}

#[tokio::test]
async fn every_query_has_its_own_port_and_its_own_case() {
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = socket.local_addr().unwrap();
    let _serving = AbortOnDropHandle::new(tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            sender.send((client.port(), query.queries[0].name().to_ascii(), query.id)).unwrap();
            let reply = answer(&query, ResponseCode::NoError, &[]).to_vec().unwrap();
            socket.send_to(&reply, client).await.unwrap();
        }
    }));
    let (mut ports, mut names, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..8 {
        udp(server, &question(), SOON).await.unwrap();
        let (port, name, id) = seen.recv().await.unwrap();
        assert_eq!(name.to_lowercase(), "kubernetes.default.svc.cluster.local.");
        ports.push(port);
        names.push(name);
        ids.push(id);
    }
    for distinct in [ports.iter().collect::<std::collections::BTreeSet<_>>().len(), {
        names.sort();
        names.dedup();
        names.len()
    }] {
        assert!(distinct >= 6, "{ports:?} {names:?}");
    }
    ids.dedup();
    assert!(ids.len() >= 6, "{ids:?}");
}

/// Asks over TCP, where `reply` makes the bytes that come back, length and all.
async fn over_tcp(reply: fn(&Message) -> Vec<u8>) -> Result<Reply, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut query = vec![0; length.into()];
        stream.read_exact(&mut query).await.unwrap();
        stream.write_all(&reply(&Message::from_vec(&query).unwrap())).await.unwrap();
    };
    let question = question();
    let ((), reply) = tokio::join!(serve, tcp(server, &question, SOON));
    reply.map(|(reply, _)| reply)
}

fn framed(message: &Message) -> Vec<u8> {
    let message = message.to_vec().unwrap();
    [&u16::try_from(message.len()).unwrap().to_be_bytes(), &message[..]].concat()
}

#[tokio::test]
async fn over_tcp_an_answer_comes_whole_or_not_at_all() {
    let reply = over_tcp(|query| framed(&answer(query, ResponseCode::NoError, &[address()])));
    assert_eq!(reply.await.unwrap().addresses, [ADDRESS]);
    let half = over_tcp(|query| {
        let mut reply = framed(&answer(query, ResponseCode::NoError, &[address()]));
        reply.truncate(20);
        reply
    });
    assert_eq!(half.await, Err(Failure::Reset));
    let other = over_tcp(|query| {
        let mut reply = answer(query, ResponseCode::NoError, &[address()]);
        reply.metadata.id ^= 1;
        framed(&reply)
    });
    assert_eq!(other.await, Err(Failure::Mismatch));
}

#[test]
fn an_answer_is_judged_by_its_code_and_then_by_its_records() {
    let reply = |code, addresses: &[&str]| Reply {
        code,
        addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
        records: addresses.len(),
        ..Reply::default()
    };
    let both = || vec!["10.96.0.1".parse().unwrap(), "10.96.0.2".parse().unwrap()];
    let (all, one) = (Expected::All(both()), Expected::OneOf(both()));
    use ResponseCode as Code;
    for (code, addresses, expected, judgement) in [
        (Code::NoError, &["10.96.0.2", "10.96.0.1"][..], &all, Ok(())),
        (Code::NoError, &["10.96.0.1"], &all, Err(Failure::WrongAnswer)),
        (Code::NoError, &["10.96.0.1", "10.96.0.2", "10.9.9.9"], &all, Err(Failure::WrongAnswer)),
        (Code::NoError, &[], &all, Err(Failure::Nodata)),
        (Code::NoError, &["10.96.0.1", "10.9.9.9"], &one, Ok(())),
        (Code::NoError, &["10.9.9.9"], &one, Err(Failure::WrongAnswer)),
        (Code::NXDomain, &[], &one, Err(Failure::Nxdomain)),
        (Code::NXDomain, &[], &Expected::Existence, Err(Failure::Nxdomain)),
        (Code::NXDomain, &[], &Expected::Absence, Ok(())),
        (Code::NoError, &[], &Expected::Absence, Err(Failure::WrongAnswer)),
        (Code::NoError, &["10.9.9.9"], &Expected::Absence, Err(Failure::WrongAnswer)),
        (Code::NoError, &[], &Expected::Something, Err(Failure::Nodata)),
        (Code::NoError, &[], &Expected::Existence, Ok(())),
        (Code::ServFail, &[], &all, Err(Failure::Servfail)),
        (Code::Refused, &[], &all, Err(Failure::RcodeRefused)),
        (Code::NotImp, &[], &all, Err(Failure::Formerr)),
        (Code::YXDomain, &[], &all, Err(Failure::Other)),
    ] {
        let reply = reply(code, addresses);
        assert_eq!(judge(&reply, expected), judgement, "{reply:?} {expected:?}");
    }
    let text = Reply { records: 1, ..reply(Code::NoError, &[]) };
    assert_eq!(judge(&text, &Expected::Something), Ok(()));
    assert_eq!(judge(&text, &Expected::Address), Err(Failure::Nodata));
    assert_eq!(judge(&reply(Code::NoError, &["10.9.9.9"]), &Expected::Address), Ok(()));
    let cut = Reply { truncated: true, ..reply(Code::NoError, &["10.96.0.1"]) };
    assert_eq!(judge(&cut, &one), Err(Failure::Truncated));
}

#[tokio::test]
async fn a_text_is_something() {
    let (server, _serving) = server(|it| {
        assert_eq!(it.queries[0].query_type(), RecordType::TXT);
        let text = RData::TXT(TXT::new(vec!["1.1.0".to_owned()]));
        vec![answer(&it, ResponseCode::NoError, &[text]).to_vec().unwrap()]
    })
    .await;
    let question = Question::texts("dns-version.cluster.local").unwrap();
    let (reply, _) = udp(server, &question, SOON).await.unwrap();
    assert_eq!(judge(&reply, &Expected::Something), Ok(()));
}
