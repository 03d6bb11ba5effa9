//! The example for Alertmanager: what is still told when one thing breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use promql_parser::label::Matchers;
use promql_parser::parser::{Expr, parse};

use super::source;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    inhibit_rules: Vec<Inhibition>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Inhibition {
    source_matchers: Vec<String>,
    target_matchers: Vec<String>,
    equal: Vec<String>,
}

type Labels = BTreeMap<String, String>;

fn example() -> Vec<Inhibition> {
    let text = fs::read_to_string("alerts/inhibition.yaml").expect("the example");
    serde_saphyr::from_str::<Example>(&text).expect("rules of Alertmanager").inhibit_rules
}

/// An inhibition with its matchers read, which are written as those of PromQL.
struct Read {
    source: Matchers,
    target: Matchers,
    equal: Vec<String>,
}

fn matchers(texts: &[String]) -> Matchers {
    match parse(&format!("{{{}}}", texts.join(", "))) {
        Ok(Expr::VectorSelector(selector)) => selector.matchers,
        other => panic!("{texts:?}: {other:?}"),
    }
}

fn matches(matchers: &Matchers, alert: &Labels) -> bool {
    let value = |name: &str| alert.get(name).map_or("", String::as_str);
    matchers.matchers.iter().all(|it| it.is_match(value(&it.name)))
}

impl From<Inhibition> for Read {
    fn from(it: Inhibition) -> Self {
        let (source, target) = (matchers(&it.source_matchers), matchers(&it.target_matchers));
        Self { source, target, equal: it.equal }
    }
}

impl Read {
    /// Whether `source` keeps `target` back. What is on both sides does not keep itself back.
    fn mutes(&self, source: &Labels, target: &Labels) -> bool {
        let both = matches(&self.target, source) && matches(&self.source, target);
        matches(&self.source, source)
            && matches(&self.target, target)
            && !both
            && self.equal.iter().all(|name| source.get(name) == target.get(name))
    }
}

