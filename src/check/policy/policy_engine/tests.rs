use serde_json::{Value, json};

use super::*;
use crate::cluster::Event;
use crate::fixtures::{Answer, answer, cluster};
use crate::model::{ConfigMap, Counts, Template};
use crate::watch;

/// Three nodes with a pod of `shop` on each.
fn bare() -> Cluster {
    ["n1", "n2", "n3"].into_iter().fold(cluster(), |facts, node| {
        facts.node(node).pod_with(&format!("shop/cart-{node}"), |pod| {
            pod.node = Some(node.into());
            pod.labels = [("app", "cart")].into();
        })
    })
}

fn policy(facts: Cluster, name: &str, spec: &str) -> Cluster {
    let (namespace, name) = name.split_once('/').expect("a namespace");
    let spec: Value = serde_saphyr::from_str(spec).expect(spec);
    let policy = json!({ "metadata": { "namespace": namespace, "name": name }, "spec": spec });
    facts.with(watch::event::<NetworkPolicy>(&policy.to_string()))
}

fn deny(facts: Cluster) -> Cluster {
    policy(facts, "shop/deny", "{podSelector: {}, policyTypes: [Ingress]}")
}

/// An engine with a pod on each of some nodes.
fn engine_on(facts: Cluster, nodes: &[&str]) -> Cluster {
    nodes.iter().fold(facts.enforced_by("calico-node"), |facts, node| {
        facts.pod_with(&format!("kube-system/calico-node-{node}"), |pod| {
            pod.node = Some((*node).into());
            pod.daemon_set = Some("calico-node".into());
            pod.host_network = true;
        })
    })
}

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

/// The engines that are known, and what is found.
fn says(facts: &Cluster) -> (Vec<String>, Vec<String>) {
    let Answer { samples, findings, .. } = ask(facts);
    let name = |text: &String| {
        let text = text.strip_prefix("netvitals_policy_engine_info{").expect(text);
        text.strip_suffix("} 1").expect(text).to_owned()
    };
    let code = |text: &String| {
        let (found, _) = text.split_once(": ").expect(text);
        found.replace("policy_engine.", "")
    };
    (samples.iter().map(name).collect(), findings.iter().map(code).collect())
}

#[test]
fn policies_that_nothing_enforces_are_told_once() {
    let two = |facts| policy(deny(facts), "bank/deny", "{podSelector: {}, policyTypes: [Egress]}");
    let set = "not_enforced DaemonSet kube-system/kube-flannel-ds";
    let facts = two(bare().enforced_by("kube-flannel-ds"));
    assert_eq!(says(&facts), (vec!["none".to_owned()], vec![set.to_owned()]));
    let answer = ask(&facts);
    assert_eq!(answer.statement, "there are 2 NetworkPolicies, and nothing to enforce them");
    let message = "it gives pods their network and enforces no policies, and nothing else here is known to: 2 \
                   NetworkPolicies in 2 namespaces, bank is one, close nothing; look at what is to enforce them";
    assert!(answer.findings[0].ends_with(message), "{}", answer.findings[0]);
    let one = ask(&deny(bare().enforced_by("kube-flannel-ds")));
    let message = "1 NetworkPolicy in namespace shop closes nothing";
    assert!(one.findings[0].contains(message), "{}", one.findings[0]);
    // Without policies there is nothing to enforce.
    assert_eq!(says(&bare().enforced_by("kube-flannel-ds")), (vec!["none".to_owned()], vec![]));
}

#[test]
fn an_engine_that_is_told_to_do_nothing_is_told_with_what_told_it() {
    let off: CiliumConfig = ConfigMap::new([("enable-policy".to_owned(), "never".to_owned())]);
    let put = Event::Put(Key::new("kube-system", "cilium-config"), off);
    let cilium = bare().enforced_by("cilium").with(put);
    let k3s = bare().node_with("n1", |node| node.k3s_policies = Some(false));
    let aws = bare().enforced_by("aws-node");
    let aws = aws.with(Event::<PolicyEndpoint>::Begin).with(Event::<PolicyEndpoint>::Done);
    let set = DaemonSet {
        template: Template {
            switches: [("run-firewall".into(), false)].into(),
            host_network: true,
            ..Template::default()
        },
        status: Counts { desired: 2, ..Counts::default() },
        ..DaemonSet::default()
    };
    let router = bare().with(Event::Put(Key::new("kube-system", "kube-router"), set));
    for (facts, found) in [
        (router, "agents_off DaemonSet kube-system/kube-router"),
        (cilium, "cilium_off ConfigMap kube-system/cilium-config"),
        (k3s, "k3s_off Node n1"),
        (aws, "aws_off Namespace kube-system"),
    ] {
        assert_eq!(says(&deny(facts)), (vec!["none".to_owned()], vec![found.to_owned()]));
    }
}

#[test]
fn where_nothing_is_known_it_is_a_gap() {
    let facts = deny(bare().enforced_by("terway-eniip"));
    assert_eq!(says(&facts), (vec!["unknown".to_owned()], vec![]));
    assert_eq!(ask(&facts).gaps.len(), 1);
    let quiet = ask(&bare());
    assert_eq!((quiet.gaps, quiet.findings), (vec![], vec![]));
    let statement = "there are no NetworkPolicies, and nothing that is known to enforce them";
    assert_eq!(quiet.statement, statement);
}

#[test]
fn a_node_without_the_engine_is_told_where_a_policy_selects_its_pods() {
    let on = |nodes: &[&str]| deny(engine_on(bare(), nodes));
    let calico = || vec!["calico".to_owned()];
    assert_eq!(says(&on(&["n1", "n2", "n3"])), (calico(), vec![]));
    assert_eq!(says(&on(&["n1", "n2"])), (calico(), vec!["node_without Node n3".to_owned()]));
    let elsewhere =
        policy(engine_on(bare(), &["n1"]), "shop/p", "{podSelector: {matchLabels: {app: pay}}}");
    assert_eq!(says(&elsewhere), (calico(), vec![]));
    let leaving = on(&["n1", "n2"]).node_with("n3", |node| node.terminating = true);
    assert_eq!(says(&leaving), (calico(), vec![]));
    // One of two is enough.
    let second = on(&["n1"]).enforced_by("kube-router");
    let second = ["n2", "n3"].into_iter().fold(second, |facts, node| {
        facts.pod_with(&format!("kube-system/kube-router-{node}"), |pod| {
            pod.node = Some(node.into());
            pod.daemon_set = Some("kube-router".into());
        })
    });
    assert_eq!(says(&second).1, [] as [&str; 0]);
    // What is no DaemonSet is on every node.
    let k3s = on(&["n1"]).node_with("n1", |node| node.k3s_policies = Some(true));
    assert_eq!(says(&k3s).1, [] as [&str; 0]);
}

#[test]
fn without_its_facts_it_is_unknown() {
    for facts in [
        bare().unlisted::<DaemonSet>(),
        bare().unlisted::<NetworkPolicy>(),
        bare().unlisted::<Node>(),
    ] {
        assert!(ask(&facts).result.is_err());
    }
    assert_eq!(ask(&deny(bare()).undecoded::<DaemonSet>("kube-system/a")).gaps.len(), 2);
}
