//! Do pods get their sandbox, and with it their network?
//!
//! A node may be Ready and start no pod: most runtimes call the network ready once there is a
//! configuration for it, whether or not its plugins are there, their agent runs or an address is
//! left. Only the pods that wait show it, and only their events say why, because a kubelet that
//! waits for a volume leaves a pod in the same state. So a pod counts as one that waits for the
//! network while an event of the last ten minutes says so, and no other does.
//!
//! A node fails where two pods or more have come since one last got its sandbox there, all wait for
//! the network, and either what they say is so of the whole node or they are of two workloads: what
//! one workload asks of its network may be its own fault. A node that is not Ready is told by
//! `node_network_ready`.
//!
//! Left out: how often sandboxes really fail, which only kubelets count: recorders of events drop
//! what comes too often. Nodes that are young or leave.

mod codes;
mod nodes;
#[cfg(test)]
mod tests;
mod unscheduled;
mod words;

pub use self::codes::{
    NETWORK, NO_NODE, NODE_FAILING, NOT_NETWORK, TOO_MANY_PODS, WAITING as UNEXPLAINED,
};
use super::waiting::{Cause, Waiter, Waiting};
use crate::check::components::Components;
use crate::check::words::{count, others, some};
use crate::check::{Check, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::cluster::sandboxes::{SETUP_BOUNDS, sandboxes};
use crate::family::Family;
use crate::model::{
    Fact, Key, Name, Node, Pod, PodEvent, SandboxFailure, Skipped, Unanswered, Unknown, Unscheduled,
};

/// Asks what the pods wait for that have no sandbox.
pub static CHECK: Check = Check {
    id: "sandbox_failures",
    layer: Layer::Cni,
    question: "Do pods get their sandbox, and with it their network?",
    runbook: "NetvitalsPodsStuckOnNetwork",
    needs: &[Node::KIND, Pod::KIND, PodEvent::KIND],
    wants: &[],
    families: &[WAITING.desc(), OF_NODES.desc(), FAILURES.desc(), SETUP.desc()],
    codes: &[&NODE_FAILING, &NETWORK, &NO_NODE, &NOT_NETWORK, &UNEXPLAINED, &TOO_MANY_PODS],
    run,
};

static WAITING: Family<1> = Family::gauge(
    "netvitals_waiting_pods",
    "Pods that wait for a sandbox, or for a node, by what they wait for.",
    ["cause"],
);

static OF_NODES: Family<2> = Family::gauge(
    "netvitals_pods_waiting_for_sandbox",
    "Pods that wait for their sandbox on a node, by what they wait for; absent where none does.",
    ["node", "cause"],
);

static FAILURES: Family<2> = Family::counter(
    "netvitals_sandbox_failure_events_total",
    "Failed sandboxes that the API was told of since the start, fewer than there were.",
    ["node", "class"],
);

static SETUP: Family<0> = Family::histogram(
    "netvitals_pod_sandbox_setup_seconds",
    "From the node of a pod to its address, as the own watch shows both; images may be part of it.",
    [],
    SETUP_BOUNDS,
);

/// What pods may wait for: the label value, and how a statement says it.
const CAUSES: [(&str, &str); 6] = [
    ("network", "waiting for the network"),
    ("volume", "waiting for a volume"),
    ("runtime", "waiting for the runtime"),
    ("unknown", "waiting for what no event says"),
    ("no_node_with_network", "without a node that has a network"),
    ("too_many_pods", "without a node that takes more pods"),
];

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let (nodes, pods) = (cluster.read::<Node>()?, cluster.read::<Pod>()?);
    let events = cluster.remember::<PodEvent>()?;
    out.lacks("nodes", nodes);
    out.lacks("pods", pods);
    if events.has_undecoded() {
        out.gap("events", Unknown::Undecoded(PodEvent::KIND.name));
    }
    if nodes.iter().all(|(_, node)| node.is_virtual()) {
        return Err(Skipped::NotApplicable.into());
    }
    let real = |name: &Name| {
        let node = nodes.get(&Key::new("", name.clone()))?;
        (!node.is_virtual()).then_some(node)
    };

    let waiting = Waiting::of(cluster, Some(events))?;
    let mut numbers = CAUSES.map(|_| 0_usize);
    let at = |cause: &str| CAUSES.iter().position(|(known, _)| *known == cause);
    for (name, waiters) in waiting.iter() {
        let Some(node) = real(name) else { continue };
        for (place, (cause, _)) in CAUSES.iter().enumerate() {
            let number = waiters.iter().filter(|it| it.cause.as_str() == *cause).count();
            numbers[place] += number;
            if number > 0 {
                out.sample(&OF_NODES, [name, cause], number as f64);
            }
        }
        if cluster.is_settled(name, node) {
            nodes::tell(cluster, out, (name, node), waiters);
        }
    }
    let scheduled: usize = numbers.iter().sum();
    for (why, number) in unscheduled::tell(cluster, out)? {
        if let Some(place) = at(why.as_str()) {
            numbers[place] = number;
        }
    }
    for ((cause, _), number) in CAUSES.iter().zip(numbers) {
        out.sample(&WAITING, [cause], number as f64);
    }
    for (node, class, number) in events.failures().filter(|(node, ..)| real(node).is_some()) {
        out.sample(&FAILURES, [node, class.as_str()], number as f64);
    }
    let (counts, sum) = sandboxes(cluster).histogram();
    out.histogram(&SETUP, [], counts, sum);

    let want = |pod: &Pod| pod.wants_address() && !pod.terminating;
    let on_real = |pod: &Pod| pod.node.as_ref().is_some_and(|node| real(node).is_some());
    let all = pods.iter().filter(|(_, pod)| want(pod) && on_real(pod)).count();
    let mut statement =
        format!("{} of {} with their sandbox", count((all - scheduled) as u64), some(all, "pod"));
    statement += &others(CAUSES.iter().zip(numbers).map(|((_, words), number)| (number, *words)));
    out.statement(statement);
    Ok(())
}
