//! Do pods reach pods on other nodes?
//!
//! Services, names and everything above go over the network of the pods. Where it is broken while
//! nodes reach each other, the overlay or its routes are, and the finding says so.
//!
//! Each agent on the pod network connects to agents on other nodes; a connection that is refused
//! proves the path as well. It reads observations, and of the API only who is young, leaving or
//! gone: an outage of the API must not blind it. Left out: echo requests, which many sites drop by
//! design and which are only a hint; pods on the same node, which no overlay lies between.

use std::collections::BTreeSet;

use super::mesh::{Mesh, Reaching};
use super::{GRACE, Words, node_reachability, tell};
use crate::check::{Check, Code, Layer, Output, Remedy, Symptom};
use crate::cluster::Cluster;
use crate::cluster::agents::Agents;
use crate::family::Family;
use crate::model::{Fact, Name, Namespace, Node, ProbeKind, Skipped, Target, Unanswered, Vantage};

/// Judges connections between agents on the pod network.
pub static CHECK: Check = Check {
    id: "pod_reachability",
    layer: Layer::Connectivity,
    question: "Do pods reach pods on other nodes?",
    runbook: "NetvitalsPodUnreachable",
    needs: &[],
    wants: &[Node::KIND],
    families: &[OBSERVERS.desc(), FAILING.desc()],
    codes: &[&UNREACHABLE, &ONE_WAY, &NOBODY_LEFT],
    run,
};

static OBSERVERS: Family<1> = Family::gauge(
    "netvitals_pod_network_observers",
    "Agents that try to reach a pod on a node, without those that are at fault themselves.",
    ["node"],
);

static FAILING: Family<1> = Family::gauge(
    "netvitals_pod_network_failing_observers",
    "Agents that try to reach a pod on a node and mostly fail, of those that observe it.",
    ["node"],
);

/// Most of those that look at a pod on a node do not reach it.
pub static UNREACHABLE: Code = Code::problem("pod_reachability.unreachable", &[Node::KIND])
    .after(GRACE)
    .explain("Pods on other nodes do not reach the pods on a node.")
    .felt_as(&[Symptom::PodsFromOutside, Symptom::AgentsReach, Symptom::AgentsAnswer])
    .remedies(&[PODS, ROUTES, LOG, RESTART, VERIFY]);

/// Pods of a node reach no others, while others reach them.
pub static ONE_WAY: Code = Code::warning("pod_reachability.one_way", &[Node::KIND])
    .after(GRACE)
    .explain("Pods on a node reach hardly any pod on other nodes, while others reach them.")
    .felt_as(&[Symptom::PodsFromOutside, Symptom::AgentsReach, Symptom::AgentsAnswer])
    .remedies(&[POLICIES, ROUTES, LOG, RESTART, VERIFY]);

/// Pods of several nodes do not reach each other, and none is left to say whose fault it is.
pub static NOBODY_LEFT: Code = Code::problem("pod_reachability.nobody_left", &[Namespace::KIND])
    .after(GRACE)
    .explain("Pods do not reach pods on other nodes, and none is left to say which is at fault.")
    .felt_as(&[Symptom::AgentsReach, Symptom::AgentsAnswer])
    .remedies(&[
        POLICIES,
        Remedy::inspect("kubectl -n {cni_namespace} describe {cni_owner}"),
        Remedy::fix(
            "kubectl -n {cni_namespace} rollout restart {cni_owner}",
            "the CNI restarts node by node; pods keep their network, new ones wait for it; there \
             is nothing to undo",
        ),
        Remedy::verify("kubectl -n {cni_namespace} rollout status {cni_owner} --timeout=300s"),
    ]);

const PODS: Remedy =
    Remedy::inspect("kubectl get pods -A -o wide --field-selector spec.nodeName={node}");
const POLICIES: Remedy = Remedy::inspect("kubectl get networkpolicies -A");
const ROUTES: Remedy = Remedy::inspect(
    "kubectl debug node/{node} -it --profile=sysadmin --image=busybox -- chroot /host sh -c \
     'ip -d link; ip route; nft list ruleset'",
);
const LOG: Remedy = Remedy::inspect("kubectl -n {cni_namespace} logs {cni_pod} --tail=50");
const RESTART: Remedy = Remedy::fix(
    "kubectl -n {cni_namespace} delete pod {cni_pod}",
    "new pods on this node wait for their network until its DaemonSet has made another; there is \
     nothing to undo",
);
const VERIFY: Remedy = Remedy::verify(
    "kubectl -n {cni_namespace} get pods -o wide --field-selector spec.nodeName={node}",
);

static WORDS: Words = Words {
    observers: &OBSERVERS,
    failing: &FAILING,
    unreachable: &UNREACHABLE,
    one_way: &ONE_WAY,
    nobody_left: &NOBODY_LEFT,
    next: "look at the policies, then at the CNI's pods on these nodes",
};

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let settings = cluster.settings();
    if (&settings.agents, settings.named_agents) == (&None, 0) {
        return Err(Skipped::NotConfigured.into());
    }
    let agents = Agents::of(cluster);
    let reaching = Reaching::of(&agents, (Vantage::Pod, Target::PeerPod), out)?;
    // Pods reach pods in every cluster: none is left out for never having been reached.
    let judgement = Mesh::of(cluster, &reaching, Target::PeerPod, &BTreeSet::new())?.judge();
    // Its gaps are told by its own check.
    let nodes = node_reachability::judge(cluster, &mut Output::default()).ok();
    let nodes = nodes.map(|(judgement, _)| judgement);
    tell(cluster, out, &judgement, &WORDS, |node| {
        let observers = nodes.as_ref().and_then(|nodes| nodes.observers.get(node));
        match observers.map(|observers| observers.agree()) {
            None => "look at whether the node itself is reached".to_owned(),
            Some(true) => "nor the node itself: look at node_reachability".to_owned(),
            Some(false) if echoes(&agents, node) => {
                "the node answers, and so do echo requests to its pods: look at the policies for \
                 TCP"
                .to_owned()
            }
            Some(false) => {
                "the node itself answers, so it is the overlay: look at the CNI's pod on the node"
                    .to_owned()
            }
        }
    });
    Ok(())
}

/// Whether echo requests to a node's pods are mostly answered; where they are not, that says
/// nothing, because many sites drop them.
fn echoes(agents: &Agents<'_>, node: &Name) -> bool {
    let rows = agents
        .speaking(Vantage::Pod)
        .flat_map(|(_, said)| said.reach().unwrap_or_default())
        .filter(|row| {
            (row.target, row.probe, row.node.as_ref())
                == (Target::PeerPod, ProbeKind::Icmp, Some(node))
        });
    let (mut attempts, mut failures) = (0, 0);
    for row in rows {
        attempts += row.attempts.attempts;
        failures += row.attempts.failures;
    }
    2 * failures < attempts
}
