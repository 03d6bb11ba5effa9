use std::net::IpAddr;

use serde_json::{Value, json};

use super::*;
use crate::cluster::Event;
use crate::fixtures::says::{asks, row};
use crate::fixtures::{Answer, answer, cluster};
use crate::model::{
    DnsPath, ForeignPolicy, Ports, ServicePort, Skipped, TargetPort, Unknown, Vantage,
};
use crate::report::remedy;
use crate::watch;

/// Two DNS pods that answer on `port`, two pods of a shop, and something that enforces policies.
fn at_port(port: u16) -> Cluster {
    unenforced(port).enforced_by("calico-node")
}

fn unenforced(port: u16) -> Cluster {
    let mut facts = cluster();
    for name in ["kube-system", "shop"] {
        facts = facts.with(Event::Put(Key::new("", name), Namespace::default()));
    }
    let service_port = |name: &str, protocol| ServicePort {
        name: name.into(),
        port: 53,
        protocol,
        target: TargetPort::Number(port),
    };
    let dns = Service {
        selector: [("k8s-app", "kube-dns")].into(),
        addresses: vec![IpAddr::from([10, 96, 0, 10])],
        ports: vec![service_port("dns", Protocol::Udp), service_port("dns-tcp", Protocol::Tcp)],
        ..Service::default()
    };
    facts = facts.with(Event::Put(Key::new("kube-system", "kube-dns"), dns));
    for at in [1, 2] {
        facts = facts.pod_with(&format!("kube-system/coredns-{at}"), |pod| {
            pod.labels = [("k8s-app", "kube-dns"), ("zone", ["a", "b"][at - 1])].into();
            pod.ports = Ports::new(vec![("udp-53".into(), port, Protocol::Udp)]);
            pod.own_dns = true;
        });
    }
    facts.pod("shop/cart-1").pod("shop/cart-2")
}

fn facts() -> Cluster {
    at_port(53)
}

/// A cache on each node, on that node's own network or not.
fn cached(facts: Cluster, host_network: bool) -> Cluster {
    facts.pod_with("kube-system/node-local-dns-1", |pod| {
        pod.labels = [("k8s-app", "node-local-dns")].into();
        pod.daemon_set = Some("cache".into());
        pod.host_network = host_network;
        pod.own_dns = true;
    })
}

fn policy(name: &str, spec: &str) -> Event<NetworkPolicy> {
    let spec: Value = serde_saphyr::from_str(spec).expect(spec);
    let policy = json!({ "metadata": { "namespace": "shop", "name": name }, "spec": spec });
    watch::event::<NetworkPolicy>(&policy.to_string())
}

fn with(facts: Cluster, name: &str, spec: &str) -> Cluster {
    facts.with(policy(name, spec))
}

/// A policy of the shop with these rules of egress.
fn egress(facts: Cluster, rules: &str) -> Cluster {
    with(facts, "p", &format!("{{policyTypes: [Egress], egress: {rules}}}"))
}

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

/// Returns how many pods are let what.
fn numbers(facts: &Cluster) -> Vec<String> {
    let all = ask(facts).samples.into_iter();
    let all = all.map(|it| it.replace("netvitals_policy_dns_egress_pods", ""));
    all.filter(|it| !it.ends_with(" 0")).collect()
}

fn parts(facts: &Cluster) -> Vec<&'static str> {
    ask(facts).gaps.into_iter().map(|(part, _)| part).collect()
}

const TO_DNS: &str =
    "to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]";

const UDP_AND_TCP: &str = "ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]";

#[test]
fn pods_that_no_policy_isolates_may_ask() {
    let answer = ask(&facts());
    assert_eq!((answer.result, answer.findings), (Ok(()), vec![]));
    assert_eq!(numbers(&facts()), ["{allowed} 2"]);
    let ingress = with(facts(), "p", "{policyTypes: [Ingress]}");
    assert_eq!(numbers(&ingress), ["{allowed} 2"]);
}

