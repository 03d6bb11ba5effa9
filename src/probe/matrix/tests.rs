use super::*;
use crate::agent::resolv_conf::Nameserver;
use crate::model::{
    Agent, DnsPlan, EndpointPlan, ExpectedPlan, NodeTarget, ProbeKind, Replica, ReplicaPlan,
    ServicePlan, Target,
};
use crate::page::{Format, write};
use crate::probe::counters::Counters;
use crate::probe::dns::{Expected, Question};

fn scope() -> Scope {
    Scope {
        vantage: Vantage::Pod,
        dns_port: 53,
        dns_interval: Duration::from_secs(10),
        reach_interval: Duration::from_secs(5),
        api: Some("10.96.0.1:443".parse().unwrap()),
        external: None,
        allowed: Allowed::cluster(),
        disabled: Vec::new(),
    }
}

fn conf() -> ResolvConf {
    ResolvConf {
        nameservers: vec!["10.96.0.10".parse::<IpAddr>().unwrap().into()],
        domain: Some("cluster.local".into()),
        odd: None,
    }
}

/// A cluster of `nodes` nodes, each with a DNS replica.
fn plan(nodes: u32) -> Plan {
    let address = |network: u32, at: u32, port| {
        let [_, b, c, d] = (network << 16 | at).to_be_bytes();
        SocketAddr::from(([10, b, c, d], port))
    };
    let target = |network, port| {
        let target = move |at| NodeTarget {
            node: format!("n{at}").into(),
            address: address(network, at, port),
        };
        (0..nodes).map(target).collect::<Vec<_>>()
    };
    let replica = |at| ReplicaPlan {
        replica: Replica {
            pod: Key::new("kube-system", format!("coredns-{at}")),
            node: format!("n{at}").into(),
        },
        address: address(3, at, 53),
    };
    let expected = |at| ExpectedPlan {
        service: Key::new("web", format!("s{at}")),
        addresses: vec![address(96, at, 0).ip()],
        any: false,
    };
    let endpoint =
        |at| EndpointPlan { node: Some(format!("n{at}").into()), address: address(4, at, 80) };
    let service = |at| ServicePlan {
        service: Key::new("web", format!("s{at}")),
        port: 80,
        addresses: vec![address(96, at, 0).ip()],
        endpoints: (0..nodes.min(100)).map(endpoint).collect(),
    };
    // Squares of them would be slow to make.
    let few = nodes.min(100);
    Plan {
        dns: Some(DnsPlan {
            service: Key::new("kube-system", "kube-dns"),
            addresses: vec!["10.96.0.10:53".parse().unwrap()],
            replicas: (0..nodes).map(replica).collect(),
            expected: (0..nodes).map(expected).collect(),
        }),
        peers: target(1, 12350),
        nodes: target(2, 10250),
        services: (0..few).map(service).collect(),
        dns_pods: Vec::new(),
    }
}

fn made(scope: &Scope, conf: &ResolvConf, plan: Option<&Plan>) -> Matrix {
    super::made(scope, conf, plan, &|_| true)
}

/// Each job in short, with how often it runs in an interval of its kind.
fn short(job: &Job) -> String {
    let what = match &job.row {
        Row::Dns { path, query, protocol, .. } => {
            format!("{} {} {}", path.as_str(), query.as_str(), protocol.as_str())
        }
        Row::Answer { service, .. } => format!("answer {service}"),
        Row::Reach { target, probe, .. } => format!("{} {}", target.as_str(), probe.as_str()),
        Row::Canary { probe } => format!("canary {}", probe.as_str()),
    };
    format!("{what} {} {}s", job.address, job.every.as_secs())
}

#[test]
fn without_a_plan_the_nameserver_and_the_api_are_probed() {
    let jobs = made(&scope(), &conf(), None).jobs;
    assert_eq!(
        jobs.iter().map(short).collect::<Vec<_>>(),
        [
            "resolver cluster udp 10.96.0.10:53 10s",
            "resolver cluster tcp 10.96.0.10:53 10s",
            "resolver pair udp 10.96.0.10:53 30s",
            "resolver negative udp 10.96.0.10:53 75s",
            "api tcp 10.96.0.1:443 5s",
        ]
    );
    let Ask::Query(_, expected) = &jobs[0].ask else { panic!("{:?}", jobs[0].ask) };
    assert_eq!(*expected, Expected::All(vec!["10.96.0.1".parse().unwrap()]));
    assert_eq!(made(&scope(), &ResolvConf::default(), None).jobs.len(), 1, "the API's address");
}

