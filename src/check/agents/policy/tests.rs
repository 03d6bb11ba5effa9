use std::net::IpAddr;

use super::*;
use crate::check::agents::CHECK;
use crate::cluster::Event;
use crate::fixtures::says::{asks, row};
use crate::fixtures::{answer, cluster};
use crate::model::{
    Expression, Operator, Peer, PolicyPorts, PortRange, Rule, Selector, ServicePort, TargetPort,
};

/// Three agents, the cluster role and two DNS pods, with their namespaces.
fn facts() -> Cluster {
    let labels =
        |role: &str| Labels::from([(NAME, "netvitals"), ("app.kubernetes.io/component", role)]);
    let mut facts = cluster();
    for name in ["netvitals", "kube-system"] {
        let labels = [("kubernetes.io/metadata.name", name)].into();
        let namespace = Namespace { labels, ..Namespace::default() };
        facts = facts.with(Event::Put(Key::new("", name), namespace));
    }
    for (at, node) in [(1, "a"), (2, "b"), (3, "c")] {
        facts =
            facts.node(node).own_pod(&format!("netvitals/netvitals-agent-{node}"), node, |pod| {
                pod.labels = labels("agent");
                pod.addresses = [IpAddr::from([10, 244, at, 3])].into_iter().collect();
            });
    }
    facts = facts.own_pod("netvitals/netvitals-cluster-1", "a", |pod| {
        pod.labels = labels("cluster");
        pod.addresses = [IpAddr::from([10, 244, 1, 9])].into_iter().collect();
        pod.daemon_set = None;
    });
    let port = ServicePort {
        name: "dns".into(),
        port: 53,
        protocol: Protocol::Udp,
        target: TargetPort::Number(53),
    };
    let dns = Service {
        selector: [("k8s-app", "kube-dns")].into(),
        ports: vec![port],
        ..Service::default()
    };
    facts = facts.with(Event::Put(Key::new("kube-system", "kube-dns"), dns));
    for at in [1, 2] {
        facts = facts.pod_with(&format!("kube-system/coredns-{at}"), |pod| {
            pod.labels = [("k8s-app", "kube-dns")].into();
            pod.addresses = [IpAddr::from([10, 244, at, 2])].into_iter().collect();
        });
    }
    facts
}

fn with(facts: Cluster, name: &str, policy: NetworkPolicy) -> Cluster {
    facts.with(Event::Put(Key::new("netvitals", name), policy))
}

/// Returns what is restricted, and of how many pods.
fn restricts(facts: &Cluster) -> Vec<String> {
    let findings = answer(&CHECK, facts).findings.into_iter();
    let told = findings.filter_map(|it| it.split_once("it keeps from ").map(|it| it.1.to_owned()));
    told.map(|it| it.split(": look").next().unwrap().to_owned()).collect()
}

fn range(protocol: Protocol, first: u16, last: u16) -> PortRange {
    PortRange { protocol, ports: PolicyPorts::Range(first, last) }
}

fn block(range: &str, except: &[&str]) -> Peer {
    let parse = |text: &&str| text.parse().unwrap();
    Peer::Block { range: range.parse().unwrap(), except: except.iter().map(parse).collect() }
}

fn pods_of(namespace: Option<&str>) -> Peer {
    let selector = |name: &str| Selector {
        labels: [("kubernetes.io/metadata.name", name)].into(),
        ..Selector::default()
    };
    let pods = Some(Selector::default());
    Peer::Pods { namespaces: namespace.map(selector), pods }
}

const SENDS: &str = "4 of netvitals' own pods egress to the DNS pods, egress to other agents";
const GETS: &str = "3 of netvitals' own pods ingress from netvitals' own pods";

