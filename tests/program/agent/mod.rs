//! The agent's role against servers on loopback: what goes wrong there is what it says.

#![allow(clippy::unwrap_used, reason = "what is not as it should be ends the test")]

mod server;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use axum::Router;
use axum::routing::get as route;
use netvitals::agent::Options;
use netvitals::agent::allowed::Allowed;
use netvitals::http::get::get;
use netvitals::http::wire;
use netvitals::model::{
    Agent, ContainerPlan, Cpu, DnsPath, DnsPlan, DnsQuery, DnsRow, EndpointPlan, ExpectedPlan,
    Failure, Group, Key, NodeTarget, Observation, Plan, PodPlan, ProbeKind, Protocol, Replica,
    ReplicaPlan, ServicePlan, Skipped, Target, Unknown, Vantage,
};
use netvitals::role::agent;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use server::{API, Mood, Server};

const SOON: Duration = Duration::from_secs(30);

const DOMAIN: &str = "cluster.example";

/// An agent that runs, and where it is asked.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    ended: AbortOnDropHandle<std::io::Result<()>>,
    folder: TempDir,
    _cluster: AbortOnDropHandle<()>,
}

/// Starts an agent, whose plan is `plan` and whose options `change` has had a hand in.
async fn start(plan: &Plan, change: impl FnOnce(&mut Options)) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cluster = format!("http://{}", listener.local_addr().unwrap());
    let json = wire::write(plan).unwrap();
    let routes = Router::new().route("/v1/plan", route(move || std::future::ready(json.clone())));
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });

    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut options = Options {
        cluster_urls: vec![cluster],
        resolv_conf: folder.path().join("resolv.conf"),
        host_root: folder.path().join("host"),
        dns_interval: Duration::from_millis(50),
        reach_interval: Duration::from_millis(50),
        allowed: Allowed::loopback(),
        ..Options::new(Agent { node: "n1".into(), vantage: Vantage::Pod })
    };
    change(&mut options);
    let stop = CancellationToken::new();
    let running = tokio::spawn(agent::run(options, listener, stop.clone()));
    Running {
        address,
        stop,
        ended: AbortOnDropHandle::new(running),
        folder,
        _cluster: AbortOnDropHandle::new(serving),
    }
}

impl Running {
    fn resolves_by(&self, server: IpAddr) {
        let text = format!("nameserver {server}\nsearch default.svc.{DOMAIN} svc.{DOMAIN}\n");
        fs::write(self.folder.path().join("resolv.conf"), text).unwrap();
    }

    async fn text(&self, path: &str) -> String {
        let body = get(self.address, path, SOON, 1 << 20).await.unwrap();
        String::from_utf8(body.into()).unwrap()
    }

    async fn observation(&self) -> Observation {
        wire::read(self.text("/v1/observations").await.as_bytes()).unwrap()
    }

