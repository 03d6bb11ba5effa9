use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::cluster::{Change, Event, Settings};
use crate::fixtures::at;
use crate::model::{
    Container, Endpoint, EndpointPort, EndpointSlice, Fact, IpFamily, Labels, Pod, PodRef, Ports,
    Protocol, Service, ServicePort, TargetPort, Unknown,
};
use crate::owner::Owner;

/// Facts of a cluster whose clock says ten minutes.
struct Facts(Owner);

impl Facts {
    fn new() -> Self {
        let mut facts = Self(Owner::new(&[], Settings::default()));
        facts.0.step(Change::Tick { now: at(600), spent: Duration::ZERO });
        facts
    }

    fn put<T: Fact>(mut self, key: Key, fact: T) -> Self {
        self.0.step(Event::Put(key, fact).into());
        self
    }

    fn node(self, name: &str, number: u8) -> Self {
        self.node_with(name, number, |_| {})
    }

    fn node_with(self, name: &str, number: u8, change: impl FnOnce(&mut Node)) -> Self {
        let mut node = Node { addresses: vec![[10, 99, 0, number].into()], ..Node::default() };
        change(&mut node);
        self.put(Key::new("", name), node).agent(name, number, |_| {})
    }

    fn agent(self, node: &str, number: u8, change: impl FnOnce(&mut Pod)) -> Self {
        let mut pod = Pod {
            uid: format!("u-{node}").as_str().into(),
            node: Some(node.into()),
            addresses: [IpAddr::from([10, 244, number, 2])].into_iter().collect(),
            ports: Ports::new(vec![("http".into(), 12350, Protocol::Tcp)]),
            daemon_set: Some("netvitals-agent".into()),
            ..Pod::default()
        };
        change(&mut pod);
        let name = format!("netvitals-agent-{node}{}", if pod.terminating { "-old" } else { "" });
        self.put(Key::new("netvitals", name), pod)
    }

    fn service(self, key: &str, address: [u8; 4], port: u16, created: u64) -> Self {
        let (namespace, name) = key.split_once('/').unwrap();
        let protocol = if port == 53 { Protocol::Udp } else { Protocol::Tcp };
        let port =
            ServicePort { name: Name::default(), port, protocol, target: TargetPort::Number(port) };
        let service = Service {
            created: Some(at(created).unix),
            routed: true,
            addresses: vec![address.into()],
            ports: vec![port],
            selector: Labels::from([("app", name)]),
            ..Service::default()
        };
        self.put(Key::new(namespace, name), service)
    }

    fn slice(self, key: &str, port: u16, endpoints: &[(&str, [u8; 4])]) -> Self {
        self.slice_with(key, port, endpoints, |_| {})
    }

    fn slice_with(
        self,
        key: &str,
        port: u16,
        endpoints: &[(&str, [u8; 4])],
        change: impl Fn(&mut Endpoint),
    ) -> Self {
        let (namespace, name) = key.split_once('/').unwrap();
        let protocol = if port == 53 { Protocol::Udp } else { Protocol::Tcp };
        let endpoint = |(node, address): &(&str, [u8; 4])| Endpoint {
            address: Some((*address).into()),
            pod: Some(PodRef {
                name: format!("{name}-{node}").into(),
                uid: format!("uid-{name}-{node}").as_str().into(),
            }),
            node: Some((*node).into()),
            ready: true,
            serving: true,
            terminating: false,
        };
        let mut slice = EndpointSlice {
            service: Some(name.into()),
            managed: true,
            mirrored: false,
            family: Some(IpFamily::V4),
            ports: vec![EndpointPort { name: Name::default(), port: Some(port), protocol }],
            endpoints: endpoints.iter().map(endpoint).collect(),
        };
        slice.endpoints.iter_mut().for_each(change);
        self.put(Key::new(namespace, name), slice)
    }

    fn plans(&self) -> Plans {
        Plans::of(self.0.cluster())
    }

    fn plan(&self, node: &str) -> Plan {
        self.plans().plan(&Agent { node: node.into(), vantage: Vantage::Pod })
    }
}

fn three() -> Facts {
    Facts::new().node("n1", 11).node("n2", 12).node("n3", 13)
}

