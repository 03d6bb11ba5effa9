//! Do nodes reach each other on their own addresses?
//!
//! Everything between nodes, pods' traffic among it, goes over this path. Agents on the nodes' own
//! network say it best: they connect to each other's port. Without them those on the pod network
//! connect to each node's kubelet. One that is refused proves the path as well as one that is
//! accepted.
//!
//! Many sites allow neither, by design: a node that nobody has ever reached is a note, and alarms
//! only once it has worked.
//!
//! It reads observations, and of the API only who is young, leaving or gone: an outage of the API
//! must not blind it. Left out: paths that one observer alone sees fail.

use std::collections::BTreeSet;

use super::mesh::{Judgement, Mesh, Reaching, never_worked};
use super::{Words, code, list, tell};
use crate::check::{Check, Code, Finding, Layer, Output, Remedy, Severity, Step};
use crate::cluster::Cluster;
use crate::cluster::agents::Agents;
use crate::family::Family;
use crate::model::{
    Fact, Key, Name, Namespace, Node, Object, Skipped, Target, Unanswered, Vantage,
};

/// Judges connections to nodes.
pub static CHECK: Check = Check {
    id: "node_reachability",
    layer: Layer::Connectivity,
    question: "Do nodes reach each other on their own addresses?",
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
pub static UNREACHABLE: Code = code(
    "node_reachability.unreachable",
    Severity::Problem,
    "Other nodes do not reach a node on its own address.",
    &[
        Remedy { step: Step::Inspect, command: "kubectl get node {node} -o wide" },
        Remedy {
            step: Step::Inspect,
            command: "on {node}: ip address; ip route; nft list ruleset",
        },
        Remedy {
            step: Step::Fix,
            command: "kubectl drain {node} --ignore-daemonsets --delete-emptydir-data",
        },
        Remedy { step: Step::Verify, command: "on another node: nc -vz <address of {node}> 10250" },
    ],
);

/// A node reaches no other, while others reach it.
pub static ONE_WAY: Code = code(
    "node_reachability.one_way",
    Severity::Warning,
    "A node reaches hardly any other node, while others reach it.",
    &[
        Remedy { step: Step::Inspect, command: "on {node}: ip route; nft list ruleset" },
        Remedy { step: Step::Fix, command: "on {node}: nft delete rule <what drops its traffic>" },
        Remedy { step: Step::Verify, command: "on {node}: nc -vz <address of another node> 10250" },
    ],
);

/// Nodes do not reach each other, and nobody can say whose fault it is.
pub static NOBODY_LEFT: Code = code(
    "node_reachability.nobody_left",
    Severity::Problem,
    "Nodes do not reach each other, and nobody is left to say which of them is at fault.",
    &[
        Remedy { step: Step::Inspect, command: "kubectl get nodes -o wide" },
        Remedy {
            step: Step::Inspect,
            command: "on each node: ip address; ip route; nft list ruleset",
        },
        Remedy {
            step: Step::Fix,
            command: "on each node: nft delete rule <what drops the traffic>",
        },
        Remedy { step: Step::Verify, command: "on one node: nc -vz <address of another> 10250" },
    ],
);

/// Nobody has ever reached a node: the site may not allow it.
pub static NEVER_WORKED: Code = code(
    "node_reachability.never_worked",
    Severity::Info,
    "Agents have never reached a node on its own address, so nothing is said of it: a firewall may \
     not let them.",
    &[
        Remedy { step: Step::Inspect, command: "on one node: nc -vz <address of another> 12351" },
        Remedy { step: Step::Inspect, command: "on each node: nft list ruleset" },
        Remedy {
            step: Step::Fix,
            command: "allow TCP between nodes to port 12351 of host agents, and from pods to port \
                      10250 where there are none",
        },
        Remedy { step: Step::Verify, command: "on one node: nc -vz <address of another> 12351" },
    ],
);

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
    if let Err(why) = cluster.read::<Node>() {
        out.gap("nodes", why);
    }
    let (judgement, never) = judge(cluster, out)?;
    tell(cluster, out, &judgement, &WORDS, |_| {
        "look at whether the node runs, then at its firewall and routes".to_owned()
    });
    if !never.is_empty() {
        let key = Key::new("", settings.namespace.clone());
        out.finding(Finding {
            code: &NEVER_WORKED,
            subject: Object { kind: Namespace::KIND, key },
            node: None,
            message: format!(
                "no agent has ever reached {}: look at whether the firewall shall let them",
                list(&never)
            ),
        });
    }
    Ok(())
}

/// Says which nodes are not reached on their own addresses, and which never were.
pub(super) fn judge(
    cluster: &Cluster,
    out: &mut Output,
) -> Result<(Judgement, BTreeSet<Name>), Unanswered> {
    let (agents, settings) = (Agents::of(cluster), cluster.settings());
    let host_agents_look = agents.speaking(Vantage::Host).any(|(_, said)| said.reach.is_some());
    let has_pod_agents = settings.agents.is_some() || settings.named_agents > 0;
    let vantage = if host_agents_look || !has_pod_agents { Vantage::Host } else { Vantage::Pod };
    let agents = Reaching::of(&agents, vantage, out)?;
    let never = never_worked(&agents, Target::Node);
    let judgement = Mesh::of(cluster, &agents, Target::Node, &never)?.judge();
    Ok((judgement, never))
}
