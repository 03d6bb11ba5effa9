//! DaemonSets, and what is known of the containers that they put on nodes.

use std::time::Duration;

use super::{Fact, Kind, Labels, Name, Node};

/// What is kept of a DaemonSet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DaemonSet {
    /// `metadata.creationTimestamp`, since 1970; absent only in hand-made objects.
    pub created: Option<Duration>,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `metadata.generation`.
    pub generation: u64,
    /// `spec.selector.matchLabels`: what its pods are found by.
    pub selector: Labels,
    /// `spec.updateStrategy.type` is `OnDelete`: a pod is made anew when somebody deletes it.
    pub on_delete: bool,
    /// `spec.template`.
    pub template: Template,
    /// `status`.
    pub status: Counts,
}

/// What a DaemonSet makes its pods of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Template {
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.containers`: name and image of each.
    pub images: Box<[(Name, Name)]>,
    /// What its containers are told of policies, by the names of their flags without dashes.
    pub switches: Box<[(Name, bool)]>,
    /// `spec.nodeSelector`.
    pub node_selector: Labels,
    /// The operating system of its nodes, as `spec.nodeSelector` or the required affinity says.
    pub os: Option<Name>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// It stays on nodes whatever their taints.
    pub tolerates_all: bool,
    /// It has a folder of its node in which plugins of CNI or their configuration are.
    pub mounts_cni: bool,
}

/// How many nodes a DaemonSet has, as its controller counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// `observedGeneration`: what the other counts are of.
    pub generation: u64,
    /// `desiredNumberScheduled`.
    pub desired: u32,
    /// `currentNumberScheduled`: nodes that are to have a pod, and have one.
    pub current: u32,
    /// `numberReady`.
    pub ready: u32,
    /// `updatedNumberScheduled`.
    pub updated: u32,
    /// `numberMisscheduled`: nodes that have a pod, and are not to.
    pub misscheduled: u32,
}

impl Fact for DaemonSet {
    const KIND: &'static Kind = &Kind { group: "apps", ..Kind::new("DaemonSet", "daemonsets") };
}

impl DaemonSet {
    /// Whether its counts are of what it is asked now.
    pub fn is_observed(&self) -> bool {
        self.status.generation >= self.generation
    }

    /// Whether its pods may be on a node, as `nodeSelector` and the operating system say; taints and
    /// the rest of the affinity are left to its controller, which counts.
    pub fn fits(&self, node: &Node) -> bool {
        let Template { node_selector, os, .. } = &self.template;
        let is_of = |os: &Name| node.labels.get("kubernetes.io/os").is_none_or(|own| own == os);
        (node_selector.is_empty() || node_selector.select(&node.labels))
            && os.as_ref().is_none_or(is_of)
    }
}

/// What is known of the containers of a pod that a DaemonSet put into its node's own network.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Daemon {
    /// Those that stay.
    pub containers: Box<[DaemonContainer]>,
}

/// One of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DaemonContainer {
    /// Its name in the pod.
    pub name: Name,
    /// The image that runs, as its status has it; the one that the pod asks for where the status has
    /// none, or only a digest.
    pub image: Name,
    /// `ready`.
    pub ready: bool,
    /// `restartCount`; a kubelet may count only the containers that it still has.
    pub restarts: u32,
    /// Since when it runs, since 1970; absent while it does not.
    pub started: Option<Duration>,
    /// How it ended last; absent where it never did.
    pub ended: Option<Ended>,
}

/// The end of a container.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ended {
    /// `finishedAt`, since 1970.
    pub at: Option<Duration>,
    /// `reason`: `OOMKilled`, `Error`, `Completed`.
    pub reason: Name,
}
