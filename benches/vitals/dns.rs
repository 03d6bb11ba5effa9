//! Queries over UDP, eight in flight, each from a socket and a port of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use netvitals::probe::dns::{Question, udp};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::child::{Child, do_not_stay};
use super::figure::Figure;
use super::machine::{cpu, snmp};

/// How many queries are sent.
const QUERIES: u64 = 40_000;

/// How many of them at the same time.
const IN_FLIGHT: u64 = 8;

const DEADLINE: Duration = Duration::from_secs(2);

/// The address in every answer.
const ANSWER: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// Answers every query with one address, on a port of its own, which it prints.
pub(crate) fn serve() {
    do_not_stay();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    println!("{}", socket.local_addr().expect("it is bound"));
    let mut buffer = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let mut answer = buffer[..length].to_vec();
        // An answer, recursion available, one record: the name of the question, A, IN, 30 s.
        answer[2] |= 0x80;
        answer[3] |= 0x80;
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4]);
        answer.extend(ANSWER.octets());
        socket.send_to(&answer, from).expect("loopback takes it");
    }
}

pub(crate) fn measure() -> Vec<Figure> {
    do_not_stay();
    let mut server = Child::start("resolver");
    let server: SocketAddr = { server.line() }.parse().expect("an address");
    // As the agent has it.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(ask(server))
}

async fn ask(server: SocketAddr) -> Vec<Figure> {
    let question = Question::addresses("kubernetes.default.svc.cluster.local.", server.ip());
    let question = Arc::new(question.expect("a name"));
    let next = Arc::new(AtomicU64::new(0));
    let packets = || (snmp("Udp", "OutDatagrams"), snmp("Udp", "InDatagrams"));
    let (sent, received) = packets();
    let (before, start) = (cpu(), Instant::now());
    let mut asking = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let (question, next) = (question.clone(), next.clone());
        asking.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < QUERIES {
                let (reply, _) = udp(server, &question, DEADLINE).await.expect("no probe is lost");
                assert_eq!(reply.addresses, [IpAddr::V4(ANSWER)]);
            }
        });
    }
    asking.join_all().await;
    let (spent, took) = (cpu() - before, start.elapsed());
    let (sent, received) = {
        let (out, into) = packets();
        (out - sent, into - received)
    };
    // A query and an answer each, and no hidden retry; others of this machine may send some too.
    let (least, most) = (2 * QUERIES, 2 * QUERIES + QUERIES / 10);
    assert!((least..=most).contains(&sent), "{sent} datagrams sent for {QUERIES} queries");
    assert!((least..=most).contains(&received), "{received} datagrams received");
    vec![
        Figure::new(
            "DNS over UDP, 8 in flight: CPU",
            spent.as_secs_f64() * 1e6 / QUERIES as f64,
            "µs/probe",
        )
        .at_most(40.0),
        Figure::new(
            "DNS over UDP, 8 in flight: rate",
            QUERIES as f64 / took.as_secs_f64(),
            "probes/s",
        ),
        Figure::new(
            "DNS over UDP, 8 in flight: packets",
            sent as f64 / QUERIES as f64,
            "sent/probe",
        ),
    ]
}
