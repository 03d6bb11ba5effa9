//! Network policies and netvitals.

use serde_json::json;

use crate::netvitals::{Part, findings, roots};
use crate::stage::{Stage, listed};
use crate::wait::secs;

const POLICIES: &str = "/apis/networking.k8s.io/v1/namespaces/netvitals/networkpolicies";

/// Somebody else's policy forbids every pod of netvitals everything.
pub(super) fn foreign_deny(stage: &Stage) {
    stage.quick();
    let policy = json!({
        "metadata": {"name": "default-deny"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    });
    stage.cluster.api().create(POLICIES, &policy);
    let fault = stage.cluster.policies("netvitals").enforce();
    let [one, other, ..] = &stage.cluster.netvitals(Part::Agent)[..] else { panic!("no agents") };
    let connect = format!("exec 3<>/dev/tcp/{}/12350", other.ip);
    let node = stage.cluster.node(&one.node);
    let connected = node.in_pod(&one.uid, &["timeout", "2", "bash", "-c", &connect]);
    assert!(connected.is_err(), "the drops are not there");
    let object = "NetworkPolicy netvitals/default-deny";
    stage.finds("agents.restricted_by_policy", object, secs(60));
    // Several windows. What the agents see through the drops may be found, as its consequence; a node is never at fault.
    for _ in 0..9 {
        stage.cluster.rest(secs(5));
        for page in stage.cluster.verdicts().unwrap() {
            let mut open = findings(&page, false);
            open.retain(|found| !found.code.starts_with("agents."));
            let named = roots(&page);
            let policy = ("agents.restricted_by_policy".to_owned(), object.to_owned());
            let explained = named == [policy];
            assert!(open.is_empty() || explained, "{}; root causes: {named:?}", listed(&open));
        }
    }
    stage.finds("agents.restricted_by_policy", object, secs(10));
    fault.heal();
    stage.cluster.api().delete(&format!("{POLICIES}/default-deny"), true);
    stage.healthy(secs(180));
}