fn targets(targets: &[NodeTarget]) -> Vec<String> {
    targets.iter().map(|it| format!("{} {}", it.node, it.address)).collect()
}

#[test]
fn an_agent_probes_the_agents_and_the_kubelets_of_the_other_nodes() {
    let plan = three().plan("n1");
    assert_eq!(targets(&plan.peers), ["n2 10.244.12.2:12350", "n3 10.244.13.2:12350"]);
    assert_eq!(targets(&plan.nodes), ["n2 10.99.0.12:10250", "n3 10.99.0.13:10250"]);
}

#[test]
fn where_a_host_agent_runs_it_stands_for_its_node() {
    let host = |pod: &mut Pod| {
        pod.daemon_set = Some("netvitals-host-agent".into());
        pod.addresses = [IpAddr::from([10, 99, 0, 12])].into_iter().collect();
        pod.ports = Ports::new(vec![("http".into(), 12351, Protocol::Tcp)]);
    };
    let mut pod = Pod { node: Some("n2".into()), ..Pod::default() };
    host(&mut pod);
    let facts = three().put(Key::new("netvitals", "netvitals-host-agent-n2"), pod);
    let plan = facts.plan("n1");
    assert_eq!(targets(&plan.nodes), ["n2 10.99.0.12:12351", "n3 10.99.0.13:10250"]);
}

#[test]
fn leaving_young_and_virtual_nodes_are_no_targets() {
    let changes: [fn(&mut Node); 4] = [
        |node| node.terminating = true,
        |node| node.taints = vec!["karpenter.sh/disrupted".into()],
        |node| node.created = Some(at(590).unix),
        |node| node.labels = [("type", "virtual-kubelet")].into(),
    ];
    for change in changes {
        let plan = three().node_with("n4", 14, change).plan("n1");
        assert_eq!((plan.peers.len(), plan.nodes.len()), (2, 2));
    }
}

#[test]
fn while_an_agent_is_replaced_the_one_that_stays_is_the_contact() {
    let contacts = |facts: &Facts| Agents::of(facts.0.cluster()).contacts();
    let n1 = Agent { node: "n1".into(), vantage: Vantage::Pod };
    let old = |pod: &mut Pod| pod.terminating = true;
    let both = three().agent("n1", 99, old);
    assert_eq!(contacts(&both)[&n1], SocketAddr::from(([10, 244, 11, 2], 12350)));
    let only = Facts::new().agent("n1", 99, old);
    assert_eq!(contacts(&only)[&n1], SocketAddr::from(([10, 244, 99, 2], 12350)));
    let ended = Facts::new().agent("n1", 99, |pod| pod.ended = true);
    assert!(contacts(&ended).is_empty());
}

#[test]
fn pods_of_other_namespaces_and_daemon_sets_are_never_asked() {
    let facts = Facts::new().agent("n1", 11, |pod| pod.daemon_set = Some("other".into()));
    let agent = Pod {
        node: Some("n2".into()),
        addresses: [IpAddr::from([10, 244, 2, 2])].into_iter().collect(),
        ports: Ports::new(vec![("http".into(), 12350, Protocol::Tcp)]),
        daemon_set: Some("netvitals-agent".into()),
        ..Pod::default()
    };
    let facts = facts.put(Key::new("shop", "netvitals-agent-x"), agent);
    assert!(Agents::of(facts.0.cluster()).contacts().is_empty());
}

