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
use super::{Words, code, node_reachability, tell};
use crate::check::{Check, Code, Layer, Output, Remedy, Severity, Step};
use crate::cluster::Cluster;
use crate::cluster::agents::Agents;
use crate::family::Family;
use crate::model::{Fact, Name, Node, ProbeKind, Skipped, Target, Unanswered, Vantage};

/// Judges connections between agents on the pod network.
pub static CHECK: Check = Check {
    id: "pod_reachability",
    layer: Layer::Connectivity,
    question: "Do pods reach pods on other nodes?",
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
pub static UNREACHABLE: Code = code(
    "pod_reachability.unreachable",
    Severity::Problem,
    "Pods on other nodes do not reach the pods on a node.",
    &[
        Remedy {
            step: Step::Inspect,
            command: "kubectl get pods -A -o wide --field-selector spec.nodeName={node}",
        },
        Remedy {
            step: Step::Inspect,
            command: "on {node}: ip -d link; ip route; nft list ruleset",
        },
        Remedy { step: Step::Fix, command: RESTART },
        Remedy {
            step: Step::Verify,
            command: "kubectl -n <namespace> exec <pod on another node> -- nc -vz <address of a \
                      pod on {node}> <its port>",
        },
    ],
);

/// Pods of a node reach no others, while others reach them.
pub static ONE_WAY: Code = code(
    "pod_reachability.one_way",
    Severity::Warning,
    "Pods on a node reach hardly any pod on other nodes, while others reach them.",
    &[
        Remedy { step: Step::Inspect, command: "kubectl get networkpolicies -A" },
        Remedy {
            step: Step::Inspect,
            command: "on {node}: ip -d link; ip route; nft list ruleset",
        },
        Remedy { step: Step::Fix, command: RESTART },
        Remedy {
            step: Step::Verify,
            command: "kubectl -n <namespace> exec <pod on {node}> -- nc -vz <address of a pod on \
                      another node> <its port>",
        },
    ],
);

/// Pods of several nodes do not reach each other, and nobody can say whose fault it is.
pub static NOBODY_LEFT: Code = code(
    "pod_reachability.nobody_left",
    Severity::Problem,
    "Pods do not reach pods on other nodes, and nobody is left to say which node is at fault.",
    &[
        Remedy { step: Step::Inspect, command: "kubectl get networkpolicies -A" },
        Remedy { step: Step::Inspect, command: "kubectl get pods -A -o wide" },
        Remedy {
            step: Step::Inspect,
            command: "on each node: ip -d link; ip route; nft list ruleset",
        },
        Remedy {
            step: Step::Fix,
            command: "kubectl -n <namespace of the CNI> rollout restart daemonset <its name>",
        },
        Remedy {
            step: Step::Verify,
            command: "kubectl -n {name} logs -l app.kubernetes.io/component=agent",
        },
    ],
);

const RESTART: &str = "kubectl -n <namespace of the CNI> delete pod <its pod on {node}>";

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
    if let Err(why) = cluster.read::<Node>() {
        out.gap("nodes", why);
    }
    let agents = Agents::of(cluster);
    let reaching = Reaching::of(&agents, Vantage::Pod, out)?;
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
        .flat_map(|(_, said)| said.reach.iter().flatten())
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
