//! Pods without a node, where that has to do with the network; by namespace, because there may be
//! thousands.

use std::collections::BTreeMap;

use super::codes::{NO_NODE, TOO_MANY_PODS};
use super::{Cluster, Finding, Key, Name, Node, Output, Pod, Unanswered, Unscheduled, some};
use crate::model::Namespace;

/// Taints of a node that has no network, or is not ready.
const NO_NETWORK: [&str; 2] =
    ["node.kubernetes.io/not-ready", "node.kubernetes.io/network-unavailable"];

/// Finds them, and returns how many there are.
pub(super) fn tell(
    cluster: &Cluster,
    out: &mut Output,
) -> Result<[(Unscheduled, usize); 2], Unanswered> {
    let mut all: BTreeMap<(Unscheduled, &Name), Vec<&Key>> = BTreeMap::new();
    for (key, pod) in cluster.read::<Pod>()?.iter() {
        let waits = pod.node.is_none() && !pod.terminating && !pod.ended;
        if let (true, Some(why)) = (waits, pod.unscheduled) {
            all.entry((why, &key.namespace)).or_default().push(key);
        }
    }
    let nodes = cluster.read::<Node>()?;
    // Those that are young get their network soon, and those that leave none.
    let tainted = nodes.iter().filter(|(key, node)| {
        let is_meant = node.taints.iter().any(|taint| NO_NETWORK.contains(&&**taint));
        is_meant && !node.is_virtual() && cluster.is_settled(&key.name, node)
    });
    let tainted: Vec<&Name> = tainted.map(|(key, _)| &key.name).collect();
    for ((why, namespace), pods) in &all {
        let pods_of = some(pods.len(), "pod");
        let first = pods.first().map_or("", |key| &key.name);
        let (code, message) = match (why, tainted.first()) {
            (Unscheduled::NoNodeWithNetwork, None) => continue,
            (Unscheduled::NoNodeWithNetwork, Some(node)) => {
                let message = format!(
                    "{pods_of} ({first} first) could go only to nodes that are not ready or have no \
                     network, such as {node}: look at node_network_ready"
                );
                (&NO_NODE, message)
            }
            (Unscheduled::TooManyPods, _) => {
                let message = format!(
                    "{pods_of} ({first} first) have no node that takes one more: look at the \
                     allocatable pods of the nodes, which a cloud lays down by their addresses"
                );
                (&TOO_MANY_PODS, message)
            }
        };
        let key = Key::new("", (*namespace).clone());
        out.finding(Finding::of::<Namespace>(code, key, message));
    }
    let number = |why: Unscheduled| {
        let of = all.iter().filter(|((known, _), _)| *known == why);
        (why, of.map(|(_, pods)| pods.len()).sum())
    };
    Ok([Unscheduled::NoNodeWithNetwork, Unscheduled::TooManyPods].map(number))
}