#[test]
fn what_is_let_is_judged_pod_by_pod_behind_the_service() {
    for (rules, number) in [
        (format!("[{{{TO_DNS}}}]"), "{allowed} 2"),
        (format!("[{{{TO_DNS}, {UDP_AND_TCP}}}]"), "{allowed} 2"),
        (format!("[{{{UDP_AND_TCP}}}]"), "{allowed} 2"),
        ("[{to: [{podSelector: {}}]}]".to_owned(), "{blocked} 2"),
        (
            "[{to: [{namespaceSelector: {}, podSelector: {matchLabels: {zone: a}}}]}]".to_owned(),
            "{partly_blocked} 2",
        ),
        ("[]".to_owned(), "{closed} 2"),
        ("[{to: [{}]}]".to_owned(), "{unknown} 2"),
    ] {
        assert_eq!(numbers(&egress(facts(), &rules)), [number], "{rules}");
    }
}

/// As users wrote them, and found no name resolved, or one now and then.
#[test]
fn policies_of_public_reports_are_told_for_what_they_do() {
    let to = |namespace: &str, port: &str| {
        format!("[{{to: [{{namespaceSelector: {{matchLabels: {namespace}}}}}], ports: {port}}}]")
    };
    let kube_system = "{kubernetes.io/metadata.name: kube-system}";
    let both = "[{port: 53, protocol: UDP}, {port: 53}]";
    for (report, rules, number) in [
        ("everything that it needs", to(kube_system, both), "{allowed} 2"),
        ("a label that the namespace lacks", to("{name: kube-system}", both), "{blocked} 2"),
        ("UDP alone", to(kube_system, "[{port: 53, protocol: UDP}]"), "{tcp_blocked} 2"),
        ("TCP alone, which is the default", to(kube_system, "[{port: 53}]"), "{blocked} 2"),
        (
            "ports and peers in one rule, where two were meant",
            "[{to: [{namespaceSelector: {matchLabels: {team: space2}}}], ports: [{port: 53}, \
             {port: 53, protocol: UDP}]}]"
                .to_owned(),
            "{blocked} 2",
        ),
        (
            "all but private addresses, and DNS wherever it is",
            "[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}, \
             {ports: [{port: 53, protocol: UDP}, {port: 53}]}]"
                .to_owned(),
            "{allowed} 2",
        ),
        (
            "all but private addresses",
            "[{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]".to_owned(),
            "{blocked} 2",
        ),
        (
            "the name of a port that DNS pods have otherwise",
            to(kube_system, "[{port: dns, protocol: UDP}]"),
            "{unknown} 2",
        ),
        (
            "the address of the Service",
            format!("[{{to: [{{ipBlock: {{cidr: 10.96.0.10/32}}}}], {UDP_AND_TCP}}}]"),
            "{blocked} 2",
        ),
    ] {
        assert_eq!(numbers(&egress(facts(), &rules)), [number], "{report}");
    }
}

/// As on OpenShift, where port 53 of the Service leads to 5353 of the pods.
#[test]
fn the_port_is_that_of_the_pods_and_the_finding_says_which() {
    let of = |ports: &str| egress(at_port(5353), &format!("[{{{TO_DNS}, ports: {ports}}}]"));
    let blocked = of("[{port: 53, protocol: UDP}, {port: 53}]");
    assert_eq!(
        ask(&blocked).findings,
        ["policy_dns_egress.blocked NetworkPolicy shop/p: it keeps 2 pods, cart-1 of them, from \
             asking any DNS pod, on port 5353: look at the ports and peers of its egress"]
    );
    assert_eq!(numbers(&of("[{port: 5353, protocol: UDP}, {port: 5353}]")), ["{allowed} 2"]);
    assert_eq!(numbers(&of("[{port: udp-53, protocol: UDP}, {port: 5353}]")), ["{allowed} 2"]);
}