#[test]
fn what_is_let_through_is_judged_by_what_is_needed() {
    let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
    let everywhere = || vec![block("0.0.0.0/0", &[]), block("::/0", &[])];
    let any = || vec![range(tcp, 1, 65535), range(udp, 1, 65535)];
    let rule = |peers: Vec<Peer>, ports: Vec<PortRange>| Rule { peers, ports };
    let named = |name: &str| PortRange { protocol: tcp, ports: PolicyPorts::Named(name.into()) };
    let own = || vec![pods_of(None)];
    let dns = || rule(vec![pods_of(Some("kube-system"))], vec![range(udp, 53, 53)]);
    type Rules = Option<Vec<Rule>>;
    let cases: [(&str, Rules, Rules, Option<&str>); 12] = [
        ("nothing gets in", Some(vec![]), None, Some(GETS)),
        ("nothing gets out", None, Some(vec![]), Some(SENDS)),
        (
            "everything by an empty rule",
            Some(vec![Rule::default()]),
            Some(vec![Rule::default()]),
            None,
        ),
        (
            "everything by ranges",
            Some(vec![rule(everywhere(), vec![])]),
            Some(vec![rule(everywhere(), vec![])]),
            None,
        ),
        (
            "everything by ports",
            Some(vec![rule(vec![], any())]),
            Some(vec![rule(vec![], any())]),
            None,
        ),
        (
            "exactly what is needed",
            Some(vec![rule(own(), vec![range(tcp, 12350, 12350)])]),
            Some(vec![rule(own(), vec![range(tcp, 12350, 12350)]), dns()]),
            None,
        ),
        (
            "the same by the name of the port",
            Some(vec![rule(own(), vec![named("http")])]),
            Some(vec![rule(own(), vec![named("http")]), dns()]),
            None,
        ),
        (
            "DNS alone",
            None,
            Some(vec![dns()]),
            Some("4 of netvitals' own pods egress to other agents"),
        ),
        (
            "DNS over TCP alone",
            None,
            Some(vec![rule(vec![], vec![PortRange { protocol: tcp, ports: PolicyPorts::Any }])]),
            Some("4 of netvitals' own pods egress to the DNS pods"),
        ),
        (
            "all but where the pods are",
            Some(vec![rule(vec![block("0.0.0.0/0", &["10.244.0.0/16"])], vec![])]),
            None,
            Some(GETS),
        ),
        ("what is not understood", Some(vec![rule(vec![Peer::Other], vec![])]), None, Some(GETS)),
        ("neither direction", None, None, None),
    ];
    for (case, ingress, egress, expected) in cases {
        let policy = NetworkPolicy { ingress, egress, ..NetworkPolicy::default() };
        assert_eq!(restricts(&with(facts(), "p", policy)), expected.as_slice(), "{case}");
    }
}

#[test]
fn policies_add_up_and_those_of_the_chart_let_through_what_is_needed() {
    let none = || NetworkPolicy { egress: Some(vec![]), ..NetworkPolicy::default() };
    let open = NetworkPolicy { egress: Some(vec![Rule::default()]), ..NetworkPolicy::default() };
    let chart = NetworkPolicy { labels: [(NAME, "netvitals")].into(), ..none() };
    let agents = Selector {
        labels: [("app.kubernetes.io/component", "agent")].into(),
        ..Selector::default()
    };
    let only_agents = NetworkPolicy { selector: agents, ..open.clone() };
    let others = Selector {
        expressions: vec![Expression {
            key: NAME.into(),
            operator: Operator::NotIn,
            values: vec!["netvitals".into()],
        }],
        ..Selector::default()
    };
    let elsewhere = NetworkPolicy { selector: others, ..none() };
    let left = "1 of netvitals' own pods egress to the DNS pods, egress to other agents";
    for (another, expected) in [
        (open, None),
        (chart, None),
        // The cluster role is still kept in.
        (only_agents, Some(left)),
        (elsewhere.clone(), Some(SENDS)),
    ] {
        let facts = with(with(facts(), "deny", none()), "another", another);
        assert_eq!(restricts(&facts), expected.as_slice());
    }
    assert_eq!(restricts(&with(facts(), "elsewhere", elsewhere)), [""; 0]);
}

#[test]
fn it_explains_what_it_keeps_away_and_only_where_most_of_that_fails() {
    let causes = |failing: &[&str], failures: u64| {
        let policy = NetworkPolicy { egress: Some(vec![]), ..NetworkPolicy::default() };
        let facts =
            ["a", "b", "c"].into_iter().fold(with(facts(), "deny", policy), |facts, node| {
                let failures = if failing.contains(&node) { failures } else { 0 };
                facts.says(node, Vantage::Pod, asks([row(DnsPath::Resolver, 30, failures)]))
            });
        let mut out = Output::default();
        CHECK.ask(&facts, &mut out).unwrap();
        let of_policy = |it: &Finding| it.code.id == RESTRICTED_BY_POLICY.id;
        out.findings.into_iter().find(of_policy).expect("a finding").causes
    };
    assert_eq!(causes(&["a", "b", "c"], 30), Some(vec![Symptom::AgentsAsk]));
    // A policy of a moment ago: most of the window is from before.
    assert_eq!(causes(&["a", "b", "c"], 4), Some(vec![Symptom::AgentsAsk]));
    assert_eq!(causes(&["a", "b", "c"], 3), Some(vec![]));
    assert_eq!(causes(&["a"], 30), Some(vec![]));
}
