use serde_json::{Value, json};

use super::*;
use crate::cluster::Event;
use crate::fixtures::{Answer, answer, cluster};
use crate::model::{Labels, Ports, Protocol};
use crate::watch;

/// A shop with a pod of the cart and its port `http`, the namespace of an ingress controller, and that of DNS.
fn facts() -> Cluster {
    let named = |facts: Cluster, name: &str, labels: Labels| {
        facts.with(Event::Put(Key::new("", name), Namespace { labels, ..Namespace::default() }))
    };
    let facts = named(cluster(), "shop", Labels::default());
    let facts =
        named(facts, "edge", [("team", "edge"), ("kubernetes.io/metadata.name", "edge")].into());
    named(facts, "kube-system", Labels::default())
        .pod_with("shop/cart-1", |pod| {
            pod.ports = Ports::new(vec![("http".into(), 8080, Protocol::Tcp)]);
        })
        .pod("edge/proxy-1")
        .pod("kube-system/coredns-1")
}

fn with(facts: Cluster, spec: &str) -> Cluster {
    let spec: Value = serde_saphyr::from_str(spec).expect(spec);
    let policy = json!({ "metadata": { "namespace": "shop", "name": "p" }, "spec": spec });
    facts.with(watch::event::<NetworkPolicy>(&policy.to_string()))
}

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

fn states(facts: &Cluster) -> String {
    let all = ask(facts).samples.into_iter();
    let all = all.map(|it| it.replace("netvitals_network_policies", ""));
    all.filter(|it| !it.ends_with(" 0")).collect()
}

fn ingress(peers: &str) -> Cluster {
    with(facts(), &format!("{{policyTypes: [Ingress], ingress: [{{from: [{peers}]}}]}}"))
}

#[test]
fn selectors_that_match_something_are_well() {
    for spec in [
        "{}",
        "{podSelector: {matchLabels: {app: cart}}, policyTypes: [Ingress, Egress]}",
        "{ingress: [{}], egress: [{}], policyTypes: [Ingress, Egress]}",
        "{ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]}",
        "{ingress: [{from: [{namespaceSelector: {matchLabels: {team: edge}}}], ports: [{port: 9999}]}]}",
        "{egress: [{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}], policyTypes: [Egress]}",
        "{egress: [{to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: coredns}}}], ports: [{port: dns}]}], \
          policyTypes: [Egress]}",
        // What the API server puts on each namespace, whatever is known of its labels.
        "{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}]}",
    ] {
        let answer = ask(&with(facts(), spec));
        assert_eq!(
            (answer.result, answer.findings, answer.gaps),
            (Ok(()), vec![], vec![]),
            "{spec}"
        );
        assert_eq!(states(&with(facts(), spec)), "{effective} 1", "{spec}");
    }
    assert_eq!(states(&facts()), "");
}

/// As users wrote them; mostly it is meant for what is not there yet.
#[test]
fn policies_of_public_reports_are_told_for_what_they_do() {
    for (report, facts, state) in [
        (
            "the label `name`, which only old guides give namespaces",
            ingress("{namespaceSelector: {matchLabels: {name: kube-system}}}"),
            "{namespace_label} 1",
        ),
        (
            "the same as an expression",
            ingress(
                "{namespaceSelector: {matchExpressions: [{key: name, operator: In, values: [edge]}]}}",
            ),
            "{namespace_label} 1",
        ),
        (
            "beside a peer that is there",
            ingress("{podSelector: {}}, {namespaceSelector: {matchLabels: {name: edge}}}"),
            "{namespace_label} 1",
        ),
        (
            "a monitoring that this cluster does not have",
            ingress(
                "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}",
            ),
            "{no_peers} 1",
        ),
        (
            "such a one beside another",
            ingress("{namespaceSelector: {matchLabels: {name: monitoring}}}, {podSelector: {}}"),
            "{effective} 1",
        ),
        (
            "pods of another namespace, without its selector",
            ingress("{podSelector: {matchLabels: {app: proxy}}}"),
            "{no_peers} 1",
        ),
        (
            "pods that are there, in a namespace where they are not",
            ingress(
                "{namespaceSelector: {matchLabels: {team: edge}}, podSelector: {matchLabels: {app: cart}}}",
            ),
            "{no_peers} 1",
        ),
        (
            "a typing error in what it selects",
            with(
                facts(),
                "{podSelector: {matchLabels: {app: crat}}, ingress: [{ports: [{port: http}]}]}",
            ),
            "{no_pods} 1",
        ),
        (
            "the port's name of the Service",
            with(facts(), "{ingress: [{ports: [{port: web}]}]}"),
            "{port_name} 1",
        ),
        (
            "the port's name, and another protocol",
            with(facts(), "{ingress: [{ports: [{port: http, protocol: UDP}]}]}"),
            "{port_name} 1",
        ),
    ] {
        assert_eq!(states(&facts), state, "{report}");
    }
}

#[test]
fn a_finding_says_which_selector_matches_nothing() {
    assert_eq!(
        ask(&ingress("{namespaceSelector: {matchLabels: {name: edge}}}")).findings,
        [
            "policy_selectors.namespace_label NetworkPolicy shop/p: its ingress asks for namespaces with name=edge, which \
          namespace edge does not have: look at the labels of that namespace, or ask by kubernetes.io/metadata.name"
        ]
    );
    assert_eq!(
        ask(&with(facts(), "{ingress: [{ports: [{port: web}]}]}")).findings,
        [
            "policy_selectors.port_name NetworkPolicy shop/p: its ingress names port web, which none of its pods declares: \
          look at the names of their ports, or give its number"
        ]
    );
}

#[test]
fn pods_on_their_nodes_own_network_are_selected_by_no_policy() {
    let facts = facts().pod_with("shop/cart-1", |pod| pod.host_network = true);
    assert_eq!(states(&with(facts, "{}")), "{no_pods} 1");
}

#[test]
fn what_cannot_be_read_may_be_what_is_meant() {
    let by_name = "{ingress: [{from: [{namespaceSelector: {matchLabels: {name: edge}}}]}]}";
    let namespace = with(facts(), by_name).undecoded::<Namespace>("/other");
    assert_eq!(states(&namespace), "{effective} 1");
    let pod =
        with(facts(), "{podSelector: {matchLabels: {app: crat}}}").undecoded::<Pod>("shop/crat-1");
    let answer = ask(&pod);
    assert_eq!((answer.findings, answer.gaps.len(), states(&pod)), (vec![], 1, String::new()));
    let policy = facts().undecoded::<NetworkPolicy>("shop/p");
    assert_eq!(ask(&policy).gaps[0].0, "networkpolicies");
    for (facts, kind) in [
        (facts().unlisted::<NetworkPolicy>(), "NetworkPolicy"),
        (facts().unlisted::<Pod>(), "Pod"),
        (facts().unlisted::<Namespace>(), "Namespace"),
    ] {
        assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
    }
}