#[test]
fn a_plan_adds_replicas_peers_nodes_and_services() {
    let jobs = made(&scope(), &conf(), Some(&plan(1))).jobs;
    let jobs: Vec<String> = jobs.iter().map(short).collect();
    assert_eq!(
        jobs[4..],
        [
            "service cluster udp 10.96.0.10:53 10s",
            "service cluster tcp 10.96.0.10:53 10s",
            "replica cluster udp 10.3.0.0:53 10s",
            "replica version udp 10.3.0.0:53 75s",
            "answer web/s0 10.3.0.0:53 30s",
            "canary udp 10.1.0.0:53 60s",
            "api tcp 10.96.0.1:443 5s",
            "peer_pod tcp 10.1.0.0:12350 5s",
            "node tcp 10.2.0.0:10250 5s",
            "service tcp 10.96.0.0:80 5s",
            "endpoint tcp 10.4.0.0:80 5s",
            "canary tcp 10.1.0.0:1 60s",
            "peer_pod icmp 10.1.0.0:0 5s",
            "node icmp 10.2.0.0:0 5s",
        ]
    );
}

#[test]
fn the_cache_on_the_node_has_a_path_of_its_own_beside_the_headline() {
    let nameservers = vec!["169.254.20.10".parse::<IpAddr>().unwrap().into()];
    let jobs = made(&scope(), &ResolvConf { nameservers, ..conf() }, None).jobs;
    let paths: Vec<String> = jobs.iter().map(short).collect();
    assert!(paths.contains(&"resolver cluster udp 169.254.20.10:53 10s".into()), "{paths:?}");
    assert!(paths.contains(&"nodelocal cluster udp 169.254.20.10:53 30s".into()), "{paths:?}");
}

#[test]
fn a_zoned_nameserver_is_asked_like_any_other() {
    let nameservers = vec![Nameserver { address: "fe80::1".parse().unwrap(), scope: 7 }];
    let jobs = made(&scope(), &ResolvConf { nameservers, ..conf() }, None).jobs;
    assert_eq!(short(&jobs[0]), "resolver cluster udp [fe80::1%7]:53 10s");
}

#[test]
fn where_a_node_does_not_say_what_its_cluster_is_called_no_name_of_it_is_asked_for() {
    let conf = ResolvConf { domain: None, ..conf() };
    let host = Scope { vantage: Vantage::Host, ..scope() };
    let queries = |scope: &Scope| {
        let made = made(scope, &conf, Some(&plan(1)));
        made.jobs.iter().filter(|job| job.ask.is_query()).map(short).collect::<Vec<_>>()
    };
    assert_eq!(queries(&host), ["canary udp 10.1.0.0:53 60s"], "whatever it answers");
    assert_eq!(queries(&scope()).len(), 10, "a pod's always does");
}

#[test]
fn what_is_not_allowed_is_refused_wherever_it_stands() {
    let mut plan = plan(1);
    let bad = |port| SocketAddr::from(([169, 254, 169, 254], port));
    plan.peers[0].address = bad(80);
    plan.nodes[0].address = bad(80);
    plan.services[0].addresses = vec![bad(0).ip()];
    plan.services[0].endpoints[0].address = bad(80);
    let dns = plan.dns.as_mut().unwrap();
    dns.addresses = vec![bad(53)];
    dns.replicas[0].address = bad(53);
    let made = made(&scope(), &conf(), Some(&plan));
    assert_eq!(made.jobs.len(), 5, "{:?}", made.jobs.iter().map(short).collect::<Vec<_>>());
    assert!(made.denied >= 10, "{}", made.denied);
    let is_peer = |row: &Row| matches!(row, Row::Reach { target: Target::PeerPod, .. });
    assert!(made.refused.iter().any(is_peer), "and it is said what: {:?}", made.refused);
}

