use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::agent::allowed::Allowed;
use crate::model::{Agent, NodeTarget, Vantage, Window};
use crate::page::{Format, write};
use crate::probe::echo::CANARY;
use crate::probe::echo::tests::{in_network, permit};

const SOON: Duration = Duration::from_secs(20);

struct Bench {
    conf: watch::Sender<Arc<ResolvConf>>,
    plan: watch::Sender<Option<Arc<Plan>>>,
    windows: Arc<Windows>,
    counters: Arc<Counters>,
    uptime: Uptime,
    _running: AbortOnDropHandle<Result<(), Infallible>>,
}

/// Runs a schedule whose intervals are all short.
fn bench(nameserver: Option<SocketAddr>) -> Bench {
    bench_with(nameserver, Arc::default())
}

fn bench_with(nameserver: Option<SocketAddr>, echo: Arc<Echo>) -> Bench {
    let short = Duration::from_millis(20);
    let scope = Scope {
        vantage: Vantage::Pod,
        dns_port: nameserver.map_or(53, |it| it.port()),
        dns_interval: short,
        reach_interval: short,
        api: None,
        external: None,
        allowed: Allowed::loopback(),
        disabled: Vec::new(),
    };
    let nameservers = nameserver.map(|it| it.ip().into()).into_iter().collect();
    let conf = ResolvConf { nameservers, ..ResolvConf::default() };
    let (conf, conf_seen) = watch::channel(Arc::new(conf));
    let (plan, plan_seen) = watch::channel(None);
    let agent = Agent { node: "n1".into(), vantage: Vantage::Pod };
    let (windows, counters) = (Arc::new(Windows::new(SOON, SOON)), Arc::new(Counters::new(agent)));
    let uptime = Uptime::start();
    let schedule = Schedule {
        scope,
        conf: conf_seen,
        plan: plan_seen,
        windows: windows.clone(),
        counters: counters.clone(),
        echo,
        uptime,
        task: Task::new("probes"),
        refused: (0, 0),
    };
    let _running = AbortOnDropHandle::new(tokio::spawn(schedule.run()));
    Bench { conf, plan, windows, counters, uptime, _running }
}

impl Bench {
    fn peer(&self) -> Option<Window> {
        let reach = self.windows.read(self.uptime.now().uptime).reach;
        reach.first().map(|it| it.attempts)
    }

    /// Waits until the page has a line that begins so with a count of at least `least`.
    async fn counted(&self, line: &str, least: f64) {
        let wait = async {
            loop {
                let page = write(&[&self.counters.rows()], Format::Text);
                let count = page.lines().find_map(|it| it.strip_prefix(line));
                if count.is_some_and(|count| count.trim().parse::<f64>().unwrap() >= least) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, wait).await.unwrap_or_else(|_| panic!("{line} stays below {least}"));
    }
}

fn plan(peers: &[SocketAddr]) -> Option<Arc<Plan>> {
    let target = |address: &SocketAddr| NodeTarget { node: "n2".into(), address: *address };
    let peers = peers.iter().map(target).collect();
    Some(Arc::new(Plan { peers, ..Plan::default() }))
}

const ATTEMPTS: &str =
    r#"netvitals_probe_attempts_total{node="n1",vantage="pod",probe="tcp",target="peer_pod"}"#;

#[tokio::test]
async fn a_planned_target_is_tried_again_and_again_until_it_is_planned_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bench = bench(None);
    assert_eq!(bench.peer(), None);
    bench.plan.send_replace(plan(&[listener.local_addr().unwrap()]));
    bench.counted(ATTEMPTS, 5.0).await;
    let seen = bench.peer().unwrap();
    assert!(seen.attempts >= 5 && seen.failures == 0, "{seen:?}");
    bench.plan.send_replace(plan(&[]));
    timeout(SOON, async {
        while bench.peer().is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the window goes with the target");
    bench.counted(ATTEMPTS, 5.0).await;
    let delays = r#"netvitals_probe_schedule_delay_seconds_count{node="n1",vantage="pod"}"#;
    bench.counted(delays, 5.0).await;
}

#[tokio::test]
async fn a_target_that_is_still_being_tried_is_skipped_and_counted() {
    // A full backlog drops every further handshake, as a lost packet would.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let target = listener.local_addr().unwrap();
    let mut held = Vec::new();
    let connect = || timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(target));
    while let Ok(Ok(stream)) = connect().await {
        held.push(stream);
    }
    let bench = bench(None);
    bench.plan.send_replace(plan(&[target]));
    let busy = r#"netvitals_probe_skipped_total{node="n1",vantage="pod",reason="busy"}"#;
    bench.counted(busy, 3.0).await;
    assert_eq!(bench.peer().unwrap().attempts, 0, "the first one is under way");
}

#[test]
fn echoes_begin_once_they_are_permitted() {
    in_network("1 0", || async {
        tokio::time::pause();
        let echo = Arc::new(Echo::open());
        let bench = bench_with(None, echo.clone());
        bench.plan.send_replace(plan(&["127.0.0.1:1".parse().unwrap()]));
        bench.counted(ATTEMPTS, 1.0).await;
        permit("0 2147483647");
        timeout(CANARY + SOON, echo.watch(|| {})).await.unwrap_err();
        bench.counted(&ATTEMPTS.replace("tcp", "icmp"), 1.0).await;
        let supported = r#"netvitals_probe_supported{node="n1",vantage="pod",probe="icmp"}"#;
        bench.counted(supported, 1.0).await;
    });
}

#[tokio::test]
async fn a_lost_query_does_not_hold_up_the_next() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let bench = bench(Some(socket.local_addr().unwrap()));
    // Nothing is ever answered, and still queries come, from ports of their own.
    let mut ports = std::collections::BTreeSet::new();
    let seen = AtomicUsize::new(0);
    let wait = async {
        while ports.len() < HEADLINE {
            let (_, client) = socket.recv_from(&mut [0; 512]).await.unwrap();
            ports.insert(client.port());
            seen.fetch_add(1, Ordering::Relaxed);
        }
    };
    timeout(Duration::from_millis(1900), wait).await.expect("all before the first is lost");
    bench.conf.send_replace(Arc::default());
}

#[tokio::test]
async fn more_than_64_are_never_under_way() {
    let kind = |ask| Job {
        row: Row::Canary { probe: crate::model::ProbeKind::Tcp },
        address: "10.0.0.1:1".parse().unwrap(),
        ask,
        every: Duration::from_secs(5),
    };
    let room = |size| Arc::new(Semaphore::new(size));
    let room = Room { headline: room(HEADLINE), queries: room(QUERIES), others: room(OTHERS) };
    let query = kind(crate::probe::job::Ask::Random("a.".into()));
    let (path, cluster, protocol) = (DnsPath::Resolver, DnsQuery::Cluster, Protocol::Udp);
    let row = Row::Dns { path, query: cluster, protocol, replica: None };
    let headline = Job { row, ..query.clone() };
    let connect = kind(crate::probe::job::Ask::Reach(&crate::probe::tcp::PROBE));
    let mut held = Vec::new();
    for (job, most) in [(connect, OTHERS), (query, QUERIES), (headline, HEADLINE)] {
        assert_eq!(flights(&job), 1);
        let permits: Vec<_> = (0..100).map_while(|_| room.take(&job)).collect();
        assert_eq!(permits.len(), most, "whatever the others do");
        held.extend(permits);
    }
    assert_eq!(held.len(), 64);
}