#[test]
fn pods_with_the_same_policies_are_one_finding_that_names_one_that_lets_something() {
    let shut = "{podSelector: {matchLabels: {app: cart}}, policyTypes: [Egress]}";
    let to_own = "{egress: [{to: [{podSelector: {}}]}]}";
    let facts = with(with(facts(), "a", shut), "b", to_own).pod("shop/pay-1");
    assert_eq!(
        ask(&facts).findings,
        ["policy_dns_egress.blocked NetworkPolicy shop/b: it keeps 3 pods, cart-1 of them, from \
             asking any DNS pod, on port 53, together with 1 more: look at the ports and peers of \
             its egress"]
    );
    let gone = facts.with(Event::<NetworkPolicy>::Gone(Key::new("shop", "b")));
    assert_eq!(
        ask(&gone).findings,
        ["policy_dns_egress.closed NetworkPolicy shop/a: it lets 2 pods, cart-1 of them, send \
             nothing at all, DNS included: look at whether they resolve names"]
    );
    assert_eq!(numbers(&gone), ["{allowed} 1", "{closed} 2"]);
}

#[test]
fn pods_that_do_not_ask_cluster_dns_are_left_out() {
    let changes: [fn(&mut Pod); 4] = [
        |pod| pod.own_dns = true,
        |pod| pod.host_network = true,
        |pod| pod.ended = true,
        |pod| pod.terminating = true,
    ];
    for change in changes {
        let mut facts = egress(facts(), "[{to: [{podSelector: {}}]}]");
        for pod in ["shop/cart-1", "shop/cart-2"] {
            facts = facts.pod_with(pod, change);
        }
        assert_eq!(ask(&facts).findings, [""; 0]);
        assert_eq!(numbers(&facts), [""; 0]);
    }
}

#[test]
fn a_cache_on_each_node_is_what_pods_ask_so_that_both_ways_must_be_open() {
    let to = |ranges: &[&str]| {
        let peers = ranges.iter().map(|range| format!("{{ipBlock: {{cidr: {range}}}}}"));
        format!("[{{to: [{}]}}]", peers.collect::<Vec<_>>().join(", "))
    };
    let pods = format!("[{{{TO_DNS}, {UDP_AND_TCP}}}]");
    for (rules, number) in [
        (to(&["169.254.20.10/32", "10.96.0.10/32"]), "{allowed} 2"),
        (format!("[{{{UDP_AND_TCP}}}]"), "{allowed} 2"),
        // Which of the two a kubelet tells pods is not in the API, and no agent has said.
        (to(&["169.254.20.10/32"]), "{unknown} 2"),
        (to(&["10.96.0.10/32"]), "{unknown} 2"),
        (pods.clone(), "{unknown} 2"),
        (to(&["10.9.0.0/16"]), "{unknown} 2"),
        ("[]".to_owned(), "{closed} 2"),
    ] {
        assert_eq!(numbers(&egress(cached(facts(), true), &rules)), [number], "{rules}");
    }
    assert_eq!(parts(&egress(cached(facts(), true), &pods)), ["caches"]);
    // Where it has an address of its own, an engine may lead there what is sent to the Service.
    let to_both = "[{to: [{namespaceSelector: {}, podSelector: {matchExpressions: \
                   [{key: k8s-app, operator: In, values: [kube-dns, node-local-dns]}]}}]}]";
    for (rules, number) in [
        (to_both, "{allowed} 2"),
        (pods.as_str(), "{unknown} 2"),
        ("[{to: [{podSelector: {}}]}]", "{blocked} 2"),
    ] {
        assert_eq!(numbers(&egress(cached(facts(), false), rules)), [number], "{rules}");
    }
    assert_eq!(numbers(&cached(facts(), true)), ["{allowed} 2"]);
}