    /// Asks until an observation is as it should be.
    async fn until(&self, what: &str, right: impl Fn(&Observation) -> bool) -> Observation {
        let begin = Instant::now();
        loop {
            let observation = self.observation().await;
            if right(&observation) {
                return observation;
            }
            let json = serde_json::to_string_pretty(&observation).unwrap();
            assert!(begin.elapsed() < SOON, "{what}: never in {SOON:?}, but\n{json}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Reads the counts of the page, by everything before the number.
    async fn page(&self) -> BTreeMap<String, f64> {
        let page = self.text("/metrics").await;
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        let split = |line: &str| {
            let (series, number) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), number.parse().unwrap())
        };
        lines.map(split).collect()
    }

    async fn end(self) {
        self.stop.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

fn row(observation: &Observation, path: DnsPath, query: DnsQuery) -> Option<&DnsRow> {
    let rows = &observation.dns().ok()?.rows;
    rows.iter().find(|it| (it.path, it.query, it.protocol) == (path, query, Protocol::Udp))
}

/// A plan with the DNS Service at `service`, a replica at `replica`, and a peer that listens.
fn plan(service: SocketAddr, replica: SocketAddr, peer: SocketAddr) -> Plan {
    let expected = |name: &str, namespace: &str, address: [u8; 4]| ExpectedPlan {
        service: Key::new(namespace, name),
        addresses: vec![address.into()],
        any: false,
    };
    let closed = SocketAddr::new(peer.ip(), 2);
    let node = || "n2".into();
    Plan {
        dns: Some(DnsPlan {
            service: Key::new("kube-system", "kube-dns"),
            addresses: vec![service],
            replicas: vec![ReplicaPlan {
                replica: Replica { pod: Key::new("kube-system", "coredns-1"), node: node() },
                address: replica,
            }],
            expected: vec![
                expected("kubernetes", "default", API.octets()),
                expected("shop", "web", [10, 96, 0, 7]),
            ],
        }),
        peers: vec![NodeTarget { node: node(), address: peer }],
        nodes: vec![NodeTarget { node: node(), address: closed }],
        services: vec![ServicePlan {
            service: Key::new("netvitals", "netvitals-agent"),
            port: peer.port(),
            addresses: vec![peer.ip()],
            endpoints: vec![EndpointPlan { node: Some(node()), address: peer }],
        }],
        dns_pods: Vec::new(),
    }
}

#[tokio::test]
async fn what_is_well_is_said_to_be_well() {
    let resolver = Server::start(Ipv4Addr::new(127, 0, 0, 1), 0).await;
    let replica = Server::start(Ipv4Addr::new(127, 0, 0, 2), 0).await;
    let peer = TcpListener::bind("127.0.0.3:0").await.unwrap();
    let plan = plan(resolver.address, replica.address, peer.local_addr().unwrap());
    let dns_port = resolver.address.port();
    let running = start(&plan, |options| options.dns_port = dns_port).await;
    running.resolves_by(resolver.address.ip());
    let seen = running
        .until("every row has been tried", |seen| {
            let dns = seen.dns().unwrap();
            let reach = seen.reach().unwrap();
            dns.rows.len() == 8
                && dns.rows.iter().all(|row| row.queries.attempts > 0)
                && dns.answers.len() == 2
                && dns.answers.iter().all(|it| it.answered > 0)
                && reach.len() == 4
                && reach.iter().all(|it| it.attempts.attempts > 0)
        })
        .await;
    let dns = seen.dns().unwrap();
    assert_eq!(dns.service, Some(Key::new("kube-system", "kube-dns")));
    for row in &dns.rows {
        assert_eq!(row.queries.failures, 0, "{row:?}");
        assert_eq!(row.replica.is_some(), row.path == DnsPath::Replica);
    }
    for answers in &dns.answers {
        assert_eq!((answers.wrong, answers.wrong_now), (0, false), "{answers:?}");
    }
    for reached in seen.reach().unwrap() {
        let mostly = (reached.target == Target::Node).then_some(Failure::Refused);
        assert_eq!((reached.probe, reached.attempts.mostly), (ProbeKind::Tcp, mostly));
    }
    assert_eq!(seen.captured.map(|it| (it.tcp, it.dns)), Some((false, false)));
    assert_eq!(seen.agent.as_ref().map(|agent| &*agent.node), Some("n1"));
    assert!(seen.plan_age().is_ok());
    assert_eq!(seen.cpu, Some(Group::Disabled), "the host's agents know it");

    let page = running.page().await;
    let queries = r#"netvitals_dns_queries_total{node="n1",vantage="pod",path="resolver",query="cluster",protocol="udp"}"#;
    let headline = row(&seen, DnsPath::Resolver, DnsQuery::Cluster).unwrap();
    assert!(page[queries] >= headline.queries.attempts as f64, "{page:#?}");
    for (series, count) in page.iter().filter(|(series, _)| series.contains("failures_total")) {
        let expected = series.contains(r#"target="node",reason="refused""#);
        assert_eq!(*count > 0.0, expected, "{series} {count}");
    }
    assert_eq!(running.text("/readyz").await, "ok\n");
    running.end().await;
}

#[tokio::test]
async fn each_way_to_fail_has_its_reason() {
    let resolver = Server::start(Ipv4Addr::new(127, 0, 0, 1), 0).await;
    let dns_port = resolver.address.port();
    for (mood, reason) in [
        (Mood::Silent, Failure::Timeout),
        (Mood::Servfail, Failure::Servfail),
        (Mood::Stranger, Failure::Mismatch),
        (Mood::Elsewhere, Failure::WrongAnswer),
    ] {
        resolver.is(mood);
        let running = start(&Plan::default(), |options| {
            options.dns_port = dns_port;
            options.api = Some(SocketAddr::new(API.into(), 443));
        })
        .await;
        running.resolves_by(resolver.address.ip());
        let what = format!("{mood:?} is {}", reason.as_str());
        let failed = |seen: &Observation| {
            row(seen, DnsPath::Resolver, DnsQuery::Cluster)
                .is_some_and(|row| row.queries.mostly == Some(reason))
        };
        let seen = running.until(&what, failed).await;
        let headline = row(&seen, DnsPath::Resolver, DnsQuery::Cluster).unwrap();
        assert_eq!(headline.queries.attempts, headline.queries.failures, "{mood:?}");
        let series = format!(
            r#"netvitals_dns_query_failures_total{{node="n1",vantage="pod",path="resolver",query="cluster",protocol="udp",reason="{}"}}"#,
            reason.as_str()
        );
        // It never had an answer, so that its node may still be being set up.
        assert_eq!(running.page().await[&series], 0.0, "{series}");
        running.end().await;
    }
}

#[tokio::test]
async fn a_replica_that_lost_the_api_is_wrong_and_the_headline_is_not() {
    let resolver = Server::start(Ipv4Addr::new(127, 0, 0, 1), 0).await;
    let replica = Server::start(Ipv4Addr::new(127, 0, 0, 2), 0).await;
    replica.is(Mood::Forgetful);
    let peer = TcpListener::bind("127.0.0.3:0").await.unwrap();
    let plan = plan(resolver.address, replica.address, peer.local_addr().unwrap());
    let dns_port = resolver.address.port();
    let running = start(&plan, |options| options.dns_port = dns_port).await;
    running.resolves_by(resolver.address.ip());
    let wrong = |seen: &Observation| {
        let answers = seen.dns().into_iter().flat_map(|dns| &dns.answers);
        answers.filter(|it| it.wrong_now).map(|it| it.service.to_string()).collect::<Vec<_>>()
    };
    let seen = running.until("a Service is not known", |seen| !wrong(seen).is_empty()).await;
    assert_eq!(wrong(&seen), ["web/shop"]);
    let replica_row = row(&seen, DnsPath::Replica, DnsQuery::Cluster).unwrap();
    assert_eq!(replica_row.queries.failures, 0, "it knows default/kubernetes");
    replica.is(Mood::Well);
    running.until("it knows it again", |seen| wrong(seen).is_empty()).await;
    running.end().await;
}

#[tokio::test]
async fn without_a_resolv_conf_the_agent_runs_says_so_and_waits_for_one() {
    let running = start(&Plan::default(), |options| {
        options.dns_port = 1;
        options.cluster_urls.clear();
    })
    .await;
    let failures = |source| {
        format!(
            r#"netvitals_agent_read_failures_total{{node="n1",vantage="pod",source="{source}"}}"#
        )
    };
    let mut page = running.page().await;
    while page[&failures("resolv_conf")] < 1.0 {
        // A page is shared for a second.
        sleep(Duration::from_millis(100)).await;
        page = running.page().await;
    }
    assert_eq!(page[&failures("plan")], 0.0);
    let seen = running.observation().await;
    assert_eq!(seen.dns().unwrap().rows, []);
    assert_eq!(seen.plan_age().unwrap_err(), Unknown::NoPlan.into());
    running.resolves_by(Ipv4Addr::LOCALHOST.into());
    running.until("the file is read", |seen| !seen.dns().unwrap().rows.is_empty()).await;
    running.end().await;
}

/// A plan of 5,000 nodes, all on loopback, where nothing listens.
fn greatest_plan() -> Plan {
    let address = |network: u8, at: u32, port| {
        let [.., high, low] = at.to_be_bytes();
        SocketAddr::from(([127, network, high, low], port))
    };
    let name = |at: u32| format!("n{at}").into();
    let targets = |network| {
        (0..5000).map(move |at| NodeTarget { node: name(at), address: address(network, at, 2) })
    };
    let replica = |at| ReplicaPlan {
        replica: Replica { pod: Key::new("kube-system", format!("dns-{at}")), node: name(at) },
        address: address(3, at, 2),
    };
    let expected = |at| ExpectedPlan {
        service: Key::new("web", format!("s{at}")),
        addresses: vec![address(4, at, 2).ip()],
        any: false,
    };
    let endpoints = (0..200).map(|at| EndpointPlan { node: None, address: address(5, at, 2) });
    let pod = |at: u32| PodPlan {
        pod: Key::new("kube-system", format!("dns-{at}")),
        uid: format!("uid-{at}").as_str().into(),
        containers: (0..9)
            .map(|container| ContainerPlan {
                name: format!("c{container}").into(),
                id: format!("{at:032x}{container:032x}"),
                dns: container == 7,
            })
            .collect(),
    };
    Plan {
        dns: Some(DnsPlan {
            service: Key::new("kube-system", "kube-dns"),
            addresses: (0..20).map(|at| address(6, at, 2)).collect(),
            replicas: (0..200).map(replica).collect(),
            expected: (0..200).map(expected).collect(),
        }),
        peers: targets(1).collect(),
        nodes: targets(2).collect(),
        services: vec![ServicePlan {
            service: Key::new("web", "s"),
            port: 2,
            addresses: vec![address(7, 1, 2).ip()],
            endpoints: endpoints.collect(),
        }],
        dns_pods: (0..100).map(pod).collect(),
    }
}

#[tokio::test]
async fn in_a_cluster_of_any_size_there_are_at_most_300_series() {
    let resolver = Server::start(Ipv4Addr::new(127, 0, 0, 1), 0).await;
    // What fits into a plan: the cluster role writes far smaller ones.
    let mut plan = greatest_plan();
    plan.peers.truncate(500);
    plan.nodes.truncate(500);
    let running = start(&plan, |options| {
        options.agent.vantage = Vantage::Host;
        options.dns_port = resolver.address.port();
        options.api = Some("127.0.0.9:2".parse().unwrap());
        options.external = Some("example.com.".to_owned());
        options.reach_interval = Duration::from_secs(5);
        let root = options.host_root.join("sys/fs/cgroup");
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("cgroup.controllers"), "cpu").unwrap();
        for pod in &plan.dns_pods {
            for container in &pod.containers {
                let group = root.join(format!("kubepods/pod{}/{}", pod.uid, container.id));
                fs::create_dir_all(&group).unwrap();
                fs::write(group.join("cpu.stat"), "usage_usec 1\nnr_periods 1\n").unwrap();
                fs::write(group.join("../cpu.stat"), "usage_usec 1\nnr_periods 1\n").unwrap();
            }
        }
    })
    .await;
    running.resolves_by(resolver.address.ip());
    let seen = running
        .until("all is planned and read", |seen| {
            let answers = |it: &&Cpu| it.dns && &*it.container == "c7";
            let many = seen.reach().is_ok_and(|reach| reach.len() > 100);
            many && seen.dns().is_ok_and(|dns| dns.rows.len() > 30)
                && seen.cpu().is_ok_and(|cpu| cpu.iter().filter(answers).count() == 4)
        })
        .await;
    let size = serde_json::to_vec(&seen).unwrap().len();
    assert!(size < 200 * 1024, "{size} bytes are more than the cluster role takes");
    let page = running.page().await;
    // Echo requests and the cache on a node are not to be had here, and would be 24 more.
    assert!((220..=300 - 24).contains(&page.len()), "{} series\n{page:#?}", page.len());
    running.end().await;
}

#[tokio::test]
async fn what_is_switched_off_is_told_and_not_measured() {
    let running = start(&Plan::default(), |options| {
        options.agent.vantage = Vantage::Host;
        options.disabled = vec!["dns", "tcp", "icmp", "cgroup"];
        options.api = Some("127.0.0.9:2".parse().unwrap());
    })
    .await;
    running.resolves_by(Ipv4Addr::LOCALHOST.into());
    let seen = running.until("there is a plan", |seen| seen.plan_age().is_ok()).await;
    let off = Some(Skipped::Disabled.into());
    assert_eq!(seen.dns().err(), off);
    assert_eq!(seen.reach().err(), off);
    assert_eq!(seen.cpu().err(), off);
    let page = running.page().await;
    let task = |name| format!(r#"netvitals_task_heartbeat_timestamp_seconds{{task="{name}"}}"#);
    assert!(page.contains_key(&task("plan")), "{page:#?}");
    for name in ["probes", "icmp", "cgroup"] {
        assert!(!page.contains_key(&task(name)), "{name}");
    }
    running.end().await;
}
