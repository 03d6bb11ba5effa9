//! Do nodes reach each other on their own addresses?
//!
//! Everything between nodes, pods' traffic among it, goes over this path. Agents on the nodes' own
//! network say it best: they connect to each other's port. Without them those on the pod network
//! connect to each node's kubelet. One that is refused proves the path as well as one that is
//! accepted.
//!
//! Many sites allow neither, by design: a node that no agent has ever reached is a note, and alarms
//! only once it has worked.
//!
//! It reads observations, and of the API only who is young, leaving or gone: an outage of the API
//! must not blind it. Left out: paths that one observer alone sees fail.

use std::collections::BTreeSet;

use super::mesh::{Judgement, Mesh, Reaching, never_worked};
use super::{GRACE, Words, list, tell};
use crate::check::{Check, Code, Finding, Layer, Output, Remedy, Symptom};
use crate::cluster::Cluster;
use crate::cluster::agents::Agents;
use crate::family::Family;
use crate::model::{Fact, Key, Name, Namespace, Node, Skipped, Target, Unanswered, Vantage};

/// Judges connections to nodes.
pub static CHECK: Check = Check {
    id: "node_reachability",
    layer: Layer::Connectivity,
    question: "Do nodes reach each other on their own addresses?",
    runbook: "NetvitalsNodeUnreachable",
    needs: &[],
    wants: &[Node::KIND],
    families: &[OBSERVERS.desc(), FAILING.desc()],
    codes: &[&UNREACHABLE, &ONE_WAY, &NOBODY_LEFT, &NEVER_WORKED],
    run,
};

static OBSERVERS: Family<1> = Family::gauge(
    "netvitals_node_observers",
    "Agents that try to reach a node, without those that are at fault themselves.",
    ["node"],
);

static FAILING: Family<1> = Family::gauge(
    "netvitals_node_failing_observers",
    "Agents that try to reach a node and mostly fail, of netvitals_node_observers.",
    ["node"],
);

/// Most of those that look at a node do not reach it.
pub static UNREACHABLE: Code = Code::problem("node_reachability.unreachable", &[Node::KIND])
    .after(GRACE)
    .explain("Other nodes do not reach a node on its own address.")
    .felt_as(&[Symptom::AgentsReach])
    .remedies(&[
        Remedy::inspect("kubectl get node {node} -o wide"),
        Remedy::inspect("kubectl describe node {node}"),
        Remedy::inspect(NETWORK_OF_NODE),
        // A drain of a node that is not reached waits for its kubelet without end.
        Remedy::fix(
            "kubectl taint nodes {node} node.kubernetes.io/out-of-service=nodeshutdown:NoExecute",
            "only once the machine is switched off: its pods are forgotten at once and start \
             elsewhere, with their volumes; undone by the same command with a minus at its end, \
             once the machine is back",
        ),
        Remedy::verify("kubectl wait --for=condition=Ready node/{node} --timeout=60s"),
    ]);

/// Needs a kubelet that is reached.
const NETWORK_OF_NODE: &str = "kubectl debug node/{node} -it --profile=sysadmin --image=busybox \
                               -- chroot /host sh -c 'ip address; ip route; nft list ruleset'";

/// A node reaches no other, while others reach it.
pub static ONE_WAY: Code = Code::warning("node_reachability.one_way", &[Node::KIND])
    .after(GRACE)
    .explain("A node reaches hardly any other node, while others reach it.")
    .felt_as(&[Symptom::AgentsReach])
    .remedies(&[
        Remedy::inspect(NETWORK_OF_NODE),
        Remedy::fix(
            "kubectl cordon {node}",
            "no new pod starts there until the rule or the route that the first command shows is \
             mended; undone by kubectl uncordon",
        ),
        Remedy::verify(NETWORK_OF_NODE),
    ]);

/// Nodes do not reach each other, and none is left to say whose fault it is.
pub static NOBODY_LEFT: Code = Code::problem("node_reachability.nobody_left", &[Namespace::KIND])
    .after(GRACE)
    .explain("Nodes do not reach each other, and none is left to say which of them is at fault.")
    .felt_as(&[Symptom::AgentsReach])
    .remedies(&[
        Remedy::inspect("kubectl get nodes -o wide"),
        Remedy::inspect(
            "kubectl -n {name} logs -l app.kubernetes.io/component=host-agent --prefix",
        ),
        Remedy::verify("kubectl get nodes -o wide"),
    ]);

/// No agent has ever reached a node: the site may not allow it.
pub static NEVER_WORKED: Code = Code::info("node_reachability.never_worked", &[Namespace::KIND])
    .after(GRACE)
    .explain(
        "Agents have never reached a node on its own address, so nothing is said of it: a \
         firewall between nodes must let TCP through to port 12351 of host agents, or from pods \
         to port 10250 where there are none.",
    )
    .felt_as(&[Symptom::AgentsReach])
    .remedies(&[
        Remedy::inspect("kubectl get nodes -o wide"),
        Remedy::inspect(
            "kubectl -n {name} logs -l app.kubernetes.io/component=host-agent --prefix",
        ),
        Remedy::verify("kubectl -n {name} get pods -o wide"),
    ]);

static WORDS: Words = Words {
    observers: &OBSERVERS,
    failing: &FAILING,
    unreachable: &UNREACHABLE,
    one_way: &ONE_WAY,
    nobody_left: &NOBODY_LEFT,
    next: "look at the firewall and the routes of these nodes",
};

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let settings = cluster.settings();
    if (&settings.agents, &settings.host_agents, settings.named_agents) == (&None, &None, 0) {
        return Err(Skipped::NotConfigured.into());
    }
    let (judgement, never) = judge(cluster, out)?;
    tell(cluster, out, &judgement, &WORDS, |_| {
        "look at whether the node runs, then at its firewall and routes".to_owned()
    });
    if !never.is_empty() {
        let key = Key::new("", settings.namespace.clone());
        let message = format!(
            "no agent has ever reached {}: look at whether the firewall shall let them",
            list(&never)
        );
        out.finding(Finding::of::<Namespace>(&NEVER_WORKED, key, message));
    }
    Ok(())
}

/// Says which nodes are not reached on their own addresses, and which never were.
pub(super) fn judge(
    cluster: &Cluster,
    out: &mut Output,
) -> Result<(Judgement, BTreeSet<Name>), Unanswered> {
    let (agents, settings) = (Agents::of(cluster), cluster.settings());
    let host_agents_look = agents.speaking(Vantage::Host).any(|(_, said)| said.reach().is_ok());
    let has_pod_agents = settings.agents.is_some() || settings.named_agents > 0;
    let vantage = if host_agents_look || !has_pod_agents { Vantage::Host } else { Vantage::Pod };
    let agents = Reaching::of(&agents, (vantage, Target::Node), out)?;
    let never = never_worked(&agents, Target::Node);
    let judgement = Mesh::of(cluster, &agents, Target::Node, &never)?.judge();
    Ok((judgement, never))
}