#[test]
fn what_the_agents_pods_were_told_to_ask_is_what_others_ask() {
    let told = |facts: Cluster, paths: &[DnsPath]| {
        facts.says("a", Vantage::Pod, asks(paths.iter().map(|path| row(*path, 30, 0))))
    };
    let service = &[DnsPath::Resolver, DnsPath::Service][..];
    let link_local = &[DnsPath::Resolver, DnsPath::Nodelocal, DnsPath::Service][..];
    let to = |range: &str| format!("[{{to: [{{ipBlock: {{cidr: {range}}}}}]}}]");
    let pods = format!("[{{{TO_DNS}, {UDP_AND_TCP}}}]");
    for (facts, paths, rules, number) in [
        (cached(facts(), true), service, to("10.96.0.10/32"), "{allowed} 2"),
        (cached(facts(), true), service, to("169.254.20.10/32"), "{unknown} 2"),
        (cached(facts(), true), link_local, to("169.254.20.10/32"), "{allowed} 2"),
        (cached(facts(), true), link_local, to("10.96.0.10/32"), "{unknown} 2"),
        // A cloud's resolver, while nobody asks the DNS pods.
        (facts(), link_local, pods.clone(), "{unknown} 2"),
        (facts(), link_local, to("169.254.169.254/32"), "{allowed} 2"),
        (facts(), service, pods, "{allowed} 2"),
    ] {
        let facts = egress(told(facts, paths), &rules);
        assert_eq!(numbers(&facts), [number], "{paths:?} {rules}");
    }
}

#[test]
fn where_engines_differ_it_is_a_gap() {
    let by_service = format!("[{{to: [{{ipBlock: {{cidr: 10.96.0.10/32}}}}], {UDP_AND_TCP}}}]");
    let by_range = "[{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]".to_owned();
    let by_labels = format!("[{{to: [{{ipBlock: {{cidr: 0.0.0.0/0}}}}]}}, {{{TO_DNS}}}]");
    let by_name = "[{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: udp-53, protocol: UDP}]}]";
    let cases: [(&str, &str, &str, &[&str]); 6] = [
        ("kube-network-policies", by_name, "{unknown} 2", &["ports"]),
        ("calico-node", &by_service, "{blocked} 2", &[]),
        ("kube-router", &by_service, "{unknown} 2", &["service_address"]),
        ("calico-node", &by_range, "{allowed} 2", &[]),
        ("cilium", &by_range, "{unknown} 2", &["ranges"]),
        ("cilium", &by_labels, "{allowed} 2", &[]),
    ];
    for (name, rules, number, gaps) in cases {
        let facts = egress(facts().enforced_by(name), rules);
        assert_eq!(numbers(&facts), [number], "{name}: {rules}");
        assert_eq!(parts(&facts), gaps, "{name}: {rules}");
    }
}

#[test]
fn what_would_be_blocked_is_a_gap_where_nothing_is_known_to_enforce_it() {
    let none = || unenforced(53).enforced_by("terway-eniip");
    for rules in ["[]", "[{to: [{podSelector: {}}]}]"] {
        let facts = egress(none(), rules);
        assert_eq!(numbers(&facts), ["{unknown} 2"], "{rules}");
        assert_eq!((parts(&facts), ask(&facts).findings), (vec!["engine"], vec![]), "{rules}");
    }
    let open = egress(none(), "[{}]");
    assert_eq!((numbers(&open), parts(&open)), (vec!["{allowed} 2".to_owned()], vec![]));
}

#[test]
fn what_nothing_enforces_keeps_nobody_from_dns() {
    let facts = egress(unenforced(53).enforced_by("kube-flannel-ds"), "[]");
    assert_eq!((numbers(&facts), parts(&facts)), (vec!["{allowed} 2".to_owned()], vec![]));
    let statement = "2 of 2 pods may ask every DNS pod: nothing enforces policies here";
    assert_eq!(ask(&facts).statement, statement);
}

#[test]
fn a_policy_of_another_api_leaves_it_open_for_those_whom_it_selects() {
    let also = |app: &str| {
        let spec = json!({ "endpointSelector": { "matchLabels": { "app": app } } });
        let policy = json!({ "metadata": { "namespace": "shop", "name": "q" }, "spec": spec });
        egress(facts(), "[]").with(watch::event::<ForeignPolicy<9>>(&policy.to_string()))
    };
    assert_eq!(numbers(&also("pay")), ["{closed} 2"]);
    let open = also("cart");
    assert_eq!(numbers(&open), ["{unknown} 2"]);
    assert_eq!((parts(&open), ask(&open).findings), (vec!["networkpolicies"], vec![]));
}

