//! Network policies, enforced.

use std::thread;

use serde_json::{Value, json};

use super::{Sleeper, connects, web};
use crate::cluster::Cluster;
use crate::fault::dig;
use crate::plan::DNS_IP;
use crate::scenario::{Scenario, any};
use crate::wait::{holds, secs, until};
use crate::web as http;

pub(in crate::scenario) const ALL: &[Scenario] =
    &[any("fault_policy_enforced", |stage| policy_enforced(&stage.cluster))];

const POLICIES: &str = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies";

/// Makes a policy, waits until `look` sees it in force, and takes it away.
fn with_policy(cluster: &Cluster, spec: &Value, look: impl FnMut() -> Result<(), String>) {
    let policy = json!({"metadata": {"name": "wall"}, "spec": spec});
    cluster.api().create(POLICIES, &policy);
    until("the policy is in force", secs(60), look);
    cluster.api().delete(&format!("{POLICIES}/wall"), true);
}

/// A policy lets through whom it names, on the same node and from another one, and nobody else.
fn policy_enforced(cluster: &Cluster) {
    let (n1, n2) = (cluster.node("n1"), cluster.node("n2"));
    let (_, there) = web(cluster, "n2");
    let (friend, near, far) = (
        Sleeper::on(cluster, "n1", "friend"),
        Sleeper::on(cluster, "n2", "near"),
        Sleeper::on(cluster, "n1", "far"),
    );
    let addresses = [&friend, &near, &far].map(|pod| pod.runs());
    let reach = || {
        thread::scope(|scope| {
            let there = there.as_str();
            [(n1, &friend), (n2, &near), (n1, &far)]
                .map(|(node, pod)| scope.spawn(move || connects(node, &pod.uid(), there, "8080")))
                .map(|tried| tried.join().unwrap())
        })
    };
    let reached = |wanted: [bool; 3]| {
        let reach = reach();
        holds(reach == wanted, || format!("{reach:?}"))
    };
    let engine = cluster.enforce_policies();
    assert_eq!(reach(), [true, true, true], "before any policy");
    let all = json!({});
    let select = json!({"matchLabels": {"app": "web"}});
    with_policy(cluster, &json!({"podSelector": all, "policyTypes": ["Ingress"]}), || {
        reached([false, false, false])?;
        assert!(http::get(&format!("{there}:8080"), "/").is_ok(), "the lab looks on");
        assert!(n2.try_run(&["timeout", "2", "bash", "-c", &open(&there)]).is_ok(), "its node");
        assert!(dig(n1, DNS_IP, "kubernetes.default.svc.cluster.local").is_ok(), "another one's");
        Ok(())
    });
    let from = json!([{"podSelector": {"matchLabels": {"app": "friend"}}}]);
    let ingress = json!([{"from": from, "ports": [{"port": "http"}]}]);
    with_policy(cluster, &json!({"podSelector": select, "ingress": ingress}), || {
        reached([true, false, false])?;
        assert!(n1.in_pod(&friend.uid(), &["ping", "-c", "1", "-W", "1", &there]).is_err());
        Ok(())
    });
    let except = json!([format!("{}/32", addresses[1])]);
    let from = json!([{"ipBlock": {"cidr": "10.244.0.0/16", "except": except}}]);
    with_policy(cluster, &json!({"podSelector": select, "ingress": [{"from": from}]}), || {
        reached([true, false, true])
    });
    let asks = || {
        let server = format!("@{DNS_IP}");
        let words = [
            "dig",
            "+short",
            "+tries=1",
            "+time=1",
            &server,
            "kubernetes.default.svc.cluster.local",
        ];
        n1.in_pod(&far.uid(), &words).is_ok()
    };
    let dns = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
    });
    let egress = json!([{"to": [dns], "ports": [{"protocol": "UDP", "port": 53}]}]);
    let select = json!({"matchLabels": {"app": "far"}});
    with_policy(
        cluster,
        &json!({"podSelector": select, "egress": egress, "policyTypes": ["Egress"]}),
        || {
            reached([true, true, false])?;
            assert!(asks());
            Ok(())
        },
    );
    with_policy(cluster, &json!({"podSelector": select, "policyTypes": ["Egress"]}), || {
        holds(!asks(), || "it is answered".into())
    });
    until("no policy is in force", secs(60), || reached([true, true, true]));
    engine.heal();
    let left = n2.run(&["iptables", "-w", "-t", "mangle", "-S"]);
    assert!(!left.contains("NFQUEUE"), "{left}");
}

fn open(ip: &str) -> String {
    format!("exec 3<>/dev/tcp/{ip}/8080")
}