#[test]
fn the_dns_service_its_replicas_and_the_newest_services_are_asked_for() {
    let facts = three()
        .service("kube-system/kube-dns", [10, 96, 0, 10], 53, 0)
        .slice("kube-system/kube-dns", 53, &[("n2", [10, 244, 12, 9]), ("n3", [10, 244, 13, 9])])
        .service("default/kubernetes", [10, 96, 0, 1], 443, 0)
        .service("shop/a", [10, 96, 0, 2], 80, 1)
        .service("shop/b", [10, 96, 0, 3], 80, 2)
        .service("shop/c", [10, 96, 0, 4], 80, 3)
        .service("shop/empty", [10, 96, 0, 6], 80, 4)
        .service("shop/new", [10, 96, 0, 5], 80, 541)
        .slice("shop/a", 80, &[("n1", [10, 244, 11, 7])])
        .slice("shop/b", 80, &[("n1", [10, 244, 11, 8])])
        .slice("shop/c", 80, &[("n1", [10, 244, 11, 9])])
        .slice_with("shop/empty", 80, &[("n1", [10, 244, 11, 6])], |it| it.ready = false)
        .slice("shop/new", 80, &[("n1", [10, 244, 11, 5])]);
    let dns = facts.plan("n1").dns.unwrap();
    assert_eq!(dns.addresses, [SocketAddr::from(([10, 96, 0, 10], 53))]);
    let replicas = dns.replicas.iter().map(|it| format!("{} {}", it.replica.pod, it.address));
    assert_eq!(
        replicas.collect::<Vec<_>>(),
        ["kube-system/kube-dns-n2 10.244.12.9:53", "kube-system/kube-dns-n3 10.244.13.9:53"]
    );
    let expected = dns.expected.iter().map(|it| it.service.to_string());
    assert_eq!(expected.collect::<Vec<_>>(), ["default/kubernetes", "shop/c", "shop/b", "shop/a"]);
    let here = facts.plans().plan(&Agent { node: "n2".into(), vantage: Vantage::Host }).dns_pods;
    assert_eq!(here[0].uid, "uid-kube-dns-n2".into());
    assert_eq!(here.len(), 1);
}

#[test]
fn a_replica_that_is_not_ready_is_not_asked_and_its_control_group_is_read() {
    let replicas = [("n2", [10, 244, 12, 9]), ("n3", [10, 244, 13, 9])];
    let unready = |it: &mut Endpoint| it.ready = it.node.as_deref() != Some("n3");
    let facts = three().service("kube-system/kube-dns", [10, 96, 0, 10], 53, 0).slice_with(
        "kube-system/kube-dns",
        53,
        &replicas,
        unready,
    );
    let asked = facts.plan("n1").dns.unwrap().replicas;
    let asked: Vec<&str> = asked.iter().map(|it| &*it.replica.pod.name).collect();
    assert_eq!(asked, ["kube-dns-n2"]);
    let host = Agent { node: "n3".into(), vantage: Vantage::Host };
    assert_eq!(facts.plans().plan(&host).dns_pods.len(), 1);
}

#[test]
fn a_replica_from_a_file_of_the_kubelet_is_read_by_the_name_of_its_control_group() {
    let container = Container { name: "coredns".into(), id: "c0".into(), udp: true };
    let static_pod = |uid: &str| Pod {
        containers: [container.clone()].into(),
        uid: uid.into(),
        config_hash: Some(Box::new("0123456789abcdef0123456789abcdef".into())),
        ..Pod::default()
    };
    let group = |uid| {
        let facts = three()
            .service("kube-system/kube-dns", [10, 96, 0, 10], 53, 0)
            .slice("kube-system/kube-dns", 53, &[("n2", [10, 244, 12, 9])])
            .put(Key::new("kube-system", "kube-dns-n2"), static_pod(uid));
        let host = Agent { node: "n2".into(), vantage: Vantage::Host };
        let pod = facts.plans().plan(&host).dns_pods.remove(0);
        let containers = pod.containers.into_iter().map(|it| (it.name.to_string(), it.id, it.dns));
        (pod.uid.to_string(), containers.collect::<Vec<_>>())
    };
    let known = (
        "0123456789abcdef0123456789abcdef".to_owned(),
        vec![("coredns".to_owned(), "c0".to_owned(), true)],
    );
    assert_eq!(group("uid-kube-dns-n2"), known);
    let newer = ("uid-kube-dns-n2".to_owned(), vec![]);
    assert_eq!(group("another"), newer, "the slice knows a newer pod");
}

#[test]
fn the_api_and_the_own_service_are_probed_beside_their_endpoints() {
    let facts = three()
        .service("default/kubernetes", [10, 96, 0, 1], 443, 0)
        .slice("default/kubernetes", 6443, &[("", [10, 99, 0, 1])])
        .service("netvitals/netvitals-agent", [10, 96, 7, 7], 12350, 0)
        .slice(
            "netvitals/netvitals-agent",
            12350,
            &[("n1", [10, 244, 11, 2]), ("n2", [10, 244, 12, 2]), ("n3", [10, 244, 13, 2])],
        );
    let services = facts.plan("n1").services;
    let api = &services[0];
    assert_eq!((&*api.service.name, api.port), ("kubernetes", 443));
    assert_eq!(api.endpoints[0].address, SocketAddr::from(([10, 99, 0, 1], 6443)));
    let own: Vec<&str> = services[1].endpoints.iter().filter_map(|it| it.node.as_deref()).collect();
    assert_eq!((own.len(), own[2]), (3, "n1"), "the own node comes last");
}