#[test]
fn dns_on_the_nodes_own_network_or_behind_no_selector_is_a_gap() {
    let rules = format!("[{{{TO_DNS}}}]");
    let mut on_nodes = egress(facts(), &rules);
    for pod in ["kube-system/coredns-1", "kube-system/coredns-2"] {
        on_nodes = on_nodes.pod_with(pod, |pod| {
            pod.labels = [("k8s-app", "kube-dns")].into();
            pod.host_network = true;
        });
    }
    let elsewhere = Event::Put(Key::new("kube-system", "kube-dns"), Service::default());
    let elsewhere = egress(facts(), &rules).with(elsewhere);
    for facts in [on_nodes, elsewhere] {
        assert_eq!(numbers(&facts), ["{unknown} 2"]);
        assert_eq!(parts(&facts), ["dns_pods"]);
    }
}

#[test]
fn the_policy_that_it_tells_to_make_opens_the_way_for_whom_the_other_one_selects() {
    let selects = "podSelector: {matchLabels: {app: cart}, matchExpressions: \
                   [{key: app, operator: NotIn, values: [pay]}, {key: x, operator: DoesNotExist}]}";
    for (facts, rules) in [
        (at_port(5353), "[{to: [{podSelector: {}}]}]"),
        (at_port(5353), "[]"),
        (facts(), "[{ports: [{port: 53, protocol: UDP}]}]"),
        (cached(facts(), true), "[]"),
        (cached(facts(), false), "[{to: [{podSelector: {}}]}]"),
    ] {
        let spec = format!("{{{selects}, policyTypes: [Egress], egress: {rules}}}");
        let facts = with(facts, "p", &spec).pod("shop/pay-1");
        let mut out = Output::default();
        CHECK.ask(&facts, &mut out).expect("an answer");
        let commands = remedy::commands(&out.findings[0]).map(|(_, command)| command);
        let makes: Vec<String> = commands.filter(|command| command.contains(" create ")).collect();
        let [make] = &makes[..] else { panic!("{makes:?}") };
        let made = make.strip_prefix("kubectl -n shop create -f - <<< '").expect(make);
        let made = made.strip_suffix('\'').expect(make);
        let mut made: Value = serde_json::from_str(made).expect(make);
        assert_eq!(made["metadata"]["name"], "p-dns");
        made["metadata"]["namespace"] = "shop".into();
        let facts = facts.with(watch::event::<NetworkPolicy>(&made.to_string()));
        assert_eq!(numbers(&facts), ["{allowed} 3"], "{rules}");
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_a_gap_for_its_namespace_alone() {
    let facts = egress(facts(), "[]").pod("bank/pay-1").undecoded::<NetworkPolicy>("shop/other");
    assert_eq!(numbers(&facts), ["{allowed} 1", "{unknown} 2"]);
    assert_eq!(parts(&facts), ["networkpolicies"]);
}

#[test]
fn what_cannot_be_read_is_unknown_once_it_is_asked_for() {
    let isolated = || egress(facts(), "[]");
    for (facts, kind) in [
        (facts().unlisted::<NetworkPolicy>(), "NetworkPolicy"),
        (facts().unlisted::<Pod>(), "Pod"),
        (facts().unlisted::<Service>(), "Service"),
    ] {
        assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
    }
    let gone =
        |facts: Cluster| facts.with(Event::<Service>::Gone(Key::new("kube-system", "kube-dns")));
    let not_found = Unknown::NotFound("the Service that dns_service names");
    assert_eq!(ask(&gone(isolated())).result, Err(not_found.into()));
    assert_eq!(ask(&gone(facts())).result, Ok(()));
    let mut down = isolated();
    for pod in ["coredns-1", "coredns-2"] {
        down = down.with(Event::<Pod>::Gone(Key::new("kube-system", pod)));
    }
    assert_eq!(ask(&down).result, Err(Skipped::NotApplicable.into()), "`dns_servers` tells it");
}
