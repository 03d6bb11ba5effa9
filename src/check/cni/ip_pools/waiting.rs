//! Pods that wait for an address, counted once for every way to hand them out.

use std::collections::BTreeMap;

use super::WAITING_PODS;
use crate::check::{Finding, Output};
use crate::cluster::Cluster;
use crate::model::{Key, Name, Node, Pod, Unanswered};

/// The pods that are scheduled and have no address yet, by node.
#[derive(Debug)]
pub struct Waiting<'a> {
    cluster: &'a Cluster,
    pods: BTreeMap<&'a Name, Vec<&'a Key>>,
}

impl<'a> Waiting<'a> {
    pub(super) fn of(cluster: &'a Cluster) -> Result<Self, Unanswered> {
        let mut waiting: BTreeMap<&Name, Vec<&Key>> = BTreeMap::new();
        for (key, pod) in cluster.read::<Pod>()?.iter() {
            // A pod that is on its way out waits for nothing any more.
            let waits = pod.wants_address() && pod.addresses.is_empty() && !pod.terminating;
            if let (true, Some(node)) = (waits, &pod.node) {
                waiting.entry(node).or_default().push(key);
            }
        }
        let pods = waiting;
        Ok(Self { cluster, pods })
    }

    /// Returns how many there are in the whole cluster.
    pub fn all(&self) -> u64 {
        self.pods.values().map(|pods| pods.len() as u64).sum()
    }

    /// Returns how many there are on a node.
    pub fn on(&self, node: &Name) -> u64 {
        self.pods.get(node).map_or(0, |pods| pods.len() as u64)
    }

    pub(super) fn first(&self, node: &Name) -> Option<&'a Key> {
        self.pods.get(node)?.first().copied()
    }

    /// Finds those that wait although their node's pool does not say why; `is_told` says of which
    /// node it does.
    pub(super) fn tell(
        &self,
        out: &mut Output,
        is_told: impl Fn(&Name) -> bool,
    ) -> Result<(), Unanswered> {
        let nodes = self.cluster.read::<Node>()?;
        // On a node that is young, leaves or has no network of its own, that is no fault.
        let counts = |name: &Name| {
            let node = nodes.get(&Key::new("", name.clone()));
            node.is_some_and(|node| !node.is_virtual() && self.cluster.is_settled(name, node))
        };
        for (node, pods) in self.pods.iter().filter(|(node, _)| counts(node) && !is_told(node)) {
            for pod in pods {
                let message = format!(
                    "on {node}, where addresses look free, it has none yet: look at its events for \
                     FailedCreatePodSandBox"
                );
                let finding = Finding::of::<Pod>(&WAITING_PODS, (*pod).clone(), message);
                out.finding(finding.on(node));
            }
        }
        Ok(())
    }
}