#[test]
fn what_is_switched_off_is_not_probed() {
    let paths = |off: &'static str| {
        let scope = Scope { disabled: vec![off], ..scope() };
        let made = made(&scope, &conf(), Some(&plan(1)));
        let kind = |job: &Job| match (&job.row, job.ask.is_query()) {
            (_, true) => "dns",
            (Row::Reach { probe: ProbeKind::Icmp, .. }, _) => "icmp",
            _ => "tcp",
        };
        made.jobs.iter().map(kind).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(paths("none"), ["dns", "icmp", "tcp"]);
    assert_eq!(paths("dns"), ["icmp", "tcp"]);
    assert_eq!(paths("tcp"), ["dns", "icmp"]);
    assert_eq!(paths("icmp"), ["dns", "tcp"]);
}

#[test]
fn names_that_are_none_are_refused() {
    let mut plan = plan(1);
    plan.dns.as_mut().unwrap().expected[0].service = Key::new("web", "x".repeat(300));
    let made = made(&scope(), &conf(), Some(&plan));
    assert_eq!(made.denied, 1);
    assert!(!made.jobs.iter().any(|job| matches!(job.row, Row::Answer { .. })));
}

#[test]
fn a_service_is_expected_in_the_family_that_is_asked_for() {
    let mut plan = plan(1);
    let addresses = ["fd96::1", "10.96.0.1"].map(|it| it.parse().unwrap());
    let api = ExpectedPlan { service: api(), addresses: addresses.into(), any: false };
    let headless = ExpectedPlan {
        service: Key::new("netvitals", "netvitals-agents"),
        addresses: vec!["10.1.0.1".parse().unwrap(), "10.1.0.2".parse().unwrap()],
        any: true,
    };
    plan.dns.as_mut().unwrap().expected = vec![api, headless.clone()];
    let jobs = made(&scope(), &conf(), Some(&plan)).jobs;
    let Ask::Query(_, expected) = &jobs[0].ask else { panic!("{:?}", jobs[0].ask) };
    assert_eq!(*expected, Expected::All(vec!["fd96::1".parse().unwrap()]));
    let last = jobs.iter().rfind(|job| matches!(job.row, Row::Answer { .. })).unwrap();
    let Ask::Whole(_, expected) = &last.ask else { panic!("{:?}", last.ask) };
    assert_eq!(*expected, Expected::OneOf(headless.addresses));
}

#[test]
fn a_name_of_the_world_has_an_address_and_may_have_many() {
    let scope = Scope { external: Some("example.com.".into()), ..scope() };
    let jobs = made(&scope, &conf(), None).jobs;
    let external = jobs.iter().find(|job| short(job).starts_with("resolver external")).unwrap();
    let question = Question::v4("example.com.").unwrap();
    assert_eq!(external.ask, Ask::Whole(question, Expected::Address));
}

#[test]
fn in_a_cluster_of_any_size_targets_queries_and_series_are_few() {
    let mut scope = scope();
    scope.external = Some("example.com.".into());
    let nameservers = vec!["169.254.20.10".parse::<IpAddr>().unwrap().into()];
    let made = made(&scope, &ResolvConf { nameservers, ..conf() }, Some(&plan(5000)));
    assert!(made.capped > 1000);
    let targets: BTreeSet<IpAddr> = made.jobs.iter().map(|job| job.address.ip()).collect();
    assert!((190..=200).contains(&targets.len()), "{} targets", targets.len());

    let headline = &made.jobs[0];
    assert_eq!(short(headline), "resolver cluster udp 169.254.20.10:53 10s");
    let queries = made.jobs.iter().filter(|job| job.ask.is_query());
    let rate: f64 = queries.map(|job| job.every.as_secs_f64().recip()).sum();
    assert!((1.8..2.4).contains(&rate), "{rate} queries a second");

    let counters = Counters::new(Agent { node: "n".into(), vantage: Vantage::Pod });
    made.jobs.iter().filter_map(|job| job.counted()).for_each(|kind| _ = counters.planned(kind));
    let page = write(&[&counters.rows()], Format::Text);
    let series = page.lines().filter(|line| !line.starts_with('#')).count();
    // The others are those of every role and of the DNS pods; the role's test counts them all.
    assert!((200..=250).contains(&series), "{series} series");
}

#[test]
fn a_target_that_is_named_twice_is_probed_once() {
    let mut plan = plan(2);
    plan.peers[1] = plan.peers[0].clone();
    let jobs = made(&scope(), &conf(), Some(&plan)).jobs;
    let peers = jobs.iter().filter(|job| {
        matches!(job.row, Row::Reach { target: Target::PeerPod, probe: ProbeKind::Tcp, .. })
    });
    assert_eq!(peers.count(), 1);
}