/// Reads `Name severity label=value…`, one alert a line.
fn alerts(text: &str) -> Vec<Labels> {
    let alert = |line: &str| {
        let mut words = line.split_whitespace();
        let name = format!("Netvitals{}", words.next().expect("a name"));
        let severity = words.next().expect("a severity");
        let rest = words.map(|word| word.split_once('=').expect("a label"));
        let first = [("alertname", &*name), ("severity", severity)];
        first.into_iter().chain(rest).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(alert).collect()
}

/// Returns what is told of these alerts.
fn told(text: &str) -> Vec<Labels> {
    let example: Vec<Read> = example().into_iter().map(Read::from).collect();
    let all = alerts(text);
    let is_kept_back =
        |it: &Labels| example.iter().any(|rule| all.iter().any(|source| rule.mutes(source, it)));
    all.iter().filter(|it| !is_kept_back(it)).cloned().collect()
}

#[test]
fn one_dead_node_is_one_alert() {
    let node = "
        NodeUnreachable warning cluster=east node=n1
        NodeNetworkNotReady warning cluster=east node=n1
        PodUnreachable warning cluster=east node=n1
        ServiceUnreachable warning cluster=east node=n1
        AgentMissing warning cluster=east kind=Node name=n1 node=n1
        DNSReplicaFailing warning cluster=east namespace=kube-system pod=coredns-1 node=n1
        CoreDNSThrottled warning cluster=east namespace=kube-system pod=coredns-1 node=n1
        DNSSuccessLow warning cluster=east node=n1
        Down warning cluster=east role=target instance=10.0.0.1:12350 job=netvitals-agent
        Down warning cluster=east role=target instance=10.0.0.1:12351 job=netvitals-host-agent node=n1";
    assert_eq!(told(node), alerts("NodeUnreachable warning cluster=east node=n1"));
}

#[test]
fn a_node_that_starts_no_pod_is_told_by_what_is_to_be_repaired() {
    let text = "
        IPPoolExhausted warning cluster=east kind=Node name=n1 node=n1
        PodSandboxFailing warning cluster=east node=n1
        PodSandboxFailing warning cluster=east node=n2
        AgentMissing warning cluster=east kind=Node name=n2 node=n2
        PodsStuckOnNetwork warning cluster=east";
    let left = "
        IPPoolExhausted warning cluster=east kind=Node name=n1 node=n1
        PodSandboxFailing warning cluster=east node=n2
        PodsStuckOnNetwork warning cluster=east";
    assert_eq!(told(text), alerts(left));
}

#[test]
fn another_node_and_another_cluster_are_told() {
    let others = "
        PodUnreachable warning cluster=east node=n2
        PodUnreachable warning cluster=west node=n1
        Down warning cluster=west role=target instance=10.0.0.1:12350 job=netvitals-agent
        EndpointsMismatch warning cluster=east kind=Service namespace=shop name=cart
        DNSSuccessLow critical cluster=east";
    let node = format!("NodeUnreachable warning cluster=east node=n1{others}");
    assert_eq!(told(&node), alerts(&node));
}

#[test]
fn deleted_daemon_sets_are_one_alert_for_each() {
    let text = "
        AgentMissing critical vantage=pod
        AgentMissing critical vantage=host
        AgentMissing warning kind=Node name=n1 node=n1
        AgentMissing warning kind=Node name=n2 node=n2
        AgentMissing warning kind=Node name=n3 node=n3
        Down critical role=agent
        Down warning role=target instance=a1 job=netvitals-agent
        SourceStale warning source=agents
        CheckUnknown warning check=dns_success
        CheckUnknown warning check=dns_answers
        CheckUnknown warning check=coredns_throttling
        CheckUnknown warning check=node_reachability
        CheckUnknown warning check=pod_reachability
        CheckUnknown warning check=service_reachability
        CheckUnknown info check=agents part=pods";
    let left = "
        AgentMissing critical vantage=pod
        AgentMissing critical vantage=host";
    assert_eq!(told(text), alerts(left));
}

#[test]
fn a_blind_cluster_role_is_one_alert() {
    let text = "
        SourceStale critical
        SourceStale warning source=pods
        SourceStale warning source=nodes
        CheckUnknown warning check=ip_pools
        CheckUnknown info check=agents part=pods";
    assert_eq!(told(text), alerts("SourceStale critical"));
    let text = "
        Down critical role=cluster
        Down warning role=target instance=c1 job=netvitals-cluster
        Down warning role=target instance=c2 job=netvitals-cluster";
    assert_eq!(told(text), alerts("Down critical role=cluster"));
}

#[test]
fn the_nodes_of_a_critical_alert_are_not_told_one_by_one() {
    let text = "
        DNSSuccessLow critical cluster=east
        DNSSuccessLow warning cluster=east node=n1
        DNSSuccessLow warning cluster=east node=n2
        DNSLatencyHigh warning cluster=east
        DNSReplicaFailing warning cluster=east namespace=kube-system pod=coredns-1 node=n3
        DNSSuccessLow warning cluster=west node=n1";
    let left = "
        DNSSuccessLow critical cluster=east
        DNSSuccessLow warning cluster=west node=n1";
    assert_eq!(told(text), alerts(left));
}

#[test]
fn dns_that_nobody_serves_is_told_with_what_users_feel() {
    let text = "
        DNSServersDown critical cluster=east namespace=kube-system name=kube-dns
        DNSServersDown warning cluster=east namespace=kube-system pod=coredns-1
        DNSServersFragile warning cluster=east namespace=kube-system name=kube-dns
        DNSReplicaFailing warning cluster=east namespace=kube-system pod=coredns-1 node=n1
        DNSSuccessLow critical cluster=east
        DNSServersDown warning cluster=west namespace=kube-system pod=coredns-1";
    let left = "
        DNSServersDown critical cluster=east namespace=kube-system name=kube-dns
        DNSSuccessLow critical cluster=east
        DNSServersDown warning cluster=west namespace=kube-system pod=coredns-1";
    assert_eq!(told(text), alerts(left));
}

#[test]
fn a_low_limit_is_not_told_beside_what_comes_of_it() {
    let text = "
        CoreDNSThrottled warning cluster=east namespace=kube-system pod=coredns-1 node=n1
        CoreDNSUnderprovisioned warning cluster=east kind=Service namespace=kube-system name=kube-dns
        CoreDNSUnderprovisioned warning cluster=east kind=Pod namespace=kube-system name=coredns-1
        CoreDNSThrottled info cluster=west namespace=kube-system pod=coredns-1 node=n1
        CoreDNSUnderprovisioned warning cluster=west kind=Service namespace=kube-system name=kube-dns";
    let left = "
        CoreDNSThrottled warning cluster=east namespace=kube-system pod=coredns-1 node=n1
        CoreDNSUnderprovisioned warning cluster=east kind=Pod namespace=kube-system name=coredns-1
        CoreDNSThrottled info cluster=west namespace=kube-system pod=coredns-1 node=n1
        CoreDNSUnderprovisioned warning cluster=west kind=Service namespace=kube-system name=kube-dns";
    assert_eq!(told(text), alerts(left));
}

#[test]
fn what_coredns_is_told_stands_for_its_pods_and_not_for_what_users_feel() {
    let text = "
        CoreDNSMisconfigured critical cluster=east kind=ConfigMap namespace=kube-system name=coredns
        CoreDNSMisconfigured warning cluster=east kind=ConfigMap namespace=kube-system name=coredns
        DNSServersDown warning cluster=east namespace=kube-system pod=coredns-1
        DNSServersDown critical cluster=east namespace=kube-system name=kube-dns
        DNSReplicaFailing warning cluster=east namespace=kube-system pod=coredns-1 node=n1
        DNSSuccessLow warning cluster=east node=n1
        CoreDNSMisconfigured warning cluster=west kind=ConfigMap namespace=kube-system name=coredns
        DNSServersDown warning cluster=west namespace=kube-system pod=coredns-1";
    let left = "
        CoreDNSMisconfigured critical cluster=east kind=ConfigMap namespace=kube-system name=coredns
        DNSServersDown critical cluster=east namespace=kube-system name=kube-dns
        DNSSuccessLow warning cluster=east node=n1
        CoreDNSMisconfigured warning cluster=west kind=ConfigMap namespace=kube-system name=coredns
        DNSServersDown warning cluster=west namespace=kube-system pod=coredns-1";
    assert_eq!(told(text), alerts(left));
}

#[test]
fn a_policy_on_netvitals_itself_is_one_alert() {
    let text = "
        AgentMissing warning kind=NetworkPolicy namespace=netvitals name=deny-all
        NodeUnreachable warning node=n1
        PodUnreachable critical role=nobody_left
        ServiceUnreachable critical kind=Service namespace=default name=kubernetes
        DNSReplicaFailing warning namespace=kube-system pod=coredns-1 node=n1
        DNSBlockedByPolicy warning namespace=netvitals name=deny-all
        DNSBlockedByPolicy warning namespace=shop name=deny-all
        ServiceBlockedByPolicy warning namespace=netvitals name=netvitals-agent
        ServiceBlockedByPolicy warning namespace=shop name=cart";
    let left = "
        AgentMissing warning kind=NetworkPolicy namespace=netvitals name=deny-all
        DNSBlockedByPolicy warning namespace=shop name=deny-all
        ServiceBlockedByPolicy warning namespace=shop name=cart";
    assert_eq!(told(text), alerts(left));
}

#[test]
fn a_service_that_lets_nobody_in_is_told_once() {
    let text = "
        ServiceBlockedByPolicy warning namespace=shop name=cart
        IngressBlockedByPolicy warning namespace=shop name=cart
        IngressBlockedByPolicy warning namespace=shop name=api";
    let left = "
        ServiceBlockedByPolicy warning namespace=shop name=cart
        IngressBlockedByPolicy warning namespace=shop name=api";
    assert_eq!(told(text), alerts(left));
}

#[test]
fn it_names_alerts_and_labels_that_exist() {
    let rules = source::rules();
    let names: BTreeSet<&str> = rules.iter().map(|rule| &*rule.alert).collect();
    let mut labels: BTreeSet<&str> = ["alertname", "cluster"].into();
    for rule in rules.iter() {
        labels.extend(rule.labels.keys().map(String::as_str));
        let kept = rule.expr.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
        labels.extend(kept.flat_map(|kept| kept.split(", ")));
    }
    for Inhibition { source_matchers, target_matchers, equal } in &example() {
        for matcher in source_matchers.iter().chain(target_matchers) {
            let named = matcher.split(|it: char| !it.is_ascii_alphanumeric());
            for word in named.filter(|word| word.len() > 9 && word.starts_with("Netvitals")) {
                assert!(names.contains(word), "{word} is no alert");
            }
        }
        for label in equal {
            assert!(labels.contains(label.as_str()), "no alert has the label {label}");
        }
    }
}