#[test]
fn of_many_endpoints_each_agent_gets_a_few_of_its_own_and_all_are_looked_at() {
    for nodes in [3, 5, 64, 300_u16] {
        let agents: Vec<Agent> = (0..nodes)
            .map(|at| Agent { node: format!("n{at:03}").as_str().into(), vantage: Vantage::Pod })
            .collect();
        let mut endpoints: Vec<EndpointPlan> = (0..nodes)
            .zip(&agents)
            .map(|(at, agent)| {
                let [high, low] = at.to_be_bytes();
                let address = SocketAddr::from(([10, 244, high, low], 12350));
                EndpointPlan { node: Some(agent.node.clone()), address }
            })
            .collect();
        let spread = |endpoints: &[EndpointPlan]| {
            let endpoints = endpoints.to_vec();
            Spread::new(&"a-uid".into(), ServicePlan { endpoints, ..ServicePlan::default() })
        };
        let forth = spread(&endpoints);
        endpoints.reverse();
        let back = spread(&endpoints);
        let mut looks: BTreeMap<Name, usize> = BTreeMap::new();
        for agent in &agents {
            let chosen = forth.of(agent).endpoints;
            assert_eq!(chosen, back.of(agent).endpoints, "the order of the endpoints is no matter");
            let names: BTreeSet<Name> = chosen.iter().filter_map(|it| it.node.clone()).collect();
            assert_eq!(names.len(), ENDPOINTS.min(nodes.into()), "{nodes} nodes");
            let own = chosen.iter().position(|it| it.node.as_ref() == Some(&agent.node));
            let last = (usize::from(nodes) <= ENDPOINTS).then_some(usize::from(nodes) - 1);
            assert_eq!(own, last, "{nodes} nodes: the own one only where others are too few");
            names.into_iter().for_each(|name| *looks.entry(name).or_default() += 1);
        }
        // As by chance: four on average, and of 300 about five with none.
        assert!(looks.len() >= usize::from(nodes) * 95 / 100, "{nodes}: {} seen", looks.len());
        assert!(looks.values().all(|looks| *looks <= 4 * ENDPOINTS), "{nodes} nodes: {looks:?}");
    }
}

#[test]
fn there_is_no_plan_before_the_api_has_answered_for_every_kind() {
    fn listed<T: Fact>(facts: &mut Facts) {
        facts.0.step(Event::<T>::Begin.into());
        facts.0.step(Event::<T>::Done.into());
    }
    fn barred<T: Fact>(facts: &mut Facts) {
        facts.0.step(Event::<T>::Unavailable(Unknown::Forbidden(T::KIND.label)).into());
    }
    let answers: [fn(&mut Facts); 5] = [
        listed::<Node>,
        listed::<Namespace>,
        barred::<Pod>,
        listed::<Service>,
        listed::<EndpointSlice>,
    ];
    let is_known = |facts: &Facts| Plans::once_known(facts.0.cluster()).is_some();
    for last in 0..answers.len() {
        let mut facts = Facts::new();
        for (_, answer) in answers.iter().enumerate().filter(|(at, _)| *at != last) {
            answer(&mut facts);
        }
        assert!(!is_known(&facts), "answer {last} has not come");
        answers[last](&mut facts);
        assert!(is_known(&facts));
    }
    let mut facts = Facts::new();
    answers.iter().for_each(|answer| answer(&mut facts));
    facts.0.step(Event::<Node>::Begin.into());
    assert!(is_known(&facts), "a second list hides nothing");
}

#[test]
fn the_plan_outlives_the_facts_freshness() {
    let mut facts = three();
    facts.0.step(Change::Tick { now: at(10_000), spent: Duration::ZERO });
    assert_eq!(facts.plan("n1").peers.len(), 2);
}
