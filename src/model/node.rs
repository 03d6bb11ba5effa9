//! Nodes.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::{Fact, Kind, Labels, Name, Scope};

/// What is kept of a Node.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Node {
    /// `metadata.creationTimestamp`, since 1970; absent only in hand-made objects.
    pub created: Option<Duration>,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.podCIDRs`; a malformed one is left out.
    pub pod_cidrs: Vec<IpNet>,
    /// `spec.unschedulable`.
    pub cordoned: bool,
    /// `spec.taints`, by key.
    pub taints: Vec<Name>,
    /// `status.addresses` of type `InternalIP`; where there is none, those of any other type that
    /// are addresses.
    pub addresses: Vec<IpAddr>,
    /// `status.allocatable.pods`.
    pub max_pods: Option<u64>,
    /// `status.daemonEndpoints.kubeletEndpoint.Port`; 0 and absent mean none.
    pub kubelet_port: Option<u16>,
    /// `status.nodeInfo.kubeletVersion`: its first two numbers.
    pub kubelet: Option<(u16, u16)>,
    /// The `Ready` condition; absent until the kubelet's first word.
    pub ready: Option<Ready>,
    /// The `NetworkUnavailable` condition is `True`; absent is normal and means no.
    pub network_unavailable: bool,
    /// Whether k3s enforces policies, as the annotation `k3s.io/node-args` of a server has it; absent
    /// elsewhere, also on agents of k3s, which servers tell.
    pub k3s_policies: Option<bool>,
    /// Other conditions that speak of the network and say that something is wrong with it, by
    /// type; nearly no node has one.
    pub network_conditions: Vec<Name>,
}

/// The `Ready` condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ready {
    /// `status`.
    pub status: Status,
    /// `reason`.
    pub reason: Name,
    /// Whether the runtime has a network; absent where the `message` does not tell.
    pub network: Option<bool>,
    /// `lastTransitionTime`, since 1970.
    pub since: Option<Duration>,
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// The control plane has not heard of the node for a while.
    Unknown,
}

impl Fact for Node {
    const KIND: &'static Kind = &Kind { scope: Scope::Cluster, ..Kind::new("Node", "nodes") };
}

/// Taints of nodes that an autoscaler, a cloud or an operator is taking away.
const LEAVING: &[&str] = &[
    "ToBeDeletedByClusterAutoscaler",
    "aws-node-termination-handler/spot-itn",
    "aws-node-termination-handler/scheduled-maintenance",
    "aws-node-termination-handler/asg-lifecycle-termination",
    "cloud.google.com/impending-node-termination",
    "karpenter.sh/disrupted",
    "kubernetes.azure.com/scalesetpriority-evicted",
    "node.cloudprovider.kubernetes.io/shutdown",
    "node.kubernetes.io/out-of-service",
];

/// Whether a word of a label or a taint is that of a virtual node: `virtual-kubelet.io/provider`,
/// `virtual-node.liqo.io/not-allowed`, `type=virtual-kubelet`.
fn says_virtual(word: &str) -> bool {
    ["virtual-kubelet", "virtual-node"].iter().any(|it| word.contains(it))
}

impl Node {
    /// Whether agents run there: a Linux node with a kubelet of its own.
    ///
    /// The DaemonSets' affinity in `deploy/` says the same.
    pub fn runs_agents(&self) -> bool {
        let os = self.labels.get("kubernetes.io/os");
        os.is_none_or(|os| **os == *"linux") && !self.is_virtual()
    }

    /// Whether it has no kubelet and no CNI of its own, as its labels and taints tell.
    ///
    /// One that is made by a program which is not known, and says so by none of these words,
    /// counts as a node: then an agent is missed there.
    pub fn is_virtual(&self) -> bool {
        let is = |key: &str, value: &str| self.labels.get(key).is_some_and(|it| **it == *value);
        let fargate = is("eks.amazonaws.com/compute-type", "fargate");
        let named = self.labels.iter().any(|(key, value)| says_virtual(key) || says_virtual(value));
        fargate || named || self.taints.iter().any(|taint| says_virtual(taint))
    }

    /// Whether it is being taken away, so that its silence is no failure.
    pub fn is_leaving(&self) -> bool {
        self.terminating || self.taints.iter().any(|taint| LEAVING.contains(&&**taint))
    }
}
